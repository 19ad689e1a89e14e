// SPDX-License-Identifier: GPL-3.0-or-later
#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "widgets/plots/channels/channel_pairs_internal.h"

namespace equant::plots {
namespace {

QString text(const char* source) {
    return QCoreApplication::translate("equant::plots", source);
}

std::vector<double> finiteOf(const std::vector<double>& values) {
    std::vector<double> result;
    std::copy_if(values.begin(), values.end(), std::back_inserter(result), [](double v) { return std::isfinite(v); });
    return result;
}

}  // namespace

std::vector<std::size_t> channelOrder(const std::vector<double>& before, ChannelOrder order) {
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < before.size(); ++i)
        if (std::isfinite(before[i])) indices.push_back(i);
    if (order == ChannelOrder::Sorted)
        std::stable_sort(indices.begin(), indices.end(),
                         [&](std::size_t a, std::size_t b) { return before[a] > before[b]; });
    return indices;
}

double medianOfFinite(const std::vector<double>& values) {
    std::vector<double> finite = finiteOf(values);
    if (finite.empty()) return kNone;
    std::sort(finite.begin(), finite.end());
    const std::size_t middle = finite.size() / 2;
    return finite.size() % 2 == 1 ? finite[middle] : (finite[middle - 1] + finite[middle]) / 2.0;
}

double largestOfFinite(const std::vector<double>& values) {
    const std::vector<double> finite = finiteOf(values);
    return finite.empty() ? kNone : *std::max_element(finite.begin(), finite.end());
}

std::vector<PlotSeries> channelPairSeries(const std::vector<double>& before, const std::vector<double>& after,
                                          const std::vector<std::size_t>& order, const QString& layer,
                                          const QString& unit) {
    PlotSeries link{.name = text(QT_TRANSLATE_NOOP("equant::plots", "Change")),
                    .mark = Mark::Connectors,
                    .ink = {Role::Muted},
                    .isInLegend = false,
                    .isNavigable = false};
    PlotSeries first{
        .name = text(QT_TRANSLATE_NOOP("equant::plots", "Before")), .ink = {Role::Before}, .isFilled = false};
    PlotSeries second{.name = text(QT_TRANSLATE_NOOP("equant::plots", "After equalization")),
                      .ink = {Role::After},
                      .symbol = Symbol::Diamond};
    for (std::size_t position = 0; position < order.size(); ++position) {
        const std::size_t channel = order[position];
        const auto x = static_cast<double>(position);
        const QString key = QString::number(channel);
        const bool hasAfter = channel < after.size() && std::isfinite(after[channel]);
        QString hover = text(QT_TRANSLATE_NOOP("equant::plots", "%1, channel %2\n%3 %4 before"))
                            .arg(layer)
                            .arg(channel)
                            .arg(numberText(before[channel]), unit);
        if (hasAfter)
            hover += text(QT_TRANSLATE_NOOP("equant::plots", "\n%1 %2 after")).arg(numberText(after[channel]), unit);
        first.points.push_back({.key = key, .x = x, .y = before[channel], .hover = hover});
        if (!hasAfter) continue;
        second.points.push_back({.key = key, .x = x, .y = after[channel], .hover = hover});
        link.points.push_back({.key = key, .x = x, .y = after[channel], .y2 = before[channel]});
    }
    return {std::move(link), std::move(first), std::move(second)};
}

PlotAxis channelAxis(std::size_t count, ChannelOrder order) {
    return {.title = order == ChannelOrder::Index
                         ? text(QT_TRANSLATE_NOOP("equant::plots", "Output channel"))
                         : text(QT_TRANSLATE_NOOP("equant::plots", "Output channel, largest first")),
            .lower = -0.8,
            .upper = static_cast<double>(count) - 0.2,
            .ticks = Ticks::Integers,
            .hasGrid = false};
}

PlotTable channelPairTable(const std::vector<double>& before, const std::vector<double>& after, const QString& what) {
    PlotTable table{{text(QT_TRANSLATE_NOOP("equant::plots", "Channel")),
                     text(QT_TRANSLATE_NOOP("equant::plots", "%1 before")).arg(what),
                     text(QT_TRANSLATE_NOOP("equant::plots", "%1 after")).arg(what)},
                    {}};
    for (std::size_t i = 0; i < before.size(); ++i)
        table.rows.append({static_cast<qulonglong>(i), before[i], i < after.size() ? after[i] : kNone});
    return table;
}

}  // namespace equant::plots
