// SPDX-License-Identifier: Apache-2.0
#include "core/quantization/placement.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <unordered_map>
#include <unordered_set>

#include "core/graph/constants.h"
#include "core/graph/topology.h"
#include "core/layers/layers.h"

namespace equant {

namespace {

constexpr std::array kNeverQuantized = {"Flatten",         "Gather", "Reshape",  "Shape",          "Unsqueeze",
                                        "Squeeze",         "Split",  "Compress", "QuantizeLinear", "DequantizeLinear",
                                        "ConstantOfShape", "Range",  "Tile",     "Transpose",      "Identity"};
constexpr std::array kGivesBool = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or",
                                   "Not",   "Xor",     "IsNaN",          "IsInf"};
constexpr std::array kGivesIndices = {"Shape", "Size", "ArgMax", "ArgMin", "NonZero", "NonMaxSuppression"};

template <std::size_t N>
bool isOneOf(const std::string& type, const std::array<const char*, N>& types) {
    return std::find(types.begin(), types.end(), type) != types.end();
}

/// What placement has to know of values without running shape inference: element type and whether it is constant.
struct ValueKind {
    DType dtype = DType::Undefined;  ///< Undefined: unknown
    bool isConstant = false;
};

using ValueKinds = std::unordered_map<std::string, ValueKind>;

DType outputType(const Node& node, const ValueKinds& kinds) {
    if (isOneOf(node.opType, kGivesBool)) return DType::Bool;
    if (isOneOf(node.opType, kGivesIndices)) return DType::Int64;
    if (node.is("Cast")) return static_cast<DType>(node.intAttribute("to", 1));
    if (const Tensor* value = node.tensorAttribute("value")) return value->dtype();
    const std::size_t first = node.is("Where") ? 1 : 0;
    for (std::size_t i = first; i < node.inputs.size(); ++i) {
        if (const auto kind = kinds.find(node.inputs[i]); kind != kinds.end()) {
            return kind->second.dtype;
        }
    }
    return DType::Undefined;
}

ValueKinds kindsOf(const Graph& graph, const Topology& topology) {
    ValueKinds kinds;
    for (const ValueInfo& input : graph.inputs) kinds[input.name] = {input.dtype, false};
    for (const Initializer& initializer : graph.initializers) {
        kinds[initializer.name] = {initializer.tensor.dtype(), true};
    }
    for (const std::size_t index : topology.order()) {
        const Node& node = graph.nodes[index];
        const bool isConstant = std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
            return input.empty() || (kinds.contains(input) && kinds.at(input).isConstant);
        });
        // Random values have no inputs either, but are not the same every time.
        const bool isRandom = node.opType.starts_with("Random");
        const DType dtype = outputType(node, kinds);
        for (std::size_t i = 0; i < node.outputs.size(); ++i) {
            const bool isIndexOutput = i == 1 && (node.is("TopK") || node.is("MaxPool"));
            kinds[node.outputs[i]] = {isIndexOutput ? DType::Int64 : dtype, isConstant && !isRandom};
        }
    }
    for (const ValueInfo& value : graph.values) {
        if (value.dtype != DType::Undefined && kinds.contains(value.name)) kinds[value.name].dtype = value.dtype;
    }
    for (const ValueInfo& output : graph.outputs) {
        if (output.dtype != DType::Undefined && kinds.contains(output.name)) kinds[output.name].dtype = output.dtype;
    }
    return kinds;
}

class Placement {
public:
    Placement(const Graph& graph, const Topology& topology, const QuantizationRules& rules,
              const QuantizationSettings& settings)
        : m_graph(graph),
          m_topology(topology),
          m_rules(rules),
          m_settings(settings),
          m_kinds(kindsOf(graph, topology)) {}

    QuantizerPlan run() {
        findSupergroups();
        placeInputs();
        for (const std::size_t index : m_topology.order()) {
            const Node& node = m_graph.nodes[index];
            const bool isConstantNode =
                std::all_of(node.outputs.begin(), node.outputs.end(),
                            [&](const std::string& value) { return value.empty() || m_kinds[value].isConstant; });
            if (isConstantNode) continue;
            placeParameters(node);
            if (m_rules.operatorRule(node.opType).isInputQuantized.value_or(false)) placeInputsOf(node);
            placeOutputs(index);
        }
        return std::move(m_plan);
    }

private:
    void add(QuantizerSpec spec) {
        if (m_placed.insert(spec.value).second) m_plan.quantizers.push_back(std::move(spec));
    }
    void skip(const std::string& value, const Node& node, std::string reason) {
        m_plan.skipped.push_back({value, node.label(), std::move(reason)});
    }
    [[nodiscard]] bool isFloat(const std::string& value) const {
        const auto kind = m_kinds.find(value);
        return kind != m_kinds.end() && (kind->second.dtype == DType::Float || kind->second.dtype == DType::Undefined);
    }
    [[nodiscard]] bool isConstant(const std::string& value) const {
        const auto kind = m_kinds.find(value);
        return kind != m_kinds.end() && kind->second.isConstant;
    }
    [[nodiscard]] GridOptions activationGrid(const OperatorRule& rule) const {
        return {m_settings.activationBits, rule.isSymmetric.value_or(false), m_rules.isStrict.value_or(false),
                m_rules.isUnsignedSymmetric.value_or(false)};
    }

