// SPDX-License-Identifier: Apache-2.0
// How channels pass operators that move, cut and count them.
#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "core/compression/channels/channel_flow_internal.h"
#include "core/graph/constants.h"

namespace equant {

namespace {

ChannelUnits part(const ChannelUnits& units, std::int64_t from, std::int64_t to) {
    return {units.begin() + from, units.begin() + std::max(from, to)};
}

std::int64_t product(const Shape& shape, std::size_t from, std::size_t to) {
    std::int64_t result = 1;
    for (std::size_t i = from; i < to; ++i) result *= shape[i];
    return result;
}

bool isReduction(const Node& node) {
    return node.domain.empty() && node.opType.starts_with("Reduce");
}

/// Where axis `axis` of `from` ends up in `to`, and how often each of its positions is repeated there: before (whole
/// axis repeated) and behind (each position repeated).
struct Regrouping {
    int axis = -1;
    std::int64_t before = 1;
    std::int64_t behind = 1;
};
Regrouping regroup(const Shape& from, int axis, const Shape& to) {
    const auto at = static_cast<std::size_t>(axis);
    const std::int64_t before = product(from, 0, at), behind = product(from, at + 1, from.size());
    for (std::size_t b = 0; b < to.size(); ++b) {
        const std::int64_t left = product(to, 0, b), right = product(to, b + 1, to.size());
        if (left == 0 || right == 0 || before % left != 0 || behind % right != 0) continue;
        const Regrouping result{static_cast<int>(b), before / left, behind / right};
        if (result.before * from[at] * result.behind == to[b]) return result;
    }
    return {};
}

}  // namespace

bool ChannelFlow::visitMovement(const Node& node, const ChannelAxis& input) {
    if (node.is("Split")) return split(node, input), true;
    if (node.is("Slice")) return slice(node, input), true;
    if (node.is("Pad")) return pad(node, input), true;
    if (node.is("Resize") || node.is("Upsample")) return resize(node, input), true;
    if (isReduction(node)) return reduce(node, input), true;
    if (node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze"))
        return reshape(node, input), true;
    if (node.is("Transpose")) {
        const int rank = static_cast<int>(shapeOf(node.inputs[0])->size());
        auto order = node.intsAttribute("perm");
        if (order.empty())
            for (int i = rank - 1; i >= 0; --i) order.push_back(i);
        const auto found = std::ranges::find(order, input.axis);
        label(node.outputs[0], static_cast<int>(found - order.begin()), input.units);
        return true;
    }
    if (node.is("Gather")) {
        const int rank = static_cast<int>(shapeOf(node.inputs[0])->size());
        std::int64_t axis = node.intAttribute("axis", 0);
        axis += axis < 0 ? rank : 0;
        const Shape* indices = node.hasInput(1) ? shapeOf(node.inputs[1]) : nullptr;
        if (!indices || axis == input.axis) return refuse(node, "which picks some of them"), true;
        const int shift = input.axis < axis ? 0 : static_cast<int>(indices->size()) - 1;
        label(node.outputs[0], input.axis + shift, input.units);
        return true;
    }
    return false;
}

void ChannelFlow::split(const Node& node, const ChannelAxis& input) {
    const int rank = static_cast<int>(shapeOf(node.inputs[0])->size());
    std::int64_t axis = node.intAttribute("axis", 0);
    axis += axis < 0 ? rank : 0;
    if (axis != input.axis) {
        for (const auto& output : node.outputs) label(output, input.axis, input.units);
        return;
    }
    std::vector<std::int64_t> sizes;
    for (const auto& output : node.outputs) {
        const Shape* shape = shapeOf(output);
        if (!shape) return refuse(node, "whose parts have no known size");
        sizes.push_back((*shape)[static_cast<std::size_t>(axis)]);
    }
    if (std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) != std::ssize(input.units) ||
        (node.hasInput(1) && !isConstant(node, 1)))
        return refuse(node, "whose parts have no known size");
    const bool isAttribute = m_model.opset() < 13;
    std::int64_t start = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const ChannelUnits units = part(input.units, start, start + sizes[i]);
        start += sizes[i];
        editCount(1, isAttribute ? "split" : "", sizes, i, units);
        label(node.outputs[i], input.axis, units);
    }
}

