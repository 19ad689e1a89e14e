// SPDX-License-Identifier: GPL-3.0-or-later
// Shared by the plots that show one number per channel before and after: order, series and hover texts.
#pragma once

#include "widgets/plots/channels/channel_band.h"

namespace equant::plots {

/// Indices of finite `before` values, by index or largest first.
std::vector<std::size_t> channelOrder(const std::vector<double>& before, ChannelOrder order);
/// Median of the finite values, kNone without any.
double medianOfFinite(const std::vector<double>& values);
double largestOfFinite(const std::vector<double>& values);

/// Hollow circles before, filled diamonds after, joined. `unit` follows the numbers in the read-out.
std::vector<PlotSeries> channelPairSeries(const std::vector<double>& before, const std::vector<double>& after,
                                          const std::vector<std::size_t>& order, const QString& layer,
                                          const QString& unit);
/// The x axis of channels.
PlotAxis channelAxis(std::size_t count, ChannelOrder order);
/// Channel, before, after.
PlotTable channelPairTable(const std::vector<double>& before, const std::vector<double>& after, const QString& what);

}  // namespace equant::plots
