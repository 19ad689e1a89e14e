// SPDX-License-Identifier: Apache-2.0
#include "core/compression/method.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "core/compression/channel_groups.h"
#include "core/graph/layers.h"
#include "core/graph/topology.h"
#include "core/passes/layer_weights.h"

namespace equant {

namespace {

constexpr std::array kMethods{CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd,
                              CompressionMethod::ChannelPruning};

/// Source: Jaderberg et al., "Speeding up Convolutional Neural Networks with Low Rank Expansions", 2014.
std::string spatialSvdReason(const Node& node, const LayerWeights& weights) {
    const Shape& shape = weights.weight().shape();
    if (!node.is("Conv") || shape.size() != 4) return "Spatial SVD splits 2-D convolutions only.";
    if (weights.groups() != 1) return "Grouped convolution.";
    if (shape[2] == 1 || shape[3] == 1)
        return fmt::format("A {}x{} kernel cannot be split in two directions.", shape[2], shape[3]);
    const auto dilations = node.intsAttribute("dilations");
    if (std::ranges::any_of(dilations, [](std::int64_t d) { return d != 1; })) return "Dilated convolution.";
    return {};
}

/// Source: Zhang et al., "Accelerating Very Deep Convolutional Networks", 2015.
std::string weightSvdReason(const Node& node, const LayerWeights& weights) {
    if (node.is("ConvTranspose")) return "Transposed convolution.";
    if (weights.weight().rank() > 4) return "Weight SVD splits 1-D and 2-D convolutions only.";
    if (weights.groups() != 1) return "Grouped convolution.";
    if (std::min(weights.inputChannels(), weights.outputChannels()) < 2) return "It has a single channel.";
    return {};
}

/// Rows of W (output positions) of one sample; 1 where the shape is not known.
std::int64_t positionsOf(const Node& node, const FactMap& facts) {
    const auto found = node.outputs.empty() ? facts.end() : facts.find(node.outputs[0]);
    if (found == facts.end() || !found->second.shape) return 1;
    Shape shape = *found->second.shape;
    const bool isConv = node.is("Conv") || node.is("ConvTranspose");
    if (isConv && shape.size() > 2) shape.erase(shape.begin(), shape.begin() + 2);
    if (!isConv && !shape.empty()) shape.pop_back();
    if (std::ranges::any_of(shape, [](std::int64_t dim) { return dim < 1; })) return 1;
    return shape.empty() ? 1 : checkedElementCount(shape, DType::Float).value_or(1);
}

LayerGeometry geometryOf(const Graph& graph, const LayerWeights& weights, const FactMap& facts) {
    const Node& node = graph.nodes[weights.node()];
    const Shape& shape = weights.weight().shape();
    const bool isConv = node.is("Conv") || node.is("ConvTranspose");
    LayerGeometry layer;
    layer.node = weights.node();
    layer.name = node.label();
    layer.opType = node.opType;
    layer.groups = weights.groups();
    layer.inputs = weights.inputChannels() / layer.groups;
    layer.outputs = weights.outputChannels();
    layer.positions = positionsOf(node, facts);
    if (isConv) {
        layer.kernelWidth = shape.size() > 2 ? shape.back() : 1;
        for (std::size_t axis = 2; axis + 1 < shape.size(); ++axis) layer.kernelHeight *= shape[axis];
        const auto strides = node.intsAttribute("strides");
        if (!strides.empty()) layer.strideWidth = strides.back();
        if (strides.size() > 1) layer.strideHeight = strides[strides.size() - 2];
    }
    layer.cost.parameters = static_cast<double>(weights.weight().count());
    layer.cost.macs = layer.cost.parameters * static_cast<double>(layer.positions);
    return layer;
}

std::int64_t roundedUp(std::int64_t size, std::int64_t multiple) {
    return (size + multiple - 1) / multiple * multiple;
}

/// The largest size in [1, most] whose cost is at most `budget`; costs rise with the size. 1 when none is.
std::int64_t largestWithin(double budget, std::int64_t most, CompressionMethod method, const LayerGeometry& layer,
                           CostMetric metric) {
    std::int64_t low = 1, high = std::max<std::int64_t>(most, 1);
    while (low < high) {
        const std::int64_t middle = low + (high - low + 1) / 2;
        if (costAtSize(method, layer, middle).of(metric) <= budget)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

}  // namespace

std::string_view name(CompressionMethod method) {
    switch (method) {
        case CompressionMethod::SpatialSvd:
            return "spatial-svd";
        case CompressionMethod::WeightSvd:
            return "weight-svd";
        case CompressionMethod::ChannelPruning:
            return "channel-pruning";
    }
    return "";
}

Result<CompressionMethod> parseCompressionMethod(std::string_view text) {
    for (const auto method : kMethods)
        if (name(method) == text) return method;
    return fail(ErrorCode::InvalidArgument, fmt::format("'{}' is no compression method.", text),
                "Methods are spatial-svd, weight-svd and channel-pruning.", std::string(text));
}

const std::string& CompressibleLayer::reason(CompressionMethod method) const {
    switch (method) {
        case CompressionMethod::SpatialSvd:
            return spatialSvdReason;
        case CompressionMethod::WeightSvd:
            return weightSvdReason;
        case CompressionMethod::ChannelPruning:
            break;
    }
    return channelPruningReason;
}

std::vector<CompressibleLayer> compressibleLayers(const Model& model, const FactMap& facts) {
    const auto topology = Topology::of(model.graph);
    if (!topology) return {};
    const auto analysis = analyzeChannels(model, facts);
    std::vector<CompressibleLayer> layers;
    for (const auto index : topology->order()) {
        const Node& node = model.graph.nodes[index];
        if (!weightSlot(model.graph, node)) continue;
        CompressibleLayer layer;
        if (const auto weights = LayerWeights::of(model.graph, index)) {
            layer.geometry = geometryOf(model.graph, *weights, facts);
            layer.spatialSvdReason = spatialSvdReason(node, *weights);
            layer.weightSvdReason = weightSvdReason(node, *weights);
            layer.channelPruningReason =
                analysis ? channelPruningReason(*analysis, model.graph, index) : analysis.error().message;
        } else {
            layer.geometry.node = index;
            layer.geometry.name = node.label();
            layer.geometry.opType = node.opType;
            layer.spatialSvdReason = layer.weightSvdReason = layer.channelPruningReason = weights.error().message;
        }
        layers.push_back(std::move(layer));
    }
    return layers;
}

std::int64_t maxSize(CompressionMethod method, const LayerGeometry& layer) {
    if (method != CompressionMethod::SpatialSvd) return layer.inputs;
    return std::min(layer.inputs * layer.kernelHeight, layer.outputs * layer.kernelWidth);
}

LayerCost costAtSize(CompressionMethod method, const LayerGeometry& layer, std::int64_t size) {
    const auto real = [](std::int64_t value) { return static_cast<double>(value); };
    const double m = real(layer.inputs), n = real(layer.outputs), kh = real(layer.kernelHeight),
                 kw = real(layer.kernelWidth), r = real(size), positions = real(layer.positions);
    switch (method) {
        case CompressionMethod::SpatialSvd:
            return {(r * m * kh * real(layer.strideWidth) + r * n * kw) * positions, r * (m * kh + n * kw)};
        case CompressionMethod::WeightSvd:
            return {(r * m * real(layer.strideHeight * layer.strideWidth) + r * n * kh * kw) * positions,
                    r * (m + n * kh * kw)};
        case CompressionMethod::ChannelPruning:
            break;
    }
    return {n * r * kh * kw * positions, n * r * kh * kw};
}

SizeChoice sizeForRatio(CompressionMethod method, const LayerGeometry& layer, double ratio, CostMetric metric,
                        std::int64_t multiple) {
    const std::int64_t most = maxSize(method, layer);
    const double original = layer.cost.of(metric);
    SizeChoice choice;
    if (method == CompressionMethod::ChannelPruning) {
        // Half of 10 channels must be 5 although 0.1 * 50 is a little less than 5 in binary.
        const auto kept = static_cast<std::int64_t>(std::floor(static_cast<double>(most) * ratio + 1e-9));
        choice.size = std::max<std::int64_t>(kept, 1);
        if (multiple > 1) choice.size = std::min(roundedUp(choice.size, multiple), most);
    } else {
        choice.size = largestWithin(original * ratio, most, method, layer, metric);
        if (multiple > 1)
            choice.size =
                std::min(roundedUp(choice.size, multiple), largestWithin(original, most, method, layer, metric));
    }
    if (original > 0) choice.ratio = costAtSize(method, layer, choice.size).of(metric) / original;
    return choice;
}

}  // namespace equant
