// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/channels/displacement_field.h"

#include <algorithm>
#include <cmath>

namespace equant::plots {
DisplacementField::DisplacementField(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Equalize a model and select a layer to see where its channel ranges move."));
    rebuild();
}

void DisplacementField::setData(DisplacementFieldData content) {
    m_data = std::move(content);
    rebuild();
}

PlotScene DisplacementField::buildScene() const {
    PlotScene scene;
    PlotSeries arrows{
        .name = tr("Movement"), .mark = Mark::Arrows, .ink = {Role::Muted}, .isInLegend = false, .isNavigable = false};
    PlotSeries before{.name = tr("Before"), .ink = {Role::Before}, .isFilled = false, .size = 5.0};
    PlotSeries after{.name = tr("After equalization"), .ink = {Role::After}, .symbol = Symbol::Diamond, .size = 5.0};
    double left = 0.0, right = 0.0, bottom = 0.0, top = 0.0;
    std::vector<ChannelRange> shownBefore, shownAfter;
    for (std::size_t i = 0; i < m_data.before.size(); ++i) {
        const ChannelRange from = m_data.before[i];
        const ChannelRange to = i < m_data.after.size() ? m_data.after[i] : ChannelRange{};
        if (!isRange(from) || !isRange(to)) {
            ++scene.skipped;
            continue;
        }
        const QString key = QString::number(i);
        const QString hover =
            tr("%1, channel %2\n%3 to %4 before\n%5 to %6 after")
                .arg(m_data.layer)
                .arg(i)
                .arg(numberText(from.min), numberText(from.max), numberText(to.min), numberText(to.max));
        arrows.points.push_back({.key = key, .x = to.min, .y = to.max, .x2 = from.min, .y2 = from.max});
        before.points.push_back({.key = key, .x = from.min, .y = from.max, .hover = hover});
        after.points.push_back({.key = key, .x = to.min, .y = to.max, .hover = hover});
        left = std::min({left, from.min, to.min});
        right = std::max({right, from.min, to.min});
        bottom = std::min({bottom, from.max, to.max});
        top = std::max({top, from.max, to.max});
        shownBefore.push_back(from);
        shownAfter.push_back(to);
    }
    if (after.points.empty()) return scene;
    const bool hasEnvelope = std::isfinite(m_data.representableMin) && std::isfinite(m_data.representableMax);
    if (hasEnvelope) {
        left = std::min(left, m_data.representableMin);
        top = std::max(top, m_data.representableMax);
        scene.regions.push_back({.x0 = m_data.representableMin, .y1 = m_data.representableMax, .ink = {Role::After}});
    }
    scene.pick = Pick::Nearest;
    scene.isEqualAspect = true;
    scene.x.title = tr("Smallest weight of the channel");
    scene.y.title = tr("Largest weight of the channel");
    std::tie(scene.x.lower, scene.x.upper) = padded(left, right);
    std::tie(scene.y.lower, scene.y.upper) = padded(bottom, top);
    scene.title = tr("%1: the largest channel range is %2 × the median before, %3 × after")
                      .arg(m_data.layer, numberText(spreadOf(shownBefore).ratio(), 2),
                           numberText(spreadOf(shownAfter).ratio(), 2));
    scene.detail = hasEnvelope ? tr("Shaded: representable after equalization, %1 to %2")
                                     .arg(numberText(m_data.representableMin), numberText(m_data.representableMax))
                               : QString();
    scene.summary = scene.title + u'.';
    scene.series = {std::move(arrows), std::move(before), std::move(after)};
    return scene;
}

PlotTable DisplacementField::table() const {
    PlotTable table{{tr("Channel"), tr("Min before"), tr("Max before"), tr("Min after"), tr("Max after")}, {}};
    for (std::size_t i = 0; i < m_data.before.size(); ++i) {
        const ChannelRange after = i < m_data.after.size() ? m_data.after[i] : ChannelRange{};
        table.rows.append(
            {static_cast<qulonglong>(i), m_data.before[i].min, m_data.before[i].max, after.min, after.max});
    }
    return table;
}

}  // namespace equant::plots
