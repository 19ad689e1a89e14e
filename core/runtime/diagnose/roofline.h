// SPDX-License-Identifier: Apache-2.0
// How fast a model could be at best: the arithmetic and the bytes of a forward pass, against what the machine can do.
// Williams, Waterman, Patterson: Roofline, an insightful visual performance model (CACM 52, 2009).
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <span>

#include "core/graph/model.h"
#include "core/runtime/diagnose/machine_limits.h"

namespace equant {

/// Of one sample, as the graph has it, before the engine fuses operators and pads layouts.
struct SampleCost {
    double flops = 0;             ///< twice the multiply-accumulates of matrix and convolution layers
    double weightBytes = 0;       ///< read once in a pass, whatever the batch
    double inputOutputBytes = 0;  ///< of the graph
    double activationBytes = 0;   ///< outputs of all nodes, which stay in caches where they can

    /// Bytes that move at least, of one sample in a pass over `batch` of them.
    [[nodiscard]] double bytes(std::int64_t batch) const { return weightBytes / double(batch) + inputOutputBytes; }
};

/// For inputs of these shapes, in the order of Graph::requiredInputs(); their first dimension counts the samples.
/// Errors of shape inference.
Result<SampleCost> sampleCost(const Model& model, std::span<const Shape> inputs);

/// Seconds a sample that no program can go below on this machine: the arithmetic at its peak, or fetching the weights
/// from memory once in a pass, whichever is longer. Weights that the largest cache can hold need not be fetched.
[[nodiscard]] double boundSeconds(const SampleCost& cost, std::int64_t batch, const MachineLimits& limits);

}  // namespace equant
