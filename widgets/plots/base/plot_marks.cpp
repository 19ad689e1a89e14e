// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "widgets/plots/base/plot_marks_internal.h"

namespace equant::plots {
namespace {

constexpr double kCapSize = 6.0;

QPolygonF starPolygon(QPointF centre, double radius) {
    QPolygonF polygon;
    for (int i = 0; i < 10; ++i) {
        const double angle = M_PI * (i / 5.0 - 0.5);
        const double r = i % 2 == 0 ? radius : radius * 0.45;
        polygon << centre + QPointF(std::cos(angle) * r, std::sin(angle) * r);
    }
    return polygon;
}

QPolygonF symbolPolygon(Symbol symbol, QPointF c, double r) {
    switch (symbol) {
        case Symbol::Square:
            return QPolygonF(QRectF(c.x() - r * 0.88, c.y() - r * 0.88, r * 1.76, r * 1.76));
        case Symbol::Diamond:
            return {c + QPointF(0, -r * 1.15), c + QPointF(r * 1.15, 0), c + QPointF(0, r * 1.15),
                    c + QPointF(-r * 1.15, 0)};
        case Symbol::TriangleUp:
            return {c + QPointF(0, -r * 1.1), c + QPointF(r, r * 0.8), c + QPointF(-r, r * 0.8)};
        case Symbol::TriangleDown:
            return {c + QPointF(0, r * 1.1), c + QPointF(r, -r * 0.8), c + QPointF(-r, -r * 0.8)};
        default:
            return starPolygon(c, r * 1.25);
    }
}

void drawPadlock(QPainter* painter, QPointF c, double size, const QColor& colour, const QColor& background) {
    const double r = size / 2.0;
    painter->setPen(QPen(colour, std::max(1.2, size * 0.16)));
    painter->setBrush(Qt::NoBrush);
    const QRectF shackle(c.x() - r * 0.55, c.y() - r * 1.15, r * 1.1, r * 1.4);
    painter->drawArc(shackle, 0, 180 * 16);
    painter->drawLine(QLineF(shackle.left(), shackle.center().y(), shackle.left(), c.y()));
    painter->drawLine(QLineF(shackle.right(), shackle.center().y(), shackle.right(), c.y()));
    painter->setPen(Qt::NoPen);
    painter->setBrush(colour);
    painter->drawRoundedRect(QRectF(c.x() - r * 0.9, c.y() - r * 0.2, r * 1.8, r * 1.3), r * 0.2, r * 0.2);
    if (size < 9.0) return;
    painter->setBrush(background);
    painter->drawEllipse(c + QPointF(0, r * 0.4), r * 0.22, r * 0.28);
}

}  // namespace

void drawSymbol(QPainter* painter, Symbol symbol, QPointF centre, double size, const QColor& colour, bool isFilled,
                const QColor& background) {
    const double r = size / 2.0;
    if (symbol == Symbol::Plus || symbol == Symbol::Cross) {
        painter->setPen(QPen(colour, std::max(1.6, size * 0.24), Qt::SolidLine, Qt::FlatCap));
        const double d = symbol == Symbol::Plus ? 0.0 : r * 0.85;
        const double e = symbol == Symbol::Plus ? r * 1.1 : r * 0.85;
        painter->drawLine(QLineF(centre.x() - e, centre.y() - d, centre.x() + e, centre.y() + d));
        painter->drawLine(QLineF(centre.x() - d, centre.y() + e, centre.x() + d, centre.y() - e));
        return;
    }
    if (symbol == Symbol::Padlock) return drawPadlock(painter, centre, size, colour, background);
    if (isFilled)
        painter->setPen(size < 6.0 ? QPen(Qt::NoPen) : QPen(background, 0.6));
    else
        painter->setPen(QPen(colour, std::min(1.5, size * 0.28)));
    painter->setBrush(isFilled ? colour : background);
    if (symbol == Symbol::Circle)
        painter->drawEllipse(centre, r, r);
    else
        painter->drawPolygon(symbolPolygon(symbol, centre, r));
}

void drawHatched(QPainter* painter, const QRectF& rect, const QColor& colour) {
    QColor fill = colour;
    fill.setAlphaF(0.18F);
    painter->setPen(QPen(colour, 1.2));
    painter->setBrush(fill);
    painter->drawRect(rect);
    if (rect.width() < 6.0) return;
    painter->setPen(QPen(colour, 0.8));
    constexpr double kStep = 7.0;
    // Lines x + y = sum, cut at the borders of the rectangle.
    for (double sum = rect.left() + rect.top() + kStep; sum < rect.right() + rect.bottom(); sum += kStep) {
        const double left = std::max(rect.left(), sum - rect.bottom());
        const double right = std::min(rect.right(), sum - rect.top());
        painter->drawLine(QLineF(left, sum - left, right, sum - right));
    }
}

double CanvasState::opacityOf(const QString& key) const {
    return !isFading || selection.contains(key) ? 1.0 : kFadedOpacity;
}

void CanvasState::updateFading() {
    isFading =
        !selection.isEmpty() && std::any_of(scene.series.begin(), scene.series.end(), [this](const PlotSeries& series) {
            return std::any_of(series.points.begin(), series.points.end(),
                               [this](const PlotPoint& point) { return selection.contains(point.key); });
        });
}

SeriesMarks::SeriesMarks(QCPAxis* keyAxis, QCPAxis* valueAxis, const CanvasState& state, std::size_t index)
    : QCPAbstractPlottable(keyAxis, valueAxis), m_state(state), m_index(index) {
    setSelectable(QCP::stNone);
}

double SeriesMarks::selectTest(const QPointF&, bool, QVariant*) const {
    return -1.0;  // PlotView picks by the scene's own rule
}

QCPRange SeriesMarks::getKeyRange(bool& foundRange, QCP::SignDomain) const {
    foundRange = false;  // the scene sets all ranges
    return {};
}

QCPRange SeriesMarks::getValueRange(bool& foundRange, QCP::SignDomain, const QCPRange&) const {
    foundRange = false;
    return {};
}

QPointF SeriesMarks::pixel(double x, double y) const {
    const PlotScene& scene = m_state.scene;
    const PlotAxis& axis = series().isOnRightAxis && scene.right ? *scene.right : scene.y;
    return {mKeyAxis->coordToPixel(toAxis(scene.x, x) + series().offset), mValueAxis->coordToPixel(toAxis(axis, y))};
}

QPointF SeriesMarks::anchor(const PlotPoint& point) const {
    return pixel(point.x, point.y);
}

double SeriesMarks::base(const PlotPoint& point) const {
    if (std::isfinite(point.y2)) return point.y2;
    return mValueAxis->scaleType() == QCPAxis::stLogarithmic ? mValueAxis->range().lower : 0.0;
}

double SeriesMarks::symbolSize(const PlotPoint& point) const {
    if (point.size > 0.0) return point.size;
    return std::clamp(m_spacing * 0.9, 3.0, series().size);
}

QRectF SeriesMarks::columnRect(const PlotPoint& point) const {
    const QPointF top = anchor(point);
    const double bottom = pixel(point.x, base(point)).y();
    const double left = mKeyAxis->coordToPixel(point.x + series().offset - series().width / 2.0);
    const double right = mKeyAxis->coordToPixel(point.x + series().offset + series().width / 2.0);
    const double width = std::max(1.0, right - left);
    return QRectF(QPointF(top.x() - width / 2.0, std::min(top.y(), bottom)),
                  QPointF(top.x() + width / 2.0, std::max(top.y(), bottom)));
}

void SeriesMarks::draw(QCPPainter* painter) {
    if (!mKeyAxis || !mValueAxis || series().points.empty()) return;
    const double count = std::max(1.0, mKeyAxis->range().size());
    m_spacing = m_state.scene.pick == Pick::Column ? mKeyAxis->axisRect()->width() / count : 100.0;
    const bool isRow = m_state.scene.pick == Pick::Row;
    if (isRow) m_spacing = mValueAxis->axisRect()->height() / std::max(1.0, mValueAxis->range().size());
    painter->setAntialiasing(true);
    if (series().mark == Mark::Line) drawLine(painter);
    if (series().mark == Mark::Band) return drawBand(painter);
    const QColor usual = m_state.theme.colour(series().ink);
    const double margin = series().mark == Mark::Arrows ? 1e9 : 1.0;
    for (const PlotPoint& point : series().points) {
        const double x = toAxis(m_state.scene.x, point.x);
        if (m_state.scene.pick == Pick::Column &&
            (x < mKeyAxis->range().lower - margin || x > mKeyAxis->range().upper + margin))
            continue;
        if (isRow && (point.y < mValueAxis->range().lower - 1.0 || point.y > mValueAxis->range().upper + 1.0)) continue;
        const QColor colour = point.isFlagged ? m_state.theme.alert : usual;
        painter->setOpacity(m_state.opacityOf(point.key));
        const bool isSymbol = series().mark == Mark::Points;  // bars would hide what is drawn before them
        if (isSymbol) drawWhisker(painter, point, colour);
        drawPoint(painter, point, colour);
        if (!isSymbol) drawWhisker(painter, point, colour);
        drawCaps(painter, point, colour);
        drawText(painter, point);
    }
    painter->setOpacity(1.0);
}

void SeriesMarks::drawLegendIcon(QCPPainter*, const QRectF&) const {}  // the header draws the legend

void SeriesMarks::drawLine(QCPPainter* painter) const {
    QPolygonF polyline;
    for (const PlotPoint& point : series().points) polyline << anchor(point);
    painter->setOpacity(m_state.isFading ? 0.5 : 1.0);
    const double width = m_spacing < 4.0 ? 1.0 : 1.6;
    const Qt::PenStyle style = series().isDotted ? Qt::DotLine : series().isDashed ? Qt::DashLine : Qt::SolidLine;
    painter->setPen(QPen(m_state.theme.colour(series().ink), width, style, Qt::RoundCap, Qt::RoundJoin));
    painter->setBrush(Qt::NoBrush);
    painter->drawPolyline(polyline);
    painter->setOpacity(1.0);
}

void SeriesMarks::drawBand(QCPPainter* painter) const {
    QPolygonF outline, back;
    for (const PlotPoint& point : series().points) {
        outline << anchor(point);
        back.prepend(pixel(point.x, point.y2));
    }
    outline += back;
    QColor fill = m_state.theme.colour(series().ink);
    fill.setAlphaF(m_state.theme.isDark ? 0.24F : 0.16F);
    painter->setPen(Qt::NoPen);
    painter->setBrush(fill);
    painter->setOpacity(m_state.opacityOf(series().points.front().key));
    painter->drawPolygon(outline);
    painter->setOpacity(1.0);
}

void SeriesMarks::drawPoint(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const {
    const QColor& background = m_state.theme.background;
    const QPointF centre = anchor(point);
    switch (series().mark) {
        case Mark::Bars:
            return drawBar(painter, point, colour);
        case Mark::Intervals:
            return drawInterval(painter, point, colour);
        case Mark::Arrows:
            return drawArrow(painter, point, colour);
        case Mark::Connectors:
            painter->setPen(QPen(colour, std::clamp(m_spacing * 0.25, 0.8, 1.8)));
            painter->drawLine(QLineF(pixel(std::isfinite(point.x2) ? point.x2 : point.x, point.y2), centre));
            return;
        case Mark::Cells:
            return drawCell(painter, static_cast<const PlotCanvas*>(mParentPlot)->cellRect(series(), point),
                            series().cells, point.value, m_state.theme);
        case Mark::Band:
            return;
        case Mark::Line:
            if (series().size <= 0.0) return;
            if (m_spacing >= 7.0 || point.isFlagged || m_state.selection.contains(point.key))
                drawSymbol(painter, series().symbol, centre, std::min(symbolSize(point), 6.5), colour,
                           series().isFilled, background);
            return;
        case Mark::Lollipops:
            painter->setPen(QPen(colour, std::clamp(m_spacing * 0.3, 0.8, 1.6)));
            painter->drawLine(QLineF(pixel(point.x, base(point)), centre));
            [[fallthrough]];
        case Mark::Points:
            break;
    }
    if (series().hasHalo) {
        painter->setPen(Qt::NoPen);
        painter->setBrush(background);
        painter->drawEllipse(centre, symbolSize(point) / 2.0 + 2.0, symbolSize(point) / 2.0 + 2.0);
    }
    QColor fill = colour;
    if (point.size > 12.0) fill.setAlphaF(0.75F);  // large symbols overlap
    drawSymbol(painter, point.isFlagged && series().mark == Mark::Lollipops ? Symbol::Cross : series().symbol, centre,
               symbolSize(point), fill, series().isFilled, background);
    if (point.isFlagged && series().mark == Mark::Points) {
        painter->setPen(QPen(colour, 1.2));
        painter->setBrush(Qt::NoBrush);
        painter->drawEllipse(centre, symbolSize(point) / 2 + 3, symbolSize(point) / 2 + 3);
    }
}

void SeriesMarks::drawBar(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const {
    const QRectF rect = columnRect(point);
    painter->setAntialiasing(rect.width() > 3.0);
    if (series().isFilled)
        painter->fillRect(rect, colour);
    else
        drawHatched(painter, rect, colour);
    painter->setAntialiasing(true);
    if (m_state.selection.contains(point.key)) {
        painter->setPen(QPen(m_state.theme.text, 1.4));
        painter->setBrush(Qt::NoBrush);
        painter->drawRect(rect.adjusted(-1, -1, 1, 0));
    }
    if (point.isFlagged)
        drawSymbol(painter, Symbol::TriangleDown, QPointF(rect.center().x(), rect.top() - 6), 7, colour, true,
                   m_state.theme.background);
}

void SeriesMarks::drawInterval(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const {
    QRectF rect = columnRect(point);
    if (rect.height() < 1.0) rect.adjust(0, -0.5, 0, 0.5);
    QColor fill = colour;
    if (!series().isFilled) fill.setAlphaF(rect.width() < 4.0 ? 0.75F : kHollowOpacity);  // no outline when thin
    painter->setAntialiasing(rect.width() > 3.0);
    painter->setPen(!series().isFilled && rect.width() >= 4.0 ? QPen(colour, 1.0) : QPen(Qt::NoPen));
    painter->setBrush(fill);
    painter->drawRect(rect);
    painter->setAntialiasing(true);
    if (std::isfinite(point.mid) && rect.width() >= 3.0) {
        const double y = pixel(point.x, point.mid).y();
        painter->setPen(QPen(series().isFilled ? m_state.theme.background : colour, 1.6, Qt::SolidLine, Qt::FlatCap));
        painter->drawLine(QLineF(rect.left(), y, rect.right(), y));
    }
}

void SeriesMarks::drawArrow(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const {
    const QPointF head = anchor(point);
    const QLineF line(pixel(point.x2, point.y2), head);
    painter->setPen(QPen(colour, 1.3));
    if (line.length() < 2.0) {
        drawSymbol(painter, Symbol::Circle, head, 4, colour, true, m_state.theme.background);
        return;
    }
    const double size = std::min(7.0, std::max(4.0, line.length() * 0.5));
    const QPointF along = (head - line.p1()) / line.length();
    const QPointF across(-along.y(), along.x());
    painter->drawLine(QLineF(line.p1(), head - along * size * 0.7));
    painter->setPen(Qt::NoPen);
    painter->setBrush(colour);
    painter->drawPolygon(
        QPolygonF{head, head - along * size + across * size * 0.45, head - along * size - across * size * 0.45});
}

void SeriesMarks::drawWhisker(QCPPainter* painter, const PlotPoint& point, const QColor&) const {
    if (!std::isfinite(point.low) || !std::isfinite(point.high)) return;
    const QPointF low = pixel(point.x, point.low);
    const QPointF high = pixel(point.x, point.high);
    const double cap = std::clamp(m_spacing * 0.08, 2.0, 7.0);
    painter->setPen(QPen(m_state.theme.text, 1.4));
    painter->drawLine(QLineF(low, high));
    painter->drawLine(QLineF(low.x() - cap, low.y(), low.x() + cap, low.y()));
    painter->drawLine(QLineF(high.x() - cap, high.y(), high.x() + cap, high.y()));
}

void SeriesMarks::drawCaps(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const {
    const QRect area = mKeyAxis->axisRect()->rect();
    const double x = anchor(point).x();
    if (point.isCappedAbove)
        drawSymbol(painter, Symbol::TriangleUp, QPointF(x, area.top() + kCapSize), kCapSize + 2, colour, true,
                   m_state.theme.background);
    if (point.isCappedBelow)
        drawSymbol(painter, Symbol::TriangleDown, QPointF(x, area.bottom() - kCapSize), kCapSize + 2, colour, true,
                   m_state.theme.background);
}

void SeriesMarks::drawText(QCPPainter* painter, const PlotPoint& point) const {
    if (point.text.isEmpty()) return;
    const QFontMetricsF metrics(m_state.theme.smallFont());
    const QRect area = mKeyAxis->axisRect()->rect();
    const QString text = metrics.elidedText(point.text, Qt::ElideMiddle, std::max(40.0, area.width() * 0.3));
    const QSizeF size(metrics.horizontalAdvance(text) + 4, metrics.height());
    QPointF top = anchor(point);
    if (std::isfinite(point.high)) top.setY(std::min(top.y(), pixel(point.x, point.high).y()));
    const double reach = series().mark == Mark::Bars ? (point.isFlagged ? 12.0 : 2.0) : symbolSize(point) / 2.0 + 3.0;
    QList<QRectF> places = {QRectF(QPointF(top.x() - size.width() / 2, top.y() - reach - size.height()), size),
                            QRectF(QPointF(top.x() + reach, top.y() - size.height() / 2), size),
                            QRectF(QPointF(top.x() - reach - size.width(), top.y() - size.height() / 2), size),
                            QRectF(QPointF(top.x() - size.width() / 2, top.y() + reach), size)};
    if (series().mark == Mark::Bars) places.resize(1);
    if (series().mark == Mark::Arrows) std::reverse(places.begin(), places.end());  // the shaft is above
    const auto* canvas = static_cast<const PlotCanvas*>(mParentPlot);
    const QRectF* best = nullptr;
    int fewest = std::numeric_limits<int>::max();
    for (const QRectF& place : places) {
        const bool isFree = std::none_of(m_state.takenByLabels.begin(), m_state.takenByLabels.end(),
                                         [&](const QRectF& other) { return other.intersects(place); });
        const int covered = QRectF(area).contains(place) && isFree ? canvas->countPointsIn(place) : fewest;
        if (covered >= fewest) continue;
        fewest = covered;
        best = &place;
    }
    if (!best) return;
    m_state.takenByLabels.append(*best);
    painter->setFont(m_state.theme.smallFont());
    painter->setPen(m_state.theme.text);
    painter->drawText(*best, Qt::AlignCenter, text);
}

}  // namespace equant::plots
