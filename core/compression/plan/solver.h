// SPDX-License-Identifier: Apache-2.0
// Chooses one ratio per layer: the smallest predicted loss that meets the budget. Pure functions of plain values.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/compression/plan/plan.h"
#include "core/compression/plan/sensitivity_table.h"

namespace equant {

struct SolverTarget {
    std::optional<double> macsRatio;  ///< of the whole model, at most
    std::optional<double> sizeRatio;  ///< parameters of the whole model, at most
    std::optional<double> maxDrop;    ///< instead of a budget: smallest cost whose predicted score loses at most this
};

/// Serves most networks and methods (docs/algorithms/compression.md).
inline constexpr double kDepthWeight = 1.5;

struct SolverOptions {
    SolverTarget target;
    std::map<std::string, double> locks;  ///< layer -> ratio the user fixed (1: leave alone)
    std::set<std::string> excluded;       ///< never compressed
    /// Losses count exp(depthWeight) times as much in the last layer as in the first: layers behind are refitted and
    /// make up for a part of what arrives. Which value serves a network best is found by trying (flow.h).
    double depthWeight = kDepthWeight;
    bool isGreedy = false;  ///< AIMET's threshold search on one cost metric instead of the exact solver
};

struct SolvedPlan {
    CompressionPlan plan;
    bool isTargetMet = true;
    std::string limitedBy;  ///< when not met: what limits it, one sentence
};

/// Exact: multiple-choice knapsack over additive losses (measured score losses, or predictions where the table has no
/// scores). InvalidArgument: no target, locks of unknown layers, ratios outside (0, 1].
Result<SolvedPlan> solvePlan(const SensitivityTable& table, const SolverOptions& options);

/// Solutions over the range of budgets: what the trade-off plot shows. Cheapest first.
struct FrontierPoint {
    PlanPrediction prediction;
    CompressionPlan plan;
};
std::vector<FrontierPoint> solveFrontier(const SensitivityTable& table, const SolverOptions& options,
                                         std::size_t points = 40);

/// What the table says of any plan: savings and losses added up, straight lines between the measured ratios. Takes
/// microseconds, so that dragging a ratio can show it.
[[nodiscard]] PlanPrediction predictPlan(const SensitivityTable& table, const CompressionPlan& plan);

/// "The next 1 % of MACs costs about 0.12 points, cheapest from layer conv4_2": the best next step down from a plan.
struct MarginalCost {
    std::string layer;
    double ratio = 1;      ///< the layer's next ratio
    double costSaved = 0;  ///< share of the model's cost
    double lossAdded = 0;  ///< in units of the table's loss
};
std::optional<MarginalCost> marginalCost(const SensitivityTable& table, const CompressionPlan& plan, CostMetric metric);

}  // namespace equant
