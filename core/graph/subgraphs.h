// SPDX-License-Identifier: Apache-2.0
// What the bodies of If, Loop and Scan read from the graph around them.
#pragma once

#include <functional>
#include <string>

#include "core/graph/model.h"

namespace equant {

/// Calls `visit` for every subgraph held by an attribute of the node.
void forEachSubgraph(const Node& node, const std::function<void(const Graph&)>& visit);

/// Names that the node's subgraphs (at any depth) read but do not define: values captured from outside.
[[nodiscard]] std::vector<std::string> capturedValues(const Node& node);

}  // namespace equant
