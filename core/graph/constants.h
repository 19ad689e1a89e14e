// SPDX-License-Identifier: Apache-2.0
// Weights of a node wherever the exporter put them, and how to replace them.
#pragma once

#include <optional>
#include <string>

#include "core/graph/model.h"

namespace equant {

/// The value's tensor if it is constant: an initializer, a Constant node, or one of these seen through Identity,
/// Reshape, Flatten, Squeeze, Unsqueeze, Transpose or Cast with constant arguments. An initializer that is also a
/// graph input counts as constant (its default value), as runtimes treat it.
[[nodiscard]] std::optional<Tensor> constantValue(const Graph& graph, std::string_view value);

/// constantValue of the node's input `slot`; nullopt when the input is omitted.
[[nodiscard]] std::optional<Tensor> constantInput(const Graph& graph, const Node& node, std::size_t slot);

/// Gives input `slot` of node `nodeIndex` a new constant. If the node reads an initializer that nobody else reads, it
/// is replaced in place (same name); otherwise a new initializer "<label>.<role>" is made, unique in the graph. Slots
/// beyond the current inputs are appended. What nobody reads any more can be dropped with removeUnused.
void setConstantInput(Graph& graph, std::size_t nodeIndex, std::size_t slot, Tensor tensor, std::string_view role);

/// Adds an initializer under a name derived from `wanted` that is unique in the graph; returns that name.
std::string addInitializer(Graph& graph, std::string_view wanted, Tensor tensor);

/// A value, initializer or node name derived from `wanted` that the graph does not use yet.
[[nodiscard]] std::string uniqueName(const Graph& graph, std::string_view wanted);

/// Removes nodes none of whose outputs is read, and initializers nobody reads. Graph inputs and outputs stay.
void removeUnused(Graph& graph);

}  // namespace equant
