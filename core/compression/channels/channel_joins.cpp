// SPDX-License-Identifier: Apache-2.0
// How channels pass layers with weights, and operators that join several values.
#include <algorithm>
#include <fmt/format.h>

#include "core/compression/channels/channel_flow_internal.h"
#include "core/graph/constants.h"
#include "core/layers/layer_weights.h"
#include "core/layers/layers.h"

namespace equant {

void ChannelFlow::layer(const Node& node) {
    ChannelLayer record;
    record.node = m_node;
    const auto weights = LayerWeights::of(m_graph, m_node);
    const Shape* shape = node.inputs.empty() ? nullptr : shapeOf(node.inputs[0]);
    if (!weights || !shape) {
        record.blockedBy = weights ? "The shape of its input is not known." : weights.error().message;
        m_analysis.layers.push_back(record);
        return refuse(node, weights ? "whose input shape is not known" : "which has no constant weights to cut");
    }
    const int channelAxis = node.is("MatMul") ? static_cast<int>(shape->size()) - 1 : 1;
    const ChannelAxis* input = axisOf(node, 0);
    const bool isFollowed = input && input->axis == channelAxis &&
                            static_cast<std::int64_t>(input->units.size()) == weights->inputChannels();
    if (isFollowed) {
        record.inputs = input->units;
    } else if (input) {
        record.blockedBy = "Its input channels come along an axis that is not followed.";
        m_units.block(input->units, fmt::format("The channels reach {} along another axis.", quotedNode(node)));
    } else {
        record.blockedBy = opaqueReason(node);
        blockInputs(node, fmt::format("The channels are counted by {}.", quotedNode(node)));
    }
    const Shape* result = shapeOf(node.outputs[0]);
    const int outputAxis = node.is("MatMul") && result ? static_cast<int>(result->size()) - 1 : 1;
    const Tensor weight = *constantInput(m_graph, node, 1);
    if (weights->isDepthwise()) {
        depthwise(node, weight, std::move(record));
    } else if (weights->groups() != 1) {
        m_units.block(record.inputs, fmt::format("The channels reach the grouped {}.", quotedNode(node)));
        record.outputs = m_units.add(weights->outputChannels(),
                                     fmt::format("The channels are made by the grouped {}.", quotedNode(node)));
        label(node.outputs[0], outputAxis, record.outputs);
        m_analysis.layers.push_back(std::move(record));
    } else {
        record.isConsumer = true;
        record.outputs = m_units.add(weights->outputChannels());
        const WeightAxes axes = weightAxes(node, weight.rank());
        cut(1, axes.output, record.outputs);
        if (!record.inputs.empty()) cut(1, axes.input, record.inputs);
        if (const auto bias = constantInput(m_graph, node, 2); bias && bias->count() == weights->outputChannels())
            cut(2, bias->rank() - 1, record.outputs);
        label(node.outputs[0], outputAxis, record.outputs);
        m_analysis.layers.push_back(std::move(record));
    }
}

/// Input channel i makes the output channels i * m ... i * m + m - 1.
void ChannelFlow::depthwise(const Node& node, const Tensor& weight, ChannelLayer record) {
    const bool isConv = node.is("Conv");
    const std::int64_t groups = node.intAttribute("group", 1);
    const std::int64_t perGroup = isConv ? weight.dim(0) / groups : weight.dim(1);
    if (record.inputs.empty()) record.inputs = m_units.add(groups, record.blockedBy);
    for (const int unit : record.inputs)
        record.outputs.insert(record.outputs.end(), static_cast<std::size_t>(perGroup), unit);
    cut(1, 0, isConv ? record.outputs : record.inputs);
    if (node.hasInput(2)) cut(2, 0, record.outputs);
    editCount(0, "group", {groups}, 0, record.inputs);
    label(node.outputs[0], 1, record.outputs);
    m_analysis.layers.push_back(std::move(record));
}

void ChannelFlow::elementwise(const Node& node) {
    const Shape* shape = shapeOf(node.outputs[0]);
    if (!shape) return refuse(node, "whose result has no known shape");
    const int rank = static_cast<int>(shape->size());
    int axis = -1;
    ChannelUnits units;
    for (std::size_t slot = 0; slot < node.inputs.size() && axis < 0; ++slot) {
        const ChannelAxis* input = axisOf(node, slot);
        if (!input) continue;
        const int aligned = rank - static_cast<int>(shapeOf(node.inputs[slot])->size()) + input->axis;
        if ((*shape)[static_cast<std::size_t>(aligned)] != static_cast<std::int64_t>(input->units.size())) continue;
        axis = aligned;
        units = input->units;
    }
    if (axis < 0) return refuse(node, "which spreads a single channel");
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot)
        if (node.hasInput(slot) && !joinOperand(node, slot, axis, rank, units))
            return refuse(node, fmt::format("which joins them with \"{}\"", node.inputs[slot]));
    label(node.outputs[0], axis, std::move(units));
}

