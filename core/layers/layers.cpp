// SPDX-License-Identifier: Apache-2.0
#include "core/layers/layers.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "core/graph/constants.h"
#include "core/graph/subgraphs.h"

namespace equant {

namespace {

constexpr std::int64_t kMaxCount = std::numeric_limits<std::int64_t>::max();

/// Products of costs saturate: a figure for the user, not an index.
std::int64_t times(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    return __builtin_mul_overflow(a, b, &result) ? kMaxCount : result;
}

std::int64_t plus(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    return __builtin_add_overflow(a, b, &result) ? kMaxCount : result;
}

/// Elements of dimensions [from, end); 0 when one is unknown.
std::int64_t elements(const Shape& shape, std::size_t from = 0) {
    std::int64_t count = 1;
    for (auto i = from; i < shape.size(); ++i) count = shape[i] < 0 ? 0 : times(count, shape[i]);
    return count;
}

bool isFloatType(DType type) {
    switch (type) {
        case DType::Float:
        case DType::Double:
        case DType::Float16:
        case DType::Bfloat16:
        case DType::Float8E4M3FN:
        case DType::Float8E4M3FNUZ:
        case DType::Float8E5M2:
        case DType::Float8E5M2FNUZ:
            return true;
        default:
            return false;
    }
}

/// Operators whose weights and biases are integers; their slots.
std::vector<std::size_t> integerWeightSlots(const Node& node) {
    if (node.is("QLinearConv")) return {3, 8};
    if (node.is("QLinearMatMul")) return {3};
    if (node.is("ConvInteger") || node.is("MatMulInteger")) return {1};
    return {};
}

/// Slots of the two operands (weight second) of operators that multiply and accumulate.
struct Operands {
    std::size_t data = 0;
    std::size_t weight = 1;
};

Operands operandsOf(const Node& node) {
    return node.is("QLinearConv") || node.is("QLinearMatMul") ? Operands{0, 3} : Operands{};
}

const Shape* shapeOf(const FactMap& facts, const Node& node, std::size_t slot) {
    if (!node.hasInput(slot)) return nullptr;
    const auto found = facts.find(node.inputs[slot]);
    return found != facts.end() && found->second.shape ? &*found->second.shape : nullptr;
}

/// out elements * (input channels of one group * kernel elements)
std::int64_t convolutionMacs(const Shape& output, const Shape& weight) {
    return times(elements(output), elements(weight, 1));
}

/// out elements * inner dimension of the first operand
std::int64_t productMacs(const Node& node, const Shape& data, const Shape& output) {
    if (data.empty()) return 0;
    const bool isTransposed = node.is("Gemm") && node.intAttribute("transA", 0) != 0;
    const auto inner = isTransposed ? data.front() : data.back();
    return times(elements(output), std::max<std::int64_t>(inner, 0));
}

/// Every combination of labels once: the product of all different dimensions of the equation.
std::int64_t einsumMacs(const Node& node, const FactMap& facts) {
    if (node.inputs.size() != 2) return 0;
    std::string equation = node.stringAttribute("equation", "");
    std::erase(equation, ' ');
    const auto comma = equation.find(',');
    if (comma == std::string::npos || equation.find('.') != std::string::npos) return 0;
    const std::string terms[] = {equation.substr(0, comma), equation.substr(comma + 1, equation.find('-') - comma - 1)};
    std::unordered_map<char, std::int64_t> dims;
    for (std::size_t i = 0; i < 2; ++i) {
        const Shape* shape = shapeOf(facts, node, i);
        if (!shape || shape->size() != terms[i].size()) return 0;
        for (std::size_t k = 0; k < shape->size(); ++k) {
            auto& dim = dims[terms[i][k]];
            dim = std::max(dim, (*shape)[k]);
        }
    }
    std::int64_t macs = 1;
    for (const auto& [label, dim] : dims) macs = times(macs, std::max<std::int64_t>(dim, 0));
    return macs;
}

/// steps * batch * (elements of W and R, all directions)
std::int64_t recurrentMacs(const Node& node, const FactMap& facts) {
    const Shape* data = shapeOf(facts, node, 0);
    const Shape* weight = shapeOf(facts, node, 1);
    const Shape* recurrence = shapeOf(facts, node, 2);
    if (!data || !weight || !recurrence || data->size() != 3) return 0;
    const auto samples = times(std::max<std::int64_t>((*data)[0], 0), std::max<std::int64_t>((*data)[1], 0));
    return times(samples, plus(elements(*weight), elements(*recurrence)));
}

}  // namespace

std::int64_t macsOf(const Node& node, const FactMap& facts) {
    const auto result = node.outputs.empty() ? facts.end() : facts.find(node.outputs[0]);
    if (!node.domain.empty() || result == facts.end() || !result->second.shape) return 0;
    const Shape& output = *result->second.shape;
    if (node.is("Einsum")) return einsumMacs(node, facts);
    if (node.is("LSTM") || node.is("GRU") || node.is("RNN")) return recurrentMacs(node, facts);
    const auto operands = operandsOf(node);
    const Shape* data = shapeOf(facts, node, operands.data);
    const Shape* weight = shapeOf(facts, node, operands.weight);
    if (!data || !weight) return 0;
    if (node.is("Conv") || node.is("ConvInteger") || node.is("QLinearConv")) return convolutionMacs(output, *weight);
    if (node.is("ConvTranspose")) return times(elements(*data), elements(*weight, 1));
    if (node.is("Gemm") || node.is("MatMul") || node.is("MatMulInteger") || node.is("QLinearMatMul")) {
        return productMacs(node, *data, output);
    }
    return 0;
}

namespace {

/// Knows which values are made of constants only, and what parameters stand behind them.
class ParameterCounter {
public:
    ParameterCounter(const Graph& graph, const Topology& topology, const FactMap& facts)
        : m_graph(graph), m_topology(topology), m_facts(facts) {
        for (const auto& initializer : graph.initializers) m_sources[initializer.name] = &initializer.tensor;
        for (const auto index : topology.order()) {
            if (!isConstantNode(graph.nodes[index])) continue;
            for (const auto& output : graph.nodes[index].outputs) m_constantValues.insert(output);
        }
    }

