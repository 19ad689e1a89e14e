// SPDX-License-Identifier: Apache-2.0
#include "core/inspection/techniques.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/passes/layer_weights.h"

namespace equant {

namespace {

Verdict no(std::string reason) {
    return {false, std::move(reason)};
}

/// Source: Jaderberg et al., "Speeding up Convolutional Neural Networks with Low Rank Expansions", 2014.
Verdict spatialSvd(const Node& node, const LayerWeights& weights) {
    const Shape& shape = weights.weight().shape();
    if (!node.is("Conv") || shape.size() != 4) return no("Spatial SVD splits 2-D convolutions only.");
    if (weights.groups() != 1) return no("Grouped convolution.");
    if (shape[2] == 1 || shape[3] == 1)
        return no(fmt::format("A {}x{} kernel cannot be split in two directions.", shape[2], shape[3]));
    const auto dilations = node.intsAttribute("dilations");
    if (std::ranges::any_of(dilations, [](std::int64_t d) { return d != 1; })) return no("Dilated convolution.");
    return {true, {}};
}

/// Source: Zhang et al., "Accelerating Very Deep Convolutional Networks", 2015.
Verdict weightSvd(const Node& node, const LayerWeights& weights) {
    if (node.is("ConvTranspose")) return no("Transposed convolution.");
    if (weights.groups() != 1) return no("Grouped convolution.");
    if (std::min(weights.inputChannels(), weights.outputChannels()) < 2) return no("It has a single channel.");
    return {true, {}};
}

/// Input channels can go where what produces them is known: a link leads here.
Verdict channelPruning(const LayerInfo& layer, const LayerWeights& weights, const std::vector<ChannelLink>& links) {
    if (weights.isDepthwise()) return no("Depthwise: its channels go with those of its neighbours.");
    if (weights.groups() != 1) return no("Grouped convolution.");
    const bool isFed = std::ranges::any_of(links, [&](const ChannelLink& link) { return link.to == layer.node; });
    return isFed ? Verdict{true, {}} : no("No single layer produces its input channels.");
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

LayerTechniques techniquesFor(const Model& model, const LayerInfo& layer, const std::vector<ChannelLink>& links) {
    const Node& node = model.graph.nodes[layer.node];
    if (!isWeightedOp(node)) {
        const Verdict none = no("It has no weights to compress.");
        return {none, none, none, no("It has no weights.")};
    }
    const auto weights = LayerWeights::of(model.graph, layer.node);
    if (!weights) {
        const Verdict unusable = no(weights.error().message);
        return {unusable, unusable, unusable, unusable};
    }
    return {spatialSvd(node, *weights), weightSvd(node, *weights), channelPruning(layer, *weights, links),
            equalization(layer, links)};
}

}  // namespace equant
