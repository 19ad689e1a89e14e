// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/compression/channels/channel_elimination_internal.h"
#include "core/compression/channels/channel_pruning_internal.h"
#include "core/compression/channels/channel_removal_internal.h"
#include "core/compression/factorization/layer_split_internal.h"
#include "core/compression/model_facts_internal.h"

namespace equant {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;

/// The columns of one layer's unfolded input per unit of the list.
std::vector<std::vector<Index>> columnsOf(const ChannelLayer& layer, const std::vector<int>& units, Index kernel) {
    std::vector<std::vector<Index>> columns(units.size());
    for (std::size_t u = 0; u < units.size(); ++u)
        for (std::size_t i = 0; i < layer.inputs.size(); ++i)
            if (layer.inputs[i] == units[u])
                for (Index k = 0; k < kernel; ++k) columns[u].push_back(static_cast<Index>(i) * kernel + k);
    return columns;
}

Result<EliminationProblem> problemOf(const Graph& graph, const ChannelLayer& layer, const std::vector<int>& units,
                                     const LayerMoments* moments) {
    const auto matrix = LayerMatrix::of(graph, layer.node);
    if (!matrix) return fail(matrix.error());
    EliminationProblem problem;
    problem.fit = moments ? fitProblem(matrix->weight, *moments) : plainProblem(matrix->weight);
    problem.power = moments ? moments->postAddPower : matrix->weight.squaredNorm();
    problem.power = std::max(problem.power, 1e-30);
    problem.columns = columnsOf(layer, units, matrix->weight.cols() / std::ssize(layer.inputs));
    return problem;
}

std::vector<Index> keptPositions(const ChannelUnits& units, const std::vector<bool>& isRemoved) {
    std::vector<Index> kept;
    for (std::size_t i = 0; i < units.size(); ++i)
        if (!isRemoved[static_cast<std::size_t>(units[i])]) kept.push_back(static_cast<Index>(i));
    return kept;
}

/// The moments as the layer without the removed channels would have collected them.
LayerMoments withoutChannels(const LayerMoments& moments, const ChannelLayer& layer,
                             const std::vector<bool>& isRemoved) {
    const Index kernel = (moments.gram.cols() - 1) / std::ssize(layer.inputs);
    std::vector<Index> columns;
    for (const Index input : keptPositions(layer.inputs, isRemoved))
        for (Index k = 0; k < kernel; ++k) columns.push_back(input * kernel + k);
    columns.push_back(moments.gram.cols() - 1);
    const auto outputs = keptPositions(layer.outputs, isRemoved);
    return {moments.gram(columns, columns),
            moments.cross(outputs, columns),
            moments.outputPower(outputs),
            moments.count,
            0,
            moments.ridge};
}

/// Fits the layer that computes `output` to its (already reduced) moments. Returns its relative error.
double refit(Graph& graph, const std::string& output, const LayerMoments& moments, bool shouldRefit) {
    auto matrix = LayerMatrix::of(graph, producerOf(graph, output));
    if (!matrix) return 0;
    if (shouldRefit)
        if (auto better = refitLayer(*matrix, moments)) {
            writeMatrix(graph, output, *better);
            matrix = std::move(*better);
        }
    MatrixXd map(matrix->weight.rows(), matrix->weight.cols() + 1);
    map.leftCols(matrix->weight.cols()) = matrix->weight;
    map.rightCols<1>() = matrix->bias.value_or(Eigen::VectorXd::Zero(matrix->weight.rows()));
    return moments.error(map) / std::max(moments.outputPower.sum(), 1e-30);
}

std::vector<std::string> labelsOf(const Graph& graph, const std::vector<std::size_t>& nodes) {
    std::vector<std::string> labels;
    for (const std::size_t node : nodes) labels.push_back(graph.nodes[node].label());
    return labels;
}

}  // namespace

