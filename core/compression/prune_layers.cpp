// SPDX-License-Identifier: Apache-2.0
#include "core/compression/prune_layers.h"

#include <algorithm>
#include <cmath>

#include "core/compression/channel_groups.h"
#include "core/compression/channel_pruning.h"
#include "core/compression/layer_split.h"
#include "core/compression/model_facts.h"
#include "core/graph/constants.h"
#include "core/graph/layers.h"
#include "core/graph/topology.h"
#include "core/passes/layer_weights.h"

namespace equant {

namespace {

class Pruner {
public:
    Pruner(Model& model, const CompressionPlan& plan, const BatchSource* source, const CompressOptions& options,
           const JobContext& job)
        : m_model(model), m_reference(model), m_plan(plan), m_source(source), m_options(options), m_job(job) {}

    Result<std::vector<CompressedLayer>> run(const std::vector<PruneChoice>& choices) {
        auto facts = factsOf(m_reference);
        if (!facts) return fail(facts.error());
        m_facts = std::move(*facts);
        auto layers = compressibleLayers(m_reference, m_facts);
        m_job.begin("prune", std::ssize(layers));
        for (auto& layer : layers) {
            const std::string output = m_reference.graph.nodes[layer.geometry.node].outputs[0];
            m_sites.emplace(output, std::move(layer.geometry));
            m_order.push_back(output);
        }
        for (const auto& output : m_order) {
            if (m_job.stopped()) return cancelled();
            const auto choice = std::ranges::find(choices, m_sites.at(output).name, &PruneChoice::layer);
            const Status done = choice != choices.end() ? prune(output, *choice) : refit(output);
            if (!done) return fail(done.error());
            m_job.advance();
        }
        if (auto measured = measure(); !measured) return fail(measured.error());
        return std::move(m_reports);
    }

private:
    [[nodiscard]] std::size_t nodeOf(const std::string& output) const {
        const auto& nodes = m_model.graph.nodes;
        const auto found = std::ranges::find_if(
            nodes, [&](const Node& node) { return !node.outputs.empty() && node.outputs[0] == output; });
        return static_cast<std::size_t>(found - nodes.begin());
    }

    /// The layer as it is now: earlier steps may have taken inputs and outputs.
    [[nodiscard]] std::optional<LayerGeometry> geometryOf(const std::string& output) const {
        const auto site = m_sites.find(output);
        const std::size_t node = nodeOf(output);
        if (site == m_sites.end() || node >= m_model.graph.nodes.size()) return std::nullopt;
        const auto weights = LayerWeights::of(m_model.graph, node);
        if (!weights || weights->groups() != 1 || m_model.graph.nodes[node].is("ConvTranspose")) return std::nullopt;
        LayerGeometry geometry = site->second;
        geometry.node = node;
        geometry.inputs = weights->inputChannels();
        geometry.outputs = weights->outputChannels();
        return geometry;
    }

    [[nodiscard]] std::vector<std::int64_t> keptOf(const std::string& value) const {
        const auto found = m_kept.find(value);
        return found == m_kept.end() ? std::vector<std::int64_t>{} : found->second;
    }

    /// The layer's output; behind a layer that only feeds an Add, the Add's result less the other branch as it is now.
    [[nodiscard]] std::optional<MomentRequest> requestFor(const std::string& output, const Topology& topology) const {
        const auto geometry = geometryOf(output);
        if (!geometry) return std::nullopt;
        MomentRequest request{*geometry, output, {}, keptOf(output)};
        const auto consumer = topology.soleConsumer(output);
        if (!m_options.shouldRefit || m_options.isPlain || consumer == Topology::kNone ||
            !m_model.graph.nodes[consumer].is("Add"))
            return request;
        const Node& add = m_model.graph.nodes[consumer];
        const std::string& other = add.inputs[add.inputs[0] == output ? 1 : 0];
        const auto own = m_facts.find(output), others = m_facts.find(other);
        const bool isSum = own != m_facts.end() && others != m_facts.end() && own->second.shape &&
                           own->second.shape == others->second.shape && other != output &&
                           !constantValue(m_model.graph, other) && keptOf(other) == keptOf(output);
        if (!isSum) return request;
        request.target = add.outputs[0];
        request.subtract = other;
        request.targetChannels = keptOf(request.target);
        return request;
    }

    Result<LayerMomentMap> momentsOf(const std::vector<std::string>& outputs) const {
        LayerMomentMap moments;
        if (!m_source) return moments;
        const auto topology = Topology::of(m_model.graph);
        if (!topology) return fail(topology.error());
        std::vector<MomentRequest> requests;
        std::vector<std::string> asked;
        for (const auto& output : outputs)
            if (auto request = requestFor(output, *topology)) {
                requests.push_back(std::move(*request));
                asked.push_back(output);
            }
        if (requests.empty()) return moments;
        auto collected =
            collectMoments(m_model, m_reference, requests, *m_source,
                           {m_options.positionsPerSample, m_options.seed, m_options.threads}, {m_job.stop, nullptr});
        if (!collected) return fail(collected.error());
        for (std::size_t i = 0; i < asked.size(); ++i) moments.emplace(asked[i], std::move((*collected)[i]));
        return moments;
    }

