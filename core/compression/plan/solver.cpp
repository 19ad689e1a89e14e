// SPDX-License-Identifier: Apache-2.0
#include "core/compression/plan/solver.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "core/compression/plan/greedy_selection_internal.h"
#include "core/compression/plan/losses.h"
#include "core/search/knapsack.h"

namespace equant {

namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();
/// The cell of a layer that is left alone.
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// A row of the table at one of its ratios.
struct Option {
    std::size_t row = kNone;
    std::size_t cell = kNone;
    double loss = 0;
    LayerCost saved;
};

/// All the ways to treat one layer: the rows of its methods together, and leaving it alone.
struct Choices {
    std::string layer;
    std::vector<Option> options;
};

double relative(double part, double whole) {
    return whole > 0 ? part / whole : 0;
}

std::vector<Choices> choicesOf(const SensitivityTable& table, const CellLosses& losses, const SolverOptions& options) {
    std::vector<Choices> all;
    for (std::size_t row = 0; row < table.layers.size(); ++row) {
        const LayerSensitivity& layer = table.layers[row];
        auto found = std::ranges::find(all, layer.name, &Choices::layer);
        if (found == all.end()) found = all.insert(all.end(), Choices{layer.name, {Option{}}});
        if (options.excluded.contains(layer.name)) continue;
        for (std::size_t cell = 0; cell < layer.cells.size(); ++cell)
            found->options.push_back({row, cell, losses.loss[row][cell], layer.cells[cell].saved});
    }
    // A locked layer keeps the options of its ratio (nearest where the table has not just that one).
    for (Choices& choices : all) {
        const auto lock = options.locks.find(choices.layer);
        if (lock == options.locks.end()) continue;
        const auto distance = [&](const Option& option) {
            const double ratio = option.row == kNone ? 1 : table.layers[option.row].cells[option.cell].ratio;
            return std::abs(ratio - lock->second);
        };
        const double least = distance(*std::ranges::min_element(choices.options, {}, distance));
        std::erase_if(choices.options, [&](const Option& option) { return distance(option) > least + 1e-12; });
    }
    return all;
}

std::vector<KnapsackClass> classesOf(const std::vector<Choices>& all, const SensitivityTable& table,
                                     double depthWeight) {
    std::vector<KnapsackClass> classes;
    const double last = static_cast<double>(std::max<std::size_t>(all.size(), 2) - 1);
    for (const Choices& choices : all) {
        const double depth = static_cast<double>(classes.size()) / last;
        const double weight = std::exp(depthWeight * (depth - 1));
        KnapsackClass& options = classes.emplace_back();
        for (const Option& option : choices.options) {
            options.push_back({weight * option.loss,
                               {-relative(option.saved.macs, table.total.macs),
                                -relative(option.saved.parameters, table.total.parameters)}});
        }
    }
    return classes;
}

CompressionPlan planOf(const SensitivityTable& table, const CellLosses& losses, const std::vector<Choices>& all,
                       const std::vector<std::size_t>& chosen, const SolverOptions& options) {
    CompressionPlan plan;
    plan.model = table.model;
    plan.costMetric = options.target.sizeRatio && !options.target.macsRatio ? CostMetric::Parameters : CostMetric::Macs;
    PlanPrediction prediction;
    double loss = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const Option& option = all[i].options[chosen[i]];
        loss += option.loss;
        prediction.macsRatio -= relative(option.saved.macs, table.total.macs);
        prediction.sizeRatio -= relative(option.saved.parameters, table.total.parameters);
        const bool isLocked = options.locks.contains(all[i].layer);
        if (option.row == kNone) {
            if (isLocked) plan.choices.push_back({all[i].layer, table.layers.front().method, 1, 0, true});
            continue;
        }
        const SensitivityCell& cell = table.layers[option.row].cells[option.cell];
        plan.choices.push_back({all[i].layer, table.layers[option.row].method, cell.ratio, cell.size, isLocked});
    }
    prediction.loss = loss;
    prediction.score = scoreAt(table, losses, loss);
    plan.predicted = prediction;
    return plan;
}

