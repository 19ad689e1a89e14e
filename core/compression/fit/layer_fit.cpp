// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/compression/factorization/layer_split_internal.h"
#include "core/compression/fit/layer_fit_internal.h"
#include "core/compression/model_facts_internal.h"
#include "core/graph/constants.h"
#include "core/layers/layer_weights.h"
#include "core/statistics/collect_moments.h"

namespace equant {

namespace {

constexpr std::size_t kRowBytes = std::size_t{1} << 29;  ///< of the sampled rows of one layer
constexpr std::size_t kPlainPositions = 10;              ///< AIMET's number for its reconstruction

std::vector<std::int64_t> keptOf(const KeptChannels& kept, const std::string& value) {
    const auto found = kept.find(value);
    return found == kept.end() ? std::vector<std::int64_t>{} : found->second;
}

const Shape* shapeOf(const FactMap& facts, const std::string& value) {
    const auto found = facts.find(value);
    return found != facts.end() && found->second.shape ? &*found->second.shape : nullptr;
}

const Model& referenceOf(const FitContext& context, const std::string& value) {
    const bool isNew =
        context.before && producerOf(context.reference->graph, value) == context.reference->graph.nodes.size();
    return isNew ? *context.before : *context.reference;
}

}  // namespace

MomentOptions FitContext::momentOptions() const {
    return {options->isPlain ? kPlainPositions : options->positionsPerSample, options->seed, options->threads};
}

std::optional<LayerGeometry> geometryNow(const Model& current, const FitSite& site) {
    LayerGeometry geometry = site.layer;
    geometry.node = producerOf(current.graph, site.output);
    if (geometry.node >= current.graph.nodes.size()) return std::nullopt;
    const auto weights = LayerWeights::of(current.graph, geometry.node);
    if (!weights || site.layer.inputs <= 0) return std::nullopt;
    geometry.groups = weights->groups();
    geometry.inputs = weights->inputChannels() / geometry.groups;
    geometry.outputs = weights->outputChannels();
    return geometry;
}

std::optional<MomentRequest> fitRequest(const FitContext& context, const Model& current, const Topology& topology,
                                        const KeptChannels& kept, const FitSite& site) {
    auto geometry = geometryNow(current, site);
    if (!geometry) return std::nullopt;
    MomentRequest request{std::move(*geometry), site.output, {}, keptOf(kept, site.output), {}};
    if (!context.options->isPlain)
        if (auto matrix = LayerMatrix::of(current.graph, request.layer.node)) request.prior = std::move(matrix->weight);
    const auto consumer = topology.soleConsumer(site.output);
    const bool mayLookBehind = context.options->shouldRefit && !context.options->isPlain;
    if (!mayLookBehind || consumer == Topology::kNone || !current.graph.nodes[consumer].is("Add")) return request;
    const Node& add = current.graph.nodes[consumer];
    const std::string& other = add.inputs[add.inputs[0] == site.output ? 1 : 0];
    const Shape* shape = shapeOf(*context.facts, site.output);
    const Shape* otherShape = shapeOf(*context.facts, other);
    const bool isSum = shape && otherShape && *shape == *otherShape && other != site.output &&
                       !constantValue(current.graph, other) && keptOf(kept, other) == request.targetChannels;
    if (!isSum) return request;
    request.target = add.outputs[0];
    request.subtract = other;
    request.targetChannels = keptOf(kept, request.target);
    return request;
}

Result<std::unique_ptr<FitData>> fitData(const FitContext& context, const Model& current, const KeptChannels& kept,
                                         const FitSite& site) {
    const auto topology = Topology::of(current.graph);
    if (!topology) return fail(topology.error());
    const auto request = fitRequest(context, current, *topology, kept, site);
    if (!request) return nullptr;
    auto data = std::make_unique<FitData>();
    auto rows = collectRows(current, referenceOf(context, request->target), *request, *context.source,
                            context.momentOptions(), kRowBytes, {context.stop, nullptr});
    if (!rows) return fail(rows.error());
    data->rows = std::move(*rows);
    data->moments = momentsOf(data->rows, context.options->threads, context.stop, request->prior);
    if (context.stop.stop_requested()) return cancelled();
    data->view = {&data->rows, Clamp::behind(current.graph, *topology, request->target), context.options->threads};
    return data;
}

Result<LayerMomentMap> fitMoments(const FitContext& context, const Model& current, const KeptChannels& kept,
                                  const std::vector<FitSite>& sites) {
    const auto topology = Topology::of(current.graph);
    if (!topology) return fail(topology.error());
    std::map<const Model*, std::pair<std::vector<MomentRequest>, std::vector<std::string>>> asked;
    for (const FitSite& site : sites)
        if (auto request = fitRequest(context, current, *topology, kept, site)) {
            auto& [requests, outputs] = asked[&referenceOf(context, request->target)];
            requests.push_back(std::move(*request));
            outputs.push_back(site.output);
        }
    LayerMomentMap moments;
    for (const auto& [reference, group] : asked) {
        auto collected = collectMoments(current, *reference, group.first, *context.source, context.momentOptions(),
                                        {context.stop, nullptr});
        if (!collected) return fail(collected.error());
        for (std::size_t i = 0; i < collected->size(); ++i)
            moments.emplace(group.second[i], std::move((*collected)[i]));
    }
    return moments;
}

Status refitToData(const FitContext& context, Model& current, const KeptChannels& kept, const FitSite& site) {
    if (site.layer.sharesWeights) return {};
    const auto data = fitData(context, current, kept, site);
    if (!data) return fail(data.error());
    if (!*data) return {};
    const auto matrix = LayerMatrix::of(current.graph, producerOf(current.graph, site.output));
    if (!matrix) return {};
    if (const auto better = refitLayer(*matrix, (*data)->moments, (*data)->view, context.stop))
        writeMatrix(current.graph, site.output, *better);
    return {};
}

}  // namespace equant
