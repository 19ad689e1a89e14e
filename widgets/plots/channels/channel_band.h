// SPDX-License-Identifier: GPL-3.0-or-later
// Weight ranges of one layer, channel by channel: min-max bands before and after on the same axis, with the mean and
// the integer grid. A few outliers do not flatten the picture: they are capped, marked with an arrow and counted.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct ChannelRange {
    double min = kNone, max = kNone, mean = kNone;
};

struct ChannelBandData {
    QString layer;
    std::vector<ChannelRange> before;
    std::vector<ChannelRange> after;          ///< as long as `before`, or empty
    double gridMin = kNone, gridMax = kNone;  ///< range of the integer grid (per-tensor encoding), kNone: no grid
    int bits = 0;                             ///< grid of 2^bits levels; lines are drawn when there are few
};

enum class ChannelOrder { Index, Sorted /* widest or largest first */ };

class ChannelBand : public PlotView {
    Q_OBJECT

public:
    explicit ChannelBand(QWidget* parent = nullptr);
    void setData(ChannelBandData content);
    void setOrder(ChannelOrder order);
    PlotTable table() const override;

protected:
    PlotScene buildScene() const override;

private:
    std::vector<std::size_t> plottable() const;
    double capOf(const std::vector<std::size_t>& order) const;
    void addGrid(PlotScene& scene) const;
    ChannelBandData m_data;
    ChannelOrder m_order = ChannelOrder::Index;
};

}  // namespace equant::plots
