// SPDX-License-Identifier: GPL-3.0-or-later
// Covers a window while something is dragged over it and says what dropping will do.
#pragma once

#include <QWidget>

namespace equant::ui {

class DropOverlay : public QWidget {
    Q_OBJECT

public:
    explicit DropOverlay(QWidget* window);
    void showText(const QString& text, bool isAccepted);
    QString text() const { return isHidden() ? QString() : m_text; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QString m_text;
    bool m_isAccepted = true;
};

}  // namespace equant::ui
