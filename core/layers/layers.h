// SPDX-License-Identifier: Apache-2.0
// Layers as users speak of them: the nodes of a graph in execution order with their weights and what they cost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"
#include "core/graph/topology.h"

namespace equant {

/// Which axis of a weight counts output channels and which input channels (of one group).
/// Source: ONNX operator definitions of Conv, ConvTranspose, Gemm, MatMul.
struct WeightAxes {
    int output = 0;
    int input = 1;
};

/// Conv, ConvTranspose, Gemm, MatMul: layers with a weight matrix or kernel.
[[nodiscard]] bool isWeightedOp(const Node& node);
/// Input slot of the weight (1, for all of them) if the node is weighted; MatMul may have it first (slot 0).
[[nodiscard]] std::optional<std::size_t> weightSlot(const Graph& graph, const Node& node);
/// `slot` is where the weight is (weightSlot): a MatMul with its weight first has the axes mirrored.
[[nodiscard]] WeightAxes weightAxes(const Node& node, int weightRank, std::size_t slot = 1);
/// Groups > 1 with one input channel per group.
[[nodiscard]] bool isDepthwise(const Graph& graph, const Node& node);

/// Multiply-accumulates of a node whose inputs and outputs have these shapes; 0 for operators without any, and where a
/// shape that matters is unknown.
[[nodiscard]] std::int64_t macsOf(const Node& node, const FactMap& facts);

struct LayerInfo {
    std::size_t node = 0;  ///< index into Graph::nodes
    std::string name;      ///< Node::label()
    std::string opType;
    std::int64_t parameters = 0;  ///< elements of constant float inputs, each initializer counted once over the graph
    std::int64_t macs = 0;        ///< multiply-accumulates for one sample; 0 for operators without any
    std::int64_t weightBytes = 0;
    std::int64_t activationBytes = 0;  ///< bytes of the node's outputs for one sample
    Shape weightShape;                 ///< empty when the layer has no weight
    Shape outputShape;                 ///< first output; -1 where unknown
};

/// One entry per node that computes something at run time (nodes that only produce constants are left out),
/// in execution order. `facts` come from inferShapes with batch 1.
std::vector<LayerInfo> describeLayers(const Graph& graph, const Topology& topology, const FactMap& facts);

struct ModelCost {
    std::int64_t parameters = 0;
    std::int64_t macs = 0;
    std::int64_t bytes = 0;  ///< bytes of all initializers
};
[[nodiscard]] ModelCost totalCost(const Graph& graph, const std::vector<LayerInfo>& layers);

}  // namespace equant