    /// Bias added to a matrix product by a node of its own: a constant vector added to the only use of the product.
    [[nodiscard]] bool isBiasAdd(const Node& node) const {
        if (!node.is("Add") || node.inputs.size() != 2) return false;
        for (std::size_t slot = 0; slot < 2; ++slot) {
            const std::size_t producer = m_topology.producer(node.inputs[1 - slot]);
            if (producer == Topology::kNone || !m_graph.nodes[producer].is("MatMul")) continue;
            const auto constant = constantInput(m_graph, node, slot);
            if (constant && constant->rank() == 1) return true;
        }
        return false;
    }

    /// One limit per channel behind a Relu, Max or weighted layer: the second half of a clipping activation, as exact
    /// equalization writes it.
    [[nodiscard]] bool isChannelLimit(const Node& node) const {
        if ((!node.is("Min") && !node.is("Max")) || node.inputs.size() != 2) return false;
        for (std::size_t slot = 0; slot < 2; ++slot) {
            const std::size_t producer = m_topology.producer(node.inputs[1 - slot]);
            if (producer == Topology::kNone || !isConstant(node.inputs[slot])) continue;
            const Node& before = m_graph.nodes[producer];
            return before.is("Relu") || before.is("Max") || isWeightedOp(before);
        }
        return false;
    }

    void findSupergroups() {
        for (const std::size_t index : m_topology.order()) {
            for (const auto& group : m_rules.supergroups) {
                std::vector<std::size_t> members;
                std::size_t at = index;
                for (const std::string& type : group) {
                    if (at == Topology::kNone || !m_graph.nodes[at].is(type)) break;
                    members.push_back(at);
                    at = m_graph.nodes[at].outputs.size() == 1 ? m_topology.soleConsumer(m_graph.nodes[at].outputs[0])
                                                               : Topology::kNone;
                }
                if (members.size() != group.size()) continue;
                for (std::size_t i = 0; i + 1 < members.size(); ++i) {
                    m_fusedWith[members[i]] = m_graph.nodes[members[i + 1]].label();
                }
            }
            if (m_settings.isAimetCompatible) continue;
            if (!isBiasAdd(m_graph.nodes[index]) && !isChannelLimit(m_graph.nodes[index])) continue;
            for (const std::string& input : m_graph.nodes[index].inputs) {
                const std::size_t producer = m_topology.producer(input);
                if (producer != Topology::kNone && m_topology.soleConsumer(input) == index) {
                    m_fusedWith[producer] = m_graph.nodes[index].label();
                }
            }
        }
    }

    void placeInputs() {
        const bool isQuantized =
            m_rules.isModelInputQuantized.value_or(m_rules.defaults.isInputQuantized.value_or(false));
        for (const ValueInfo* input : m_graph.requiredInputs()) {
            if (!isFloat(input->name)) {
                m_plan.skipped.push_back({input->name, {}, "not a float value"});
            } else if (!isQuantized) {
                m_plan.skipped.push_back({input->name, {}, "the rules keep model inputs in floating point"});
            } else {
                add({input->name, QuantizedRole::ModelInput, {}, activationGrid(m_rules.defaults), -1, {}});
            }
        }
    }

    void placeInputsOf(const Node& node) {
        for (const std::string& input : node.inputs) {
            if (input.empty() || isConstant(input) || !isFloat(input)) continue;
            const std::size_t producer = m_topology.producer(input);
            const std::string owner = producer == Topology::kNone ? std::string() : m_graph.nodes[producer].label();
            add({input, QuantizedRole::Activation, owner, activationGrid(m_rules.operatorRule(node.opType)), -1, {}});
        }
    }

    void placeParameter(const Node& node, std::size_t slot, QuantizedRole role) {
        const std::string& value = node.inputs[slot];
        const auto constant = constantInput(m_graph, node, slot);
        if (!constant) return;  // computed by another node: an activation, quantized where it is produced
        const ParameterRule rule = m_rules.parameter(node.opType, role == QuantizedRole::Bias ? "bias" : "weight");
        if (!isFloat(value)) return skip(value, node, "not a float value");
        if (!rule.isQuantized.value_or(false)) {
            return skip(value, node,
                        role == QuantizedRole::Bias ? "bias stays in floating point (targets add it in 32 bits)"
                                                    : "the rules keep this parameter in floating point");
        }
        QuantizerSpec spec{value, role, node.label(), {}, -1, {}};
        spec.grid = {m_settings.weightBits, rule.isSymmetric.value_or(m_settings.hasSymmetricWeights),
                     m_rules.isStrict.value_or(false), m_rules.isUnsignedSymmetric.value_or(false)};
        if (m_rules.operatorRule(node.opType).isPerChannel.value_or(m_settings.isPerChannel)) {
            spec.axis = channelAxis(node, slot, role, constant->rank());
        }
        add(std::move(spec));
    }

