// SPDX-License-Identifier: Apache-2.0
#include "core/inspection/techniques.h"

#include <algorithm>

#include "core/layers/layer_weights.h"

namespace equant {

namespace {

Verdict no(std::string reason) {
    return {false, std::move(reason)};
}

Verdict verdict(const CompressibleLayer& layer, CompressionMethod method) {
    return {layer.can(method), layer.reason(method)};
}

Verdict equalization(const LayerInfo& layer, const std::vector<ChannelLink>& links) {
    for (const auto& link : links)
        if (link.from == layer.node && link.to != Topology::kNone) return {true, {}};
    for (const auto& link : links)
        if (link.to == layer.node) return {true, {}};
    for (const auto& link : links)
        if (link.from == layer.node) return no(link.blockedBy);
    return no("It has no weights.");
}

}  // namespace

LayerTechniques techniquesFor(const Model& model, const LayerInfo& layer, const std::vector<ChannelLink>& links,
                              const std::vector<CompressibleLayer>& compressible) {
    const Node& node = model.graph.nodes[layer.node];
    if (!isWeightedOp(node)) {
        const Verdict none = no("It has no weights to compress.");
        return {none, none, none, no("It has no weights.")};
    }
    const auto weights = LayerWeights::of(model.graph, layer.node);
    const auto found = std::ranges::find_if(
        compressible, [&](const CompressibleLayer& known) { return known.geometry.node == layer.node; });
    if (!weights || found == compressible.end()) {
        const Verdict unusable = no(weights ? "Its weights are not constant." : weights.error().message);
        return {unusable, unusable, unusable, unusable};
    }
    return {verdict(*found, CompressionMethod::SpatialSvd), verdict(*found, CompressionMethod::WeightSvd),
            verdict(*found, CompressionMethod::ChannelPruning), equalization(layer, links)};
}

}  // namespace equant
