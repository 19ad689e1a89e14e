// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "core/compression/channels/prune_layers_internal.h"
#include "core/compression/factorization/layer_split_internal.h"
#include "core/compression/fit/compressor_internal.h"
#include "core/compression/model_facts_internal.h"
#include "core/graph/constants.h"
#include "core/layers/layers.h"

namespace equant {

namespace {

Status addTotals(const Model& before, Outcome<CompressionReport>& outcome) {
    const auto old = costOf(before), now = costOf(outcome.model);
    if (!old) return fail(old.error());
    if (!now) return fail(now.error());
    CompressionReport& report = outcome.report;
    report.macsBefore = old->macs;
    report.macsAfter = now->macs;
    report.parametersBefore = old->parameters;
    report.parametersAfter = now->parameters;
    const auto share = [](std::int64_t a, std::int64_t b) {
        return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 1.0;
    };
    report.macsRatio = share(now->macs, old->macs);
    report.sizeRatio = share(now->parameters, old->parameters);
    if (auto memory = activationMemory(before)) report.activationsBefore = *memory;
    if (auto memory = activationMemory(outcome.model)) report.activationsAfter = *memory;
    return {};
}

}  // namespace

/// Batch norms go into their layers first where data are used: the error is then measured where the next layer sees it,
/// and an Add behind a layer is found.
Result<std::unique_ptr<Compressor>> Compressor::create(const Model& model, const BatchSource* source,
                                                       const CompressOptions& options) {
    auto compressor = std::unique_ptr<Compressor>(new Compressor(model, options));
    Compressor& self = *compressor;
    self.m_source = source && source->batches > 0 ? source : nullptr;
    const bool isDataAware = self.m_source && !options.isPlain;
    self.m_reference = model;
    if (isDataAware) {
        auto folded = withFoldedBatchNorms(model);
        if (!folded) return fail(folded.error());
        self.m_reference = std::move(*folded);
    }
    auto facts = factsOf(self.m_reference);
    if (!facts) return fail(facts.error());
    self.m_facts = std::move(*facts);
    for (auto& layer : compressibleLayers(self.m_reference, self.m_facts)) {
        const std::string& output = self.m_reference.graph.nodes[layer.geometry.node].outputs[0];
        const FitSite fit{layer.geometry, output};
        self.m_sites.push_back({std::move(layer), fit, {}, {}});
    }
    self.m_current = self.m_reference;
    self.m_context = {&self.m_reference, &self.m_facts, nullptr, isDataAware ? source : nullptr, &options, {}};
    return compressor;
}

Status Compressor::factorize(const CompressionPlan& plan, const JobContext& job) {
    job.begin("compress", std::ssize(m_sites));
    m_context.stop = job.stop;
    for (auto& site : m_sites)
        for (const auto& choice : plan.choices)
            if (choice.layer == site.layer.geometry.name && choice.method != CompressionMethod::ChannelPruning)
                site.choice = choice;
    if (std::ranges::none_of(m_sites, [](const Site& site) { return site.choice.has_value(); })) return {};
    if (m_context.source && !m_options.shouldRefit)
        if (const auto ready = collectAll(); !ready) return ready;
    for (auto& site : m_sites) {
        if (job.stopped()) return cancelled();
        const Status done = site.choice ? split(site, plan) : refit(site);
        if (!done) return done;
        job.advance();
    }
    return {};
}

Status Compressor::prune(const CompressionPlan& plan, const JobContext& job) {
    std::vector<PruneChoice> choices;
    for (const auto& choice : plan.choices) {
        if (choice.method != CompressionMethod::ChannelPruning) continue;
        const auto site = std::ranges::find(m_sites, choice.layer,
                                            [](const Site& s) -> const std::string& { return s.layer.geometry.name; });
        const bool isSplit = site != m_sites.end() && site->choice && !site->report.nodes.empty();
        choices.push_back({choice.layer, isSplit ? site->report.nodes.front() : choice.layer, &choice});
    }
    if (choices.empty()) return {};
    FitContext context = m_context;
    context.source = m_source;
    context.stop = job.stop;
    auto pruned = pruneLayers(m_current, choices, plan, context, job);
    if (!pruned) return fail(pruned.error());
    m_pruned = std::move(*pruned);
    return {};
}

std::string Compressor::originOf(std::string_view node) const {
    for (const Site& site : m_sites) {
        const std::string& name = site.layer.geometry.name;
        const bool isSplit = site.choice && !site.report.nodes.empty();
        if ((isSplit ? site.report.nodes.front() : name) == node) return name;
    }
    return {};
}

Result<Outcome<CompressionReport>> Compressor::finish() {
    removeUnused(m_current.graph);
    // Before IR 4 every initializer had to be an input too.
    m_current.irVersion = std::max<std::int64_t>(m_current.irVersion, 4);
    CompressionReport report;
    for (auto& site : m_sites)
        if (site.choice) report.layers.push_back(std::move(site.report));
    std::ranges::move(m_pruned, std::back_inserter(report.layers));
    Outcome<CompressionReport> outcome{std::move(m_current), std::move(report)};
    if (const auto counted = addTotals(m_original, outcome); !counted) return fail(counted.error());
    return outcome;
}

const Shape* Compressor::shapeOf(const std::string& value) const {
    const auto found = m_facts.find(value);
    return found != m_facts.end() && found->second.shape ? &*found->second.shape : nullptr;
}

/// Without a refit nothing depends on what was compressed before: one pass serves all layers.
Status Compressor::collectAll() {
    std::vector<FitSite> sites;
    for (const auto& site : m_sites)
        if (site.choice && site.layer.can(site.choice->method)) sites.push_back(site.fit);
    auto moments = fitMoments(m_context, m_reference, {}, sites);
    if (!moments) return fail(moments.error());
    m_collected = std::move(*moments);
    return {};
}

/// Null without data.
Result<std::unique_ptr<FitData>> Compressor::dataFor(const Site& site) {
    if (!m_context.source) return nullptr;
    if (const auto known = m_collected.find(site.fit.output); known != m_collected.end()) {
        auto data = std::make_unique<FitData>();
        data->moments = std::move(known->second);
        data->view.threads = m_options.threads;
        return data;
    }
    return fitData(m_context, m_current, {}, site.fit);
}

Status Compressor::split(Site& site, const CompressionPlan& plan) {
    const LayerChoice& choice = *site.choice;
    const LayerGeometry& layer = site.layer.geometry;
    CompressedLayer& report = site.report;
    report.name = layer.name;
    report.method = choice.method;
    report.ratioAsked = choice.ratio;
    report.before = report.after = layer.cost;
    report.nodes = {layer.name};
    const auto leaveAlone = [&](std::string reason) {
        report.skipped = std::move(reason);
        return refit(site);
    };
    if (choice.size == 0 && choice.ratio >= 1) return leaveAlone("The plan leaves it alone.");
    if (!site.layer.can(choice.method)) return leaveAlone(site.layer.reason(choice.method));
    report.fullSize = report.size = maxSize(choice.method, layer);
    const auto size = choice.size > 0
                          ? std::min(choice.size, report.fullSize)
                          : sizeForRatio(choice.method, layer, choice.ratio, plan.costMetric, plan.multiple).size;
    const double original = layer.cost.of(plan.costMetric);
    double budget = costAtSize(choice.method, layer, size).of(plan.costMetric);
    if (budget >= original) return leaveAlone("No rank is cheaper than the layer as it is.");
    if (choice.size == 0) budget = std::max(budget, choice.ratio * original);
    const auto matrix = LayerMatrix::of(m_current.graph, producerOf(m_current.graph, site.fit.output));
    if (!matrix) return fail(matrix.error());
    const auto data = dataFor(site);
    if (!data) return fail(data.error());
    const auto split =
        splitLayer(choice.method, layer, *matrix, size, {plan.costMetric, budget, plan.multiple},
                   *data ? &(*data)->moments : nullptr, *data ? (*data)->view : ActivationView{}, m_context.stop);
    if (!split) return cancelled();
    const Node& node = m_reference.graph.nodes[layer.node];
    // The value between the two layers may be larger than AIMET's formulas assume.
    const LayerCost cost = pairCost(split->form, layer, split->rank,
                                    realExtents(layer, shapeOf(node.inputs[0]), shapeOf(site.fit.output)));
    if (cost.of(plan.costMetric) >= original)
        return leaveAlone("The two layers would cost more: the value between them is larger than the output.");
    report.after = cost;
    report.size = split->rank;
    report.ratio = original > 0 ? cost.of(plan.costMetric) / original : 1;
    report.nodes = writeSplit(m_current.graph, site.fit.output, layer, *split);
    if (*data) report.sqnrDb = -10 * std::log10(std::max(split->error, 1e-30));
    m_isChanged = true;
    return {};
}

/// A layer that stays as it is, fitted to what now arrives at its input.
Status Compressor::refit(const Site& site) {
    if (!m_context.source || !m_options.shouldRefit || !m_isChanged) return {};
    return refitToData(m_context, m_current, {}, site.fit);
}

}  // namespace equant