    [[nodiscard]] bool isConstant(const std::string& value) const {
        return m_sources.contains(value) || m_constantValues.contains(value);
    }

    /// Whether the node does nothing at run time: all it reads is constant, or all it makes is known beforehand.
    [[nodiscard]] bool producesOnlyConstants(const Node& node) const {
        return std::ranges::all_of(node.outputs, [&](const std::string& output) {
            if (output.empty() || m_constantValues.contains(output)) return true;
            const auto found = m_facts.find(output);
            return found != m_facts.end() && found->second.constant.has_value();
        });
    }

    /// Counts parameters and their bytes of the node's constant inputs that no earlier call has counted.
    void count(const Node& node, LayerInfo& layer) {
        const auto integerSlots = integerWeightSlots(node);
        for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
            const auto& value = node.inputs[slot];
            if (value.empty() || !isConstant(value)) continue;
            const bool isIntegerWeight = std::ranges::find(integerSlots, slot) != integerSlots.end();
            if (integerSlots.empty() || isIntegerWeight) collect(value, isIntegerWeight, layer);
        }
        for (const auto& captured : capturedValues(node)) {
            if (isConstant(captured)) collect(captured, false, layer);
        }
        forEachSubgraph(node, [&](const Graph& body) { countBody(body, layer); });
    }

private:
    [[nodiscard]] bool isConstantNode(const Node& node) const {
        if (node.is("Constant")) return true;
        if (node.inputs.empty() || node.opType.starts_with("Random") || !capturedValues(node).empty()) return false;
        return std::ranges::all_of(node.inputs, [&](const std::string& v) { return v.empty() || isConstant(v); });
    }