/// Joins one operand of an elementwise operator whose result has `units` along `axis`; false when it cannot be
/// followed.
bool ChannelFlow::joinOperand(const Node& node, std::size_t slot, int axis, int rank, const ChannelUnits& units) {
    const Shape* shape = shapeOf(node.inputs[slot]);
    if (!shape) return false;
    const int own = axis - (rank - static_cast<int>(shape->size()));
    const std::int64_t count = own < 0 ? 1 : (*shape)[static_cast<std::size_t>(own)];
    if (const ChannelAxis* input = axisOf(node, slot)) {
        if (input->axis != own) return input->units.size() < 2 && count == 1;
        if (input->units.size() == units.size())
            m_units.unite(units, input->units);
        else
            m_units.block(input->units, fmt::format("{} spreads this single channel over others.", quotedNode(node)));
        return true;
    }
    if (count == 1) return true;
    if (!isConstant(node, slot) || count != static_cast<std::int64_t>(units.size())) return false;
    const auto tensor = constantInput(m_graph, node, slot);
    if (!tensor || tensor->rank() <= own || tensor->dim(own) != count) return false;
    cut(slot, own, units);
    return true;
}

void ChannelFlow::concat(const Node& node) {
    const Shape* shape = shapeOf(node.outputs[0]);
    int axis = -1;
    bool isOneAxis = true;
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot)
        if (const auto* input = axisOf(node, slot)) {
            isOneAxis &= axis < 0 || axis == input->axis;
            axis = input->axis;
        }
    if (axis < 0) {
        blockInputs(node, fmt::format("The channels are counted by {}.", quotedNode(node)));
        return makeOpaque(node, opaqueReason(node));
    }
    if (!shape || !isOneAxis) return refuse(node, "which joins them along different axes");
    const std::int64_t asked = node.intAttribute("axis", 1);
    const bool isAppended = axis == asked + (asked < 0 ? static_cast<std::int64_t>(shape->size()) : 0);
    ChannelUnits units;
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
        const ChannelAxis* input = axisOf(node, slot);
        const Shape* own = shapeOf(node.inputs[slot]);
        if (!own) return refuse(node, "one of whose inputs has no known shape");
        const std::int64_t count = (*own)[static_cast<std::size_t>(axis)];
        if (isAppended) {
            const auto why = m_opaque.find(node.inputs[slot]);
            const ChannelUnits part =
                input
                    ? input->units
                    : m_units.add(count, why == m_opaque.end() ? fmt::format("{} appends a constant.", quotedNode(node))
                                                               : why->second);
            units.insert(units.end(), part.begin(), part.end());
        } else if (input) {
            if (units.empty()) units = input->units;
            m_units.unite(units, input->units);
        } else if (!isConstant(node, slot) || !constantInput(m_graph, node, slot)) {
            return refuse(node, fmt::format("which joins them with \"{}\"", node.inputs[slot]));
        }
    }
    if (!isAppended)
        for (std::size_t slot = 0; slot < node.inputs.size(); ++slot)
            if (!axisOf(node, slot)) cut(slot, axis, units);
    label(node.outputs[0], axis, std::move(units));
}

}  // namespace equant
