// SPDX-License-Identifier: GPL-3.0-or-later
// Range imbalance of all layers in one picture: largest over median channel range, hollow before and filled after
// equalization, joined by a line. Layers that stay above the threshold are flagged.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct RangeDumbbellItem {
    QString key = {}, label = {};
    double before = kNone;  ///< largest / median channel range, >= 1
    double after = kNone;   ///< the same after equalization; kNone: not equalized
};

struct RangeDumbbellData {
    std::vector<RangeDumbbellItem> layers;  ///< in execution order
    double threshold = 10.0;                ///< ratio above which a layer is flagged; kNone: no line
};

class RangeDumbbell : public PlotView {
    Q_OBJECT

public:
    enum class Order { Execution, Improvement };

    explicit RangeDumbbell(QWidget* parent = nullptr);
    void setData(RangeDumbbellData content);
    void setOrder(Order order);
    PlotTable table() const override;

protected:
    PlotScene buildScene() const override;

private:
    std::vector<std::size_t> plottable() const;
    QString finding(int layers, bool isCompared, int flaggedBefore, int flaggedAfter) const;
    RangeDumbbellData m_data;
    Order m_order = Order::Execution;
};

}  // namespace equant::plots