    /// Walks back from a constant value to the tensors it is made of. Integers count where they are weights: inputs of
    /// integer operators and of DequantizeLinear, whose scale and zero point belong to the format, not the network.
    /// Iterative, each value once: chains may be long and may read the same value twice at every step.
    void collect(const std::string& first, bool isFirstIntegerCounted, LayerInfo& layer) {
        std::vector<std::pair<std::string, bool>> open{{first, isFirstIntegerCounted}};
        while (!open.empty()) {
            const auto [value, isIntegerCounted] = std::move(open.back());
            open.pop_back();
            if (value.empty() || !m_visited[isIntegerCounted ? 1 : 0].insert(value).second) continue;
            const auto source = m_sources.find(value);
            if (source != m_sources.end()) {
                add(value, *source->second, isIntegerCounted, layer);
                continue;
            }
            const auto producer = m_topology.producer(value);
            if (producer == Topology::kNone) continue;
            const Node& node = m_graph.nodes[producer];
            if (node.is("Constant")) {
                const auto facts = m_facts.find(value);
                if (facts != m_facts.end() && facts->second.constant)
                    add(value, *facts->second.constant, isIntegerCounted, layer);
            } else if (node.is("DequantizeLinear") || node.is("QuantizeLinear")) {
                if (node.hasInput(0)) open.emplace_back(node.inputs[0], node.is("DequantizeLinear"));
            } else {
                for (std::size_t slot = 0; slot < node.inputs.size(); ++slot)
                    open.emplace_back(node.inputs[slot], isIntegerCounted && slot == 0);
            }
        }
    }

    void add(const std::string& name, const Tensor& tensor, bool isIntegerCounted, LayerInfo& layer) {
        if (!isIntegerCounted && !isFloatType(tensor.dtype())) return;
        if (!m_counted.insert(name).second) return;
        layer.parameters = plus(layer.parameters, tensor.count());
        layer.weightBytes = plus(layer.weightBytes, static_cast<std::int64_t>(tensor.sizeBytes()));
    }

    static void countBody(const Graph& body, LayerInfo& layer) {
        for (const auto& initializer : body.initializers) {
            if (!isFloatType(initializer.tensor.dtype())) continue;
            layer.parameters = plus(layer.parameters, initializer.tensor.count());
            layer.weightBytes = plus(layer.weightBytes, static_cast<std::int64_t>(initializer.tensor.sizeBytes()));
        }
        for (const auto& node : body.nodes) forEachSubgraph(node, [&](const Graph& inner) { countBody(inner, layer); });
    }

    const Graph& m_graph;
    const Topology& m_topology;
    const FactMap& m_facts;
    std::unordered_map<std::string, const Tensor*> m_sources;
    std::unordered_set<std::string> m_constantValues;
    std::unordered_set<std::string> m_counted;
    std::unordered_set<std::string> m_visited[2];  ///< by collect(), without and with integers
};

std::int64_t outputBytes(const Node& node, const FactMap& facts) {
    std::int64_t bytes = 0;
    for (const auto& output : node.outputs) {
        const auto found = facts.find(output);
        if (output.empty() || found == facts.end() || !found->second.isFullyKnown()) continue;
        const auto bits = times(elements(*found->second.shape), bitWidth(found->second.dtype));
        bytes = plus(bytes, bits / 8 + (bits % 8 != 0 ? 1 : 0));
    }
    return bytes;
}

/// The slot whose shape is shown as the layer's weight.
std::optional<std::size_t> shownWeightSlot(const Node& node, const ParameterCounter& counter) {
    const auto slot = operandsOf(node).weight;
    const auto isConstantAt = [&](std::size_t i) { return node.hasInput(i) && counter.isConstant(node.inputs[i]); };
    if (node.is("MatMul")) {
        if (isConstantAt(1)) return 1;
        return isConstantAt(0) ? std::optional<std::size_t>(0) : std::nullopt;
    }
    const bool isWeighted =
        isWeightedOp(node) || !integerWeightSlots(node).empty() || node.is("LSTM") || node.is("GRU") || node.is("RNN");
    return isWeighted && isConstantAt(slot) ? std::optional(slot) : std::nullopt;
}

}  // namespace

