// SPDX-License-Identifier: GPL-3.0-or-later
// Where a plan saves: one step per layer down the cost that is saved, sorted, and on the right axis the loss predicted
// for it (hollow: not measured). Of many layers the small ones share the last step, which a click opens. A click on a
// layer asks to go there, its menu to leave it alone. GUI thread only.
#pragma once

#include "widgets/plots/base/plot_view.h"

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
    /// Shows every layer, however many there are.
    void setExpanded(bool on);
    bool isExpanded() const { return m_isExpanded; }
    PlotTable table() const override;
    QMenu* createContextMenu() override;

signals:
    void layerActivated(const QString& key);
    void exclusionRequested(const QString& key);

protected:
    PlotScene buildScene() const override;
    void pointActivated(const QString& series, const PlotPoint& point) override;
    bool isSelectable(const QString& key) const override;

private:
    /// A bar: one layer, or the small ones together.
    struct Step {
        SavingsItem item;
        std::vector<std::size_t> layers;
    };
    std::vector<std::size_t> sorted(int* skipped) const;
    std::vector<Step> steps(const std::vector<std::size_t>& order) const;
    QString hoverOf(const SavingsItem& item, double left) const;
    void setNames(PlotScene& scene, bool hasRest) const;
    QString finding(const std::vector<std::size_t>& order) const;
    SavingsWaterfallData m_data;
    Order m_order = Order::Saved;
    bool m_isExpanded = false;
};

}  // namespace equant::plots
