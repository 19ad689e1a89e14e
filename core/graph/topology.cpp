// SPDX-License-Identifier: Apache-2.0
#include "core/graph/topology.h"

#include <algorithm>
#include <fmt/format.h>
#include <queue>

#include "core/graph/subgraphs.h"

namespace equant {

namespace {

std::string describeNode(const Node& node) {
    return fmt::format("{} \"{}\"", node.opType, node.label());
}

/// Kahn's algorithm; the smallest index first keeps the file's order wherever that is legal. `waiting`: how many inputs
/// of each node are computed by nodes; `usesOf(value)` lists who reads a value.
template <typename UsesOf>
Status sortNodes(const Graph& graph, std::vector<std::size_t> waiting, const UsesOf& usesOf,
                 std::vector<std::size_t>& order) {
    std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
    for (std::size_t i = 0; i < waiting.size(); ++i)
        if (waiting[i] == 0) ready.push(i);
    while (!ready.empty()) {
        const std::size_t next = ready.top();
        ready.pop();
        order.push_back(next);
        for (const auto& output : graph.nodes[next].outputs) {
            if (output.empty()) continue;
            for (const auto& use : usesOf(output))
                if (--waiting[use.node] == 0) ready.push(use.node);
        }
    }
    if (order.size() != graph.nodes.size())
        for (std::size_t i = 0; i < waiting.size(); ++i)
            if (waiting[i] > 0)
                return fail(ErrorCode::Corrupt,
                            fmt::format("The graph has a cycle through {}.", describeNode(graph.nodes[i])),
                            "Export the model again.", graph.nodes[i].label());
    return {};
}

}  // namespace

Result<Topology> Topology::of(const Graph& graph) {
    Topology topology;
    auto& values = topology.m_values;
    for (const auto& input : graph.inputs) values.try_emplace(input.name);
    for (const auto& initializer : graph.initializers) values.try_emplace(initializer.name);

    std::unordered_map<std::string, std::size_t> producers;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
        for (const auto& output : graph.nodes[i].outputs) {
            if (output.empty()) continue;
            if (values.contains(output) || !producers.emplace(output, i).second)
                return fail(ErrorCode::Corrupt, fmt::format("The value \"{}\" is defined twice.", output),
                            "Export the model again.", graph.nodes[i].label());
        }
    for (const auto& [value, node] : producers) values[value].producer = node;

    // How many inputs of each node still wait for their producer.
    std::vector<std::size_t> waiting(graph.nodes.size(), 0);
    const auto read = [&](const std::string& value, std::size_t node, std::size_t slot) -> Status {
        if (value.empty()) return {};
        const auto found = values.find(value);
        if (found == values.end())
            return fail(ErrorCode::Corrupt,
                        fmt::format("{} reads \"{}\", which nothing defines.", describeNode(graph.nodes[node]), value),
                        "Export the model again.", graph.nodes[node].label());
        found->second.uses.push_back({node, slot});
        if (found->second.producer != kNone) ++waiting[node];
        return {};
    };
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        const Node& node = graph.nodes[i];
        for (std::size_t slot = 0; slot < node.inputs.size(); ++slot)
            if (auto ok = read(node.inputs[slot], i, slot); !ok) return fail(ok.error());
        for (const auto& captured : capturedValues(node))
            if (auto ok = read(captured, i, kNone); !ok) return fail(ok.error());
    }
    for (const auto& output : graph.outputs) {
        const auto found = values.find(output.name);
        if (found == values.end())
            return fail(ErrorCode::Corrupt, fmt::format("Nothing computes the model's output \"{}\".", output.name),
                        "Export the model again.", output.name);
        found->second.isGraphOutput = true;
    }

    const auto usesOf = [&](const std::string& value) -> const std::vector<Use>& { return values[value].uses; };
    if (const auto sorted = sortNodes(graph, std::move(waiting), usesOf, topology.m_order); !sorted)
        return fail(sorted.error());
    std::vector<std::size_t> position(graph.nodes.size());
    for (std::size_t i = 0; i < topology.m_order.size(); ++i) position[topology.m_order[i]] = i;
    for (auto& [value, entry] : values)
        std::ranges::stable_sort(entry.uses, {}, [&](const Use& use) { return position[use.node]; });
    return topology;
}

const Topology::Entry* Topology::find(std::string_view value) const {
    const auto found = m_values.find(std::string(value));
    return found == m_values.end() ? nullptr : &found->second;
}

std::size_t Topology::producer(std::string_view value) const {
    const Entry* entry = find(value);
    return entry ? entry->producer : kNone;
}

const std::vector<Use>& Topology::uses(std::string_view value) const {
    static const std::vector<Use> kNobody;
    const Entry* entry = find(value);
    return entry ? entry->uses : kNobody;
}

bool Topology::isGraphOutput(std::string_view value) const {
    const Entry* entry = find(value);
    return entry && entry->isGraphOutput;
}

std::size_t Topology::soleConsumer(std::string_view value) const {
    const Entry* entry = find(value);
    return entry && !entry->isGraphOutput && entry->uses.size() == 1 ? entry->uses.front().node : kNone;
}

Status sortTopologically(Graph& graph) {
    const auto topology = Topology::of(graph);
    if (!topology) return fail(topology.error());
    std::vector<Node> sorted;
    for (const std::size_t index : topology->order()) sorted.push_back(std::move(graph.nodes[index]));
    graph.nodes = std::move(sorted);
    return {};
}

}  // namespace equant
