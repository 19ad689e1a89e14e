// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/channels/effective_bits.h"

#include <algorithm>
#include <cmath>

#include "widgets/plots/channels/channel_pairs_internal.h"

namespace equant::plots {

EffectiveBits::EffectiveBits(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Select a layer with weights to see how many bits each of its channels uses."));
    rebuild();
}

void EffectiveBits::setData(EffectiveBitsData content) {
    m_data = std::move(content);
    rebuild();
}

void EffectiveBits::setOrder(ChannelOrder order) {
    m_order = order;
    rebuild();
}

PlotScene EffectiveBits::buildScene() const {
    PlotScene scene;
    const std::vector<std::size_t> order = channelOrder(m_data.before, m_order);
    scene.skipped = static_cast<int>(m_data.before.size() - order.size());
    if (order.empty()) return scene;
    scene.series = channelPairSeries(m_data.before, m_data.after, order, m_data.layer, tr("bits"));
    double lowest = 0.0;
    for (const PlotSeries& series : scene.series)
        for (const PlotPoint& point : series.points) lowest = std::min(lowest, point.y);
    scene.x = channelAxis(order.size(), m_order);
    scene.y = {.title = tr("Effective bits"), .lower = lowest < 0.0 ? lowest - 0.4 : 0.0, .upper = m_data.bits * 1.13};
    const QString hint = m_data.isPerChannel ? tr("%1 bits") : tr("%1 bits: what per-channel encodings would give");
    scene.lines.push_back({.value = static_cast<double>(m_data.bits), .label = hint.arg(m_data.bits)});
    const QString before = numberText(medianOfFinite(m_data.before), 2);
    const double medianAfter = medianOfFinite(m_data.after);
    scene.title = std::isfinite(medianAfter)
                      ? tr("%1: the median channel uses %2 of %3 bits before, %4 after")
                            .arg(m_data.layer, before)
                            .arg(m_data.bits)
                            .arg(numberText(medianAfter, 2))
                      : tr("%1: the median channel uses %2 of %3 bits").arg(m_data.layer, before).arg(m_data.bits);
    scene.detail = m_data.isPerChannel ? tr("Per-channel encodings")
                                       : tr("Per-tensor encoding: the largest channel range sets the step for all");
    scene.summary = scene.title + u'.';
    return scene;
}

PlotTable EffectiveBits::table() const {
    return channelPairTable(m_data.before, m_data.after, tr("Effective bits"));
}

}  // namespace equant::plots
