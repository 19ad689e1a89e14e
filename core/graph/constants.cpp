// SPDX-License-Identifier: Apache-2.0
#include "core/graph/constants.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "core/graph/subgraphs.h"

namespace equant {

namespace {

/// Nodes one lookup may pass. Exporters stack a handful; more is a cycle, or a file made to exhaust stack or time.
constexpr int kMaxPassedNodes = 64;

std::optional<Tensor> lookUp(const Graph& graph, std::string_view value, int& nodesLeft);

std::optional<Tensor> lookUpInput(const Graph& graph, const Node& node, std::size_t slot, int& nodesLeft) {
    return node.hasInput(slot) ? lookUp(graph, node.inputs[slot], nodesLeft) : std::nullopt;
}

const Node* producerOf(const Graph& graph, std::string_view value) {
    for (const auto& node : graph.nodes)
        if (std::ranges::find(node.outputs, value) != node.outputs.end()) return &node;
    return nullptr;
}

/// Source: ONNX Constant-13.
std::optional<Tensor> constantNodeValue(const Node& node) {
    for (const auto& attribute : node.attributes) {
        if (const auto* tensor = std::get_if<Tensor>(&attribute.value)) return *tensor;
        if (const auto* real = std::get_if<float>(&attribute.value)) return Tensor(Shape{}, {*real});
        if (const auto* integer = std::get_if<std::int64_t>(&attribute.value)) return Tensor(Shape{}, {*integer});
        if (const auto* reals = std::get_if<std::vector<float>>(&attribute.value))
            return Tensor({static_cast<std::int64_t>(reals->size())}, *reals);
        if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&attribute.value))
            return Tensor({static_cast<std::int64_t>(integers->size())}, *integers);
    }
    return std::nullopt;
}

/// Source: ONNX Reshape-14 (0 copies a dimension, -1 is inferred).
std::optional<Tensor> reshape(const Tensor& tensor, std::span<const std::int64_t> wanted, bool allowZero) {
    Shape shape(wanted.begin(), wanted.end());
    std::size_t open = shape.size();
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == 0 && !allowZero) {
            if (i >= tensor.shape().size()) return std::nullopt;
            shape[i] = tensor.shape()[i];
        }
        if (shape[i] == -1) {
            if (open < shape.size()) return std::nullopt;
            open = i;
            shape[i] = 1;
        }
    }
    const auto known = checkedElementCount(shape, tensor.dtype());
    if (!known) return std::nullopt;
    if (open < shape.size()) {
        if (*known == 0 || tensor.count() % *known != 0) return std::nullopt;
        shape[open] = tensor.count() / *known;
    } else if (*known != tensor.count()) {
        return std::nullopt;
    }
    return tensor.reshaped(std::move(shape));
}

std::optional<std::vector<std::int64_t>> axesOf(const Graph& graph, const Node& node, int& nodesLeft) {
    if (node.attribute("axes")) return node.intsAttribute("axes");
    const auto axes = lookUpInput(graph, node, 1, nodesLeft);
    if (!axes) return node.hasInput(1) ? std::nullopt : std::optional(std::vector<std::int64_t>{});
    if (axes->dtype() != DType::Int64) return std::nullopt;
    const auto values = axes->data<std::int64_t>();
    return std::vector<std::int64_t>(values.begin(), values.end());
}

std::optional<Tensor> squeeze(const Tensor& tensor, std::vector<std::int64_t> axes) {
    for (auto& axis : axes) axis += axis < 0 ? tensor.rank() : 0;
    Shape shape;
    for (std::int64_t i = 0; i < tensor.rank(); ++i) {
        const bool listed = axes.empty() ? tensor.dim(int(i)) == 1 : std::ranges::find(axes, i) != axes.end();
        if (!listed) shape.push_back(tensor.dim(int(i)));
    }
    if (elementCount(shape) != tensor.count()) return std::nullopt;
    return tensor.reshaped(std::move(shape));
}

