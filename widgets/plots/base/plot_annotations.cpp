// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "widgets/plots/base/plot_marks_internal.h"

namespace equant::plots {

RegionLayer::RegionLayer(PlotCanvas* canvas, const CanvasState& state)
    : QCPLayerable(canvas, QStringLiteral("background")), m_canvas(canvas), m_state(state) {}

QRect RegionLayer::clipRect() const {
    return m_canvas->axisRect()->rect();
}

void RegionLayer::applyDefaultAntialiasingHint(QCPPainter* painter) const {
    painter->setAntialiasing(true);
}

void RegionLayer::draw(QCPPainter* painter) {
    const QRectF area = m_canvas->axisRect()->rect();
    const auto toX = [&](double v) {
        return std::isfinite(v) ? m_canvas->xAxis->coordToPixel(v) : v < 0 ? area.left() - 2 : area.right() + 2;
    };
    const auto toY = [&](double v) {
        return std::isfinite(v) ? m_canvas->yAxis->coordToPixel(toAxis(m_state.scene.y, v))
               : v < 0          ? area.bottom() + 2
                                : area.top() - 2;
    };
    for (const PlotRegion& region : m_state.scene.regions) {
        const QRectF rect =
            QRectF(QPointF(toX(region.x0), toY(region.y1)), QPointF(toX(region.x1), toY(region.y0))).normalized();
        QColor fill = m_state.theme.colour(region.ink);
        painter->setPen(QPen(fill, 1.2, Qt::DashLine));
        fill.setAlphaF(m_state.theme.isDark ? 0.13F : 0.07F);
        painter->setBrush(fill);
        painter->drawRect(rect);
    }
}

AnnotationLayer::AnnotationLayer(PlotCanvas* canvas, const CanvasState& state)
    : QCPLayerable(canvas, QStringLiteral("legend")), m_canvas(canvas), m_state(state) {}

QRect AnnotationLayer::clipRect() const {
    return m_canvas->viewport();
}

void AnnotationLayer::applyDefaultAntialiasingHint(QCPPainter* painter) const {
    painter->setAntialiasing(true);
}

void AnnotationLayer::draw(QCPPainter* painter) {
    const PlotTheme& theme = m_state.theme;
    if (m_state.scene.isEmpty()) {
        painter->setFont(theme.font);
        painter->setPen(theme.mutedText);
        painter->drawText(m_canvas->viewport().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap,
                          m_state.emptyText);
        return;
    }
    for (const PlotLine& line : m_state.scene.lines) drawReferenceLine(painter, line);
    const QRectF area = m_canvas->axisRect()->rect();
    if (area.width() < 150 || area.height() < 90) return;
    painter->setFont(theme.smallFont());
    painter->setPen(theme.mutedText);
    const QFontMetricsF metrics(theme.smallFont());
    const bool doAllFit =
        std::all_of(m_state.scene.notes.begin(), m_state.scene.notes.end(),
                    [&](const PlotNote& note) { return metrics.horizontalAdvance(note.text) < area.width() * 0.47; });
    if (!doAllFit) return;
    for (const PlotNote& note : m_state.scene.notes) {
        QRectF rect(0, 0, metrics.horizontalAdvance(note.text) + 4, metrics.height());
        const QPointF at(area.left() + note.x * area.width(), area.top() + note.y * area.height());
        rect.moveCenter(at);
        if (note.alignment & Qt::AlignLeft) rect.moveLeft(at.x());
        if (note.alignment & Qt::AlignRight) rect.moveRight(at.x());
        if (note.alignment & Qt::AlignTop) rect.moveTop(at.y());
        if (note.alignment & Qt::AlignBottom) rect.moveBottom(at.y());
        painter->drawText(rect, Qt::AlignCenter, note.text);
    }
}

void AnnotationLayer::drawReferenceLine(QCPPainter* painter, const PlotLine& line) const {
    const PlotTheme& theme = m_state.theme;
    const QRectF area = m_canvas->axisRect()->rect();
    const double at = m_canvas->linePixel(line);
    const bool isHorizontal = line.orientation == Qt::Horizontal;
    const bool isInside = isHorizontal ? at >= area.top() - 1 && at <= area.bottom() + 1
                                       : at >= area.left() - 1 && at <= area.right() + 1;
    if (!isInside) return;
    const QColor colour = line.isFaint ? mixed(theme.background, theme.text, 0.3) : theme.colour(line.ink);
    painter->setPen(QPen(colour, line.isFaint ? 0.7 : 1.2, line.isFaint ? Qt::SolidLine : Qt::DashLine));
    if (isHorizontal)
        painter->drawLine(QLineF(area.left(), at, area.right(), at));
    else
        painter->drawLine(QLineF(at, area.top(), at, area.bottom()));
    if (!line.id.isEmpty() && isHorizontal) {  // a grip shows that it can be dragged
        painter->setPen(Qt::NoPen);
        painter->setBrush(colour);
        painter->drawRoundedRect(QRectF(area.right() - 14, at - 3, 14, 6), 3, 3);
    }
    if (!line.id.isEmpty() && !isHorizontal) {
        painter->setPen(Qt::NoPen);
        painter->setBrush(colour);
        painter->drawRoundedRect(QRectF(at - 4, area.bottom() - 18, 8, 18), 3, 3);
    }
    if (line.label.isEmpty() || area.height() < 70.0) return;
    const QFontMetricsF metrics(theme.smallFont());
    if (area.height() < 130.0 && metrics.horizontalAdvance(line.label) > area.width() * 0.5) return;
    const QString text = metrics.elidedText(line.label, Qt::ElideRight, area.width() * 0.6);
    const QSizeF size(metrics.horizontalAdvance(text) + 6, metrics.height());
    QList<QRectF> places;
    if (isHorizontal) {
        const double right = area.right() - size.width() - (line.id.isEmpty() ? 2 : 18);
        places = {QRectF(QPointF(right, at - size.height() - 1), size), QRectF(QPointF(right, at + 2), size),
                  QRectF(QPointF(area.left() + 4, at - size.height() - 1), size),
                  QRectF(QPointF(area.left() + 4, at + 2), size)};
    } else {
        places = {QRectF(QPointF(at + 3, area.top() + 2), size),
                  QRectF(QPointF(at - size.width() - 3, area.top() + 2), size)};
    }
    const QRectF* best = nullptr;
    int fewest = std::numeric_limits<int>::max();
    for (const QRectF& place : places) {
        const bool isFree = std::none_of(m_state.takenByLabels.begin(), m_state.takenByLabels.end(),
                                         [&](const QRectF& other) { return other.intersects(place); });
        const int covered = area.contains(place) && isFree ? m_canvas->countPointsIn(place) : fewest;
        if (covered >= fewest) continue;
        fewest = covered;
        best = &place;
    }
    if (!best) return;
    m_state.takenByLabels.append(*best);
    QColor veil = theme.background;
    veil.setAlphaF(0.8F);
    painter->fillRect(*best, veil);
    painter->setFont(theme.smallFont());
    painter->setPen(withContrast(colour, theme.background, kTextContrast));
    painter->drawText(*best, Qt::AlignCenter, text);
}

}  // namespace equant::plots
