// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/compression/layer_curve.h"

#include <QKeyEvent>
#include <algorithm>
#include <cmath>

namespace equant::plots {
namespace {

const QString kHandle = QStringLiteral("ratio");

bool isFinitePoint(const CurvePoint& point) {
    return std::isfinite(point.ratio) && std::isfinite(point.score);
}

bool hasInterval(const CurvePoint& point) {
    return isFinitePoint(point) && std::isfinite(point.low) && std::isfinite(point.high);
}

/// Finite points from the lowest ratio to the highest; the others are counted.
std::vector<CurvePoint> usable(const std::vector<CurvePoint>& points, int& skipped) {
    std::vector<CurvePoint> result;
    std::copy_if(points.begin(), points.end(), std::back_inserter(result), isFinitePoint);
    skipped += static_cast<int>(points.size() - result.size());
    std::stable_sort(result.begin(), result.end(),
                     [](const CurvePoint& a, const CurvePoint& b) { return a.ratio < b.ratio; });
    return result;
}

/// Straight between neighbours; kNone outside.
double scoreAt(const std::vector<CurvePoint>& points, double ratio) {
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (std::abs(points[i].ratio - ratio) < 1e-9) return points[i].score;
        if (i == 0 || points[i].ratio < ratio || points[i - 1].ratio > ratio) continue;
        const double share = (ratio - points[i - 1].ratio) / (points[i].ratio - points[i - 1].ratio);
        return points[i - 1].score + share * (points[i].score - points[i - 1].score);
    }
    return kNone;
}

}  // namespace

LayerCurve::LayerCurve(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Select a layer with a prediction or a measurement to see its curve."));
    rebuild();
}

void LayerCurve::setData(LayerCurveData content) {
    m_data = std::move(content);
    std::sort(m_data.legal.begin(), m_data.legal.end(),
              [](const LegalRatio& a, const LegalRatio& b) { return a.ratio < b.ratio; });
    rebuild();
}

void LayerCurve::setChosen(double ratio) {
    if (ratio == m_data.chosen) return;
    m_data.chosen = ratio;
    rebuildSoon();
}

double LayerCurve::snapped(double ratio) const {
    if (m_data.legal.empty()) return std::clamp(std::round(ratio * 100.0) / 100.0, 0.01, 1.0);
    return std::min_element(m_data.legal.begin(), m_data.legal.end(),
                            [ratio](const LegalRatio& a, const LegalRatio& b) {
                                return std::abs(a.ratio - ratio) < std::abs(b.ratio - ratio);
                            })
        ->ratio;
}

QString LayerCurve::handleText() const {
    if (!std::isfinite(m_data.chosen) || m_data.layers.empty()) return {};
    QStringList parts{percentText(100.0 * m_data.chosen)};
    for (const LegalRatio& legal : m_data.legal)
        if (std::abs(legal.ratio - m_data.chosen) < 1e-9 && !legal.text.isEmpty()) parts += legal.text;
    const CurveLayer& layer = m_data.layers.front();
    int ignored = 0;
    const auto measured = usable(layer.measured, ignored);
    const auto at = std::find_if(measured.begin(), measured.end(), [this](const CurvePoint& point) {
        return std::abs(point.ratio - m_data.chosen) < 1e-9;
    });
    const double predicted = scoreAt(usable(layer.predicted, ignored), m_data.chosen);
    const double fitted = scoreAt(usable(layer.fit, ignored), m_data.chosen);
    const auto say = [&](const QString& pattern, double score) {
        parts += pattern.arg(numberText(score, 4), m_data.unit).simplified();
    };
    if (at != measured.end())
        say(tr("%1 %2 measured"), at->score);
    else if (std::isfinite(fitted))
        say(tr("about %1 %2 between measurements"), fitted);
    else if (std::isfinite(predicted))
        say(tr("%1 %2 predicted"), predicted);
    if (m_data.isLocked) parts += tr("locked");
    return parts.join(QStringLiteral(" · "));
}

QString LayerCurve::shortName(std::size_t index) const {
    QStringList names;
    for (const CurveLayer& layer : m_data.layers) names += layer.label;
    return shortNames(names)[static_cast<qsizetype>(index)];
}

void LayerCurve::addLayer(std::size_t index, PlotScene& scene) const {
    const CurveLayer& layer = m_data.layers[index];
    const Ink ink{Role::Category, static_cast<int>(index)};
    const auto measuredPoints = usable(layer.measured, scene.skipped);
    const auto predictedPoints = usable(layer.predicted, scene.skipped);
    const auto fitPoints = usable(layer.fit, scene.skipped);
    PlotSeries band{.name = tr("Confidence"), .mark = Mark::Band, .ink = ink, .isFilled = false, .isNavigable = false};
    PlotSeries fit{.name = tr("Monotone fit"), .mark = Mark::Line, .ink = ink, .isNavigable = false, .size = 0.0};
    PlotSeries predicted{.name = tr("Predicted"), .mark = Mark::Line, .ink = ink, .isFilled = false, .size = 4.5};
    PlotSeries measured{.name = m_data.layers.size() > 1 ? tr("%1, measured").arg(shortName(index)) : tr("Measured"),
                        .ink = ink,
                        .symbol = symbolFor(static_cast<int>(index) % 5)};
    predicted.isDotted = true;
    band.isInLegend = fit.isInLegend = predicted.isInLegend = index == 0;
    const auto hover = [&](const CurvePoint& point, const QString& how) {
        QString text = layer.label + u'\n' + tr("%1 of its cost").arg(percentText(100.0 * point.ratio)) + u'\n' +
                       how.arg(numberText(point.score, 4), m_data.unit);
        if (hasInterval(point))
            text += u'\n' + tr("between %1 and %2").arg(numberText(point.low, 4), numberText(point.high, 4));
        return text;
    };
    for (const CurvePoint& point : measuredPoints) {
        measured.points.push_back({.key = layer.key,
                                   .x = 100.0 * point.ratio,
                                   .y = point.score,
                                   .hover = hover(point, tr("measured %1 %2"))});
        if (hasInterval(point))
            band.points.push_back({.key = layer.key, .x = 100.0 * point.ratio, .y = point.high, .y2 = point.low});
    }
    for (const CurvePoint& point : fitPoints)
        fit.points.push_back({.key = layer.key, .x = 100.0 * point.ratio, .y = point.score});
    for (const CurvePoint& point : predictedPoints)
        predicted.points.push_back({.key = layer.key,
                                    .x = 100.0 * point.ratio,
                                    .y = point.score,
                                    .hover = hover(point, tr("predicted %1 %2, not measured"))});
    for (PlotSeries* series : {&band, &fit, &predicted, &measured}) scene.series.push_back(std::move(*series));
}

