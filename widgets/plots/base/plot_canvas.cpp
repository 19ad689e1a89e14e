// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <utility>

#include "widgets/plots/base/plot_canvas_internal.h"
#include "widgets/plots/base/plot_marks_internal.h"
#include "widgets/plots/base/plot_ticks_internal.h"

namespace equant::plots {
namespace {

constexpr double kReach = 14.0;                     ///< pixels within which a mark is meant
constexpr double kLineReach = 5.0;                  ///< the same for draggable lines
constexpr int kLeastWidth = 96, kLeastHeight = 64;  ///< of a layout in pixels
constexpr int kLow = 200, kMedium = 260;            ///< plot heights in pixels below which decoration is left out
constexpr double kLabelWidth = 120;                 ///< longest layer name under an axis

QCPRange rangeOf(const PlotAxis& axis) {
    double lower = toAxis(axis, axis.lower);
    double upper = toAxis(axis, axis.upper);
    if (!std::isfinite(lower) || !std::isfinite(upper) || lower >= upper) std::tie(lower, upper) = padded(lower, upper);
    if (axis.scale == Scale::Log && lower <= 0.0) lower = upper > 0.0 ? upper * 1e-3 : 1e-3;
    return {lower, std::max(upper, lower * (1 + 1e-9))};
}

}  // namespace

PlotCanvas::PlotCanvas(QWidget* parent) : QCustomPlot(parent) {
    setPlottingHint(QCP::phCacheLabels, false);
    setPlottingHint(QCP::phFastPolylines, false);
    setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    setFocusPolicy(Qt::NoFocus);
    setMouseTracking(true);
    m_header = new HeaderElement(this, m_state);
    plotLayout()->insertRow(0);
    plotLayout()->addElement(0, 0, m_header);
    plotLayout()->setRowSpacing(2);
    plotLayout()->setRowStretchFactor(0, 1e-6);
    axisRect()->setMinimumSize(8, 8);
    axisRect()->setMinimumMargins(QMargins(10, 6, 12, 6));
    axisRect()->setRangeZoomFactor(0.85);
    new RegionLayer(this, m_state);
    new AnnotationLayer(this, m_state);
    connect(xAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this, [this] { keepInside(xAxis, m_homeX); });
    connect(yAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this, [this] { keepInside(yAxis, m_homeY); });
}

void PlotCanvas::keepInside(QCPAxis* axis, const QCPRange& home) {
    if (m_isSettingRange || m_state.scene.isEqualAspect) return;
    const bool isLog = axis->scaleType() == QCPAxis::stLogarithmic;
    const auto flat = [isLog](double v) { return isLog ? std::log(v) : v; };
    const auto bent = [isLog](double v) { return isLog ? std::exp(v) : v; };
    if (axis == yAxis && hasRows()) {
        const double height = std::max(1, axisRect()->height());
        m_rowTop = axis->range().lower;
        m_rowSpacing = std::max(m_state.scene.y.leastSpacing, height / axis->range().size());
    }
    double lower = flat(axis->range().lower), upper = flat(axis->range().upper);
    const double homeLower = flat(home.lower), homeUpper = flat(home.upper);
    if (upper - lower >= homeUpper - homeLower) {
        lower = homeLower;
        upper = homeUpper;
    } else if (lower < homeLower) {
        upper += homeLower - lower;
        lower = homeLower;
    } else if (upper > homeUpper) {
        lower -= upper - homeUpper;
        upper = homeUpper;
    } else {
        return;
    }
    m_isSettingRange = true;
    axis->setRange(bent(lower), bent(upper));
    m_isSettingRange = false;
}

void PlotCanvas::applyScene(bool keepView) {
    const QCPRange oldX = xAxis->range(), oldY = yAxis->range();
    const bool staysZoomed = keepView && m_isZoomed;
    const std::pair rows(m_rowTop, m_rowSpacing);
    const bool keepsRows = keepView && m_homeY.size() > 1.0 && yAxis->visible();
    m_cursor.reset();
    m_state.updateFading();
    clearPlottables();
    m_nameTicker.reset();
    m_rowTicker.reset();
    const PlotScene& scene = m_state.scene;
    const bool isEmpty = scene.isEmpty();
    axisRect()->setVisible(!isEmpty);
    setInteractions(isEmpty ? QCP::Interactions() : QCP::iRangeDrag | QCP::iRangeZoom);
    for (QCPAxis* axis : {xAxis, yAxis}) axis->setVisible(!isEmpty);
    yAxis2->setVisible(!isEmpty && scene.right.has_value());
    setTicker(xAxis, scene.x);
    setTicker(yAxis, scene.y);
    if (scene.right) setTicker(yAxis2, *scene.right);
    yAxis->setRangeReversed(scene.y.isReversed);
    axisRect()->setRangeDrag(hasRows() ? Qt::Orientations(Qt::Vertical) : Qt::Horizontal | Qt::Vertical);
    m_homeX = rangeOf(scene.x);
    m_homeY = rangeOf(scene.y);
    resetView();
    if (staysZoomed) {
        xAxis->setRange(oldX);
        yAxis->setRange(oldY);
        m_isZoomed = true;
    }
    if (keepsRows) std::tie(m_rowTop, m_rowSpacing) = rows;
    for (std::size_t i = 0; i < scene.series.size(); ++i)
        new SeriesMarks(xAxis, valueAxisOf(scene.series[i]), m_state, i);
    applyTheme();
}

void PlotCanvas::resetView() {
    m_isSettingRange = true;
    xAxis->setRange(m_homeX);
    yAxis->setRange(m_homeY);
    if (m_state.scene.right) yAxis2->setRange(rangeOf(*m_state.scene.right));
    m_isSettingRange = false;
    m_isZoomed = false;
    m_rowTop = m_homeY.lower;
    m_rowSpacing = 0.0;
}

void PlotCanvas::setTicker(QCPAxis* axis, const PlotAxis& spec) {
    axis->setScaleType(spec.scale == Scale::Log ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    axis->setNumberFormat(QStringLiteral("g"));
    axis->setTickLabelRotation(0);
    if (spec.ticks == Ticks::Names && axis == yAxis) {
        m_rowTicker.reset(new NameTicker(shortNames(spec.names)));
        axis->setTicker(m_rowTicker);
    } else if (spec.ticks == Ticks::Names) {
        m_nameTicker.reset(new NameTicker(shortNames(spec.names)));
        axis->setTicker(m_nameTicker);
    } else if (spec.scale == Scale::SignedLog) {
        axis->setTicker(QSharedPointer<SignedLogTicker>::create(spec));
    } else if (spec.scale == Scale::Log) {
        axis->setTicker(QSharedPointer<DecadeTicker>::create(spec.ticks == Ticks::Counts));
    } else {
        axis->setTicker(
            QSharedPointer<NumberTicker>::create(spec.ticks == Ticks::Integers, spec.ticks == Ticks::Counts));
    }
}

void PlotCanvas::styleAxis(QCPAxis* axis, const PlotAxis& spec, bool isRight) {
    const PlotTheme& theme = m_state.theme;
    axis->setTickLabelFont(theme.smallFont());
    axis->setTickLabelColor(theme.text);
    axis->setLabelFont(theme.smallFont());
    axis->setLabelColor(theme.mutedText);
    axis->setBasePen(axis == xAxis ? QPen(theme.axis, 1) : QPen(Qt::NoPen));
    // Transparent instead of no pen: a recorded picture paints a dot for a line of length 0 without pen.
    const bool hasTickMarks = axis == xAxis && spec.ticks != Ticks::Names;
    axis->setTickPen(QPen(hasTickMarks ? theme.axis : QColor(Qt::transparent), 1));
    axis->setSubTicks(false);
    axis->setTickLength(0, axis == xAxis ? 3 : 0);
    axis->setTickLabelPadding(5);
    axis->setLabelPadding(4);
    axis->grid()->setVisible(!isRight && spec.hasGrid && !m_state.scene.isEmpty());
    axis->grid()->setPen(QPen(theme.grid, 1));
    axis->grid()->setSubGridVisible(false);
    const bool showsZero = axis == yAxis && spec.lower < 0.0 && spec.ticks != Ticks::Names;
    axis->grid()->setZeroLinePen(showsZero ? QPen(theme.axis, 1) : QPen(theme.grid, 1));
}

void PlotCanvas::applyTheme() {
    const PlotScene& scene = m_state.scene;
    setBackground(QBrush(m_state.theme.background));
    styleAxis(xAxis, scene.x, false);
    styleAxis(yAxis, scene.y, false);
    styleAxis(yAxis2, scene.right.value_or(PlotAxis{}), true);
    QPen box(m_state.theme.accent, 1, Qt::DashLine);
    selectionRect()->setPen(box);
    replot(rpQueuedReplot);
}

QCPAxis* PlotCanvas::valueAxisOf(const PlotSeries& series) const {
    return series.isOnRightAxis && m_state.scene.right ? yAxis2 : yAxis;
}

QPointF PlotCanvas::pixelOf(const PointRef& ref) const {
    const PlotSeries& series = m_state.scene.series[ref.series];
    const PlotPoint& point = series.points[ref.point];
    const PlotAxis& axis = series.isOnRightAxis && m_state.scene.right ? *m_state.scene.right : m_state.scene.y;
    return {xAxis->coordToPixel(toAxis(m_state.scene.x, point.x) + series.offset),
            valueAxisOf(series)->coordToPixel(toAxis(axis, point.y))};
}

std::optional<PointRef> PlotCanvas::pointAt(QPointF position) const {
    if (!axisRect()->rect().contains(position.toPoint())) return std::nullopt;
    std::optional<PointRef> best;
    double bestDistance = std::numeric_limits<double>::max();
    const bool isColumn = m_state.scene.pick == Pick::Column;
    const bool isRow = m_state.scene.pick == Pick::Row;
    const double row = valueAt(position).y();
    for (std::size_t s = 0; s < m_state.scene.series.size(); ++s) {
        const PlotSeries& series = m_state.scene.series[s];
        if (!series.isNavigable) continue;
        for (std::size_t p = 0; p < series.points.size(); ++p) {
            if (isRow && std::abs(series.points[p].y - row) > 0.5) continue;
            const QPointF delta = pixelOf({s, p}) - position;
            // In column plots the column decides, the height only breaks ties.
            const double distance = isColumn ? std::abs(delta.x()) + 1e-3 * std::min(std::abs(delta.y()), 1e4)
                                    : isRow
                                        ? std::abs(delta.x())
                                        : std::max(0.0, std::hypot(delta.x(), delta.y()) - series.points[p].size / 2.0);
            if (distance >= bestDistance) continue;
            bestDistance = distance;
            best = PointRef{s, p};
        }
    }
    const double column = axisRect()->width() / std::max(1.0, xAxis->range().size()) / 2.0;
    if (isRow) return best;
    return bestDistance <= (isColumn ? std::max(kReach, column) + 10.0 : kReach) ? best : std::nullopt;
}

int PlotCanvas::countPointsIn(const QRectF& rect) const {
    const QRectF wide = rect.adjusted(-4, -4, 4, 4);  // symbols are wider than their centre
    int count = 0;
    for (std::size_t s = 0; s < m_state.scene.series.size(); ++s)
        for (std::size_t p = 0; p < m_state.scene.series[s].points.size(); ++p)
            count += wide.contains(pixelOf({s, p})) ? 1 : 0;
    return count;
}

double PlotCanvas::linePixel(const PlotLine& line) const {
    if (line.orientation == Qt::Vertical) return xAxis->coordToPixel(toAxis(m_state.scene.x, line.value));
    const bool isRight = line.isOnRightAxis && m_state.scene.right;
    return (isRight ? yAxis2 : yAxis)
        ->coordToPixel(toAxis(isRight ? *m_state.scene.right : m_state.scene.y, line.value));
}

double PlotCanvas::lineValueAt(const PlotLine& line, QPointF position) const {
    if (line.orientation == Qt::Vertical)
        return fromAxis(m_state.scene.x,
                        std::clamp(xAxis->pixelToCoord(position.x()), xAxis->range().lower, xAxis->range().upper));
    const bool isRight = line.isOnRightAxis && m_state.scene.right;
    QCPAxis* axis = isRight ? yAxis2 : yAxis;
    const double coordinate = std::clamp(axis->pixelToCoord(position.y()), axis->range().lower, axis->range().upper);
    return fromAxis(isRight ? *m_state.scene.right : m_state.scene.y, coordinate);
}

std::optional<std::size_t> PlotCanvas::draggableLineAt(QPointF position) const {
    if (!axisRect()->rect().contains(position.toPoint())) return std::nullopt;
    for (std::size_t i = 0; i < m_state.scene.lines.size(); ++i) {
        const PlotLine& line = m_state.scene.lines[i];
        const double at = line.orientation == Qt::Vertical ? position.x() : position.y();
        if (!line.id.isEmpty() && std::abs(linePixel(line) - at) <= kLineReach) return i;
    }
    return std::nullopt;
}

QPointF PlotCanvas::valueAt(QPointF position) const {
    return {fromAxis(m_state.scene.x, xAxis->pixelToCoord(position.x())),
            fromAxis(m_state.scene.y, yAxis->pixelToCoord(position.y()))};
}

std::optional<PointRef> PlotCanvas::draggablePointAt(QPointF position) const {
    const auto ref = pointAt(position);
    if (!ref || !m_state.scene.series[ref->series].isDraggable) return std::nullopt;
    const QPointF delta = pixelOf(*ref) - position;
    return std::hypot(delta.x(), delta.y()) <= kReach ? ref : std::nullopt;
}

QRectF PlotCanvas::cellRect(const PlotSeries& series, const PlotPoint& point) const {
    const double x = toAxis(m_state.scene.x, point.x), y = toAxis(m_state.scene.y, point.y);
    const auto corner = [&](double side) {
        return QPointF(xAxis->coordToPixel(x + side * series.width / 2.0),
                       yAxis->coordToPixel(y + side * series.height / 2.0));
    };
    return QRectF(corner(-1.0), corner(1.0)).normalized();
}

void PlotCanvas::setCursorPoint(std::optional<PointRef> ref) {
    if (m_cursor == ref) return;
    m_cursor = ref;
    update();
}

void PlotCanvas::showWhatFits() {
    const int width = viewport().width(), height = viewport().height();
    m_header->plan(width, height < 90 ? 0 : height < kLow ? 1 : height < kMedium ? 2 : 3);
    const bool hasLabels = width >= 200 && height >= 150;
    const bool hasTicks = width >= 110 && height >= 80;
    const PlotScene& scene = m_state.scene;
    const auto apply = [&](QCPAxis* axis, const QString& title) {
        axis->setLabel(hasLabels ? title : QString());
        axis->setTickLabels(hasTicks);
    };
    apply(xAxis, scene.x.title);
    apply(yAxis, scene.y.title);
    apply(yAxis2, scene.right ? scene.right->title : QString());
    xAxis->ticker()->setTickCount(std::clamp(width / 90, 2, 10));
    yAxis->ticker()->setTickCount(std::clamp(height / 60, 2, 7));
    yAxis2->ticker()->setTickCount(std::clamp(height / 90, 2, 5));
}

void PlotCanvas::dropLongTitles() {
    const QFontMetrics metrics(m_state.theme.smallFont());
    if (m_rowTicker) yAxis->setLabel(QString());  // the names say it, and they need the room
    for (QCPAxis* axis : {xAxis, yAxis, yAxis2}) {
        const int length = axis->orientation() == Qt::Horizontal ? axisRect()->width() : axisRect()->height();
        if (metrics.horizontalAdvance(axis->label()) > length) axis->setLabel(QString());
    }
}

void PlotCanvas::planNames() {
    if (!m_nameTicker) return;
    const QFontMetricsF metrics(m_state.theme.smallFont());
    const QStringList& names = m_nameTicker->names();
    const double spacing = axisRect()->width() / std::max(1.0, xAxis->range().size());
    const int first = std::max(0, static_cast<int>(std::floor(xAxis->range().lower)));
    const int last = std::min(static_cast<int>(names.size()) - 1, static_cast<int>(std::ceil(xAxis->range().upper)));
    double widest = 0.0;
    for (int i = first; i <= last; ++i) widest = std::max(widest, metrics.horizontalAdvance(names[i]));
    const bool isLow = viewport().height() < kMedium;  // no room for slanted names: few level ones
    const bool isLevel = widest <= spacing - 4.0 || spacing >= 110.0 || isLow;
    const double wanted = isLevel ? std::min(widest + 8.0, 80.0) : metrics.height() * 1.7;
    const bool areFew = last - first < 8 && spacing >= 40.0;  // rather elided than left out
    const int step =
        isLevel && (!isLow || areFew) ? 1 : std::max(1, static_cast<int>(std::ceil(wanted / std::max(spacing, 1e-3))));
    const double longest = isLevel ? spacing * step - 8.0 : std::clamp(viewport().height() * 0.34, 30.0, kLabelWidth);
    QStringList labels;
    for (qsizetype i = 0; i < names.size(); ++i) {
        const bool isShown = i >= first && i <= last && i % step == 0;
        // Names at the borders get less room: level ones are centred on their tick, slanted ones end there.
        const double x = xAxis->coordToPixel(static_cast<double>(i));
        const double free = isLevel ? 2.0 * std::min(x, viewport().width() - x) - 14.0 : (x - 6.0) / std::sqrt(0.5);
        const double room = std::min(longest, free);
        const QString label = isShown ? metrics.elidedText(names[i], Qt::ElideLeft, std::max(12.0, room)) : QString();
        labels += label.size() > 1 || label == names[i] ? label : QString();  // dots alone tell nothing
    }
    m_nameTicker->plan(step, labels);
    xAxis->setTickLabelRotation(isLevel ? 0.0 : -45.0);
}

void PlotCanvas::keepAspect() {
    const QRect area = axisRect()->rect();
    if (!m_state.scene.isEqualAspect || area.width() < 2 || area.height() < 2) return;
    m_isSettingRange = true;
    if (!m_isZoomed) {
        xAxis->setRange(m_homeX);
        yAxis->setRange(m_homeY);
    }
    const double perPixelX = xAxis->range().size() / area.width();
    const double perPixelY = yAxis->range().size() / area.height();
    const double perPixel = std::max(perPixelX, perPixelY);
    xAxis->setRange(xAxis->range().center(), perPixel * area.width(), Qt::AlignCenter);
    yAxis->setRange(yAxis->range().center(), perPixel * area.height(), Qt::AlignCenter);
    m_isSettingRange = false;
}

void PlotCanvas::updateLayout() {
    showWhatFits();
    QCustomPlot::updateLayout();  // a first pass tells how much room the axes have
    planRows();
    planRowNames();
    dropLongTitles();
    planNames();
    keepAspect();
    QCustomPlot::updateLayout();
    m_state.takenByLabels.clear();
}

void PlotCanvas::paintEvent(QPaintEvent* event) {
    if (!qFuzzyCompare(bufferDevicePixelRatio(), devicePixelRatioF())) {  // moved to another screen
        setBufferDevicePixelRatio(devicePixelRatioF());
        replot(rpQueuedRefresh);
    }
    QCustomPlot::paintEvent(event);
    if (!m_cursor || m_isRendering) return;
    const QPointF at = pixelOf(*m_cursor);
    if (!QRectF(axisRect()->rect()).adjusted(-8, -8, 8, 8).contains(at)) return;
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const PlotSeries& series = m_state.scene.series[m_cursor->series];
    if (series.mark == Mark::Cells) {
        const QRectF cell = cellRect(series, series.points[m_cursor->point]).adjusted(-1.5, -1.5, 1.5, 1.5);
        painter.setPen(QPen(m_state.theme.background, 4));
        painter.drawRect(cell);
        painter.setPen(QPen(m_state.theme.text, 2));
        painter.drawRect(cell);
        return;
    }
    const double radius =
        std::max(7.0, m_state.scene.series[m_cursor->series].points[m_cursor->point].size / 2.0 + 3.0);
    painter.setPen(QPen(m_state.theme.background, 4));
    painter.drawEllipse(at, radius, radius);
    painter.setPen(QPen(m_state.theme.text, 2));
    painter.drawEllipse(at, radius, radius);
}

void PlotCanvas::render(QPaintDevice* device, QSize size, double scale) {
    const PlotTheme screenTheme = std::exchange(m_state.theme, PlotTheme::print());
    const QCPRange x = xAxis->range(), y = yAxis->range();
    m_isRendering = m_state.isOnPaper = true;
    applyTheme();
    {
        QCPPainter painter;
        if (painter.begin(device)) {
            painter.setModes(QCPPainter::pmVectorized | QCPPainter::pmNoCaching);
            if (scale != 1.0) painter.scale(scale, scale);
            // QCustomPlot's layout overflows where there is no room at all: the device cuts off what is too much.
            toPainter(&painter, std::max(size.width(), kLeastWidth), std::max(size.height(), kLeastHeight));
        }
    }
    m_state.theme = screenTheme;
    m_isRendering = m_state.isOnPaper = false;
    m_isSettingRange = true;
    xAxis->setRange(x);
    yAxis->setRange(y);
    m_isSettingRange = false;
    applyTheme();
    replot(rpQueuedRefresh);
}

}  // namespace equant::plots
