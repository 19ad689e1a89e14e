// SPDX-License-Identifier: Apache-2.0
// Computes single nodes on constant tensors: constant folding for shape inference, single kernels in tests.
// Any thread.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/graph/shapes/shapes.h"

namespace equant {

/// Runs one node on given inputs (omitted optional inputs are empty tensors). Unsupported, InvalidArgument.
Result<std::vector<Tensor>> evaluateNode(const Node& node, std::span<const Tensor> inputs, std::int64_t opset);

/// The evaluator for ShapeOptions::evaluate; refuses results of more than 16 MiB.
[[nodiscard]] ConstantEvaluator constantEvaluator();

}  // namespace equant
