// SPDX-License-Identifier: Apache-2.0
#include "core/compression/compress.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "core/compression/layer_rows.h"
#include "core/compression/layer_split.h"
#include "core/compression/model_facts.h"
#include "core/compression/moments.h"
#include "core/compression/prune_layers.h"
#include "core/graph/constants.h"
#include "core/graph/layers.h"
#include "core/graph/topology.h"

namespace equant {

namespace {

constexpr std::size_t kCacheBytes = std::size_t{1} << 30;
constexpr std::size_t kRowBytes = std::size_t{1} << 29;  ///< of the sampled rows of one layer

/// Remembers decoded batches while they fit in memory: every layer reads the data again.
class BatchCache {
public:
    explicit BatchCache(const BatchSource& source) : m_source(source), m_kept(source.batches) {}

    [[nodiscard]] BatchSource view() {
        return {m_source.batches, [this](std::size_t batch) { return load(batch); }};
    }
    [[nodiscard]] std::size_t samples() const { return m_samples; }

private:
    Result<std::vector<Tensor>> load(std::size_t batch) {
        {
            const std::scoped_lock lock(m_mutex);
            if (!m_kept[batch].empty()) return m_kept[batch];
        }
        auto loaded = m_source.load(batch);
        if (!loaded || loaded->empty()) return loaded;
        std::size_t bytes = 0;
        for (const auto& tensor : *loaded) bytes += tensor.sizeBytes();
        const std::scoped_lock lock(m_mutex);
        if (m_counted.insert(batch).second)
            m_samples += loaded->front().rank() > 0 ? static_cast<std::size_t>(loaded->front().dim(0)) : 1;
        if (m_bytes + bytes <= kCacheBytes) {
            m_bytes += bytes;
            m_kept[batch] = *loaded;
        }
        return loaded;
    }

    const BatchSource& m_source;
    std::mutex m_mutex;
    std::vector<std::vector<Tensor>> m_kept;
    std::unordered_set<std::size_t> m_counted;
    std::size_t m_bytes = 0;
    std::size_t m_samples = 0;
};

/// A layer by what does not change while nodes come and go: the value it computes.
struct LayerSite {
    CompressibleLayer layer;  ///< of the reference model
    std::string output;
    const LayerChoice* svd = nullptr;
    CompressedLayer report;
};

class Compressor {
public:
    Compressor(Model model, const CompressionPlan& plan, const CompressOptions& options, const JobContext& job)
        : m_reference(std::move(model)), m_plan(plan), m_options(options), m_job(job) {}

    /// Batch norms go into their layers first where data are used: the error is then measured where the next layer sees
    /// it, and an Add behind a layer is found.
    Status prepare(bool hasData) {
        if (hasData) {
            auto folded = withFoldedBatchNorms(std::move(m_reference));
            if (!folded) return fail(folded.error());
            m_reference = std::move(*folded);
        }
        auto facts = factsOf(m_reference);
        if (!facts) return fail(facts.error());
        m_facts = std::move(*facts);
        for (auto& layer : compressibleLayers(m_reference, m_facts)) {
            LayerSite site;
            site.output = m_reference.graph.nodes[layer.geometry.node].outputs[0];
            for (const auto& choice : m_plan.choices)
                if (choice.layer == layer.geometry.name && choice.method != CompressionMethod::ChannelPruning)
                    site.svd = &choice;
            site.layer = std::move(layer);
            m_sites.push_back(std::move(site));
        }
        m_current = m_reference;
        return {};
    }

    Status run(BatchCache* cache) {
        m_cache = cache;
        m_job.begin("compress", static_cast<std::int64_t>(m_sites.size()));
        if (cache && !m_options.shouldRefit)
            if (const auto ready = collectAll(); !ready) return ready;
        for (auto& site : m_sites) {
            if (m_job.stopped()) return cancelled();
            const Status done = site.svd ? split(site) : refit(site);
            if (!done) return done;
            m_job.advance();
        }
        return {};
    }

    Outcome<CompressionReport> finish() && {
        removeUnused(m_current.graph);
        // Before IR 4 every initializer had to be an input too.
        m_current.irVersion = std::max<std::int64_t>(m_current.irVersion, 4);
        CompressionReport report;
        for (auto& site : m_sites)
            if (site.svd) report.layers.push_back(std::move(site.report));
        report.samples = m_cache ? m_cache->samples() : 0;
        return {std::move(m_current), std::move(report)};
    }

private:
    [[nodiscard]] const Shape* shapeOf(const std::string& value) const {
        const auto found = m_facts.find(value);
        return found != m_facts.end() && found->second.shape ? &*found->second.shape : nullptr;
    }

