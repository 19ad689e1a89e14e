// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "core/compression/channels/channel_groups_internal.h"
#include "core/compression/channels/channel_pruning_internal.h"
#include "core/compression/channels/prune_layers_internal.h"
#include "core/compression/model_facts_internal.h"

namespace equant {

namespace {

class Pruner {
public:
    Pruner(Model& model, const CompressionPlan& plan, FitContext context, const JobContext& job)
        : m_model(model), m_before(model), m_plan(plan), m_context(context), m_job(job) {
        m_context.before = &m_before;
    }

    Result<std::vector<CompressedLayer>> run(const std::vector<PruneChoice>& choices) {
        const auto facts = factsOf(m_before);
        if (!facts) return fail(facts.error());
        for (auto& layer : compressibleLayers(m_before, *facts)) {
            const std::string& output = m_before.graph.nodes[layer.geometry.node].outputs[0];
            m_sites.push_back({std::move(layer.geometry), output});
        }
        m_job.begin("prune", std::ssize(m_sites));
        for (const FitSite& site : m_sites) {
            if (m_job.stopped()) return cancelled();
            const auto choice = std::ranges::find(choices, site.layer.name, &PruneChoice::layer);
            if (choice != choices.end())
                if (const auto done = prune(site, *choice); !done) return fail(done.error());
            if (const auto done = refit(site); !done) return fail(done.error());
            m_job.advance();
        }
        if (auto measured = measure(); !measured) return fail(measured.error());
        return std::move(m_reports);
    }

private:
    Status prune(const FitSite& site, const PruneChoice& asked) {
        const LayerGeometry& full = site.layer;
        CompressedLayer report;
        report.name = asked.name;
        report.method = CompressionMethod::ChannelPruning;
        report.ratioAsked = asked.choice->ratio;
        report.nodes = {asked.layer};
        report.before = report.after = full.cost;
        report.size = report.fullSize = full.inputs;
        const std::size_t node = producerOf(m_model.graph, site.output);
        const auto analysis = analyzeChannels(m_model);
        if (!analysis) return fail(analysis.error());
        report.skipped = channelPruningReason(*analysis, m_model.graph, node);
        if (asked.choice->size == 0 && asked.choice->ratio >= 1) report.skipped = "The plan leaves it alone.";
        if (!report.skipped.empty()) {
            m_reports.push_back(std::move(report));
            return {};
        }
        const std::int64_t kept = asked.choice->size > 0
                                      ? asked.choice->size
                                      : sizeForRatio(CompressionMethod::ChannelPruning, full, asked.choice->ratio,
                                                     m_plan.costMetric, m_plan.multiple)
                                            .size;
        const auto moments = readerMoments(*analysis, node);
        if (!moments) return fail(moments.error());
        const CompressOptions& options = *m_context.options;
        const auto pruned =
            pruneChannels(m_model, *analysis, node, kept, *moments, {options.isPlain, options.shouldRefit}, m_job.stop);
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
        if (moments->contains(site.output)) report.sqnrDb = -10 * std::log10(std::max(pruned->error, 1e-30));
        m_isChanged = true;
        m_reports.push_back(std::move(report));
        return {};
    }

    /// Of the layers that read what this one reads: they lose the same channels.
    Result<LayerMomentMap> readerMoments(const ChannelAnalysis& analysis, std::size_t node) const {
        std::vector<FitSite> readers;
        for (const std::size_t consumer : channelGroup(analysis, node).consumers) {
            const auto site = std::ranges::find(m_sites, m_model.graph.nodes[consumer].outputs[0], &FitSite::output);
            if (site != m_sites.end()) readers.push_back(*site);
        }
        if (!m_context.source || readers.empty()) return LayerMomentMap{};
        return fitMoments(m_context, m_model, m_kept, readers);
    }

    /// Whether or not it lost channels itself, a layer is fitted to what now arrives at its input.
    Status refit(const FitSite& site) {
        const CompressOptions& options = *m_context.options;
        if (!m_context.source || !options.shouldRefit || options.isPlain || !m_isChanged) return {};
        return refitToData(m_context, m_model, m_kept, site);
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
    const Model m_before;
    const CompressionPlan& m_plan;
    FitContext m_context;
    const JobContext& m_job;
    std::vector<FitSite> m_sites;  ///< of m_before, in execution order
    KeptChannels m_kept;
    std::vector<CompressedLayer> m_reports;
    bool m_isChanged = false;
};

}  // namespace

Result<std::vector<CompressedLayer>> pruneLayers(Model& model, const std::vector<PruneChoice>& choices,
                                                 const CompressionPlan& plan, FitContext context,
                                                 const JobContext& job) {
    return Pruner(model, plan, context, job).run(choices);
}

}  // namespace equant