Status checkOptions(const SensitivityTable& table, const SolverOptions& options) {
    const SolverTarget& target = options.target;
    if (!target.macsRatio && !target.sizeRatio && !target.maxDrop)
        return fail(ErrorCode::InvalidArgument, "The plan has no target.",
                    "Give a share of the MACs, of the size, or the largest drop of the score.");
    if (target.maxDrop && (target.macsRatio || target.sizeRatio))
        return fail(ErrorCode::InvalidArgument, "A largest drop and a budget were both given.", "Give one of them.");
    for (const auto& ratio : {target.macsRatio, target.sizeRatio})
        if (ratio && !(*ratio > 0 && *ratio <= 1))
            return fail(ErrorCode::InvalidArgument, fmt::format("The target {} is outside (0, 1].", *ratio),
                        "0.5 keeps half of the cost.");
    std::vector<std::string> unknown;
    for (const auto& [layer, ratio] : options.locks) {
        if (!(ratio > 0 && ratio <= 1))
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("Layer \"{}\" is locked at {}, outside (0, 1].", layer, ratio),
                        "1 leaves a layer alone.", layer);
        if (std::ranges::find(table.layers, layer, &LayerSensitivity::name) == table.layers.end())
            unknown.push_back(layer);
    }
    for (const std::string& layer : options.excluded)
        if (std::ranges::find(table.layers, layer, &LayerSensitivity::name) == table.layers.end())
            unknown.push_back(layer);
    if (!unknown.empty())
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The sensitivity table has no layer {}.", fmt::join(unknown, ", ")),
                    "Names are as `equant-cli inspect` prints them.", unknown.front());
    if (std::ranges::all_of(table.layers, [](const auto& layer) { return layer.cells.empty(); }))
        return fail(ErrorCode::InvalidArgument, "No layer can be compressed with this method.",
                    table.layers.empty() ? "The model has no layer with weights."
                                         : fmt::format("{}: {}", table.layers[0].name, table.layers[0].skipped));
    return {};
}

/// Why nothing cheaper is possible, from what each layer could save at most.
std::string limitSentence(const SensitivityTable& table, const std::vector<Choices>& all, CostMetric metric) {
    double most = 0, compressible = 0;
    for (const Choices& choices : all) {
        double best = 0;
        for (const Option& option : choices.options) best = std::max(best, option.saved.of(metric));
        most += best;
        if (choices.options.size() <= 1) continue;
        const auto layer = std::ranges::find(table.layers, choices.layer, &LayerSensitivity::name);
        compressible += layer->cost.of(metric);
    }
    const double total = table.total.of(metric);
    return fmt::format(
        "With every layer at its smallest ratio {:.1f} % of the {} remain; {:.1f} % of them are in layers "
        "that are left alone.",
        100 * (1 - relative(most, total)), metric == CostMetric::Macs ? "MACs" : "parameters",
        100 * (1 - relative(compressible, total)));
}

