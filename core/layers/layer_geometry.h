// SPDX-License-Identifier: Apache-2.0
// The sizes of a layer with weights and what one sample costs in it. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace equant {

enum class CostMetric { Macs, Parameters };

/// Cost of one layer, for one sample. Parameters count weights, not biases (AIMET, `Cost`).
struct LayerCost {
    double macs = 0;
    double parameters = 0;
    [[nodiscard]] double of(CostMetric metric) const { return metric == CostMetric::Macs ? macs : parameters; }
};

/// A Conv, ConvTranspose, Gemm or MatMul with constant weights as numbers: in every group W [outputs /
/// groups, inputs, kernelHeight, kernelWidth]. Conv 1-D has kernelHeight 1, of Conv 3-D it is depth times height; Gemm
/// and MatMul have a 1x1 kernel.
struct LayerGeometry {
    std::size_t node = 0;  ///< index into Graph::nodes
    std::string name;      ///< Node::label()
    std::string opType;
    std::int64_t inputs = 0;   ///< m, channels of one group
    std::int64_t outputs = 0;  ///< n
    std::int64_t groups = 1;
    std::int64_t kernelHeight = 1;
    std::int64_t kernelWidth = 1;
    std::int64_t strideHeight = 1;
    std::int64_t strideWidth = 1;
    /// How often one sample applies the weights: output positions (oH * oW; rows of a Gemm), of a ConvTranspose input
    /// positions.
    std::int64_t positions = 1;
    LayerCost cost;              ///< uncompressed
    bool sharesWeights = false;  ///< other nodes read them, too: changed for this layer alone, they are stored twice
    [[nodiscard]] bool isTransposed() const { return opType == "ConvTranspose"; }
};

}  // namespace equant
