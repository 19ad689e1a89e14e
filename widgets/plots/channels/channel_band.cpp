// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/channels/channel_band.h"

#include <algorithm>
#include <cmath>

namespace equant::plots {
namespace {

constexpr double kOutlier = 3.0;   ///< capped beyond this multiple of the 95th percentile
constexpr double kFewLevels = 20;  ///< grid lines are drawn up to here

}  // namespace

bool isRange(const ChannelRange& range) {
    return std::isfinite(range.min) && std::isfinite(range.max) && range.min <= range.max;
}

double magnitude(const ChannelRange& range) {
    return std::max(std::abs(range.min), std::abs(range.max));
}

ChannelSpread spreadOf(const std::vector<ChannelRange>& ranges) {
    std::vector<double> magnitudes;
    for (const ChannelRange& range : ranges)
        if (isRange(range)) magnitudes.push_back(magnitude(range));
    if (magnitudes.empty()) return {};
    std::ranges::sort(magnitudes);
    return {magnitudes.back(), magnitudes[magnitudes.size() / 2]};
}

ChannelBand::ChannelBand(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Select a layer with weights to see the range of each of its channels."));
    rebuild();
}

void ChannelBand::setData(ChannelBandData content) {
    m_data = std::move(content);
    rebuild();
}

void ChannelBand::setOrder(ChannelOrder order) {
    m_order = order;
    rebuild();
}

std::vector<std::size_t> ChannelBand::plottable() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < m_data.before.size(); ++i)
        if (isRange(m_data.before[i])) order.push_back(i);
    if (m_order == ChannelOrder::Sorted)
        std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
            return magnitude(m_data.before[a]) > magnitude(m_data.before[b]);
        });
    return order;
}

double ChannelBand::capOf(const std::vector<std::size_t>& order) const {
    std::vector<double> reaches;
    for (const std::size_t i : order) {
        reaches.push_back(magnitude(m_data.before[i]));
        if (i < m_data.after.size() && isRange(m_data.after[i])) reaches.push_back(magnitude(m_data.after[i]));
    }
    std::sort(reaches.begin(), reaches.end());
    const double high = reaches[static_cast<std::size_t>(0.95 * static_cast<double>(reaches.size() - 1))];
    const bool hasOutliers = high > 0.0 && reaches.back() > kOutlier * high;
    return isLogScale() || !hasOutliers ? reaches.back() : 1.5 * high;
}

void ChannelBand::addGrid(PlotScene& scene) const {
    if (!std::isfinite(m_data.gridMin) || !std::isfinite(m_data.gridMax) || m_data.bits < 1 ||
        m_data.gridMin >= m_data.gridMax)
        return;
    const double steps = std::exp2(std::min(m_data.bits, 31)) - 1.0;
    const bool areFew = steps < kFewLevels;
    const double step = (m_data.gridMax - m_data.gridMin) / (areFew ? steps : 1.0);
    for (int i = 0; i <= (areFew ? static_cast<int>(steps) : 1); ++i) {
        const bool isLast = i == (areFew ? static_cast<int>(steps) : 1);
        const QString label =
            isLast
                ? tr("%1-bit grid, step %2").arg(m_data.bits).arg(numberText((m_data.gridMax - m_data.gridMin) / steps))
                : QString();
        scene.lines.push_back({.value = m_data.gridMin + i * step, .label = label, .isFaint = true});
    }
    scene.y.hasGrid = !areFew;
}

