// SPDX-License-Identifier: GPL-3.0-or-later
// A short verdict with a coloured symbol: the symbol's shape says the same as its colour.
#pragma once

#include <QWidget>

namespace equant::ui {

class StatusBadge : public QWidget {
    Q_OBJECT

public:
    enum class Verdict { None, Good, Fair, Bad };

    explicit StatusBadge(QWidget* parent = nullptr);
    void setVerdict(Verdict verdict, const QString& text, const QString& details = {});
    Verdict verdict() const { return m_verdict; }
    QString text() const { return m_text; }
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {80, sizeHint().height()}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Verdict m_verdict = Verdict::None;
    QString m_text;
};

}  // namespace equant::ui
