// SPDX-License-Identifier: Apache-2.0
#include "core/passes/channel_links.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "core/graph/constants.h"
#include "core/layers/layer_weights.h"
#include "core/layers/layers.h"

namespace equant {

namespace {

std::string quoted(const Node& node) {
    return fmt::format("{} \"{}\"", node.opType, node.label());
}

std::optional<double> scalarInput(const Graph& graph, const Node& node, std::size_t slot) {
    const auto tensor = constantInput(graph, node, slot);
    if (!tensor || tensor->dtype() != DType::Float || tensor->count() != 1) return std::nullopt;
    return tensor->data<float>()[0];
}

/// Source: ONNX Clip-6 (attributes) and Clip-11 (inputs).
std::optional<Clipping> clippingOf(const Graph& graph, std::size_t index) {
    const Node& node = graph.nodes[index];
    if (node.is("Relu")) return Clipping{index, 0.0, std::nullopt};
    if (!node.is("Clip")) return std::nullopt;
    Clipping clipping{index, std::nullopt, std::nullopt};
    const auto limit = [&](const char* attribute, std::size_t slot, std::optional<double>& bound) {
        if (node.attribute(attribute)) bound = double(node.floatAttribute(attribute, 0));
        if (!node.hasInput(slot)) return true;
        bound = scalarInput(graph, node, slot);
        return bound.has_value();
    };
    if (!limit("min", 1, clipping.lower) || !limit("max", 2, clipping.upper)) return std::nullopt;
    const auto isFree = [](const std::optional<double>& bound) { return bound && std::abs(*bound) > 1e37; };
    if (isFree(clipping.lower)) clipping.lower.reset();
    if (isFree(clipping.upper)) clipping.upper.reset();
    return clipping;
}

bool isPositivelyHomogeneous(const Node& node) {
    static constexpr std::array kOps = {"Identity", "Dropout",     "LeakyRelu",         "PRelu",        "MaxPool",
                                        "Abs",      "AveragePool", "GlobalAveragePool", "GlobalMaxPool"};
    return node.domain.empty() && node.outputs.size() == 1 && std::ranges::find(kOps, node.opType) != kOps.end();
}

/// Add of a constant with one value per channel (shape [C,1,..,1], [1,C,1,..], or [C] for matrices).
bool isBiasAdd(const Graph& graph, const Node& node, std::int64_t channels, std::int64_t weightRank) {
    if (!node.is("Add")) return false;
    for (const std::size_t slot : {0U, 1U}) {
        const auto constant = constantInput(graph, node, slot);
        if (!constant || constant->dtype() != DType::Float || constant->count() != channels) continue;
        const std::int64_t spatial = weightRank - 2;
        Shape shape = constant->shape();
        while (!shape.empty() && shape.front() == 1 && static_cast<std::int64_t>(shape.size()) > spatial + 1)
            shape.erase(shape.begin());
        if (static_cast<std::int64_t>(shape.size()) == spatial + 1 && shape.front() == channels) return true;
    }
    return false;
}

/// Walks from one layer to the next.
class Walk {
public:
    Walk(const Graph& graph, const Topology& topology, const LayerWeights& layer)
        : m_graph(graph), m_topology(topology), m_channels(layer.outputChannels()), m_rank(layer.weight().rank()) {
        m_link.from = layer.node();
    }

    ChannelLink run() {
        std::size_t at = m_link.from;
        while (m_link.to == Topology::kNone && m_link.blockedBy.empty()) {
            if (m_graph.nodes[at].outputs.empty()) return block("output", "It has no result."), std::move(m_link);
            const std::string& value = m_graph.nodes[at].outputs[0];
            const std::size_t next = m_topology.soleConsumer(value);
            if (next == Topology::kNone) {
                blockAtEnd(value);
            } else {
                step(next);
                at = next;
            }
        }
        return std::move(m_link);
    }

private:
    void block(std::string code, std::string reason) {
        m_link.blockedCode = std::move(code);
        m_link.blockedBy = std::move(reason);
    }

    void blockAtEnd(const std::string& value) {
        if (m_topology.isGraphOutput(value))
            return block("output", fmt::format("Its result \"{}\" is an output of the model.", value));
        const auto& uses = m_topology.uses(value);
        if (uses.empty()) return block("output", "Nobody reads its result.");
        std::string readers;
        for (const Use& use : uses) readers += (readers.empty() ? "" : ", ") + quoted(m_graph.nodes[use.node]);
        block("branch", fmt::format("Its result branches to {}.", readers));
    }

