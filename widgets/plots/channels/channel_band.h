// SPDX-License-Identifier: GPL-3.0-or-later
// Weight ranges of one layer, channel by channel: min-max bands before and after on the same axis, with the mean and
// the integer grid. A few outliers do not flatten the picture: they are capped, marked with an arrow and counted.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct ChannelRange {
    double min = kNone, max = kNone, mean = kNone;
};

/// Finite, and min not above max.
bool isRange(const ChannelRange& range);
/// The range of a channel as tables and plots compare it: its largest magnitude, max(|min|, |max|).
double magnitude(const ChannelRange& range);

/// Over the channels given; zeros when there are none.
struct ChannelSpread {
    double largest = 0;
    double median = 0;  ///< the upper one of an even number
    double ratio() const { return median > 0 ? largest / median : 0; }
};
ChannelSpread spreadOf(const std::vector<ChannelRange>& ranges);

struct ChannelBandData {
    QString layer;
    std::vector<ChannelRange> before;
    std::vector<ChannelRange> after;          ///< as long as `before`, or empty
    double gridMin = kNone, gridMax = kNone;  ///< range of the integer grid (per-tensor encoding), kNone: no grid
    int bits = 0;                             ///< grid of 2^bits levels; lines are drawn when there are few
};

enum class ChannelOrder { Index, Sorted /* largest first */ };

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
    /// What the bands reach.
    struct Extent {
        double low = 0, high = 0, farthest = 0;
        int capped = 0;
    };
    Extent addBands(const std::vector<std::size_t>& order, bool isCompared, PlotSeries& before,
                    PlotSeries& after) const;
    ChannelBandData m_data;
    ChannelOrder m_order = ChannelOrder::Index;
};

}  // namespace equant::plots
