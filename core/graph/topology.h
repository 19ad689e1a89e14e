// SPDX-License-Identifier: Apache-2.0
// Who produces and who consumes each value of a graph. A snapshot: rebuild it after editing the graph.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/graph/model.h"

namespace equant {

/// One place where a value is read: input `slot` of node `node` (indices into Graph::nodes and Node::inputs).
struct Use {
    std::size_t node = 0;
    std::size_t slot = 0;
};

class Topology {
public:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    /// Corrupt when a value has two producers, a node reads a value that nothing produces, or nodes form a cycle.
    static Result<Topology> of(const Graph& graph);

    /// Index of the node whose output the value is, or kNone (graph input, initializer).
    [[nodiscard]] std::size_t producer(std::string_view value) const;
    /// All reads of the value by nodes, subgraph captures included (slot is kNone there), in execution order.
    [[nodiscard]] const std::vector<Use>& uses(std::string_view value) const;
    [[nodiscard]] bool isGraphOutput(std::string_view value) const;
    /// The single reader of the value, or kNone when it has none, several, or is a graph output.
    [[nodiscard]] std::size_t soleConsumer(std::string_view value) const;
    /// Node indices in an order that respects all dependencies (file order where that is legal).
    [[nodiscard]] const std::vector<std::size_t>& order() const { return m_order; }

private:
    struct Entry {
        std::size_t producer = kNone;
        std::vector<Use> uses;
        bool isGraphOutput = false;
    };
    [[nodiscard]] const Entry* find(std::string_view value) const;

    std::unordered_map<std::string, Entry> m_values;
    std::vector<std::size_t> m_order;
};

/// Puts the nodes into topological order, as the ONNX specification demands of files.
Status sortTopologically(Graph& graph);

}  // namespace equant