void ChannelFlow::slice(const Node& node, const ChannelAxis& input) {
    const bool isAttribute = m_model.opset() < 10;
    const auto read = [&](std::size_t slot, const char* attribute) {
        return isAttribute ? std::optional(node.intsAttribute(attribute)) : integers(node, slot);
    };
    const auto starts = read(1, "starts"), ends = read(2, "ends");
    if (!starts || !ends || starts->size() != ends->size()) return refuse(node, "whose bounds are not constant");
    std::vector<std::int64_t> axes(starts->size()), steps(starts->size(), 1);
    std::iota(axes.begin(), axes.end(), 0);
    if (isAttribute ? node.attribute("axes") != nullptr : node.hasInput(3)) {
        const auto given = read(3, "axes");
        if (!given || given->size() != starts->size()) return refuse(node, "whose bounds are not constant");
        axes = *given;
    }
    if (!isAttribute && node.hasInput(4)) {
        const auto given = integers(node, 4);
        if (!given || given->size() != starts->size()) return refuse(node, "whose bounds are not constant");
        steps = *given;
    }
    const auto rank = std::ssize(*shapeOf(node.inputs[0]));
    const auto count = std::ssize(input.units);
    for (std::size_t i = 0; i < axes.size(); ++i) {
        if (axes[i] + (axes[i] < 0 ? rank : 0) != input.axis) continue;
        if (steps[i] != 1) return refuse(node, "which takes every other of them");
        const auto bound = [&](std::int64_t at) {
            return std::clamp<std::int64_t>(at < 0 ? at + count : at, 0, count);
        };
        const std::int64_t from = bound((*starts)[i]), to = std::max(from, bound((*ends)[i]));
        editCount(1, isAttribute ? "starts" : "", *starts, i, part(input.units, 0, from));
        editCount(2, isAttribute ? "ends" : "", *ends, i, part(input.units, 0, to));
        return label(node.outputs[0], input.axis, part(input.units, from, to));
    }
    label(node.outputs[0], input.axis, input.units);
}

void ChannelFlow::pad(const Node& node, const ChannelAxis& input) {
    const bool isAttribute = m_model.opset() < 11;
    const auto pads = isAttribute ? std::optional(node.intsAttribute("pads")) : integers(node, 1);
    const auto rank = shapeOf(node.inputs[0])->size();
    if (!pads || pads->size() != 2 * rank || node.hasInput(3)) return refuse(node, "whose amounts are not constant");
    const auto axis = static_cast<std::size_t>(input.axis);
    const std::int64_t front = (*pads)[axis], back = (*pads)[axis + rank];
    if (front == 0 && back == 0) return label(node.outputs[0], input.axis, input.units);
    if (front < 0 || back < 0 || node.stringAttribute("mode", "constant") != "constant")
        return refuse(node, "which copies or cuts some of them");
    ChannelUnits units = m_units.add(front);
    const ChannelUnits behind = m_units.add(back);
    editCount(1, isAttribute ? "pads" : "", *pads, axis, units);
    editCount(1, isAttribute ? "pads" : "", *pads, axis + rank, behind);
    units.insert(units.end(), input.units.begin(), input.units.end());
    units.insert(units.end(), behind.begin(), behind.end());
    label(node.outputs[0], input.axis, std::move(units));
}

void ChannelFlow::reshape(const Node& node, const ChannelAxis& input) {
    const Shape* from = shapeOf(node.inputs[0]);
    const Shape* to = shapeOf(node.outputs[0]);
    if (!to) return refuse(node, "whose result has no known shape");
    Shape before = *from, after = *to;
    if (before.front() < 0 && !after.empty() && after.front() < 0) before.front() = after.front() = 1;
    const bool isOpen = (!before.empty() && before.front() < 0) || (!after.empty() && after.front() < 0);
    const Regrouping found = isOpen ? Regrouping{} : regroup(before, input.axis, after);
    if (found.axis < 0) return refuse(node, "which takes them apart");
    ChannelUnits units;
    for (std::int64_t i = 0; i < found.before; ++i)
        for (const int unit : input.units) units.insert(units.end(), static_cast<std::size_t>(found.behind), unit);
    if (node.is("Reshape") && !editTarget(node, found.axis, input.axis, static_cast<std::int64_t>(units.size()), units))
        return refuse(node, "whose target shape cannot be changed");
    label(node.outputs[0], found.axis, std::move(units));
}

