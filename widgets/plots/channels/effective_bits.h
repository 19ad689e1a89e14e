// SPDX-License-Identifier: GPL-3.0-or-later
// How many of the bits each channel really uses: log2(channel range / step), capped at the bit width, before and after.
// The plot takes the finished numbers; the line at the bit width is what per-channel encodings would give every
// channel.
#pragma once

#include "widgets/plots/channels/channel_band.h"

namespace equant::plots {

struct EffectiveBitsData {
    QString layer;
    std::vector<double> before;  ///< bits, one per channel
    std::vector<double> after;   ///< as long as `before`, or empty
    int bits = 8;
    bool isPerChannel = false;  ///< the numbers are for per-channel encodings
};

class EffectiveBits : public PlotView {
    Q_OBJECT

public:
    explicit EffectiveBits(QWidget* parent = nullptr);
    void setData(EffectiveBitsData content);
    void setOrder(ChannelOrder order);
    PlotTable table() const override;

protected:
    PlotScene buildScene() const override;

private:
    EffectiveBitsData m_data;
    ChannelOrder m_order = ChannelOrder::Index;
};

}  // namespace equant::plots
