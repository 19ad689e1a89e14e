// SPDX-License-Identifier: GPL-3.0-or-later
// Parameters against MACs on log axes: colour and shape by operator kind, symbol area by activation bytes. The
// quadrants around the medians say what compressing a layer would buy.
#pragma once

#include "widgets/plots/network/cost_bars.h"

namespace equant::plots {

class CostScatter : public PlotView {
    Q_OBJECT

public:
    explicit CostScatter(QWidget* parent = nullptr);
    void setData(CostBarsData content);
    PlotTable table() const override;

protected:
    PlotScene buildScene() const override;

private:
    CostBarsData m_data;
};

}  // namespace equant::plots