/// Makes the target shape of a Reshape count the channels that stay. -1 and 0 do so by themselves.
bool ChannelFlow::editTarget(const Node& node, int axis, int oldAxis, std::int64_t count, const ChannelUnits& units) {
    const auto at = static_cast<std::size_t>(axis);
    const bool copiesZero = node.intAttribute("allowzero", 0) == 0;
    if (node.attribute("shape") || isConstant(node, 1)) {
        const bool isAttribute = node.attribute("shape") != nullptr;
        const auto target = isAttribute ? std::optional(node.intsAttribute("shape")) : integers(node, 1);
        if (!target || target->size() <= at) return false;
        const auto old = static_cast<std::size_t>(oldAxis);
        if (copiesZero && old != at && old < target->size() && (*target)[old] == 0) return false;
        if ((*target)[at] == -1 || (copiesZero && (*target)[at] == 0 && old == at)) return true;
        if ((*target)[at] != count) return false;
        editCount(1, isAttribute ? "shape" : "", *target, at, units);
        return true;
    }
    const ShapeVector target = shapeVector(node, 1);
    if (target.size() <= at) return false;
    for (std::size_t i = 0; i < target.size(); ++i) {
        const auto& element = target[i];
        if (element.value.empty() && !element.number) return false;
        const auto counted = m_analysis.values.find(element.value);
        const bool isChannels = counted != m_analysis.values.end() && counted->second.axis == element.axis;
        if (isChannels && (i != at || counted->second.units != units)) return false;
    }
    const auto& element = target[at];
    if (!element.number || *element.number == -1) return true;
    if (*element.number != count || element.node == Topology::kNone) return false;
    const Node& origin = m_graph.nodes[element.node];
    const auto values = integers(origin, element.slot);
    if (!values) return false;
    const std::size_t here = std::exchange(m_node, element.node);
    editCount(element.slot, "", *values, element.element, units);
    m_node = here;
    return true;
}

void ChannelFlow::resize(const Node& node, const ChannelAxis& input) {
    const Shape* to = shapeOf(node.outputs[0]);
    const auto axis = static_cast<std::size_t>(input.axis);
    if (!to || (*to)[axis] != std::ssize(input.units) || node.attribute("axes"))
        return refuse(node, "which may interpolate between them");
    const bool hasSizes = node.is("Resize") && node.hasInput(3);
    if (hasSizes) {
        const auto sizes = integers(node, 3);
        if (sizes && sizes->size() > axis) {
            editCount(3, "", *sizes, axis, input.units);
        } else {
            const ShapeVector target = shapeVector(node, 3);
            const auto counted =
                target.size() > axis ? m_analysis.values.find(target[axis].value) : m_analysis.values.end();
            if (counted == m_analysis.values.end() || counted->second.axis != target[axis].axis ||
                counted->second.units != input.units)
                return refuse(node, "whose sizes are not constant");
        }
    }
    label(node.outputs[0], input.axis, input.units);
}

void ChannelFlow::reduce(const Node& node, const ChannelAxis& input) {
    const int rank = static_cast<int>(shapeOf(node.inputs[0])->size());
    const auto axes = axesOf(node, 1, rank);
    if (!axes) return refuse(node, "whose axes are not constant");
    if (axes->empty() && node.intAttribute("noop_with_empty_axes", 0) != 0)
        return label(node.outputs[0], input.axis, input.units);
    if (axes->empty() || std::ranges::find(*axes, input.axis) != axes->end())
        return refuse(node, "which reduces over them");
    const auto removed = std::ranges::count_if(*axes, [&](std::int64_t axis) { return axis < input.axis; });
    const bool isKept = node.intAttribute("keepdims", 1) != 0;
    label(node.outputs[0], isKept ? input.axis : input.axis - static_cast<int>(removed), input.units);
}

