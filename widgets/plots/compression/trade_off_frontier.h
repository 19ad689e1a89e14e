// SPDX-License-Identifier: GPL-3.0-or-later
// What the network scores against the cost that is left: plans of the solver as a dotted curve of predictions, measured
// plans as solid stars (few of them with their confidence intervals), the present plan as a diamond. A click on a plan
// adopts it. Plans far below the budget and the plans at hand would flatten the rest: they are left out until asked
// for. Where predictions and measurements are different quantities (errors and scores), the measured ones have an axis
// of their own on the right; better is up on both. The keys of its items stand for plans, not for layers. GUI thread
// only.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct FrontierPlan {
    QString label = {};
    double costLeft = kNone;                             ///< share of the original cost, 0..1
    double predicted = kNone;                            ///< score (or error) the solver expects
    double measured = kNone, low = kNone, high = kNone;  ///< measured score and its confidence interval
    bool isOnSweep = true;                               ///< the curve goes through its prediction
    QString mark = {};                                   ///< short, beside its star: a number in a list of plans
    QString text = {};                                   ///< more for the read-out
};

struct TradeOffFrontierData {
    std::vector<FrontierPlan> plans = {};
    FrontierPlan current = {};   ///< costLeft kNone: none
    double baseline = kNone;     ///< score of the network as it is
    double targetCost = kNone;   ///< wanted cost left, 0..1
    QString costName = {};       ///< such as "MACs" or "Size"
    QString scoreName = {};      ///< such as "Top-1 accuracy" or "Output error"
    QString unit = {};           ///< such as "%"
    bool isHigherBetter = true;  ///< false when y is an error
    QString lossUnit = {};       ///< of what the next saving costs; empty: from the unit
    QString measuredName = {};   ///< not empty: what was measured is another quantity than what is predicted
    QString measuredUnit = {};
    double measuredBaseline = kNone;  ///< of the network as it is
    QString cheapestLayer = {};       ///< where the next saving costs least, for the sentence
};

class TradeOffFrontier : public PlotView {
    Q_OBJECT

public:
    explicit TradeOffFrontier(QWidget* parent = nullptr);
    void setData(TradeOffFrontierData content);
    void setCurrent(FrontierPlan plan, const QString& cheapestLayer = {});
    /// "The next 1 % of MACs costs about 0.12 points, cheapest from conv4_2"; empty when nothing is known.
    QString marginalSentence() const;
    PlotTable table() const override;
    QMenu* createContextMenu() override;
    /// Also plans far below the budget.
    void setExpanded(bool on);
    bool isExpanded() const { return m_isExpanded; }

signals:
    /// Index in TradeOffFrontierData::plans.
    void planChosen(int index);

protected:
    PlotScene buildScene() const override;
    void pointActivated(const QString& series, const PlotPoint& point) override;
    bool isSelectable(const QString& key) const override;

private:
    std::vector<std::size_t> sweep() const;
    double leastCost() const;
    bool hasTwoScales() const { return !m_data.measuredName.isEmpty(); }
    const QString& measuredUnit() const { return hasTwoScales() ? m_data.measuredUnit : m_data.unit; }
    void scaleAxes(PlotScene& scene) const;
    /// In the order of drawing, still without points.
    struct Series {
        PlotSeries curve, others, stars, current, currentStar;
    };
    Series emptySeries() const;
    PlotPoint pointAt(const FrontierPlan& plan, double score, const QString& key) const;
    /// Adds the points; returns how many plans of the curve are too far below the budget to be shown.
    int addPoints(Series& series, PlotScene& scene) const;
    void addLines(PlotScene& scene) const;
    QString finding(int shown) const;
    QString hoverOf(const FrontierPlan& plan) const;
    TradeOffFrontierData m_data;
    bool m_isExpanded = false;
};

}  // namespace equant::plots
