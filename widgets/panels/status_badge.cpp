// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/panels/status_badge.h"

#include <QPainter>
#include <QPainterPath>

#include "widgets/plots/base/plot_theme.h"

namespace equant::ui {

StatusBadge::StatusBadge(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("statusBadge"));
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
}

void StatusBadge::setVerdict(Verdict verdict, const QString& text, const QString& details) {
    m_verdict = verdict;
    m_text = text;
    setToolTip(details);
    setAccessibleName(text);
    updateGeometry();
    update();
}

QSize StatusBadge::sizeHint() const {
    return {fontMetrics().horizontalAdvance(m_text) + 48, fontMetrics().height() + 10};
}

void StatusBadge::paintEvent(QPaintEvent*) {
    if (m_text.isEmpty()) return;
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QColor window = palette().color(QPalette::Window);
    const QColor colour = plots::withContrast(m_verdict == Verdict::Good   ? QColor(0x2e, 0x9e, 0x5b)
                                              : m_verdict == Verdict::Fair ? QColor(0xd9, 0x8c, 0x00)
                                              : m_verdict == Verdict::Bad  ? QColor(0xd0, 0x3b, 0x2f)
                                                                           : QColor(0x88, 0x88, 0x88),
                                              window, plots::kMarkContrast);
    painter.setPen(QPen(colour, 1.2));
    painter.setBrush(plots::mixed(window, colour, 0.12));
    painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), height() / 2.0 - 1, height() / 2.0 - 1);
    const QRectF symbol(12, height() / 2.0 - 6, 12, 12);
    painter.setPen(QPen(colour, 2.2, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter.setBrush(Qt::NoBrush);
    QPainterPath path;
    if (m_verdict == Verdict::Good) {
        path.moveTo(symbol.left() + 1, symbol.center().y());
        path.lineTo(symbol.left() + 4.5, symbol.bottom() - 2);
        path.lineTo(symbol.right() - 1, symbol.top() + 2);
    } else if (m_verdict == Verdict::Bad) {
        path.moveTo(symbol.topLeft() + QPointF(2, 2));
        path.lineTo(symbol.bottomRight() - QPointF(2, 2));
        path.moveTo(symbol.topRight() + QPointF(-2, 2));
        path.lineTo(symbol.bottomLeft() + QPointF(2, -2));
    } else {
        path.moveTo(symbol.center() - QPointF(5, 0));
        path.lineTo(symbol.center() + QPointF(5, 0));
    }
    painter.drawPath(path);
    painter.setPen(palette().color(QPalette::WindowText));
    const QRect text = rect().adjusted(32, 0, -12, 0);
    painter.drawText(text, Qt::AlignVCenter | Qt::AlignLeft,
                     fontMetrics().elidedText(m_text, Qt::ElideRight, text.width()));
}

}  // namespace equant::ui