Result<SolvedPlan> solveGreedily(const SensitivityTable& table, const CellLosses& losses,
                                 const std::vector<Choices>& all, const SolverOptions& options) {
    const bool isBySize = options.target.sizeRatio && !options.target.macsRatio;
    const CostMetric metric = isBySize ? CostMetric::Parameters : CostMetric::Macs;
    const auto target = isBySize ? options.target.sizeRatio : options.target.macsRatio;
    if (!target)
        return fail(ErrorCode::InvalidArgument, "The greedy search needs a budget of MACs or size.",
                    "Use the exact solver for a largest drop.");
    std::vector<GreedyLayer> layers;
    for (const Choices& choices : all) {
        GreedyLayer& layer = layers.emplace_back();
        for (const Option& option : choices.options) {
            if (option.row == kNone) continue;
            const auto& score = table.layers[option.row].cells[option.cell].score;
            if (!score)
                return fail(ErrorCode::InvalidArgument, "The greedy search needs a measured score for every cell.",
                            "Measure the sensitivity to its end, or use the exact solver.", choices.layer);
            layer.scores.push_back(*score);
            layer.saved.push_back(option.saved.of(metric));
        }
    }
    const auto picked = selectGreedily(layers, table.total.of(metric), *target);
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool hasNone = all[i].options.front().row == kNone;
        chosen.push_back(picked[i] ? *picked[i] + (hasNone ? 1 : 0) : 0);
    }
    SolvedPlan solved{planOf(table, losses, all, chosen, options), true, {}};
    const double reached = isBySize ? solved.plan.predicted->sizeRatio : solved.plan.predicted->macsRatio;
    solved.isTargetMet = reached <= *target + 0.001;
    if (!solved.isTargetMet) solved.limitedBy = limitSentence(table, all, metric);
    return solved;
}

/// Smallest cost whose loss stays within the limit: the same problem with cost and loss exchanged.
SolvedPlan solveForDrop(const SensitivityTable& table, const CellLosses& losses, const std::vector<Choices>& all,
                        const SolverOptions& options) {
    auto classes = classesOf(all, table, 0);
    for (KnapsackClass& group : classes) {
        for (KnapsackOption& option : group) {
            option = {1 + option.weight[0], {option.value, 0}};  // the value stays positive
        }
    }
    const auto result = solveKnapsack(classes, {*options.target.maxDrop, kNoLimit});
    SolvedPlan solved{planOf(table, losses, all, result.chosen, options), result.isFeasible, {}};
    if (!result.isFeasible) solved.limitedBy = "The locked layers alone are predicted to lose more.";
    return solved;
}

}  // namespace

Result<SolvedPlan> solvePlan(const SensitivityTable& table, const SolverOptions& options) {
    if (auto status = checkOptions(table, options); !status) return fail(status.error());
    const CellLosses losses = lossesOf(table);
    const auto all = choicesOf(table, losses, options);
    if (options.isGreedy) return solveGreedily(table, losses, all, options);
    if (options.target.maxDrop) {
        if (!losses.isMeasured || losses.isNoise)
            return fail(ErrorCode::InvalidArgument,
                        "A largest drop needs sensitivities measured as accuracy or agreement.",
                        "Measure them, or give a budget of MACs or size.");
        return solveForDrop(table, losses, all, options);
    }
    std::array<double, 2> limits{kNoLimit, kNoLimit};
    if (options.target.macsRatio) limits[0] = *options.target.macsRatio - 1;
    if (options.target.sizeRatio) limits[1] = *options.target.sizeRatio - 1;
    const auto result = solveKnapsack(classesOf(all, table, options.depthWeight), limits);
    SolvedPlan solved{planOf(table, losses, all, result.chosen, options), result.isFeasible, {}};
    if (!result.isFeasible) {
        const PlanPrediction& reached = *solved.plan.predicted;
        const bool isByMacs = options.target.macsRatio && reached.macsRatio > *options.target.macsRatio;
        solved.limitedBy = limitSentence(table, all, isByMacs ? CostMetric::Macs : CostMetric::Parameters);
    }
    return solved;
}

