// SPDX-License-Identifier: Apache-2.0
#include "core/compression/plan/plan_cost.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/compression/channels/channel_pruning_internal.h"
#include "core/compression/channels/channel_removal_internal.h"
#include "core/compression/model_facts_internal.h"

namespace equant {

namespace {

constexpr double kSlack = 0.01;  ///< of the budget that may stay unused
constexpr int kCostRounds = 8;

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

/// Costs of plans for one model and table, which it refers to. What plans have in common is computed once.
class PlanCosts {
public:
    static Result<PlanCosts> create(const Model& model, const SensitivityTable& table) {
        PlanCosts costs(model, table);
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
    PlanCosts(const Model& model, const SensitivityTable& table) : m_model(model), m_table(table) {}

    /// As many channels as the plan leaves, taken in execution order: later choices find fewer.
    Result<Model> prune(const CompressionPlan& plan) {
        std::vector<bool> isRemoved(m_analysis.blockedBy.size(), false);
        const auto isGone = [&](int unit) { return bool(isRemoved[static_cast<std::size_t>(unit)]); };
        LastChannels last(m_analysis);
        for (const auto& layer : m_layers) {
            const auto choice = std::ranges::find_if(
                plan.choices, [&](const LayerChoice& c) { return c.layer == layer.geometry.name && doesPrune(c); });
            if (choice == plan.choices.end()) continue;
            const auto order = eliminationOf(layer.geometry);
            if (!order) return fail(order.error());
            const ChannelUnits& inputs = m_analysis.layer(layer.geometry.node)->inputs;
            const std::int64_t kept = std::max<std::int64_t>(sizeOf(*choice, layer.geometry, plan), 1);
            std::int64_t left = std::ssize(inputs) - std::ranges::count_if(inputs, isGone);
            for (const int unit : **order) {
                if (isGone(unit) || !last.mayGo(unit)) continue;
                left -= std::ranges::count(inputs, unit);
                if (left < kept) break;
                isRemoved[static_cast<std::size_t>(unit)] = true;
                last.remove(unit);
            }
        }
        Model pruned = m_model;
        if (const auto done = removeChannels(pruned, m_analysis, isRemoved); !done) return fail(done.error());
        return pruned;
    }

    /// The layer's input units in the order in which they go.
    Result<const ChannelUnits*> eliminationOf(const LayerGeometry& layer) {
        auto known = m_eliminations.find(layer.node);
        if (known != m_eliminations.end()) return &known->second;
        const auto row = std::ranges::find_if(
            m_table.layers, [&](const LayerSensitivity& r) { return r.name == layer.name && !r.elimination.empty(); });
        ChannelUnits units;
        if (row != m_table.layers.end()) {
            const ChannelLayer* channels = m_analysis.layer(layer.node);
            for (const std::int64_t channel : row->elimination) {
                if (!channels || channel < 0 || channel >= std::ssize(channels->inputs))
                    return fail(ErrorCode::InvalidArgument,
                                "The sensitivity table takes channels away that the layer does not have.",
                                "Make the table anew for this model.", layer.name);
                units.push_back(channels->inputs[static_cast<std::size_t>(channel)]);
            }
        } else {
            const auto steps = eliminateChannels(m_model, m_analysis, layer.node, {});
            if (!steps) return fail(steps.error());
            for (const auto& step : *steps) units.push_back(step.unit);
        }
        return &m_eliminations.emplace(layer.node, std::move(units)).first->second;
    }

    const Model& m_model;
    const SensitivityTable& m_table;
    ChannelAnalysis m_analysis;
    std::vector<CompressibleLayer> m_layers;
    std::map<std::size_t, ChannelUnits> m_eliminations;  ///< by node
};

}  // namespace

Result<LayerCost> plannedCost(const Model& model, const CompressionPlan& plan, const SensitivityTable& table) {
    auto costs = PlanCosts::create(model, table);
    return costs ? costs->of(plan) : fail(costs.error());
}

Result<SolvedPlan> solvePlanFor(const Model& model, const SensitivityTable& table, const SolverOptions& options) {
    SolverOptions moved = options;
    std::optional<PlanCosts> costs;
    std::optional<SolvedPlan> best;
    for (int round = 0; round < kCostRounds; ++round) {
        auto solved = solvePlan(table, moved);
        if (!solved) return best ? *best : solved;
        const bool isAdditive = std::ranges::none_of(solved->plan.choices, doesPrune);
        if (isAdditive || options.target.maxDrop || options.isGreedy) return solved;
        if (!costs) {
            auto created = PlanCosts::create(model, table);
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