ChannelFlow::ShapeVector ChannelFlow::shapeVector(const Node& node, std::size_t slot) const {
    if (!node.hasInput(slot)) return {};
    if (const auto found = m_shapes.find(node.inputs[slot]); found != m_shapes.end()) return found->second;
    ShapeVector vector;
    const auto values = integers(node, slot);
    if (values)
        for (std::size_t i = 0; i < values->size(); ++i) {
            ShapeElement element;
            element.number = (*values)[i];
            vector.push_back(element);
        }
    return vector;
}

std::optional<ChannelFlow::ShapeVector> ChannelFlow::gatherShape(const Node& node) const {
    const ShapeVector vector = shapeVector(node, 0);
    const auto count = std::ssize(vector);
    const auto indices = integers(node, 1);
    if (!indices) return std::nullopt;
    ShapeVector picked;
    for (const std::int64_t index : *indices) {
        const std::int64_t at = index < 0 ? index + count : index;
        if (at < 0 || at >= count) return std::nullopt;
        picked.push_back(vector[static_cast<std::size_t>(at)]);
    }
    return picked;
}

std::optional<ChannelFlow::ShapeVector> ChannelFlow::sliceShape(const Node& node) const {
    const ShapeVector vector = shapeVector(node, 0);
    const auto count = std::ssize(vector);
    const bool isAttribute = m_model.opset() < 10;
    const auto starts = isAttribute ? std::optional(node.intsAttribute("starts")) : integers(node, 1);
    const auto ends = isAttribute ? std::optional(node.intsAttribute("ends")) : integers(node, 2);
    const auto steps = node.hasInput(4) ? integers(node, 4) : std::optional(std::vector<std::int64_t>{1});
    if (!starts || !ends || starts->size() != 1 || !steps || (*steps)[0] != 1) return std::nullopt;
    const auto bound = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + count : at, 0, count); };
    const auto from = bound((*starts)[0]), to = std::max(bound((*ends)[0]), from);
    return ShapeVector{vector.begin() + from, vector.begin() + to};
}

std::optional<ChannelFlow::ShapeVector> ChannelFlow::concatShapes(const Node& node) const {
    ShapeVector joined;
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
        ShapeVector part = shapeVector(node, slot);
        if (part.empty()) return std::nullopt;
        for (std::size_t i = 0; i < part.size(); ++i) {
            if (part[i].number && part[i].node == Topology::kNone) {
                part[i].node = m_node;
                part[i].slot = slot;
                part[i].element = i;
            }
            joined.push_back(part[i]);
        }
    }
    return joined;
}

/// Shape and what is done to its elements: followed element by element. False: no such node.
bool ChannelFlow::shapeArithmetic(const Node& node) {
    const auto setResult = [&](ShapeVector vector) { m_shapes[node.outputs[0]] = std::move(vector); };
    if (node.is("Shape")) {
        const bool isFollowed = m_opaque.contains(node.inputs[0]) || m_analysis.values.contains(node.inputs[0]);
        const Shape* shape = isFollowed ? shapeOf(node.inputs[0]) : nullptr;
        if (!shape || node.attribute("start") || node.attribute("end")) return false;
        ShapeVector vector(shape->size());
        for (std::size_t i = 0; i < vector.size(); ++i) {
            vector[i].value = node.inputs[0];
            vector[i].axis = static_cast<int>(i);
        }
        return setResult(std::move(vector)), true;
    }
    const bool isShape =
        std::ranges::any_of(node.inputs, [&](const std::string& input) { return m_shapes.contains(input); });
    if (!isShape) return false;
    std::optional<ShapeVector> result;
    if (node.is("Identity") || node.is("Cast") || node.is("Squeeze") || node.is("Unsqueeze"))
        result = shapeVector(node, 0);
    else if (node.is("Gather") && m_shapes.contains(node.inputs[0]))
        result = gatherShape(node);
    else if (node.is("Slice"))
        result = sliceShape(node);
    else if (node.is("Concat"))
        result = concatShapes(node);
    if (!result) return false;
    return setResult(std::move(*result)), true;
}

}  // namespace equant
