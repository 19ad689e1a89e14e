// SPDX-License-Identifier: GPL-3.0-or-later
// Where the cost of a network sits: one bar per layer with its share of parameters, MACs or activation bytes, and the
// cumulative share on the right axis. The cumulative threshold can be dragged and selects the layers above it.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct CostItem {
    QString key = {}, label = {}, kind = {};  ///< layer key, name to show, operator kind
    double parameters = 0.0;                  ///< count
    double macs = 0.0;                        ///< per sample
    double activationBytes = 0.0;             ///< output of the layer, per sample
};

struct CostBarsData {
    std::vector<CostItem> layers;  ///< in execution order
};

class CostBars : public PlotView {
    Q_OBJECT

public:
    enum class Metric { Parameters, Macs, ActivationBytes };
    enum class Order { Execution, Sorted };

    explicit CostBars(QWidget* parent = nullptr);

    void setData(CostBarsData content);
    void setMetric(Metric metric);
    void setOrder(Order order);
    Metric metric() const { return m_metric; }
    Order order() const { return m_order; }
    /// Cumulative share in percent that the threshold line marks (default 80). Only with Order::Sorted.
    void setCoverage(double percent);
    double coverage() const { return m_coverage; }
    /// The largest layers that together reach the coverage, largest first.
    QStringList coveredKeys() const;

    PlotTable table() const override;

signals:
    void coverageChanged(double percent);

protected:
    PlotScene buildScene() const override;
    void lineMoved(const QString& id, double value, bool isFinished) override;

private:
    double valueOf(const CostItem& item) const;
    /// Indices of finite items, largest first.
    std::vector<std::size_t> ranking() const;
    double total() const;
    QString finding(const std::vector<std::size_t>& largest, double total) const;

    CostBarsData m_data;
    Metric m_metric = Metric::Parameters;
    Order m_order = Order::Sorted;
    double m_coverage = 80.0;
};

}  // namespace equant::plots
