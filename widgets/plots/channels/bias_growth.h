// SPDX-License-Identifier: GPL-3.0-or-later
// What equalization does to the biases of a layer: their magnitude before and after, channel by channel, against the
// range of the layer's activations. A bias beyond that range spoils the activation encoding: absorb it.
#pragma once

#include "widgets/plots/channels/channel_band.h"

namespace equant::plots {

struct BiasGrowthData {
    QString layer;
    std::vector<double> before;      ///< |bias| per channel
    std::vector<double> after;       ///< as long as `before`, or empty
    double activationRange = kNone;  ///< largest magnitude the activations reach, kNone when unknown
};

class BiasGrowth : public PlotView {
    Q_OBJECT

public:
    explicit BiasGrowth(QWidget* parent = nullptr);
    void setData(BiasGrowthData content);
    void setOrder(ChannelOrder order);
    PlotTable table() const override;

protected:
    PlotScene buildScene() const override;

private:
    BiasGrowthData m_data;
    ChannelOrder m_order = ChannelOrder::Index;
};

}  // namespace equant::plots