    /// The layer's output; behind a layer that only feeds an Add, the Add's result less the other branch as it is now.
    [[nodiscard]] MomentRequest requestFor(const LayerSite& site, const Topology& current) const {
        MomentRequest request{site.layer.geometry, site.output, {}};
        request.layer.node = current.producer(site.output);
        if (!m_options.shouldRefit) return request;
        const auto consumer = current.soleConsumer(site.output);
        if (consumer == Topology::kNone || !m_current.graph.nodes[consumer].is("Add")) return request;
        const Node& add = m_current.graph.nodes[consumer];
        const std::string& other = add.inputs[add.inputs[0] == site.output ? 1 : 0];
        const Shape* shape = shapeOf(site.output);
        const Shape* otherShape = shapeOf(other);
        const bool isSum = shape && otherShape && *shape == *otherShape && other != site.output &&
                           !constantValue(m_current.graph, other);
        if (!isSum) return request;
        request.target = add.outputs[0];
        request.subtract = other;
        return request;
    }

    [[nodiscard]] MomentOptions momentOptions() const {
        return {m_options.positionsPerSample, m_options.seed, m_options.threads};
    }

    /// What a layer is fitted to.
    struct Data {
        LayerRows rows;
        LayerMoments moments;
        ActivationView view;
    };

    /// Without a refit nothing depends on what was compressed before: one pass serves all layers.
    Status collectAll() {
        const auto topology = Topology::of(m_reference.graph);
        if (!topology) return fail(topology.error());
        std::vector<MomentRequest> requests;
        for (const auto& site : m_sites)
            if (site.svd && site.layer.can(site.svd->method)) requests.push_back(requestFor(site, *topology));
        auto moments = collectMoments(m_reference, m_reference, requests, m_cache->view(), momentOptions(), silent());
        if (!moments) return fail(moments.error());
        for (std::size_t i = 0; i < requests.size(); ++i)
            m_collected.emplace(requests[i].layer.name, std::move((*moments)[i]));
        return {};
    }

    Result<std::unique_ptr<Data>> dataFor(const LayerSite& site) {
        if (!m_cache) return nullptr;
        auto data = std::make_unique<Data>();
        data->view.threads = m_options.threads;
        if (const auto known = m_collected.find(site.layer.geometry.name); known != m_collected.end()) {
            data->moments = std::move(known->second);
            return data;
        }
        const auto topology = Topology::of(m_current.graph);
        if (!topology) return fail(topology.error());
        const MomentRequest request = requestFor(site, *topology);
        auto rows = collectRows(m_current, m_reference, request, m_cache->view(), momentOptions(), kRowBytes, silent());
        if (!rows) return fail(rows.error());
        data->rows = std::move(*rows);
        data->moments = momentsOf(data->rows, m_options.threads, m_job.stop);
        if (m_job.stopped()) return cancelled();
        data->view.rows = &data->rows;
        data->view.clamp = Clamp::behind(m_current.graph, *topology, request.target);
        return data;
    }

    /// The job's stop, without its progress: the layers are counted here.
    [[nodiscard]] JobContext silent() const { return {m_job.stop, nullptr}; }

