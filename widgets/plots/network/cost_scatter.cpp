// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/network/cost_scatter.h"

#include <QMap>
#include <algorithm>
#include <cmath>
#include <map>

namespace equant::plots {
namespace {

constexpr double kSmallest = 7.0, kLargest = 26.0;  ///< symbol diameters in pixels
constexpr int kKinds = 7;                           ///< further kinds share one series

bool isPlottable(const CostItem& item) {
    return std::isfinite(item.parameters) && std::isfinite(item.macs) && item.parameters > 0.0 && item.macs > 0.0;
}

double medianOf(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

std::pair<double, double> logPadded(const std::vector<double>& values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return {*low / 2.0, *high * 2.0};
}

/// Kinds by falling number of layers; what comes after the first kKinds is merged into "Other".
QMap<QString, int> kindIndices(const std::vector<CostItem>& layers) {
    QMap<QString, int> counts;
    for (const CostItem& item : layers)
        if (isPlottable(item)) ++counts[item.kind];
    QStringList kinds = counts.keys();
    std::stable_sort(kinds.begin(), kinds.end(),
                     [&](const QString& a, const QString& b) { return counts[a] > counts[b]; });
    QMap<QString, int> indices;
    for (qsizetype i = 0; i < kinds.size(); ++i) indices[kinds[i]] = std::min(static_cast<int>(i), kKinds);
    return indices;
}

}  // namespace

CostScatter::CostScatter(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Open a model to see which layers are heavy in memory, in work, or in both."));
    rebuild();
}

void CostScatter::setData(CostBarsData content) {
    m_data = std::move(content);
    rebuild();
}

PlotScene CostScatter::buildScene() const {
    PlotScene scene;
    std::vector<double> parameters, macs;
    double largestBytes = 0.0;
    for (const CostItem& item : m_data.layers) {
        if (!isPlottable(item)) continue;
        parameters.push_back(item.parameters);
        macs.push_back(item.macs);
        if (std::isfinite(item.activationBytes)) largestBytes = std::max(largestBytes, item.activationBytes);
    }
    scene.skipped = static_cast<int>(m_data.layers.size() - parameters.size());
    if (parameters.empty()) return scene;
    const double middleX = medianOf(parameters), middleY = medianOf(macs);

    const QMap<QString, int> indices = kindIndices(m_data.layers);
    std::map<int, PlotSeries> series;
    int heavy = 0;
    for (const CostItem& item : m_data.layers) {
        if (!isPlottable(item)) continue;
        const int index = indices[item.kind];
        PlotSeries& own = series[index];
        own.name = index == kKinds ? tr("Other") : item.kind;
        own.ink = {Role::Category, index};
        own.symbol = symbolFor(index);
        const double share = largestBytes > 0.0 && std::isfinite(item.activationBytes)
                                 ? std::sqrt(std::max(0.0, item.activationBytes) / largestBytes)
                                 : 0.0;
        heavy += item.parameters > middleX && item.macs > middleY ? 1 : 0;
        own.points.push_back({.key = item.key,
                              .x = item.parameters,
                              .y = item.macs,
                              .size = kSmallest + (kLargest - kSmallest) * share,
                              .hover = tr("%1\n%2\n%3 parameters\n%4 MACs\n%5 of activations")
                                           .arg(item.label, item.kind, countText(item.parameters), countText(item.macs),
                                                bytesText(item.activationBytes))});
    }
    for (auto& [index, own] : series) {
        // Large symbols first, so that small ones stay visible and clickable on top of them.
        std::stable_sort(own.points.begin(), own.points.end(),
                         [](const PlotPoint& a, const PlotPoint& b) { return a.size > b.size; });
        scene.series.push_back(std::move(own));
    }
    scene.pick = Pick::Nearest;
    scene.x = {.title = tr("Parameters"), .scale = Scale::Log, .ticks = Ticks::Counts};
    scene.y = {.title = tr("MACs per sample"), .scale = Scale::Log, .ticks = Ticks::Counts};
    std::tie(scene.x.lower, scene.x.upper) = logPadded(parameters);
    std::tie(scene.y.lower, scene.y.upper) = logPadded(macs);
    scene.lines = {{.orientation = Qt::Vertical, .value = middleX, .label = {}, .isFaint = true},
                   {.value = middleY, .label = {}, .isFaint = true}};
    scene.notes = {{0.99, 0.01, Qt::AlignRight | Qt::AlignTop, tr("large and busy: compress first")},
                   {0.01, 0.01, Qt::AlignLeft | Qt::AlignTop, tr("small but busy: quantize, keep the shape")},
                   {0.99, 0.99, Qt::AlignRight | Qt::AlignBottom, tr("large and idle: cheap to compress")},
                   {0.01, 0.99, Qt::AlignLeft | Qt::AlignBottom, tr("small and idle: leave")}};
    scene.title = tr("%1 of %n layers are above the median in both parameters and MACs", nullptr,
                     static_cast<int>(parameters.size()))
                      .arg(heavy);
    scene.detail = tr("Symbol area: activation bytes, up to %1. Thin lines: medians.").arg(bytesText(largestBytes));
    scene.summary = scene.title + u'.';
    return scene;
}

PlotTable CostScatter::table() const {
    PlotTable table{{tr("Layer"), tr("Operator"), tr("Parameters"), tr("MACs"), tr("Activation size (bytes)")}, {}};
    for (const CostItem& item : m_data.layers)
        table.rows.append({item.label, item.kind, item.parameters, item.macs, item.activationBytes});
    return table;
}

}  // namespace equant::plots
