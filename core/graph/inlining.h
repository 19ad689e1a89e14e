// SPDX-License-Identifier: Apache-2.0
// Bodies put in the place of what calls them: branches of If, and functions that a model brings along.
// Values of the outer graph keep their names; inner ones get a prefix, so that nothing collides.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "core/graph/model.h"

namespace equant {

using NameMap = std::unordered_map<std::string, std::string>;

/// What a call's inner values are prefixed with: by its first output, since names of nodes may repeat.
[[nodiscard]] std::string valuePrefix(const Node& call);

/// Appends copies of the body of `call` to `target`: values named in `names` are renamed so, other outputs get the
/// call's valuePrefix (and are added to `names`), what neither knows is read from the outer graph. Names of nodes get
/// the call's label in front.
void appendBody(std::vector<Node>& target, const std::vector<Node>& body, NameMap& names, const Node& call);

/// Replaces node `index`, an If, by the branch that `condition` chooses. Unsupported when a branch is missing.
Status inlineBranch(Graph& graph, std::size_t index, bool condition);

/// The model with the calls of its local functions (IR 8 and later) replaced by their bodies, at any depth. Functions
/// written for another opset of ai.onnx than the model's stay calls. Corrupt when functions call themselves.
Result<Model> inlineFunctions(const Model& model);

}  // namespace equant
