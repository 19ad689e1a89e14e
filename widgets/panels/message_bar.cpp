// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/panels/message_bar.h"

#include <QApplication>
#include <QClipboard>
#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QStyle>
#include <QToolButton>

#include "widgets/plots/base/plot_theme.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

MessageBar::MessageBar(QWidget* parent)
    : QFrame(parent), m_icon(new QLabel(this)), m_text(new QLabel(this)), m_copy(new QToolButton(this)) {
    setObjectName(u"messageBar"_s);
    setAccessibleName(tr("Message"));
    setAutoFillBackground(true);
    setFrameShape(QFrame::NoFrame);
    m_text->setWordWrap(true);
    m_text->setTextFormat(Qt::PlainText);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_text->setObjectName(u"messageText"_s);
    m_copy->setText(tr("Copy details"));
    m_copy->setObjectName(u"messageCopyDetails"_s);
    m_copy->setAutoRaise(true);
    auto* close = new QToolButton(this);
    close->setAutoRaise(true);
    close->setIcon(style()->standardIcon(QStyle::SP_TitleBarCloseButton));
    close->setToolTip(tr("Dismiss"));
    close->setAccessibleName(tr("Dismiss the message"));
    close->setObjectName(u"messageClose"_s);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(12, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(m_icon, 0, Qt::AlignTop);
    layout->addWidget(m_text, 1);
    layout->addWidget(m_copy, 0, Qt::AlignTop);
    layout->addWidget(close, 0, Qt::AlignTop);
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    connect(m_copy, &QToolButton::clicked, this, [this] { QApplication::clipboard()->setText(m_details); });
    hide();
}

void MessageBar::show(Kind kind, const QString& text, const QString& hint, const QString& details) {
    m_kind = kind;
    m_plainText = text;
    m_details = details;
    m_text->setText(hint.isEmpty() ? text : text + u'\n' + hint);
    m_copy->setVisible(!details.isEmpty());
    restyle();
    setVisible(true);
}

QString MessageBar::text() const {
    return isHidden() ? QString() : m_plainText;
}

void MessageBar::restyle() {
    m_isRestyling = true;
    const auto theme = plots::PlotTheme::fromPalette(QApplication::palette(), font());
    const QColor accent = m_kind == Kind::Error     ? theme.alert
                          : m_kind == Kind::Warning ? theme.before
                          : m_kind == Kind::Success ? theme.after
                                                    : theme.accent;
    QPalette colours = QApplication::palette();
    colours.setColor(QPalette::Window, plots::mixed(theme.background, accent, 0.14));
    setPalette(colours);
    const auto icon = m_kind == Kind::Error     ? QStyle::SP_MessageBoxCritical
                      : m_kind == Kind::Warning ? QStyle::SP_MessageBoxWarning
                      : m_kind == Kind::Success ? QStyle::SP_DialogApplyButton
                                                : QStyle::SP_MessageBoxInformation;
    m_icon->setPixmap(style()->standardIcon(icon).pixmap(16, 16));
    m_isRestyling = false;
}

void MessageBar::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (!m_isRestyling && (event->type() == QEvent::PaletteChange || event->type() == QEvent::ApplicationPaletteChange))
        restyle();
}

}  // namespace equant::ui
