// SPDX-License-Identifier: Apache-2.0
// Shape and type propagation, opset 7 to 21, for files newer than libonnx too. Dimensions may be unknown (-1).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/graph/model.h"

namespace equant {

/// What is known of a value: type, dimensions (-1 where unknown), and the value itself where it is constant.
struct ValueFacts {
    DType dtype = DType::Undefined;
    std::optional<Shape> shape;  ///< absent: rank unknown
    std::optional<Tensor> constant;

    [[nodiscard]] bool isFullyKnown() const;
};

using FactMap = std::unordered_map<std::string, ValueFacts>;

/// Computes a node whose inputs are all constant (omitted inputs are empty tensors); nullopt when it cannot.
/// The runtime supplies one (runtime/evaluate.h); graph/ itself has no kernels.
using ConstantEvaluator = std::function<std::optional<std::vector<Tensor>>(
    const Node& node, std::span<const Tensor> inputs, std::int64_t opset)>;

struct ShapeOptions {
    /// Shapes of graph inputs by name; they replace declared ones.
    std::unordered_map<std::string, Shape> inputShapes;
    /// What an unknown or symbolic first dimension of a graph input becomes; 0 leaves it unknown.
    std::int64_t batch = 0;
    ConstantEvaluator evaluate;
};

/// Facts of one node's outputs from facts of its inputs (omitted inputs: default facts). Unknown operators give
/// outputs with nothing known. InvalidArgument when the inputs contradict the operator (message names the node).
Result<std::vector<ValueFacts>> inferNode(const Node& node, std::span<const ValueFacts> inputs, std::int64_t opset);

/// Facts of every value of the graph: inputs, initializers, node outputs (subgraph-internal values excluded).
/// Declared types of intermediate values fill what inference leaves open.
Result<FactMap> inferShapes(const Model& model, const ShapeOptions& options);

}  // namespace equant