bool isWeightedOp(const Node& node) {
    return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm") || node.is("MatMul");
}

std::optional<std::size_t> weightSlot(const Graph& graph, const Node& node) {
    if (!isWeightedOp(node)) return std::nullopt;
    if (!node.is("MatMul")) return node.hasInput(1) ? std::optional<std::size_t>(1) : std::nullopt;
    // A quantized model's weights pass through DequantizeLinear.
    const auto isWeight = [&](std::size_t slot) {
        if (constantInput(graph, node, slot)) return true;
        if (!node.hasInput(slot)) return false;
        return std::ranges::any_of(graph.nodes, [&](const Node& other) {
            return other.is("DequantizeLinear") && !other.outputs.empty() && other.outputs[0] == node.inputs[slot] &&
                   constantInput(graph, other, 0).has_value();
        });
    };
    if (isWeight(1)) return 1;
    return isWeight(0) ? std::optional<std::size_t>(0) : std::nullopt;
}

WeightAxes weightAxes(const Node& node, int weightRank, std::size_t slot) {
    if (node.is("ConvTranspose")) return {1, 0};
    if (node.is("Gemm")) return node.intAttribute("transB", 0) != 0 ? WeightAxes{0, 1} : WeightAxes{1, 0};
    if (node.is("MatMul")) {
        if (weightRank < 2) return {0, 0};
        return slot == 0 ? WeightAxes{weightRank - 2, weightRank - 1} : WeightAxes{weightRank - 1, weightRank - 2};
    }
    return {0, 1};
}

bool isDepthwise(const Graph& graph, const Node& node) {
    const auto group = node.intAttribute("group", 1);
    if (group <= 1 || !(node.is("Conv") || node.is("ConvTranspose"))) return false;
    const auto weight = constantInput(graph, node, 1);
    if (!weight || weight->rank() < 3) return false;
    return node.is("Conv") ? weight->dim(1) == 1 : weight->dim(0) == group;
}

std::vector<LayerInfo> describeLayers(const Graph& graph, const Topology& topology, const FactMap& facts) {
    ParameterCounter counter(graph, topology, facts);
    std::vector<LayerInfo> layers;
    for (const auto index : topology.order()) {
        const Node& node = graph.nodes[index];
        if (counter.producesOnlyConstants(node)) continue;
        LayerInfo layer;
        layer.node = index;
        layer.name = node.label();
        layer.opType = node.opType;
        if (const auto found = node.outputs.empty() ? facts.end() : facts.find(node.outputs[0]); found != facts.end()) {
            layer.outputShape = found->second.shape.value_or(Shape{});
        }
        counter.count(node, layer);
        layer.macs = macsOf(node, facts);
        layer.activationBytes = outputBytes(node, facts);
        if (const auto slot = shownWeightSlot(node, counter)) {
            if (const Shape* shape = shapeOf(facts, node, *slot)) layer.weightShape = *shape;
        }
        layers.push_back(std::move(layer));
    }
    return layers;
}

ModelCost totalCost(const Graph& graph, const std::vector<LayerInfo>& layers) {
    ModelCost cost;
    for (const auto& layer : layers) {
        cost.parameters = plus(cost.parameters, layer.parameters);
        cost.macs = plus(cost.macs, layer.macs);
    }
    for (const auto& initializer : graph.initializers) {
        cost.bytes = plus(cost.bytes, static_cast<std::int64_t>(initializer.tensor.sizeBytes()));
    }
    return cost;
}

}  // namespace equant
