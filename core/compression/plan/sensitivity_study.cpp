// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>

#include "core/compression/channels/channel_removal_internal.h"
#include "core/compression/factorization/layer_split_internal.h"
#include "core/compression/fit/layer_fit_internal.h"
#include "core/compression/fit/noise_gain_internal.h"
#include "core/compression/model_facts_internal.h"
#include "core/compression/plan/sensitivity_study_internal.h"
#include "core/data/subset.h"
#include "core/graph/onnx_io.h"
#include "core/statistics/collect_moments.h"

namespace equant {

namespace {

constexpr std::size_t kStudyBatch = 8;

const std::string& outputOf(const Model& model, const CompressibleLayer& layer) {
    return model.graph.nodes[layer.geometry.node].outputs[0];
}

bool isFactorization(CompressionMethod method) {
    return method != CompressionMethod::ChannelPruning;
}

}  // namespace

Result<SensitivityStudy> SensitivityStudy::create(const Model& model, const Dataset& calibration,
                                                  const SensitivityOptions& options, const JobContext& job) {
    const auto start = std::chrono::steady_clock::now();
    job.begin("collecting statistics", 0);
    SensitivityStudy study;
    study.m_modelHash = contentHash(model);
    auto folded = withFoldedBatchNorms(model);
    if (!folded) return fail(folded.error());
    study.m_model = std::move(*folded);
    auto facts = factsOf(study.m_model);
    if (!facts) return fail(facts.error());
    study.m_facts = std::move(*facts);
    const auto total = costOf(study.m_model, study.m_facts);
    if (!total) return fail(total.error());
    study.m_total = asLayerCost(*total);
    study.m_layers = compressibleLayers(study.m_model, study.m_facts);
    auto channels = analyzeChannels(study.m_model, study.m_facts);
    if (!channels) return fail(channels.error());
    study.m_channels = std::move(*channels);
    for (std::size_t i = 0; i < study.m_layers.size(); ++i)
        if (study.m_layers[i].can(CompressionMethod::ChannelPruning))
            study.m_firstReader.emplace(channelGroup(study.m_channels, study.m_layers[i].geometry.node).units, i);

    const bool doesPrune =
        std::ranges::find(options.methods, CompressionMethod::ChannelPruning) != options.methods.end();
    const auto topology = Topology::of(study.m_model.graph);
    if (!topology) return fail(topology.error());
    FitContext context;
    context.reference = &study.m_model;
    context.facts = &study.m_facts;
    context.options = &options.compress;
    std::vector<MomentRequest> requests;
    std::vector<std::string> outputs;
    for (const CompressibleLayer& layer : study.m_layers) {
        const bool isAsked = std::ranges::any_of(options.methods, [&](auto method) { return layer.can(method); });
        // Pruning one layer asks what all readers of its channels lose.
        const bool isReader = doesPrune && layer.geometry.groups == 1 && layer.geometry.inputs > 0;
        if (!isAsked && !isReader) continue;
        const FitSite site{layer.geometry, outputOf(study.m_model, layer)};
        auto request = fitRequest(context, study.m_model, *topology, {}, site);
        if (!request) continue;
        requests.push_back(std::move(*request));
        outputs.push_back(site.output);
    }
    if (requests.empty() || options.compress.isPlain) return study;
    const SpreadSubset samples(calibration, options.calibrationSamples);
    auto moments =
        collectMoments(study.m_model, study.m_model, requests, batchesOf(samples, kStudyBatch),
                       {options.compress.positionsPerSample, options.compress.seed, options.compress.threads}, job);
    if (!moments) return fail(moments.error());
    for (std::size_t i = 0; i < requests.size(); ++i) study.m_moments.emplace(outputs[i], std::move((*moments)[i]));
    if (const auto done = study.probe(samples, options, job); !done) return fail(done.error());
    study.m_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return study;
}

Status SensitivityStudy::probe(const Dataset& calibration, const SensitivityOptions& options, const JobContext& job) {
    if (options.probeSamples == 0) return {};
    std::vector<NoiseProbe> probes;
    std::vector<double*> gains;
    for (const CompressibleLayer& layer : m_layers) {
        const std::string& output = outputOf(m_model, layer);
        const auto moments = m_moments.find(output);
        if (moments == m_moments.end()) continue;
        const std::int64_t kernel = layer.geometry.kernelHeight * layer.geometry.kernelWidth;
        bool isSplit = false, isPruned = false;
        for (const CompressionMethod method : options.methods)
            if (layer.can(method)) (isFactorization(method) ? isSplit : isPruned) = true;
        NoiseGains& gain = m_gains[output];
        if (isSplit) {
            probes.push_back({output, &moments->second, 0});
            gains.push_back(&gain.split);
        }
        if (isPruned) {
            probes.push_back({output, &moments->second, kernel});
            gains.push_back(&gain.pruned);
        }
    }
    const SpreadSubset samples(calibration, options.probeSamples);
    auto scorer = CandidateScorer::create(m_model, samples, options.budgetBytes, options.compress.threads, job);
    if (!scorer) return fail(scorer.error());
    job.begin("following noise to the outputs", static_cast<std::int64_t>(probes.size()));
    const auto found = noiseGains(m_model, probes, **scorer, options.compress.seed, job);
    if (!found) return fail(found.error());
    for (std::size_t i = 0; i < gains.size(); ++i) *gains[i] = (*found)[i];
    return {};
}

Result<LayerSensitivity> SensitivityStudy::row(std::size_t layer, CompressionMethod method,
                                               const SensitivityOptions& options, const std::stop_token& stop) const {
    const CompressibleLayer& site = m_layers[layer];
    LayerSensitivity row;
    row.name = site.geometry.name;
    row.method = method;
    row.cost = site.geometry.cost;
    row.skipped = site.reason(method);
    if (row.skipped.empty() && method == CompressionMethod::ChannelPruning) {
        const auto first = m_firstReader.find(channelGroup(m_channels, site.geometry.node).units);
        if (first != m_firstReader.end() && first->second != layer)
            row.skipped = fmt::format("It reads the channels that {} reads: they go for both there.",
                                      m_layers[first->second].geometry.name);
    }
    if (!row.skipped.empty()) return row;
    row.fullSize = maxSize(method, site.geometry);
    for (const double ratio : options.ratios) {
        const SizeChoice choice = sizeForRatio(method, site.geometry, ratio, CostMetric::Macs, options.multiple);
        SensitivityCell cell;
        cell.ratio = ratio;
        cell.size = choice.size;
        cell.actualRatio = choice.ratio;
        // The cheapest split may still cost more than the layer; then there is nothing to gain.
        if (choice.ratio < 1 && choice.size <= row.fullSize) row.cells.push_back(cell);
    }
    std::ranges::stable_sort(row.cells, {}, &SensitivityCell::ratio);
    if (row.cells.empty()) {
        row.skipped = "No rank is cheaper than the layer as it is.";
        return row;
    }
    const Status filled =
        isFactorization(method) ? fillSvdCells(layer, row, options, stop) : fillPruningCells(layer, row, options, stop);
    if (!filled) return fail(filled.error());
    if (row.cells.empty()) row.skipped = "None of its channels can go at these ratios.";
    if (const auto gain = m_gains.find(outputOf(m_model, site)); gain != m_gains.end())
        for (SensitivityCell& cell : row.cells)
            if (cell.predictedError)
                cell.predictedNoise =
                    *cell.predictedError * (isFactorization(method) ? gain->second.split : gain->second.pruned);
    return row;
}

Status SensitivityStudy::fillSvdCells(std::size_t layer, LayerSensitivity& row, const SensitivityOptions& options,
                                      const std::stop_token& stop) const {
    const LayerGeometry& geometry = m_layers[layer].geometry;
    std::vector<std::int64_t> sizes;
    for (SensitivityCell& cell : row.cells) {
        const LayerCost cost = costAtSize(row.method, geometry, cell.size);
        cell.saved = {geometry.cost.macs - cost.macs, geometry.cost.parameters - cost.parameters};
        sizes.push_back(cell.size);
    }
    const auto moments = m_moments.find(outputOf(m_model, m_layers[layer]));
    if (options.compress.isPlain || moments == m_moments.end()) return {};
    const auto matrix = LayerMatrix::of(m_model.graph, geometry.node);
    if (!matrix) return fail(matrix.error());
    const auto errors = predictedErrors(row.method, geometry, *matrix, moments->second, sizes, stop);
    if (stop.stop_requested() || errors.size() != sizes.size()) return cancelled();
    // An error counts by the value it ends up in: a branch by the sum it is added to.
    const double postAddPower = moments->second.postAddPower;
    const double share = postAddPower > 0 ? moments->second.outputPower.sum() / postAddPower : 1;
    for (std::size_t i = 0; i < sizes.size(); ++i) row.cells[i].predictedError = share * errors[i];
    return {};
}

Status SensitivityStudy::fillPruningCells(std::size_t layer, LayerSensitivity& row, const SensitivityOptions& options,
                                          const std::stop_token& stop) const {
    const std::size_t node = m_layers[layer].geometry.node;
    const LayerMomentMap none;
    const auto steps = eliminateChannels(m_model, m_channels, node, options.compress.isPlain ? none : m_moments, stop);
    if (!steps) return fail(steps.error());
    const ChannelUnits& inputs = m_channels.layer(node)->inputs;
    for (const auto& step : *steps)
        for (std::size_t i = 0; i < inputs.size(); ++i)
            if (inputs[i] == step.unit) row.elimination.push_back(static_cast<std::int64_t>(i));
    std::vector<SensitivityCell> reachable;
    for (SensitivityCell cell : row.cells) {
        // The last step that keeps at least that many channels.
        const auto end = std::ranges::partition_point(*steps, [&](const auto& step) { return step.kept >= cell.size; });
        if (end == steps->begin()) continue;
        const ChannelElimination& last = *std::prev(end);
        std::vector<bool> isRemoved(m_channels.blockedBy.size(), false);
        for (auto step = steps->begin(); step != end; ++step) isRemoved[static_cast<std::size_t>(step->unit)] = true;
        Model pruned = m_model;
        if (const auto removed = removeChannels(pruned, m_channels, isRemoved); !removed) return fail(removed.error());
        const auto facts = factsOf(pruned);
        if (!facts) return fail(facts.error());
        const auto left = costOf(pruned, *facts);
        if (!left) return fail(left.error());
        cell.saved = {m_total.macs - static_cast<double>(left->macs),
                      m_total.parameters - static_cast<double>(left->parameters)};
        cell.actualRatio =
            static_cast<double>(last.kept) / static_cast<double>(std::max<std::int64_t>(row.fullSize, 1));
        cell.size = last.kept;
        if (!options.compress.isPlain && !m_moments.empty()) cell.predictedError = last.error;
        reachable.push_back(cell);
    }
    row.cells = std::move(reachable);
    return {};
}

Result<Model> SensitivityStudy::candidate(const std::string& layer, CompressionMethod method, std::int64_t size,
                                          const SensitivityOptions& options, const std::stop_token& stop) const {
    const auto site =
        std::ranges::find(m_layers, layer, [](const auto& l) -> const std::string& { return l.geometry.name; });
    if (site == m_layers.end())
        return fail(ErrorCode::InvalidArgument, fmt::format("The model has no layer \"{}\" with weights.", layer), {},
                    layer);
    Model model = m_model;
    if (method == CompressionMethod::ChannelPruning) {
        const auto pruned = pruneChannels(model, m_channels, site->geometry.node, size, m_moments,
                                          {options.compress.isPlain, options.compress.shouldRefit}, stop);
        if (!pruned) return fail(pruned.error());
        return model;
    }
    const auto matrix = LayerMatrix::of(m_model.graph, site->geometry.node);
    if (!matrix) return fail(matrix.error());
    const std::string& output = outputOf(m_model, *site);
    const auto moments = m_moments.find(output);
    const SplitBudget budget{CostMetric::Macs, costAtSize(method, site->geometry, size).macs, options.multiple};
    const auto split = splitLayer(method, site->geometry, *matrix, size, budget,
                                  moments == m_moments.end() ? nullptr : &moments->second, {}, stop);
    if (!split) return cancelled();
    writeSplit(model.graph, output, site->geometry, *split);
    return model;
}

}  // namespace equant