PlotScene LayerCurve::buildScene() const {
    PlotScene scene;
    for (std::size_t i = 0; i < m_data.layers.size(); ++i) addLayer(i, scene);
    if (scene.isEmpty()) return scene;
    double lowest = std::numeric_limits<double>::max(), highest = std::numeric_limits<double>::lowest(), left = 10.0;
    const auto include = [&](double value) {
        if (!std::isfinite(value)) return;
        lowest = std::min(lowest, value);
        highest = std::max(highest, value);
    };
    for (const PlotSeries& series : scene.series)
        for (const PlotPoint& point : series.points) {
            include(point.y);
            include(point.y2);
            left = std::min(left, point.x);
        }
    include(m_data.baseline);
    include(m_data.target);
    std::tie(scene.y.lower, scene.y.upper) = padded(lowest, highest, 0.1);
    scene.y.title =
        m_data.unit.isEmpty() ? m_data.scoreName : QStringLiteral("%1 (%2)").arg(m_data.scoreName, m_data.unit);
    scene.x.title = tr("Cost left in the layer (%)");
    scene.x.lower = std::max(0.0, left - 3.0);
    scene.x.upper = 103.0;
    scene.pick = Pick::Nearest;
    if (std::isfinite(m_data.baseline))
        scene.lines.push_back(
            {.value = m_data.baseline, .label = tr("uncompressed %1").arg(numberText(m_data.baseline, 4))});
    if (std::isfinite(m_data.target))
        scene.lines.push_back(
            {.value = m_data.target, .label = tr("target %1").arg(numberText(m_data.target, 4)), .ink = {Role::Alert}});
    const CurveLayer& first = m_data.layers.front();
    const QString handle = handleText();
    if (!handle.isEmpty())
        scene.lines.push_back({.id = m_data.isLocked ? QString() : kHandle,
                               .orientation = Qt::Vertical,
                               .value = 100.0 * m_data.chosen,
                               .label = handle,
                               .ink = {Role::Text}});
    scene.title = handle.isEmpty() ? first.label : QStringLiteral("%1: %2").arg(first.label, handle);
    scene.detail = tr("Only this layer compressed; drag the handle or press [ and ]");
    if (handle.isEmpty() || m_data.isLocked) scene.detail = tr("Only this layer compressed");
    scene.summary = scene.title + u'.';
    return scene;
}

void LayerCurve::lineMoved(const QString&, double value, bool isFinished) {
    const double ratio = snapped(value / 100.0);
    const bool isChanged = ratio != m_data.chosen;
    if (!isChanged && !isFinished) return;
    m_data.chosen = ratio;
    if (isChanged) rebuild(true);
    emit ratioDragged(m_data.layers.front().key, ratio, isFinished);
}

void LayerCurve::step(int direction) {
    if (m_data.layers.empty() || !std::isfinite(m_data.chosen) || m_data.isLocked) return;
    double next = m_data.chosen;
    if (m_data.legal.empty()) {
        next = snapped(m_data.chosen + 0.01 * direction);
    } else {
        const auto& legal = m_data.legal;
        if (direction > 0) {
            const auto it = std::find_if(legal.begin(), legal.end(),
                                         [this](const LegalRatio& each) { return each.ratio > m_data.chosen + 1e-9; });
            if (it != legal.end()) next = it->ratio;
        } else {
            const auto it = std::find_if(legal.rbegin(), legal.rend(),
                                         [this](const LegalRatio& each) { return each.ratio < m_data.chosen - 1e-9; });
            if (it != legal.rend()) next = it->ratio;
        }
    }
    if (next != m_data.chosen) lineMoved(kHandle, 100.0 * next, true);
}

void LayerCurve::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_BracketLeft) return step(-1);
    if (event->key() == Qt::Key_BracketRight) return step(1);
    PlotView::keyPressEvent(event);
}

PlotTable LayerCurve::table() const {
    PlotTable table{
        {tr("Layer"), tr("Kind"), tr("Ratio (%)"), tr("Score (%1)").arg(m_data.unit), tr("Low"), tr("High")}, {}};
    for (const CurveLayer& layer : m_data.layers) {
        const auto add = [&](const std::vector<CurvePoint>& points, const QString& kind) {
            for (const CurvePoint& point : points)
                table.rows.append({layer.label, kind, 100.0 * point.ratio, point.score, point.low, point.high});
        };
        add(layer.measured, tr("measured"));
        add(layer.fit, tr("monotone fit"));
        add(layer.predicted, tr("predicted"));
    }
    return table;
}

}  // namespace equant::plots
