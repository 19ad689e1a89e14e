// SPDX-License-Identifier: Apache-2.0
#include "core/compression/method.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <unordered_map>

#include "core/compression/channels/channel_groups_internal.h"
#include "core/compression/factorization/pair_cost_internal.h"
#include "core/graph/topology.h"
#include "core/layers/layer_weights.h"
#include "core/layers/layers.h"

namespace equant {

namespace {

constexpr std::int64_t kLargestStride = 1 << 20;
constexpr std::array kMethods{CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd,
                              CompressionMethod::ChannelPruning};

/// Which nodes read a constant, also where it is copied or rearranged on the way.
class ConstantReaders {
public:
    ConstantReaders(const Graph& graph, const Topology& topology) : m_graph(graph), m_topology(topology) {
        for (std::size_t node = 0; node < graph.nodes.size(); ++node)
            if (!isRearrangement(graph.nodes[node]))
                for (const auto& input : graph.nodes[node].inputs) m_readers[sourceOf(input)].push_back(node);
    }

    /// Another reader of what the node's input 1 is made of; null when there is none.
    [[nodiscard]] const Node* otherReader(std::size_t node) const {
        const auto found = m_readers.find(sourceOf(m_graph.nodes[node].inputs[1]));
        if (found == m_readers.end()) return nullptr;
        const auto other = std::ranges::find_if(found->second, [&](std::size_t reader) { return reader != node; });
        return other == found->second.end() ? nullptr : &m_graph.nodes[*other];
    }

private:
    static bool isRearrangement(const Node& node) {
        static constexpr std::array kNames{"Identity",  "Reshape",   "Flatten", "Squeeze",
                                           "Unsqueeze", "Transpose", "Cast"};
        return std::ranges::any_of(kNames, [&](const char* name) { return node.is(name); }) && !node.inputs.empty();
    }

    [[nodiscard]] std::string sourceOf(std::string value) const {
        for (auto producer = m_topology.producer(value);
             producer != Topology::kNone && isRearrangement(m_graph.nodes[producer]);
             producer = m_topology.producer(value))
            value = m_graph.nodes[producer].inputs[0];
        return value;
    }

    const Graph& m_graph;
    const Topology& m_topology;
    std::unordered_map<std::string, std::vector<std::size_t>> m_readers;
};

/// Why no split of the layer can be of use or be written; empty when it can.
std::string splitReason(const LayerWeights& weights, const Node* otherReader) {
    if (otherReader)
        return fmt::format("\"{}\" reads the same weights: split, both would store their own.", otherReader->label());
    if (weights.weight().rank() > 5) return "Convolutions over more than three axes are not split.";
    return {};
}

/// Source: Jaderberg et al., "Speeding up Convolutional Neural Networks with Low Rank Expansions", 2014.
std::string spatialSvdReason(const Node& node, const LayerWeights& weights) {
    const Shape& shape = weights.weight().shape();
    if ((!node.is("Conv") && !node.is("ConvTranspose")) || shape.size() != 4)
        return "Spatial SVD splits 2-D convolutions only.";
    if (shape[2] == 1 || shape[3] == 1)
        return fmt::format("A {}x{} kernel cannot be split in two directions.", shape[2], shape[3]);
    if (!node.intsAttribute("output_shape").empty()) return "Its output_shape does not say how to pad two layers.";
    if (weights.isDepthwise() && shape[2] * shape[3] < 2 * (shape[2] + shape[3]))
        return fmt::format("Depthwise {}x{}: two layers would move twice the data to save little work.", shape[2],
                           shape[3]);
    return {};
}

/// Source: Zhang et al., "Accelerating Very Deep Convolutional Networks", 2015.
std::string weightSvdReason(const LayerWeights& weights) {
    const std::int64_t inputs = weights.inputChannels() / weights.groups(),
                       outputs = weights.outputChannels() / weights.groups();
    if (weights.isDepthwise()) return "Depthwise: there are no channels to combine.";
    if (std::min(inputs, outputs) < 2)
        return weights.groups() > 1 ? "Its groups have a single channel." : "It has a single channel.";
    return {};
}

/// Positions of one sample in a value of the node; 1 where the shape is not known.
std::int64_t positionsOf(const Node& node, const std::string& value, const FactMap& facts) {
    const auto found = facts.find(value);
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
    LayerGeometry layer;
    layer.node = weights.node();
    layer.name = node.label();
    layer.opType = node.opType;
    layer.groups = weights.groups();
    layer.inputs = weights.inputChannels() / layer.groups;
    layer.outputs = weights.outputChannels();
    if (layer.isTransposed())
        layer.positions = positionsOf(node, node.inputs[0], facts);
    else if (!node.outputs.empty())
        layer.positions = positionsOf(node, node.outputs[0], facts);
    if (node.is("Conv") || layer.isTransposed()) {
        layer.kernelWidth = shape.size() > 2 ? shape.back() : 1;
        for (std::size_t axis = 2; axis + 1 < shape.size(); ++axis) layer.kernelHeight *= shape[axis];
        const auto strides = node.intsAttribute("strides");
        // Files may say anything; no layer that could run has larger ones.
        const auto bounded = [](std::int64_t stride) { return std::clamp<std::int64_t>(stride, 1, kLargestStride); };
        if (!strides.empty()) layer.strideWidth = bounded(strides.back());
        for (std::size_t axis = 0; axis + 1 < strides.size(); ++axis)
            layer.strideHeight = bounded(layer.strideHeight * bounded(strides[axis]));
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
    const ConstantReaders readers(model.graph, *topology);
    std::vector<CompressibleLayer> layers;
    for (const auto index : topology->order()) {
        const Node& node = model.graph.nodes[index];
        if (!weightSlot(model.graph, node)) continue;
        CompressibleLayer layer;
        if (const auto weights = LayerWeights::of(model.graph, index)) {
            layer.geometry = geometryOf(model.graph, *weights, facts);
            const Node* other = readers.otherReader(index);
            layer.geometry.sharesWeights = other != nullptr;
            layer.spatialSvdReason = layer.weightSvdReason = splitReason(*weights, other);
            if (layer.spatialSvdReason.empty()) {
                layer.spatialSvdReason = spatialSvdReason(node, *weights);
                layer.weightSvdReason = weightSvdReason(*weights);
            }
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
    return std::min(layer.inputs * layer.kernelHeight, layer.outputs / layer.groups * layer.kernelWidth);
}

LayerCost costAtSize(CompressionMethod method, const LayerGeometry& layer, std::int64_t size) {
    const auto real = [](std::int64_t value) { return static_cast<double>(value); };
    if (method == CompressionMethod::ChannelPruning) {
        const double parameters = real(layer.outputs * size * layer.kernelHeight * layer.kernelWidth);
        return {parameters * real(layer.positions), parameters};
    }
    const auto form = method == CompressionMethod::SpatialSvd ? SplitForm::VerticalFirst : SplitForm::PointwiseFirst;
    return pairCost(form, layer, size, assumedExtents(layer));
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