std::optional<Tensor> unsqueeze(const Tensor& tensor, std::vector<std::int64_t> axes) {
    const auto rank = static_cast<std::int64_t>(tensor.shape().size() + axes.size());
    for (auto& axis : axes) axis += axis < 0 ? rank : 0;
    Shape shape;
    std::size_t next = 0;
    for (std::int64_t i = 0; i < rank; ++i) {
        if (std::ranges::find(axes, i) != axes.end()) {
            shape.push_back(1);
        } else if (next < tensor.shape().size()) {
            shape.push_back(tensor.shape()[next++]);
        }
    }
    if (elementCount(shape) != tensor.count()) return std::nullopt;
    return tensor.reshaped(std::move(shape));
}

std::optional<Tensor> transpose(const Tensor& tensor, std::vector<std::int64_t> permutation) {
    const auto rank = tensor.shape().size();
    if (permutation.empty()) {
        permutation.resize(rank);
        std::iota(permutation.rbegin(), permutation.rend(), 0);
    }
    std::vector<std::int64_t> sorted = permutation;
    std::ranges::sort(sorted);
    for (std::size_t i = 0; i < sorted.size(); ++i)
        if (sorted.size() != rank || sorted[i] != static_cast<std::int64_t>(i)) return std::nullopt;
    if (bitWidth(tensor.dtype()) < 8 || bitWidth(tensor.dtype()) > 64) return std::nullopt;
    return tensor.transposed(permutation);
}

std::optional<Tensor> flatten(const Tensor& tensor, std::int64_t axis) {
    axis += axis < 0 ? tensor.rank() : 0;
    if (axis < 0 || axis > tensor.rank()) return std::nullopt;
    const auto split = tensor.shape().begin() + axis;
    const std::int64_t rows = std::accumulate(tensor.shape().begin(), split, std::int64_t{1}, std::multiplies<>());
    const std::int64_t columns = std::accumulate(split, tensor.shape().end(), std::int64_t{1}, std::multiplies<>());
    return tensor.reshaped({rows, columns});
}

/// The result of a node that only rearranges or converts a constant.
std::optional<Tensor> throughNode(const Graph& graph, const Node& node, int& nodesLeft) {
    if (!node.domain.empty()) return std::nullopt;
    if (node.opType == "Constant") return constantNodeValue(node);
    static const std::unordered_set<std::string> kTransparent = {"Identity",  "Reshape",   "Flatten", "Squeeze",
                                                                 "Unsqueeze", "Transpose", "Cast"};
    if (!kTransparent.contains(node.opType)) return std::nullopt;
    const auto data = lookUpInput(graph, node, 0, nodesLeft);
    if (!data) return std::nullopt;
    if (node.opType == "Identity") return data;
    if (node.opType == "Transpose") return transpose(*data, node.intsAttribute("perm"));
    if (node.opType == "Flatten") return flatten(*data, node.intAttribute("axis", 1));
    if (node.opType == "Cast") {
        auto converted = data->converted(static_cast<DType>(node.intAttribute("to", 1)));
        return converted ? std::optional(std::move(*converted)) : std::nullopt;
    }
    if (node.opType == "Reshape") {
        if (node.attribute("shape")) return reshape(*data, node.intsAttribute("shape"), false);
        const auto shape = lookUpInput(graph, node, 1, nodesLeft);
        if (!shape || shape->dtype() != DType::Int64) return std::nullopt;
        return reshape(*data, shape->data<std::int64_t>(), node.intAttribute("allowzero", 0) != 0);
    }
    const auto axes = axesOf(graph, node, nodesLeft);
    if (!axes) return std::nullopt;
    return node.opType == "Squeeze" ? squeeze(*data, *axes) : unsqueeze(*data, *axes);
}

std::optional<Tensor> lookUp(const Graph& graph, std::string_view value, int& nodesLeft) {
    if (value.empty()) return std::nullopt;
    if (const auto* initializer = graph.initializer(value)) {
        if (initializer->tensor.isEmpty()) return std::nullopt;
        return initializer->tensor;
    }
    if (nodesLeft-- <= 0) return std::nullopt;
    const Node* producer = producerOf(graph, value);
    return producer ? throughNode(graph, *producer, nodesLeft) : std::nullopt;
}

