// SPDX-License-Identifier: GPL-3.0-or-later
// Where a plan saves: one step per layer down the cost that is saved, sorted, and on the right axis the loss predicted
// for it (hollow: not measured). A click on a layer asks to go there or to exclude it. GUI thread only.
#pragma once

#include "widgets/plots/plot_view.h"

namespace equant::plots {

struct SavingsItem {
    QString key = {}, label = {};
    double saved = 0.0;            ///< share of the whole network's cost, 0..1; may be negative
    double predictedLoss = kNone;  ///< of score, in the unit of the data
    QString text = {};             ///< more for the read-out, such as "spatial SVD, rank 24 of 64"
};

struct SavingsWaterfallData {
    std::vector<SavingsItem> layers = {};  ///< in execution order; layers that save nothing are left out of the picture
    QString costName = {};                 ///< such as "MACs"
    QString unit = {};                     ///< of losses, such as "points"
};

class SavingsWaterfall : public PlotView {
    Q_OBJECT

public:
    enum class Order { Saved, LossPerSaving, Execution };

    explicit SavingsWaterfall(QWidget* parent = nullptr);
    void setData(SavingsWaterfallData content);
    void setOrder(Order order);
    Order order() const { return m_order; }
    PlotTable table() const override;

signals:
    void layerActivated(const QString& key);

protected:
    PlotScene buildScene() const override;
    void pointActivated(const QString& series, const PlotPoint& point) override;

private:
    std::vector<std::size_t> sorted(int* skipped) const;
    SavingsWaterfallData m_data;
    Order m_order = Order::Saved;
};

}  // namespace equant::plots
