// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/channels/range_dumbbell.h"

#include <algorithm>
#include <cmath>

namespace equant::plots {
namespace {

bool isRatio(double value) {
    return std::isfinite(value) && value > 0.0;
}

double improvement(const RangeDumbbellItem& item) {
    return isRatio(item.after) ? item.before / item.after : 1.0;
}

}  // namespace

RangeDumbbell::RangeDumbbell(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Open a model to see which layers have uneven channel ranges."));
    rebuild();
}

void RangeDumbbell::setData(RangeDumbbellData content) {
    m_data = std::move(content);
    rebuild();
}

void RangeDumbbell::setOrder(Order order) {
    m_order = order;
    rebuild();
}

std::vector<std::size_t> RangeDumbbell::plottable() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < m_data.layers.size(); ++i)
        if (isRatio(m_data.layers[i].before)) order.push_back(i);
    if (m_order == Order::Improvement)
        std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
            return improvement(m_data.layers[a]) > improvement(m_data.layers[b]);
        });
    return order;
}

QString RangeDumbbell::finding(int count, bool isCompared, int flaggedBefore, int flaggedAfter) const {
    return isCompared && flaggedBefore == 0 && flaggedAfter == 0
               ? tr("None of %n layers has uneven ranges, before or after equalization", nullptr, count)
           : isCompared ? tr("Equalization leaves %1 of %n layers with uneven ranges, %2 before", nullptr, count)
                              .arg(flaggedAfter)
                              .arg(flaggedBefore)
                        : tr("%1 of %n layers have uneven channel ranges", nullptr, count).arg(flaggedBefore);
}

PlotScene RangeDumbbell::buildScene() const {
    PlotScene scene;
    const std::vector<std::size_t> order = plottable();
    scene.skipped = static_cast<int>(m_data.layers.size() - order.size());
    if (order.empty()) return scene;
    const bool hasThreshold = isRatio(m_data.threshold);
    PlotSeries link{.name = tr("Change"),
                    .mark = Mark::Connectors,
                    .ink = {Role::Muted},
                    .isInLegend = false,
                    .isNavigable = false};
    PlotSeries before{.name = tr("Before"), .ink = {Role::Before}, .isFilled = false};
    PlotSeries after{.name = tr("After equalization"), .ink = {Role::After}, .symbol = Symbol::Diamond};
    double lowest = 1.0, highest = hasThreshold ? m_data.threshold : 2.0;
    int flaggedBefore = 0, flaggedAfter = 0;
    for (std::size_t position = 0; position < order.size(); ++position) {
        const RangeDumbbellItem& item = m_data.layers[order[position]];
        const auto x = static_cast<double>(position);
        const bool hasAfter = isRatio(item.after);
        const double last = hasAfter ? item.after : item.before;
        const bool isFlagged = hasThreshold && last > m_data.threshold;
        flaggedBefore += hasThreshold && item.before > m_data.threshold ? 1 : 0;
        flaggedAfter += isFlagged ? 1 : 0;
        lowest = std::min({lowest, item.before, last});
        highest = std::max({highest, item.before, last});
        const QString hover =
            tr("%1\nlargest channel range: %2 × the median before").arg(item.label, numberText(item.before)) +
            (hasAfter ? tr("\n%1 × after").arg(numberText(item.after)) : tr("\nnot equalized"));
        before.points.push_back(
            {.key = item.key, .x = x, .y = item.before, .isFlagged = isFlagged && !hasAfter, .hover = hover});
        if (hasAfter) {
            after.points.push_back({.key = item.key, .x = x, .y = item.after, .isFlagged = isFlagged, .hover = hover});
            link.points.push_back({.key = item.key, .x = x, .y = item.after, .y2 = item.before});
        }
        scene.x.names += item.label;
    }
    const bool isCompared = !after.points.empty();
    scene.x.title =
        m_order == Order::Execution ? tr("Layer, in execution order") : tr("Layer, largest improvement first");
    scene.x.ticks = Ticks::Names;
    scene.x.hasGrid = false;
    scene.x.lower = -0.7;
    scene.x.upper = static_cast<double>(order.size()) - 0.3;
    scene.y = {.title = tr("Largest / median channel range"),
               .lower = lowest / 1.15,
               .upper = highest * 1.3,
               .scale = Scale::Log};
    scene.title = finding(static_cast<int>(order.size()), isCompared, flaggedBefore, flaggedAfter);
    if (hasThreshold)
        scene.lines.push_back({.value = m_data.threshold,
                               .label = tr("uneven above %1 ×").arg(numberText(m_data.threshold)),
                               .ink = {Role::Alert}});
    scene.detail = tr("Log scale; 1 means that all channels use the same range");
    scene.summary = scene.title + u'.';
    scene.series = {std::move(link), std::move(before), std::move(after)};
    return scene;
}

PlotTable RangeDumbbell::table() const {
    PlotTable table{{tr("Layer"), tr("Largest / median range before"), tr("Largest / median range after")}, {}};
    for (const RangeDumbbellItem& item : m_data.layers) table.rows.append({item.label, item.before, item.after});
    return table;
}

}  // namespace equant::plots