std::vector<FrontierPoint> solveFrontier(const SensitivityTable& table, const SolverOptions& options,
                                         std::size_t points) {
    const CellLosses losses = lossesOf(table);
    const auto all = choicesOf(table, losses, options);
    auto classes = classesOf(all, table, options.depthWeight);
    const bool isBySize = options.target.sizeRatio && !options.target.macsRatio;
    if (isBySize) {
        for (KnapsackClass& group : classes)
            for (KnapsackOption& option : group) std::swap(option.weight[0], option.weight[1]);
    }
    // Every choice along the convex hulls is the best one for the cost it has.
    const KnapsackDescent descent = descend(classes);
    std::vector<std::vector<std::size_t>> solutions{descent.start};
    for (const KnapsackStep& step : descent.steps) {
        solutions.push_back(solutions.back());
        solutions.back()[step.group] = step.option;
    }
    std::vector<FrontierPoint> frontier;
    const std::size_t count = std::min(std::max<std::size_t>(points, 2), solutions.size());
    for (std::size_t i = count; i > 0; --i) {
        const std::size_t at = count == 1 ? 0 : (i - 1) * (solutions.size() - 1) / (count - 1);
        CompressionPlan plan = planOf(table, losses, all, solutions[at], options);
        frontier.push_back({*plan.predicted, std::move(plan)});
    }
    return frontier;
}

namespace {

/// Loss and savings of a row at any ratio: straight lines between its cells and to "left alone".
struct Estimate {
    double loss = 0;
    LayerCost saved;
};

Estimate estimateAt(const LayerSensitivity& layer, const std::vector<double>& losses, double ratio) {
    if (layer.cells.empty() || ratio >= 1) return {};
    const auto at = [&](std::size_t i) -> std::pair<double, Estimate> {
        if (i == layer.cells.size()) return {1, {}};
        return {layer.cells[i].ratio, {losses[i], layer.cells[i].saved}};
    };
    std::size_t upper = 0;
    while (upper < layer.cells.size() && layer.cells[upper].ratio < ratio - 1e-9) ++upper;
    const auto [highRatio, high] = at(upper);
    if (upper == 0 || std::abs(highRatio - ratio) < 1e-9) return high;
    const auto [lowRatio, low] = at(upper - 1);
    const double share = (ratio - lowRatio) / (highRatio - lowRatio);
    const auto mix = [&](double a, double b) { return a + share * (b - a); };
    return {mix(low.loss, high.loss),
            {mix(low.saved.macs, high.saved.macs), mix(low.saved.parameters, high.saved.parameters)}};
}

}  // namespace

PlanPrediction predictPlan(const SensitivityTable& table, const CompressionPlan& plan) {
    const CellLosses losses = lossesOf(table);
    PlanPrediction prediction;
    double loss = 0;
    for (std::size_t row = 0; row < table.layers.size(); ++row) {
        for (const LayerChoice& choice : plan.choices) {
            if (choice.layer != table.layers[row].name || choice.method != table.layers[row].method) continue;
            const Estimate estimate = estimateAt(table.layers[row], losses.loss[row], choice.ratio);
            loss += estimate.loss;
            prediction.macsRatio -= relative(estimate.saved.macs, table.total.macs);
            prediction.sizeRatio -= relative(estimate.saved.parameters, table.total.parameters);
        }
    }
    prediction.loss = loss;
    prediction.score = scoreAt(table, losses, loss);
    return prediction;
}

std::optional<MarginalCost> marginalCost(const SensitivityTable& table, const CompressionPlan& plan,
                                         CostMetric metric) {
    const CellLosses losses = lossesOf(table);
    std::optional<MarginalCost> best;
    for (std::size_t row = 0; row < table.layers.size(); ++row) {
        const LayerSensitivity& layer = table.layers[row];
        const LayerChoice* choice = plan.find(layer.name);
        if (choice && (choice->isLocked || (choice->ratio < 1 && choice->method != layer.method))) continue;
        const Estimate now = estimateAt(layer, losses.loss[row], choice ? choice->ratio : 1);
        for (std::size_t cell = 0; cell < layer.cells.size(); ++cell) {
            const double saved =
                relative(layer.cells[cell].saved.of(metric) - now.saved.of(metric), table.total.of(metric));
            if (saved <= 1e-9) continue;
            const double added = std::max(0.0, losses.loss[row][cell] - now.loss);
            if (!best || added * best->costSaved < best->lossAdded * saved)
                best = MarginalCost{layer.name, layer.cells[cell].ratio, saved, added};
        }
    }
    return best;
}

}  // namespace equant
