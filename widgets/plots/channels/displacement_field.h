// SPDX-License-Identifier: GPL-3.0-or-later
// Every channel of a layer as a point (min, max) with an arrow from before to after, at equal aspect. The shaded corner
// is what the integer grid can represent after equalization; the finding says how much of it the channels fill.
#pragma once

#include "widgets/plots/channels/channel_band.h"

namespace equant::plots {

struct DisplacementFieldData {
    QString layer;
    std::vector<ChannelRange> before, after;                    ///< equally long
    double representableMin = kNone, representableMax = kNone;  ///< per-tensor range after, kNone: no envelope
};

class DisplacementField : public PlotView {
    Q_OBJECT

public:
    explicit DisplacementField(QWidget* parent = nullptr);
    void setData(DisplacementFieldData content);
    PlotTable table() const override;

protected:
    PlotScene buildScene() const override;

private:
    DisplacementFieldData m_data;
};

}  // namespace equant::plots