ChannelBand::Extent ChannelBand::addBands(const std::vector<std::size_t>& order, bool isCompared, PlotSeries& before,
                                          PlotSeries& after) const {
    const double cap = capOf(order);
    Extent extent;
    for (std::size_t position = 0; position < order.size(); ++position) {
        const std::size_t channel = order[position];
        const auto add = [&](PlotSeries& series, const ChannelRange& range) {
            PlotPoint point{.key = QString::number(channel),
                            .x = static_cast<double>(position),
                            .y = std::min(range.max, cap),
                            .y2 = std::max(range.min, -cap),
                            .mid = range.mean,
                            .isCappedAbove = range.max > cap,
                            .isCappedBelow = range.min < -cap};
            point.hover = tr("%1, channel %2\n%3: %4 to %5")
                              .arg(m_data.layer)
                              .arg(channel)
                              .arg(series.name, numberText(range.min), numberText(range.max));
            if (std::isfinite(range.mean)) point.hover += tr(", mean %1").arg(numberText(range.mean));
            extent.capped += point.isCappedAbove || point.isCappedBelow ? 1 : 0;
            extent.farthest = std::max(extent.farthest, magnitude(range));
            extent.low = std::min(extent.low, point.y2);
            extent.high = std::max(extent.high, point.y);
            series.points.push_back(std::move(point));
        };
        add(before, m_data.before[channel]);
        if (isCompared && isRange(m_data.after[channel])) add(after, m_data.after[channel]);
    }
    return extent;
}

PlotScene ChannelBand::buildScene() const {
    PlotScene scene;
    scene.canToggleLog = true;
    const std::vector<std::size_t> order = plottable();
    scene.skipped = static_cast<int>(m_data.before.size() - order.size());
    if (order.empty()) return scene;
    const bool isCompared = m_data.after.size() == m_data.before.size();
    PlotSeries before{.name = tr("Before"),
                      .mark = Mark::Intervals,
                      .ink = {Role::Before},
                      .isFilled = false,
                      .width = isCompared ? 0.42 : 0.8,
                      .offset = isCompared ? -0.22 : 0.0};
    PlotSeries after{
        .name = tr("After equalization"), .mark = Mark::Intervals, .ink = {Role::After}, .width = 0.42, .offset = 0.22};
    const Extent extent = addBands(order, isCompared, before, after);
    scene.x = {
        .title = m_order == ChannelOrder::Index ? tr("Output channel") : tr("Output channel, largest range first"),
        .lower = -0.8,
        .upper = static_cast<double>(order.size()) - 0.2,
        .ticks = Ticks::Integers,
        .hasGrid = false};
    std::tie(scene.y.lower, scene.y.upper) = padded(extent.low, extent.high, 0.07);
    scene.y.title = tr("Weight");
    const ChannelSpread spread = spreadOf(m_data.before);
    if (isLogScale()) {
        scene.y.scale = Scale::SignedLog;
        scene.y.threshold = std::pow(10.0, std::floor(std::log10(std::max(spread.median, 1e-12))) - 1.0);
    }
    const QString ratio = numberText(spread.ratio(), 2);
    scene.title = isCompared ? tr("%1: the largest channel range is %2 × the median before, %3 × after")
                                   .arg(m_data.layer, ratio, numberText(spreadOf(m_data.after).ratio(), 2))
                             : tr("%1: the largest channel range is %2 × the median").arg(m_data.layer, ratio);
    scene.detail = tr("Bands: min to max of a channel; ticks: mean; range: largest magnitude");
    if (extent.capped > 0)
        scene.detail +=
            tr(" · %n bands go on beyond the axis, to ±%1", nullptr, extent.capped).arg(numberText(extent.farthest));
    scene.summary = scene.title + u'.';
    addGrid(scene);
    scene.series = {std::move(before), std::move(after)};
    return scene;
}

PlotTable ChannelBand::table() const {
    PlotTable table{{tr("Channel"), tr("Min before"), tr("Max before"), tr("Mean before"), tr("Min after"),
                     tr("Max after"), tr("Mean after")},
                    {}};
    for (std::size_t i = 0; i < m_data.before.size(); ++i) {
        const ChannelRange after = i < m_data.after.size() ? m_data.after[i] : ChannelRange{};
        table.rows.append({static_cast<qulonglong>(i), m_data.before[i].min, m_data.before[i].max,
                           m_data.before[i].mean, after.min, after.max, after.mean});
    }
    return table;
}

}  // namespace equant::plots