void collectNames(const Graph& graph, std::unordered_set<std::string>& names) {
    for (const auto& input : graph.inputs) names.insert(input.name);
    for (const auto& output : graph.outputs) names.insert(output.name);
    for (const auto& initializer : graph.initializers) names.insert(initializer.name);
    for (const auto& node : graph.nodes) {
        names.insert(node.name);
        names.insert(node.inputs.begin(), node.inputs.end());
        names.insert(node.outputs.begin(), node.outputs.end());
        forEachSubgraph(node, [&](const Graph& subgraph) { collectNames(subgraph, names); });
    }
}

std::size_t countReads(const Graph& graph, std::string_view value) {
    std::size_t reads = 0;
    for (const auto& node : graph.nodes) {
        reads += static_cast<std::size_t>(std::ranges::count(node.inputs, value));
        const auto captured = capturedValues(node);
        reads += static_cast<std::size_t>(std::ranges::count(captured, value));
    }
    for (const auto& output : graph.outputs) reads += output.name == value;
    return reads;
}

}  // namespace

std::optional<Tensor> constantValue(const Graph& graph, std::string_view value) {
    int nodesLeft = kMaxPassedNodes;
    return lookUp(graph, value, nodesLeft);
}

std::optional<Tensor> constantInput(const Graph& graph, const Node& node, std::size_t slot) {
    return node.hasInput(slot) ? constantValue(graph, node.inputs[slot]) : std::nullopt;
}

std::string uniqueName(const Graph& graph, std::string_view wanted) {
    std::unordered_set<std::string> names;
    collectNames(graph, names);
    std::string candidate(wanted);
    for (int i = 1; names.contains(candidate); ++i) candidate = std::string(wanted) + "_" + std::to_string(i);
    return candidate;
}

std::string addInitializer(Graph& graph, std::string_view wanted, Tensor tensor) {
    std::string unique = uniqueName(graph, wanted);
    graph.initializers.push_back({unique, std::move(tensor), {}});
    return unique;
}

void setConstantInput(Graph& graph, std::size_t nodeIndex, std::size_t slot, Tensor tensor, std::string_view role) {
    Node& node = graph.nodes[nodeIndex];
    if (node.inputs.size() <= slot) node.inputs.resize(slot + 1);
    const std::string& current = node.inputs[slot];
    if (Initializer* own = current.empty() ? nullptr : graph.initializer(current);
        own && countReads(graph, current) == 1) {
        if (own->tensor.shape() != tensor.shape() || own->tensor.dtype() != tensor.dtype())
            for (auto& input : graph.inputs)  // IR 3 lists initializers among the inputs, with their shapes
                if (input.name == current) {
                    input.dtype = tensor.dtype();
                    input.shape.emplace();
                    for (const auto dim : tensor.shape()) input.shape->push_back({dim, {}});
                }
        own->tensor = std::move(tensor);
        return;
    }
    std::string wanted = node.label() + "." + std::string(role);
    std::string unique = addInitializer(graph, wanted, std::move(tensor));
    graph.nodes[nodeIndex].inputs[slot] = std::move(unique);
}

void removeUnused(Graph& graph) {
    std::unordered_set<std::string> live;
    for (const auto& output : graph.outputs) live.insert(output.name);
    // Readers normally come after producers, so one backward sweep suffices; repeat for unsorted files.
    for (bool changed = true; changed;) {
        changed = false;
        for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
            const bool needed =
                std::ranges::any_of(node->outputs, [&](const auto& output) { return live.contains(output); });
            if (!needed) continue;
            for (const auto& input : node->inputs) changed |= !input.empty() && live.insert(input).second;
            for (const auto& captured : capturedValues(*node)) changed |= live.insert(captured).second;
        }
    }
    std::erase_if(graph.nodes, [&](const Node& node) {
        return std::ranges::none_of(node.outputs, [&](const auto& output) { return live.contains(output); });
    });
    std::unordered_set<std::string> dropped;
    std::erase_if(graph.initializers, [&](const Initializer& initializer) {
        const bool unused = !live.contains(initializer.name);
        if (unused) dropped.insert(initializer.name);
        return unused;
    });
    std::erase_if(graph.inputs, [&](const ValueInfo& input) { return dropped.contains(input.name); });
    std::unordered_set<std::string> defined;
    for (const auto& node : graph.nodes) defined.insert(node.outputs.begin(), node.outputs.end());
    std::erase_if(graph.values, [&](const ValueInfo& value) { return !defined.contains(value.name); });
}

}  // namespace equant
