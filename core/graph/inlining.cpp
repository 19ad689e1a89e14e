// SPDX-License-Identifier: Apache-2.0
#include "core/graph/inlining.h"

#include <algorithm>

namespace equant {
namespace {

void rename(std::string& name, const NameMap& names) {
    if (const auto found = names.find(name); found != names.end()) name = found->second;
}

void renameCaptures(Node& node, const NameMap& names);

/// What a body defines itself hides outer values of the same name.
std::shared_ptr<const Graph> withCaptures(const Graph& body, const NameMap& names) {
    auto copy = std::make_shared<Graph>(body);
    NameMap visible = names;
    for (const auto& input : copy->inputs) visible.erase(input.name);
    for (const auto& initializer : copy->initializers) visible.erase(initializer.name);
    for (const auto& node : copy->nodes) {
        for (const auto& output : node.outputs) visible.erase(output);
    }
    for (Node& node : copy->nodes) {
        for (auto& input : node.inputs) rename(input, visible);
        renameCaptures(node, visible);
    }
    for (auto& output : copy->outputs) rename(output.name, visible);
    return copy;
}

void renameCaptures(Node& node, const NameMap& names) {
    for (auto& attribute : node.attributes) {
        if (auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) *one = withCaptures(**one, names);
        if (auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value)) {
            for (auto& graph : *many) graph = withCaptures(*graph, names);
        }
    }
}

}  // namespace

std::string valuePrefix(const Node& call) {
    const auto named = std::ranges::find_if(call.outputs, [](const std::string& output) { return !output.empty(); });
    return (named == call.outputs.end() ? call.name : *named) + "/";
}

void appendBody(std::vector<Node>& target, const std::vector<Node>& body, NameMap& names, const Node& call) {
    const std::string prefix = valuePrefix(call);
    for (const Node& node : body) {
        for (const auto& output : node.outputs) {
            if (!output.empty()) names.try_emplace(output, prefix + output);
        }
    }
    for (const Node& node : body) {
        Node copy = node;
        if (!copy.name.empty()) copy.name = call.label() + "/" + copy.name;
        for (auto& input : copy.inputs) {
            if (!input.empty()) rename(input, names);
        }
        for (auto& output : copy.outputs) {
            if (!output.empty()) rename(output, names);
        }
        renameCaptures(copy, names);
        target.push_back(std::move(copy));
    }
}

Status inlineBranch(Graph& graph, std::size_t index, bool condition) {
    const Node call = graph.nodes[index];
    const Attribute* attribute = call.attribute(condition ? "then_branch" : "else_branch");
    const auto* held = attribute ? std::get_if<std::shared_ptr<const Graph>>(&attribute->value) : nullptr;
    if (held == nullptr || !*held || (*held)->outputs.size() < call.outputs.size())
        return fail(ErrorCode::Unsupported, "The If has no branch with its outputs.", {}, call.label());
    const Graph& branch = **held;
    const std::string prefix = valuePrefix(call);
    NameMap names;
    for (const auto& initializer : branch.initializers) {
        names[initializer.name] = prefix + initializer.name;
        graph.initializers.push_back({prefix + initializer.name, initializer.tensor, initializer.extra});
    }
    std::vector<Node> nodes(graph.nodes.begin(), graph.nodes.begin() + static_cast<std::ptrdiff_t>(index));
    appendBody(nodes, branch.nodes, names, call);
    for (std::size_t i = 0; i < call.outputs.size(); ++i) {
        if (call.outputs[i].empty()) continue;
        Node copy;
        copy.name = call.label() + "/" + call.outputs[i];
        copy.opType = "Identity";
        copy.inputs = {branch.outputs[i].name};
        rename(copy.inputs[0], names);
        copy.outputs = {call.outputs[i]};
        nodes.push_back(std::move(copy));
    }
    nodes.insert(nodes.end(), graph.nodes.begin() + static_cast<std::ptrdiff_t>(index) + 1, graph.nodes.end());
    graph.nodes = std::move(nodes);
    return {};
}

}  // namespace equant
