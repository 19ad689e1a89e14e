// SPDX-License-Identifier: Apache-2.0
// Where in the network quantization noise comes in: for every layer the signal-to-noise ratio with only this layer
// quantized (local), and with everything up to it quantized (accumulated).
// Runs sample by sample, so memory does not grow with the data; the result does not depend on the number of threads.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/data/dataset.h"
#include "core/quantization/quantsim.h"

namespace equant {

struct LayerNoise {
    std::string layer;  ///< the layer with the weights, or the producer of the quantized value
    std::string value;  ///< where it is measured: the first quantized value behind the layer
    std::optional<double> localDb;
    std::optional<double> accumulatedDb;
};

struct LayerNoiseOptions {
    std::size_t samples = 8;  ///< at most
    unsigned threads = 0;     ///< 0: all cores
};

/// One entry per group of quantizers that act together (a layer's parameters and the value behind it), in execution
/// order. Local noise is measured by running the group alone on the float model's values. Unsupported: an operator
/// without a kernel. InvalidArgument: no data. Cancelled.
Result<std::vector<LayerNoise>> measureLayerNoise(const Model& model, const QuantSim& sim, const Dataset& dataset,
                                                  const LayerNoiseOptions& options = {}, const JobContext& job = {});

}  // namespace equant