    void step(std::size_t index) {
        const Node& node = m_graph.nodes[index];
        if (isWeightedOp(node)) return arrive(index);
        if (node.is("PRelu") && node.inputs[0] != m_graph.nodes[lastNode()].outputs[0])
            return block("nonlinear", fmt::format("{} uses it as its slope.", quoted(node)));
        if (isBiasAdd(m_graph, node, m_channels, m_rank)) {
            m_link.biasAdds.push_back(index);
        } else if (const auto clipping = clippingOf(m_graph, index)) {
            if (m_link.clipping)
                return block("nonlinear", fmt::format("A second clipping activation, {}, follows.", quoted(node)));
            if (clipping->lower || clipping->upper) m_link.clipping = clipping;  // a Clip without bounds does nothing
        } else if (flattensChannels(node)) {
            m_link.isDirect = false;
        } else if (isPositivelyHomogeneous(node)) {
            if (node.opType != "LeakyRelu" && node.opType != "PRelu" && node.opType != "Identity" &&
                node.opType != "Dropout")
                m_link.isDirect = false;
        } else if (node.is("Add") || node.is("Concat") || node.is("Mul") || node.is("Sub") || node.is("Sum")) {
            return block("join", fmt::format("Its result is joined with others by {}.", quoted(node)));
        } else {
            return block("nonlinear", fmt::format("{} is not known to commute with scaling.", quoted(node)));
        }
        m_link.between.push_back(index);
    }

    /// Flatten, or Reshape to [batch, features]: each channel becomes consecutive features. A MatMul's channels are
    /// the last axis and would be interleaved.
    bool flattensChannels(const Node& node) const {
        if (m_graph.nodes[m_link.from].is("MatMul")) return false;
        if (node.is("Flatten")) return node.intAttribute("axis", 1) == 1;
        if (!node.is("Reshape")) return false;
        const auto shape = constantInput(m_graph, node, 1);
        if (!shape || shape->dtype() != DType::Int64 || shape->count() != 2) return false;
        const auto dims = shape->data<std::int64_t>();
        return (dims[0] == 0 || dims[0] == 1 || dims[0] == -1) && (dims[1] == -1 || dims[1] % m_channels == 0);
    }

    void arrive(std::size_t index) {
        const Node& node = m_graph.nodes[index];
        const auto consumer = LayerWeights::of(m_graph, index);
        if (!consumer) return block("weights", fmt::format("{}: {}", quoted(node), consumer.error().message));
        if (node.inputs[0] != m_graph.nodes[lastNode()].outputs[0])
            return block("weights", fmt::format("{} uses it as weights.", quoted(node)));
        if (consumer->inputChannels() % m_channels != 0 || (m_link.isDirect && consumer->inputChannels() != m_channels))
            return block("channels", fmt::format("{} reads {} channels, not {}.", quoted(node),
                                                 consumer->inputChannels(), m_channels));
        m_link.repeat = consumer->inputChannels() / m_channels;
        m_link.to = index;
    }

    [[nodiscard]] std::size_t lastNode() const { return m_link.between.empty() ? m_link.from : m_link.between.back(); }

    const Graph& m_graph;
    const Topology& m_topology;
    std::int64_t m_channels;
    std::int64_t m_rank;
    ChannelLink m_link;
};

}  // namespace

std::vector<ChannelLink> findChannelLinks(const Graph& graph, const Topology& topology) {
    std::vector<ChannelLink> links;
    for (const std::size_t index : topology.order()) {
        if (!isWeightedOp(graph.nodes[index])) continue;
        if (const auto layer = LayerWeights::of(graph, index)) {
            links.push_back(Walk(graph, topology, *layer).run());
        } else {
            ChannelLink link;
            link.from = index;
            link.blockedCode = "weights";
            link.blockedBy = layer.error().message;
            links.push_back(std::move(link));
        }
    }
    return links;
}

Bounds boundsOf(const Graph& graph, const Topology& topology, const std::string& value) {
    Bounds bounds{-kAssumedMagnitude, kAssumedMagnitude};
    bool isAveraged = false;  // padding may pull an average towards zero
    std::string at = value;
    for (;;) {
        const std::size_t index = topology.producer(at);
        if (index == Topology::kNone) break;
        const Node& node = graph.nodes[index];
        if (const auto clipping = clippingOf(graph, index)) {
            bounds = {clipping->lower.value_or(bounds.lower), clipping->upper.value_or(bounds.upper)};
            break;
        }
        if (node.is("Sigmoid") || node.is("Softmax") || node.is("HardSigmoid")) {
            bounds = {0, 1};
            break;
        }
        if (node.is("Tanh")) {
            bounds = {-1, 1};
            break;
        }
        static constexpr std::array kWithinInput = {"Identity",      "Dropout",     "MaxPool",  "GlobalAveragePool",
                                                    "GlobalMaxPool", "AveragePool", "Flatten",  "Reshape",
                                                    "Transpose",     "Squeeze",     "Unsqueeze"};
        if (!node.hasInput(0) || std::ranges::find(kWithinInput, node.opType) == kWithinInput.end()) break;
        isAveraged |= node.is("AveragePool");
        at = node.inputs[0];
    }
    if (isAveraged) bounds = {std::min(bounds.lower, 0.0), std::max(bounds.upper, 0.0)};
    return bounds;
}

}  // namespace equant