    static int channelAxis(const Node& node, std::size_t slot, QuantizedRole role, int rank) {
        if (role == QuantizedRole::Bias) return rank == 1 ? 0 : -1;
        if (!isWeightedOp(node) || (node.is("MatMul") && slot == 0) || rank < 2) return -1;
        // A grouped transposed convolution has no axis that counts its output channels.
        if (node.is("ConvTranspose") && node.intAttribute("group", 1) != 1) return -1;
        return weightAxes(node, rank).output;
    }

    void placeParameters(const Node& node) {
        if (const auto slot = weightSlot(m_graph, node)) {
            placeParameter(node, *slot, QuantizedRole::Weight);
            const bool hasBias = !node.is("MatMul") && node.hasInput(2) && isConstant(node.inputs[2]);
            if (hasBias) placeParameter(node, 2, QuantizedRole::Bias);
            return;
        }
        if (node.is("PRelu") && node.hasInput(1) && isConstant(node.inputs[1])) {
            return placeParameter(node, 1, QuantizedRole::Weight);
        }
        const bool isNorm =
            node.is("LayerNormalization") || node.is("InstanceNormalization") || node.is("GroupNormalization");
        if (isNorm && node.hasInput(1) && isConstant(node.inputs[1])) placeParameter(node, 1, QuantizedRole::Weight);
        if (node.is("BatchNormalization") && node.hasInput(1)) {
            skip(node.inputs[1], node, "batch normalization is not folded into a layer");
        }
        for (const std::string& input : node.inputs) {
            if (!isNorm && !node.is("BatchNormalization") && m_graph.initializer(input) && isFloat(input)) {
                skip(input, node, isBiasAdd(node) ? "bias of a matrix product" : "constant operand");
            }
        }
    }

    /// Empty: it is quantized.
    [[nodiscard]] std::string reasonAgainst(std::size_t index, const std::string& value,
                                            const OperatorRule& rule) const {
        const Node& node = m_graph.nodes[index];
        if (!isFloat(value)) return "not a float value";
        if (!node.domain.empty() && node.domain != "com.microsoft") return "operator of a foreign domain";
        if (isOneOf(node.opType, kNeverQuantized)) return "only moves values, they keep the grid they have";
        if (const auto fused = m_fusedWith.find(index); fused != m_fusedWith.end()) {
            return fmt::format("computed together with \"{}\"", fused->second);
        }
        if (m_topology.isGraphOutput(value) && m_rules.isModelOutputQuantized) {
            return *m_rules.isModelOutputQuantized ? "" : "the rules keep model outputs in floating point";
        }
        if (!rule.isOutputQuantized.value_or(false)) return fmt::format("the rules exclude outputs of {}", node.opType);
        return {};
    }

    void placeOutputs(std::size_t index) {
        const Node& node = m_graph.nodes[index];
        const OperatorRule rule = m_rules.operatorRule(node.opType);
        for (const std::string& value : node.outputs) {
            if (value.empty()) continue;
            const std::string reason = reasonAgainst(index, value, rule);
            if (!reason.empty()) {
                skip(value, node, reason);
                continue;
            }
            add({value, QuantizedRole::Activation, node.label(), activationGrid(rule), -1, rule.outputRange});
        }
    }

    const Graph& m_graph;
    const Topology& m_topology;
    const QuantizationRules& m_rules;
    const QuantizationSettings& m_settings;
    ValueKinds m_kinds;
    std::unordered_map<std::size_t, std::string> m_fusedWith;
    std::unordered_set<std::string> m_placed;
    QuantizerPlan m_plan;
};

}  // namespace

Result<QuantizationRules> rulesOf(const QuantizationSettings& settings) {
    if (!settings.rules.empty()) return parseRules(settings.rules);
    return builtInRules(settings.isPerChannel, settings.isAimetCompatible);
}

Result<QuantizerPlan> placeQuantizers(const Model& model, const QuantizationRules& rules,
                                      const QuantizationSettings& settings) {
    for (const int bits : {settings.weightBits, settings.activationBits}) {
        if (bits < 2 || bits > 16) {
            return fail(ErrorCode::InvalidArgument, fmt::format("{} bits are not supported.", bits),
                        "Choose 2 to 16 bits.", std::to_string(bits));
        }
    }
    const auto topology = Topology::of(model.graph);
    if (!topology) return fail(topology.error());
    return Placement(model.graph, *topology, rules, settings).run();
}

}  // namespace equant
