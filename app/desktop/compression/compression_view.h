// SPDX-License-Identifier: GPL-3.0-or-later
// From sensitivities and plans to what the plots of the compression page show. Made once for a table and then asked;
// pure, holds what it was made of. Losses are points of score where scores were measured, else percent of output error:
// the two never share an axis.
#pragma once

#include <map>
#include <memory>

#include "app/desktop/document/document.h"
#include "widgets/plots/compression/layer_curve.h"
#include "widgets/plots/compression/ratio_profile.h"
#include "widgets/plots/compression/savings_waterfall.h"
#include "widgets/plots/compression/sensitivity_map.h"
#include "widgets/plots/compression/trade_off_frontier.h"

namespace equant::ui {

/// Ratios closer than this are one column of the map.
inline constexpr double kSameRatio = 1e-6;

class CompressionView {
public:
    /// One row of the map: a layer with all its methods.
    struct Row {
        QString layer;
        std::vector<std::size_t> entries;  ///< rows of the table that have cells
        QString skipReason;                ///< when there are none
    };

    CompressionView(std::shared_ptr<const LoadedModel> model, std::shared_ptr<const SensitivityTable> table);

    const SensitivityTable& table() const { return *m_table; }
    const std::vector<Row>& rows() const { return m_rows; }
    const Row* row(const QString& layer) const;
    /// A method for a layer: known to the table, possible but not tried, or impossible for a reason.
    struct MethodOption {
        CompressionMethod method;
        bool isKnown = false;
        QString reason = {};  ///< not empty: cannot
    };
    std::vector<MethodOption> options(const QString& layer) const;
    /// Methods the table was made with, in a fixed order.
    const std::vector<CompressionMethod>& triedMethods() const { return m_methods; }
    int compressibleCount() const;
    int measuredCells() const { return m_measured; }
    int allCells() const { return m_cells; }
    bool isMeasured() const { return m_isMeasured; }
    /// Whether losses are points of a score (top-1, agreement); else they are output errors in percent.
    bool isInPoints() const { return m_isInPoints; }
    QString scoreName() const;
    /// "0.4 points" or "3.1 % of output error".
    QString lossText(double loss) const;
    /// Points that one sample weighs in the measured scores: smaller losses cannot be told from none. 0: no scores.
    double resolution() const;

    /// With `only`: this method's cells; else the best method's in each cell.
    plots::SensitivityMapData map(const CompressionPlan& plan, std::optional<CompressionMethod> only = {}) const;
    plots::SensitivityCell cell(const Row& row, double ratio, std::optional<CompressionMethod> only = {}) const;
    /// Where the map marks the plan; kNone: the layer has another method than the one shown, or cannot be compressed.
    double markedRatio(const Row& row, const CompressionPlan& plan, std::optional<CompressionMethod> only = {}) const;
    const std::vector<double>& ratios() const { return m_ratios; }
    plots::LayerCurveData curve(const QStringList& layers, const CompressionPlan& plan,
                                const CompressionSetup& setup) const;
    plots::RatioProfileData profile(const CompressionPlan& plan, const CompressionPlan& suggestion,
                                    const CompressionSetup& setup) const;
    plots::SavingsWaterfallData waterfall(const CompressionPlan& plan, CostMetric metric) const;

    /// Points of the frontier with the plan behind each.
    struct Frontier {
        plots::TradeOffFrontierData data;
        std::vector<CompressionPlan> plans;
        std::vector<const PlanMeasurement*> measured;  ///< the last ones of `plans`, valid as the document's
    };
    Frontier frontier(const Document& document) const;
    plots::FrontierPlan planPoint(const CompressionPlan& plan, CostMetric metric,
                                  const PlanMeasurement* measurement) const;
    QString cheapestLayer(const CompressionPlan& plan, CostMetric metric) const;
    /// "The next 1 % of MACs costs about 0.12 points, cheapest from conv4_2."
    QString marginalSentence(const CompressionPlan& plan, CostMetric metric) const;
    /// Predicted loss of a plan in display units.
    double loss(const PlanPrediction& prediction) const;
    /// Measured loss in the same units; absent when the score is of another kind.
    std::optional<double> loss(const PlanMeasurement& measurement) const;

    /// The choice for a layer at a ratio: by the method given, else the one that is expected to lose least.
    std::optional<LayerChoice> choice(const QString& layer, double ratio, const CompressionSetup& setup,
                                      std::optional<CompressionMethod> method = {}) const;
    /// Ratios the layer can have, ascending, 1 (left alone) last.
    std::vector<plots::LegalRatio> legal(const QString& layer, CompressionMethod method, int multiple) const;
    std::optional<CompressionMethod> methodFor(const QString& layer, double ratio) const;
    std::vector<CompressionMethod> methods(const QString& layer) const;
    /// "spatial SVD, rank 24 of 64: 12.3 M → 6.1 M MACs".
    QString describe(const LayerChoice& choice) const;
    /// "rank 24 of 64: 12.3 M → 6.1 M MACs"
    QString costText(const LayerChoice& choice) const;

private:
    double lossAt(std::size_t entry, double ratio) const;
    double display(double loss) const;
    double shown(const SensitivityCell& cell) const;
    const LayerGeometry* geometry(const QString& layer) const;

    std::shared_ptr<const LoadedModel> m_model;
    std::shared_ptr<const SensitivityTable> m_table;
    std::vector<std::vector<double>> m_losses;  ///< [row of the table][cell], units of the solver
    std::vector<Row> m_rows;
    std::map<QString, std::size_t> m_index;
    std::vector<double> m_ratios;
    std::vector<CompressionMethod> m_methods;
    bool m_isMeasured = false;
    bool m_isNoise = false;  ///< losses are noise at the network's outputs
    bool m_isInPoints = false;
    int m_measured = 0;
    int m_cells = 0;
};

QString methodText(CompressionMethod method);
/// What one choice saves by itself; absent: the table does not know the layer with this method. Losses are not in it:
/// those are steadied over the whole table.
std::optional<PlanPrediction> savingsOf(const SensitivityTable& table, const LayerChoice& choice);
/// What the page says first.
QString compressionSentence(const CompressionView* view, const Document& document);
/// What the recommended flow tried and chose, and why; empty: it did not run on these data.
QString flowSentence(const Document& document);
/// "1.55 → 1.10 ms a sample".
QString latencyText(const LatencyChange& latency);
/// How such a latency was found: "median of 30 runs taken in turns, one thread, batch 1".
QString latencyMethod(const LatencyChange& latency);
/// "activations of a sample 1.2 MB → 0.9 MB, at most 256 KB → 192 KB of them alive at once"; empty: not known.
QString activationsText(const EngineCosts& costs);
/// What a measured plan lost: "0.4 points".
QString measuredLossText(const PlanMeasurement& measured);
/// Score that a table of this metric would hold, from a measured plan; "85.3 %".
QString measuredText(const Score& score);

}  // namespace equant::ui
