// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/panels/drop_overlay.h"

#include <QPainter>

#include "widgets/plots/base/plot_theme.h"

namespace equant::ui {

DropOverlay::DropOverlay(QWidget* window) : QWidget(window) {
    setObjectName(QStringLiteral("dropOverlay"));
    setAttribute(Qt::WA_TransparentForMouseEvents);
    hide();
}

void DropOverlay::showText(const QString& text, bool isAccepted) {
    m_text = text;
    m_isAccepted = isAccepted;
    setAccessibleName(text);
    setGeometry(parentWidget()->rect());
    raise();
    show();
    update();
}

void DropOverlay::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const auto theme = plots::PlotTheme::fromPalette(palette(), font());
    const QColor accent = m_isAccepted ? theme.accent : theme.alert;
    QColor veil = theme.background;
    veil.setAlphaF(0.88F);
    painter.fillRect(rect(), veil);
    painter.setPen(QPen(accent, 3, Qt::DashLine));
    painter.drawRoundedRect(QRectF(rect()).adjusted(16, 16, -16, -16), 12, 12);
    QFont big = font();
    big.setPointSizeF(big.pointSizeF() * 1.6);
    painter.setFont(big);
    painter.setPen(theme.text);
    painter.drawText(rect().adjusted(48, 48, -48, -48), Qt::AlignCenter | Qt::TextWordWrap, m_text);
}

}  // namespace equant::ui