    Status split(LayerSite& site) {
        const LayerChoice& choice = *site.svd;
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
        const auto size =
            choice.size > 0 ? std::min(choice.size, report.fullSize)
                            : sizeForRatio(choice.method, layer, choice.ratio, m_plan.costMetric, m_plan.multiple).size;
        const double original = layer.cost.of(m_plan.costMetric);
        double budget = costAtSize(choice.method, layer, size).of(m_plan.costMetric);
        if (budget >= original) return leaveAlone("No rank is cheaper than the layer as it is.");
        if (choice.size == 0) budget = std::max(budget, choice.ratio * original);
        const auto matrix = LayerMatrix::of(m_current.graph, producerOf(m_current.graph, site.output));
        if (!matrix) return fail(matrix.error());
        const auto data = dataFor(site);
        if (!data) return fail(data.error());
        const auto split =
            splitLayer(choice.method, layer, *matrix, size, {m_plan.costMetric, budget, m_plan.multiple},
                       *data ? &(*data)->moments : nullptr, *data ? (*data)->view : ActivationView{}, m_job.stop);
        if (!split) return cancelled();
        const Node& node = m_reference.graph.nodes[layer.node];
        // The value between the two layers may be larger than AIMET's formulas assume.
        const LayerCost cost = pairCost(split->form, layer, split->rank,
                                        realExtents(layer, shapeOf(node.inputs[0]), shapeOf(site.output)));
        if (cost.of(m_plan.costMetric) >= original)
            return leaveAlone("The two layers would cost more: the value between them is larger than the output.");
        report.after = cost;
        report.size = split->rank;
        report.ratio = original > 0 ? cost.of(m_plan.costMetric) / original : 1;
        report.nodes = writeSplit(m_current.graph, site.output, layer, *split);
        if (*data) report.sqnrDb = -10 * std::log10(std::max(split->error, 1e-30));
        m_isChanged = true;
        return {};
    }

    /// A layer that stays as it is, fitted to what now arrives at its input.
    Status refit(LayerSite& site) {
        const LayerGeometry& layer = site.layer.geometry;
        const bool isPossible =
            m_cache && m_options.shouldRefit && m_isChanged && layer.inputs > 0 && !layer.sharesWeights;
        if (!isPossible) return {};
        const auto matrix = LayerMatrix::of(m_current.graph, producerOf(m_current.graph, site.output));
        if (!matrix) return {};
        const auto data = dataFor(site);
        if (!data) return fail(data.error());
        if (const auto better = refitLayer(*matrix, (*data)->moments, (*data)->view, m_job.stop))
            writeMatrix(m_current.graph, site.output, *better);
        return {};
    }

    Model m_reference;
    Model m_current;
    const CompressionPlan& m_plan;
    const CompressOptions& m_options;
    const JobContext& m_job;
    FactMap m_facts;
    std::vector<LayerSite> m_sites;
    std::unordered_map<std::string, LayerMoments> m_collected;
    BatchCache* m_cache = nullptr;
    bool m_isChanged = false;
};

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
    return {};
}

/// Channel pruning comes behind the factorizations and sees their result: of a pair, the first layer is pruned.
Status pruneBehind(const CompressionPlan& plan, BatchCache* cache, const CompressOptions& options,
                   const JobContext& job, Outcome<CompressionReport>& outcome) {
    std::vector<PruneChoice> choices;
    for (const auto& choice : plan.choices) {
        if (choice.method != CompressionMethod::ChannelPruning) continue;
        const auto split = std::ranges::find(outcome.report.layers, choice.layer, &CompressedLayer::name);
        const bool isSplit = split != outcome.report.layers.end() && !split->nodes.empty();
        choices.push_back({choice.layer, isSplit ? split->nodes.front() : choice.layer, &choice});
    }
    if (choices.empty()) return {};
    std::optional<BatchSource> source;
    if (cache) source = cache->view();
    auto pruned = pruneLayers(outcome.model, choices, plan, source ? &*source : nullptr, options, job);
    if (!pruned) return fail(pruned.error());
    std::ranges::move(*pruned, std::back_inserter(outcome.report.layers));
    if (cache) outcome.report.samples = cache->samples();
    return {};
}

}  // namespace

Result<Outcome<CompressionReport>> compress(const Model& model, const CompressionPlan& plan, const BatchSource* source,
                                            const CompressOptions& options, const JobContext& job) {
    if (const auto fits = checkPlan(plan, model); !fits) return fail(fits.error());
    const bool hasData = source && source->batches > 0 && !options.isPlain;
    Compressor compressor(model, plan, options, job);
    if (const auto ready = compressor.prepare(hasData); !ready) return fail(ready.error());
    std::optional<BatchCache> cache;
    if (hasData) cache.emplace(*source);
    if (const auto done = compressor.run(cache ? &*cache : nullptr); !done) return fail(done.error());
    auto outcome = std::move(compressor).finish();
    if (const auto pruned = pruneBehind(plan, hasData ? &*cache : nullptr, options, job, outcome); !pruned)
        return fail(pruned.error());
    if (const auto counted = addTotals(model, outcome); !counted) return fail(counted.error());
    return outcome;
}

}  // namespace equant