    Status prune(const std::string& output, const PruneChoice& asked) {
        const LayerGeometry& full = m_sites.at(output);
        CompressedLayer report;
        report.name = asked.name;
        report.method = CompressionMethod::ChannelPruning;
        report.ratioAsked = asked.choice->ratio;
        report.nodes = {asked.layer};
        report.before = report.after = full.cost;
        report.size = report.fullSize = full.inputs;
        const std::size_t node = nodeOf(output);
        const auto analysis = analyzeChannels(m_model);
        if (!analysis) return fail(analysis.error());
        report.skipped = channelPruningReason(*analysis, m_model.graph, node);
        if (asked.choice->size == 0 && asked.choice->ratio >= 1) report.skipped = "The plan leaves it alone.";
        if (!report.skipped.empty()) {
            m_reports.push_back(std::move(report));
            return refit(output);
        }
        const std::int64_t kept = asked.choice->size > 0
                                      ? asked.choice->size
                                      : sizeForRatio(CompressionMethod::ChannelPruning, full, asked.choice->ratio,
                                                     m_plan.costMetric, m_plan.multiple)
                                            .size;
        std::vector<std::string> readers;
        for (const std::size_t consumer : channelGroup(*analysis, node).consumers)
            readers.push_back(m_model.graph.nodes[consumer].outputs[0]);
        const auto moments = momentsOf(readers);
        if (!moments) return fail(moments.error());
        const auto pruned =
            pruneChannels(m_model, node, kept, *moments, {m_options.isPlain, m_options.shouldRefit}, m_job.stop);
        if (!pruned) return fail(pruned.error());
        for (const auto& [value, channels] : pruned->keptChannels) {
            auto& known = m_kept[value];
            std::vector<std::int64_t> composed;
            for (const auto channel : channels)
                composed.push_back(known.empty() ? channel : known[static_cast<std::size_t>(channel)]);
            known = std::move(composed);
        }
        report.size = pruned->kept;
        for (const auto& label : pruned->consumers)
            if (label != asked.layer) report.sharedWith.push_back(label);
        if (m_source && moments->contains(output)) report.sqnrDb = -10 * std::log10(std::max(pruned->error, 1e-30));
        m_isChanged = true;
        m_reports.push_back(std::move(report));
        return {};
    }

    /// A layer that keeps its channels, fitted to what now arrives at its input.
    Status refit(const std::string& output) {
        if (!m_source || !m_options.shouldRefit || !m_isChanged) return {};
        const auto moments = momentsOf({output});
        if (!moments) return fail(moments.error());
        if (moments->empty()) return {};
        const auto matrix = LayerMatrix::of(m_model.graph, nodeOf(output));
        if (!matrix) return {};
        if (const auto better = refitLayer(*matrix, moments->begin()->second))
            writeMatrix(m_model.graph, output, *better);
        return {};
    }

    /// What the layers really cost now: later choices may have taken outputs of earlier layers.
    Status measure() {
        const auto facts = factsOf(m_model);
        if (!facts) return fail(facts.error());
        const auto layers = compressibleLayers(m_model, *facts);
        for (auto& report : m_reports) {
            const auto found = std::ranges::find_if(
                layers, [&](const auto& layer) { return layer.geometry.name == report.nodes.front(); });
            if (found == layers.end()) continue;
            report.after = found->geometry.cost;
            const double before = report.before.of(m_plan.costMetric);
            report.ratio = before > 0 ? report.after.of(m_plan.costMetric) / before : 1;
        }
        return {};
    }

    Model& m_model;
    const Model m_reference;
    const CompressionPlan& m_plan;
    const BatchSource* m_source;
    const CompressOptions& m_options;
    const JobContext& m_job;
    FactMap m_facts;  ///< of the reference
    std::map<std::string, LayerGeometry> m_sites;
    std::vector<std::string> m_order;
    std::map<std::string, std::vector<std::int64_t>> m_kept;  ///< channels of the reference's value; absent: all
    std::vector<CompressedLayer> m_reports;
    bool m_isChanged = false;
};

}  // namespace

Result<std::vector<CompressedLayer>> pruneLayers(Model& model, const std::vector<PruneChoice>& choices,
                                                 const CompressionPlan& plan, const BatchSource* source,
                                                 const CompressOptions& options, const JobContext& job) {
    return Pruner(model, plan, source, options, job).run(choices);
}

}  // namespace equant
