// SPDX-License-Identifier: Apache-2.0
// Units, values, and which rule serves which operator. The rules of layers and joins are in channel_joins.cpp, those of
// operators that move channels about in channel_movement.cpp.
#include <algorithm>
#include <fmt/format.h>
#include <unordered_set>

#include "core/compression/channels/channel_flow_internal.h"
#include "core/graph/constants.h"
#include "core/graph/subgraphs.h"
#include "core/layers/layers.h"

namespace equant {

namespace {

/// Each output element depends on the input element at its place alone, or on its neighbours of the same channel.
bool isPointwise(const Node& node) {
    static const std::unordered_set<std::string> kOps = {
        "Relu", "LeakyRelu", "Sigmoid",  "Tanh",     "Elu",  "Selu",    "Celu",  "HardSigmoid",
        "Gelu", "HardSwish", "Softplus", "Softsign", "Erf",  "Exp",     "Log",   "ThresholdedRelu",
        "Sqrt", "Abs",       "Neg",      "Floor",    "Cos",  "Ceil",    "Sign",  "Reciprocal",
        "Sin",  "Round",     "Cast",     "Identity", "Tan",  "Dropout", "Clip",  "Mish",
        "Not",  "Atan",      "IsNaN",    "Asinh",    "Sinh", "Cosh",    "Atanh", "Shrink"};
    return node.domain.empty() && kOps.contains(node.opType);
}

bool isPooling(const Node& node) {
    static const std::unordered_set<std::string> kOps = {"MaxPool",           "AveragePool",   "LpPool",
                                                         "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"};
    return node.domain.empty() && kOps.contains(node.opType);
}

bool isElementwise(const Node& node) {
    static const std::unordered_set<std::string> kOps = {"Add",   "Sub",     "Mul",   "Div", "Max",  "Min",
                                                         "Sum",   "Mean",    "Pow",   "Mod", "Less", "Or",
                                                         "PRelu", "Greater", "Where", "And"};
    return node.domain.empty() && kOps.contains(node.opType);
}

}  // namespace

std::string quotedNode(const Node& node) {
    return fmt::format("{} \"{}\"", node.opType, node.label());
}

ChannelFlow::ChannelFlow(const Model& model, const Topology& topology, const FactMap& facts)
    : m_model(model), m_graph(model.graph), m_topology(topology), m_facts(facts) {}

ChannelAnalysis ChannelFlow::run() {
    for (const auto* input : m_graph.requiredInputs())
        m_opaque[input->name] = fmt::format("Its input channels are those of the network's input \"{}\".", input->name);
    for (const std::size_t index : m_topology.order()) {
        m_node = index;
        visit(m_graph.nodes[index]);
    }
    for (const auto& output : m_graph.outputs) {
        const auto found = m_analysis.values.find(output.name);
        if (found == m_analysis.values.end()) continue;
        const std::size_t producer = m_topology.producer(output.name);
        const std::string through =
            producer == Topology::kNone ? "" : fmt::format(" through {}", quotedNode(m_graph.nodes[producer]));
        m_units.block(found->second.units,
                      fmt::format("The channels reach the network's output \"{}\"{}.", output.name, through));
    }
    UnitSets::Numbering numbering = m_units.numbered();
    m_analysis.blockedBy = std::move(numbering.blockedBy);
    const auto renumber = [&](ChannelUnits& units) {
        for (int& unit : units) unit = numbering.set[static_cast<std::size_t>(unit)];
    };
    for (auto& [name, axis] : m_analysis.values) renumber(axis.units);
    for (auto& layer : m_analysis.layers) {
        renumber(layer.inputs);
        renumber(layer.outputs);
    }
    for (auto& entry : m_analysis.cuts) renumber(entry.units);
    for (auto& count : m_analysis.counts)
        for (auto& entry : count.entries) renumber(entry.units);
    return std::move(m_analysis);
}

const Shape* ChannelFlow::shapeOf(const std::string& value) const {
    const auto found = m_facts.find(value);
    if (value.empty() || found == m_facts.end() || !found->second.shape) return nullptr;
    const Shape& shape = *found->second.shape;
    const bool isOpen = std::any_of(shape.begin() + (shape.empty() ? 0 : 1), shape.end(), [](auto d) { return d < 0; });
    return isOpen ? nullptr : &shape;
}

const ChannelAxis* ChannelFlow::axisOf(const Node& node, std::size_t slot) const {
    if (!node.hasInput(slot)) return nullptr;
    const auto found = m_analysis.values.find(node.inputs[slot]);
    return found == m_analysis.values.end() ? nullptr : &found->second;
}

void ChannelFlow::label(const std::string& value, int axis, ChannelUnits units) {
    if (value.empty()) return;
    const Shape* shape = shapeOf(value);
    if (!shape || axis >= static_cast<int>(shape->size()) ||
        (*shape)[static_cast<std::size_t>(axis)] != static_cast<std::int64_t>(units.size())) {
        const std::string why = fmt::format("The shape of \"{}\" is not known.", value);
        m_units.block(units, why);
        m_opaque[value] = why;
        return;
    }
    m_analysis.values[value] = {axis, std::move(units)};
}

void ChannelFlow::makeOpaque(const Node& node, const std::string& why) {
    for (const auto& output : node.outputs)
        if (!output.empty()) m_opaque[output] = why;
}

void ChannelFlow::blockInputs(const Node& node, const std::string& why, std::size_t firstSlot) {
    for (std::size_t slot = firstSlot; slot < node.inputs.size(); ++slot) {
        if (const auto* axis = axisOf(node, slot)) m_units.block(axis->units, why);
        const auto found = m_shapes.find(node.inputs[slot]);
        if (found == m_shapes.end()) continue;
        for (const auto& element : found->second) {
            const auto value = m_analysis.values.find(element.value);
            if (value != m_analysis.values.end() && value->second.axis == element.axis)
                m_units.block(value->second.units, why);
        }
    }
}

void ChannelFlow::refuse(const Node& node, const std::string& why) {
    blockInputs(node, fmt::format("The channels reach {}, {}.", quotedNode(node), why));
    makeOpaque(node, fmt::format("Its input comes through {}, {}.", quotedNode(node), why));
}

bool ChannelFlow::isConstant(const Node& node, std::size_t slot) const {
    return node.hasInput(slot) && !m_opaque.contains(node.inputs[slot]) && !m_shapes.contains(node.inputs[slot]) &&
           !m_analysis.values.contains(node.inputs[slot]);
}

std::optional<std::vector<std::int64_t>> ChannelFlow::integers(const Node& node, std::size_t slot) const {
    if (!isConstant(node, slot)) return std::nullopt;
    auto tensor = constantInput(m_graph, node, slot);
    if (const auto found = m_facts.find(node.inputs[slot]); !tensor && found != m_facts.end())
        tensor = found->second.constant;
    if (!tensor) return std::nullopt;
    const auto converted = tensor->converted(DType::Int64);
    if (!converted) return std::nullopt;
    const auto values = converted->data<std::int64_t>();
    return std::vector<std::int64_t>(values.begin(), values.end());
}

std::optional<std::vector<std::int64_t>> ChannelFlow::axesOf(const Node& node, std::size_t slot, int rank) const {
    std::optional<std::vector<std::int64_t>> axes;
    if (node.attribute("axes"))
        axes = node.intsAttribute("axes");
    else if (node.hasInput(slot))
        axes = integers(node, slot);
    else
        axes.emplace();
    if (axes)
        for (auto& axis : *axes) axis += axis < 0 ? rank : 0;
    return axes;
}

std::string ChannelFlow::opaqueReason(const Node& node) const {
    for (const auto& input : node.inputs)
        if (const auto found = m_opaque.find(input); found != m_opaque.end()) return found->second;
    return "Its input is a constant.";
}

void ChannelFlow::cut(std::size_t slot, int axis, const ChannelUnits& units) {
    m_analysis.cuts.push_back({m_node, slot, axis, units});
}

void ChannelFlow::editCount(std::size_t slot, const std::string& attribute, const std::vector<std::int64_t>& values,
                            std::size_t element, const ChannelUnits& units) {
    for (auto& count : m_analysis.counts)
        if (count.node == m_node && count.attribute == attribute && count.slot == slot) {
            count.entries.push_back({element, units});
            return;
        }
    m_analysis.counts.push_back({m_node, attribute, slot, values, {{element, units}}});
}

void ChannelFlow::visit(const Node& node) {
    for (const auto& captured : capturedValues(node))
        if (const auto found = m_analysis.values.find(captured); found != m_analysis.values.end())
            m_units.block(found->second.units,
                          fmt::format("The channels are read inside {}, which is not followed.", quotedNode(node)));
    if (node.inputs.empty()) return;  // a constant
    if (!node.hasInput(0) || node.outputs.empty() || node.outputs[0].empty()) {
        blockInputs(node, fmt::format("The channels are an argument of {}.", quotedNode(node)));
        return makeOpaque(node, opaqueReason(node));
    }
    if (shapeArithmetic(node)) return;
    const bool isLabeled =
        std::ranges::any_of(node.inputs, [&](const std::string& input) { return m_analysis.values.contains(input); });
    if (isWeightedOp(node)) return layer(node);
    const bool isKnownConstant = std::ranges::all_of(node.inputs, [&](const std::string& input) {
        return !m_opaque.contains(input) && !m_shapes.contains(input) && !m_analysis.values.contains(input);
    });
    if (isKnownConstant && capturedValues(node).empty()) return;
    if (!isLabeled && !node.is("Concat")) {
        blockInputs(node, fmt::format("The channels are counted by {}.", quotedNode(node)));
        return makeOpaque(node, opaqueReason(node));
    }
    visitLabeled(node);
}

void ChannelFlow::visitLabeled(const Node& node) {
    if (node.is("Concat")) return concat(node);
    if (isElementwise(node)) return elementwise(node);
    const ChannelAxis* found = axisOf(node, 0);
    if (!found) return refuse(node, "where they are no ordinary input");
    const ChannelAxis input = *found;
    blockInputs(node, fmt::format("The channels are an argument of {}.", quotedNode(node)), 1);
    if (isPointwise(node)) {
        for (std::size_t i = 1; i < node.outputs.size(); ++i) m_opaque[node.outputs[i]] = "It is a mask.";
        return label(node.outputs[0], input.axis, input.units);
    }
    if (isPooling(node)) {
        const bool hasIndices = node.outputs.size() > 1 && !node.outputs[1].empty();
        if (input.axis != 1 || hasIndices) return refuse(node, "which pools over them");
        return label(node.outputs[0], 1, input.units);
    }
    if (visitNormalization(node, input) || visitMovement(node, input)) return;
    refuse(node, "which cannot do with fewer channels");
}

bool ChannelFlow::visitNormalization(const Node& node, const ChannelAxis& input) {
    const bool isBatchNorm = node.is("BatchNormalization");
    if (isBatchNorm || node.is("InstanceNormalization")) {
        const std::size_t parameters = isBatchNorm ? 5 : 3;
        for (std::size_t slot = 1; slot < parameters; ++slot) {
            const auto tensor = constantInput(m_graph, node, slot);
            if (!tensor || tensor->count() != static_cast<std::int64_t>(input.units.size()) || input.axis != 1)
                return refuse(node, "whose parameters are not constants per channel"), true;
        }
        for (std::size_t slot = 1; slot < parameters; ++slot) cut(slot, 0, input.units);
        label(node.outputs[0], 1, input.units);
        for (std::size_t i = 1; i < node.outputs.size(); ++i)
            if (!node.outputs[i].empty()) m_opaque[node.outputs[i]] = "It is a statistic.";
        return true;
    }
    const bool isSoftmax = node.is("Softmax") || node.is("LogSoftmax") || node.is("Hardmax");
    if (isSoftmax || node.is("LayerNormalization")) {
        const bool isSingleAxis = isSoftmax && m_model.opset() >= 13;
        const Shape* shape = shapeOf(node.inputs[0]);
        const auto rank = shape ? static_cast<std::int64_t>(shape->size()) : 0;
        std::int64_t axis = node.intAttribute("axis", isSingleAxis || !isSoftmax ? -1 : 1);
        axis += axis < 0 ? rank : 0;
        if (!shape || (isSingleAxis ? input.axis == axis : input.axis >= axis))
            refuse(node, "which needs all of them together");
        else
            label(node.outputs[0], input.axis, input.units);
        return true;
    }
    return false;
}

}  // namespace equant
