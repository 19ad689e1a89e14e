// SPDX-License-Identifier: Apache-2.0
#include "core/graph/subgraphs.h"

#include <unordered_set>

namespace equant {

namespace {

void collectFreeNames(const Graph& graph, std::vector<std::string>& free) {
    std::unordered_set<std::string> defined;
    for (const auto& input : graph.inputs) defined.insert(input.name);
    for (const auto& initializer : graph.initializers) defined.insert(initializer.name);
    const auto read = [&](const std::string& name) {
        if (!name.empty() && !defined.contains(name)) free.push_back(name);
    };
    for (const auto& node : graph.nodes) {
        for (const auto& input : node.inputs) read(input);
        for (const auto& captured : capturedValues(node)) read(captured);
        defined.insert(node.outputs.begin(), node.outputs.end());
    }
    for (const auto& output : graph.outputs) read(output.name);
}

}  // namespace

void forEachSubgraph(const Node& node, const std::function<void(const Graph&)>& visit) {
    for (const auto& attribute : node.attributes) {
        if (const auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) visit(**one);
        if (const auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
            for (const auto& graph : *many) visit(*graph);
    }
}

std::vector<std::string> capturedValues(const Node& node) {
    std::vector<std::string> free;
    forEachSubgraph(node, [&](const Graph& graph) { collectFreeNames(graph, free); });
    return free;
}

}  // namespace equant
