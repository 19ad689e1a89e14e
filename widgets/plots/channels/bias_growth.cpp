// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/channels/bias_growth.h"

#include <algorithm>
#include <cmath>

#include "widgets/plots/channels/channel_pairs_internal.h"

namespace equant::plots {

BiasGrowth::BiasGrowth(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Equalize a model to see how the biases of a layer grow."));
    rebuild();
}

void BiasGrowth::setData(BiasGrowthData content) {
    m_data = std::move(content);
    for (auto* values : {&m_data.before, &m_data.after})
        for (double& value : *values) value = std::abs(value);
    rebuild();
}

void BiasGrowth::setOrder(ChannelOrder order) {
    m_order = order;
    rebuild();
}

PlotScene BiasGrowth::buildScene() const {
    PlotScene scene;
    scene.canToggleLog = true;
    const std::vector<std::size_t> order = channelOrder(m_data.before, m_order);
    scene.skipped = static_cast<int>(m_data.before.size() - order.size());
    if (order.empty()) return scene;
    scene.series = channelPairSeries(m_data.before, m_data.after, order, m_data.layer, QString());
    const bool hasRange = std::isfinite(m_data.activationRange);
    const double largestBefore = largestOfFinite(m_data.before);
    const double largestAfter = largestOfFinite(m_data.after);
    const double last = std::isfinite(largestAfter) ? largestAfter : largestBefore;
    const double highest = std::max({largestBefore, last, hasRange ? m_data.activationRange : 0.0, 1e-12});
    int beyond = 0;
    for (PlotSeries& series : scene.series) {
        const bool isLast = series.isNavigable && series.isFilled == std::isfinite(largestAfter);
        for (PlotPoint& point : series.points) {
            point.isFlagged = isLast && hasRange && point.y > m_data.activationRange;
            beyond += point.isFlagged ? 1 : 0;
        }
    }
    scene.x = channelAxis(order.size(), m_order);
    scene.y = {.title = tr("Bias magnitude"), .lower = 0.0, .upper = highest * 1.12};
    if (isLogScale()) {
        scene.y.scale = Scale::SignedLog;
        scene.y.threshold = std::pow(10.0, std::floor(std::log10(highest)) - 3.0);
        scene.y.upper = highest * 1.5;
    }
    if (hasRange)
        scene.lines.push_back({.value = m_data.activationRange,
                               .label = tr("activation range %1").arg(numberText(m_data.activationRange)),
                               .ink = {Role::Alert}});
    scene.title = std::isfinite(largestAfter)
                      ? tr("%1: the largest bias goes from %2 to %3")
                            .arg(m_data.layer, numberText(largestBefore), numberText(largestAfter))
                      : tr("%1: the largest bias is %2").arg(m_data.layer, numberText(largestBefore));
    if (hasRange)
        scene.title += beyond > 0 ? tr("; %n channels exceed the activation range, absorb them", nullptr, beyond)
                                  : tr(", within the activation range");
    scene.summary = scene.title + u'.';
    return scene;
}

PlotTable BiasGrowth::table() const {
    return channelPairTable(m_data.before, m_data.after, tr("Bias magnitude"));
}

}  // namespace equant::plots
