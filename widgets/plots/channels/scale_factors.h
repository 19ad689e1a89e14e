// SPDX-License-Identifier: GPL-3.0-or-later
// The factors that equalization chose for a pair of layers, as lollipops of log2(s) around 0 (unchanged). Constant
// channels, which are never active, are marked with a cross.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct ScaleFactorsData {
    QString pair;                  ///< name of the pair, such as "conv1 -> conv2"
    std::vector<double> factors;   ///< s > 0 per channel: first layer divided, second multiplied by it
    std::vector<bool> isConstant;  ///< as long as `factors`, or empty
};

class ScaleFactors : public PlotView {
    Q_OBJECT

public:
    explicit ScaleFactors(QWidget* parent = nullptr);
    void setData(ScaleFactorsData content);
    PlotTable table() const override;

protected:
    PlotScene buildScene() const override;

private:
    bool isConstant(std::size_t channel) const {
        return channel < m_data.isConstant.size() && m_data.isConstant[channel];
    }
    ScaleFactorsData m_data;
};

}  // namespace equant::plots
