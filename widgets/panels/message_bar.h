// SPDX-License-Identifier: GPL-3.0-or-later
// A message that stays in the page instead of blocking it: icon, sentence, hint, copyable details. One at a time; a
// newer one replaces it.
#pragma once

#include <QFrame>

class QLabel;
class QToolButton;

namespace equant::ui {

class MessageBar : public QFrame {
    Q_OBJECT

public:
    enum class Kind { Information, Success, Warning, Error };

    explicit MessageBar(QWidget* parent = nullptr);
    void show(Kind kind, const QString& text, const QString& hint = {}, const QString& details = {});
    QString text() const;
    Kind kind() const { return m_kind; }

protected:
    void changeEvent(QEvent* event) override;

private:
    void restyle();

    Kind m_kind = Kind::Information;
    QString m_plainText;
    QString m_details;
    QLabel* m_icon;
    QLabel* m_text;
    QToolButton* m_copy;
    bool m_isRestyling = false;
};

}  // namespace equant::ui
