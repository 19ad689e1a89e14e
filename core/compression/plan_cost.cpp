// SPDX-License-Identifier: Apache-2.0
#include "core/compression/plan_cost.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/compression/channel_pruning.h"
#include "core/compression/channel_removal.h"
#include "core/compression/model_facts.h"

namespace equant {

namespace {

constexpr double kSlack = 0.01;  ///< of the budget that may stay unused
constexpr int kRounds = 8;

bool doesPrune(const LayerChoice& choice) {
    return choice.method == CompressionMethod::ChannelPruning && (choice.size > 0 || choice.ratio < 1);
}

std::int64_t sizeOf(const LayerChoice& choice, const LayerGeometry& layer, const CompressionPlan& plan) {
    if (choice.size > 0) return choice.size;
    return sizeForRatio(choice.method, layer, choice.ratio, plan.costMetric, plan.multiple).size;
}

/// The most that any of the asked budgets is exceeded by, in shares of the model; negative: what is left.
double excess(const PlanPrediction& reached, const SolverTarget& target) {
    double most = -1;
    if (target.macsRatio) most = std::max(most, reached.macsRatio - *target.macsRatio);
    if (target.sizeRatio) most = std::max(most, reached.sizeRatio - *target.sizeRatio);
    return most;
}

/// Costs of plans for one model, which it refers to. What plans have in common is computed once.
class PlanCosts {
public:
    static Result<PlanCosts> create(const Model& model) {
        PlanCosts costs(model);
        const auto facts = factsOf(model);
        if (!facts) return fail(facts.error());
        auto analysis = analyzeChannels(model, *facts);
        if (!analysis) return fail(analysis.error());
        costs.m_analysis = std::move(*analysis);
        costs.m_layers = compressibleLayers(model, *facts);
        return costs;
    }

    Result<LayerCost> of(const CompressionPlan& plan) {
        auto pruned = prune(plan);
        if (!pruned) return fail(pruned.error());
        const auto left = factsOf(*pruned);
        if (!left) return fail(left.error());
        const auto whole = costOf(*pruned, *left);
        if (!whole) return fail(whole.error());
        LayerCost cost = asLayerCost(*whole);
        for (const auto& layer : compressibleLayers(*pruned, *left))
            for (const LayerChoice& choice : plan.choices) {
                const bool isSplit = choice.layer == layer.geometry.name &&
                                     choice.method != CompressionMethod::ChannelPruning && layer.can(choice.method);
                if (!isSplit || (choice.size == 0 && choice.ratio >= 1)) continue;
                const std::int64_t size = sizeOf(choice, layer.geometry, plan);
                const LayerCost now = costAtSize(choice.method, layer.geometry, size);
                cost.macs -= std::max(layer.geometry.cost.macs - now.macs, 0.0);
                cost.parameters -= std::max(layer.geometry.cost.parameters - now.parameters, 0.0);
            }
        return cost;
    }

private:
    explicit PlanCosts(const Model& model) : m_model(model) {}

    /// With as many channels as the plan leaves; which ones go does not matter.
    Result<Model> prune(const CompressionPlan& plan) {
        std::vector<bool> isRemoved(m_analysis.blockedBy.size(), false);
        for (const auto& layer : m_layers) {
            const auto choice = std::ranges::find_if(
                plan.choices, [&](const LayerChoice& c) { return c.layer == layer.geometry.name && doesPrune(c); });
            if (choice == plan.choices.end()) continue;
            const std::int64_t kept = sizeOf(*choice, layer.geometry, plan);
            const auto steps = stepsOf(layer.geometry.node);
            if (!steps) return fail(steps.error());
            for (const auto& step : **steps)
                if (step.kept >= std::max<std::int64_t>(kept, 1)) isRemoved[static_cast<std::size_t>(step.unit)] = true;
        }
        Model pruned = m_model;
        if (const auto done = removeChannels(pruned, m_analysis, isRemoved); !done) return fail(done.error());
        return pruned;
    }

    Result<const std::vector<ChannelElimination>*> stepsOf(std::size_t node) {
        auto known = m_steps.find(node);
        if (known == m_steps.end()) {
            auto steps = eliminateChannels(m_model, m_analysis, node, {});
            if (!steps) return fail(steps.error());
            known = m_steps.emplace(node, std::move(*steps)).first;
        }
        return &known->second;
    }

    const Model& m_model;
    ChannelAnalysis m_analysis;
    std::vector<CompressibleLayer> m_layers;
    std::map<std::size_t, std::vector<ChannelElimination>> m_steps;  ///< by node
};

}  // namespace

Result<LayerCost> plannedCost(const Model& model, const CompressionPlan& plan) {
    auto costs = PlanCosts::create(model);
    return costs ? costs->of(plan) : fail(costs.error());
}

Result<SolvedPlan> solvePlanFor(const Model& model, const SensitivityTable& table, const SolverOptions& options) {
    SolverOptions moved = options;
    std::optional<PlanCosts> costs;
    std::optional<SolvedPlan> best;
    for (int round = 0; round < kRounds; ++round) {
        auto solved = solvePlan(table, moved);
        if (!solved) return best ? *best : solved;
        const bool isAdditive = std::ranges::none_of(solved->plan.choices, doesPrune);
        if (isAdditive || options.target.maxDrop || options.isGreedy) return solved;
        if (!costs) {
            auto created = PlanCosts::create(model);
            if (!created) return fail(created.error());
            costs.emplace(std::move(*created));
        }
        const auto cost = costs->of(solved->plan);
        if (!cost) return fail(cost.error());
        PlanPrediction& predicted = *solved->plan.predicted;
        predicted.macsRatio = table.total.macs > 0 ? cost->macs / table.total.macs : 1;
        predicted.sizeRatio = table.total.parameters > 0 ? cost->parameters / table.total.parameters : 1;
        const double over = excess(predicted, options.target);
        const bool isFeasible = over <= 1e-9;
        const bool isBetter =
            !best || (isFeasible && (!best->isTargetMet || over > excess(*best->plan.predicted, options.target))) ||
            (!isFeasible && !best->isTargetMet && over < excess(*best->plan.predicted, options.target));
        const bool wasSolvable = solved->isTargetMet;
        solved->isTargetMet = isFeasible;
        if (isBetter) best = std::move(*solved);
        if (!wasSolvable || (isFeasible && over > -kSlack)) break;
        if (moved.target.macsRatio)
            moved.target.macsRatio = std::clamp(*moved.target.macsRatio - over - kSlack / 4, 1e-3, 1.0);
        if (moved.target.sizeRatio)
            moved.target.sizeRatio = std::clamp(*moved.target.sizeRatio - over - kSlack / 4, 1e-3, 1.0);
    }
    if (!best->isTargetMet && best->limitedBy.empty())
        best->limitedBy = "Layers that share channels save less together than each alone.";
    return *best;
}

}  // namespace equant