Result<std::vector<ChannelElimination>> eliminateChannels(const Model& model, const ChannelAnalysis& analysis,
                                                          std::size_t node, const LayerMomentMap& moments,
                                                          const std::stop_token& stop) {
    const Graph& graph = model.graph;
    const std::string& label = graph.nodes[node].label();
    if (auto reason = channelPruningReason(analysis, graph, node); !reason.empty())
        return fail(ErrorCode::Unsupported, std::move(reason), {}, label);
    const ChannelLayer& asked = *analysis.layer(node);
    const ChannelGroup group = channelGroup(analysis, node);
    std::vector<EliminationProblem> problems;
    for (const std::size_t consumer : group.consumers) {
        const auto found = moments.find(graph.nodes[consumer].outputs[0]);
        const bool isCounted = moments.empty() ? consumer == node : found != moments.end();
        if (!isCounted) continue;
        auto problem =
            problemOf(graph, *analysis.layer(consumer), group.units, moments.empty() ? nullptr : &found->second);
        if (!problem) return fail(problem.error());
        problems.push_back(std::move(*problem));
    }
    LastChannels last(analysis);
    const auto steps = eliminate(
        std::move(problems), [&](std::size_t unit) { return last.mayGo(group.units[unit]); },
        [&](std::size_t unit) { last.remove(group.units[unit]); }, stop);
    if (stop.stop_requested()) return cancelled();
    std::vector<ChannelElimination> result;
    std::int64_t kept = std::ssize(asked.inputs);
    for (const auto& step : steps) {
        kept -= std::ranges::count(asked.inputs, group.units[step.channel]);
        result.push_back({group.units[step.channel], kept, step.error});
    }
    return result;
}

Result<PrunedLayer> pruneChannels(Model& model, const ChannelAnalysis& analysis, std::size_t node,
                                  std::int64_t keptChannels, const LayerMomentMap& moments, const PruneOptions& options,
                                  const std::stop_token& stop) {
    const LayerMomentMap none;
    const auto steps = eliminateChannels(model, analysis, node, options.isByMagnitude ? none : moments, stop);
    if (!steps) return fail(steps.error());
    const ChannelLayer asked = *analysis.layer(node);
    const ChannelGroup group = channelGroup(analysis, node);
    PrunedLayer report{
        model.graph.nodes[node].label(), std::ssize(asked.inputs), std::ssize(asked.inputs), {}, {}, {}, 0, 0};
    std::vector<bool> isRemoved(analysis.blockedBy.size(), false);
    for (const auto& step : *steps) {
        if (step.kept < std::max<std::int64_t>(keptChannels, 1)) break;
        isRemoved[static_cast<std::size_t>(step.unit)] = true;
        report.kept = step.kept;
        report.predictedError = step.error;
    }
    if (report.kept == report.fullSize) return report;
    report.producers = labelsOf(model.graph, group.producers);
    report.consumers = labelsOf(model.graph, group.consumers);
    for (const auto& [value, axis] : analysis.values) {
        const auto kept = keptPositions(axis.units, isRemoved);
        if (std::ssize(kept) < std::ssize(axis.units)) report.keptChannels[value].assign(kept.begin(), kept.end());
    }
    const std::string ownOutput = model.graph.nodes[node].outputs[0];
    std::vector<std::pair<std::string, LayerMoments>> reduced;
    for (const std::size_t consumer : group.consumers)
        if (const auto found = moments.find(model.graph.nodes[consumer].outputs[0]); found != moments.end())
            reduced.emplace_back(found->first, withoutChannels(found->second, *analysis.layer(consumer), isRemoved));
    if (auto removed = removeChannels(model, analysis, isRemoved); !removed) return fail(removed.error());
    for (const auto& [output, reducedMoments] : reduced) {
        const double error = refit(model.graph, output, reducedMoments, options.shouldRefit);
        if (output == ownOutput) report.error = error;
    }
    return report;
}

}  // namespace equant
