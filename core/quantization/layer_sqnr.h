// SPDX-License-Identifier: Apache-2.0
// Where quantization hurts: signal to quantization noise of every layer's output, by itself and in the whole network.
// Runs on several threads; the result does not depend on how many.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/data/dataset.h"
#include "core/quantization/quantsim.h"

namespace equant {

/// A layer: a node with weights and the activation computed together with it, or another node with a quantized output.
struct LayerSqnr {
    std::string name;                     ///< label of its first node
    std::string weight;                   ///< value name of its quantized weight; empty without one
    std::string output;                   ///< value name of what it gives to others
    std::optional<double> localDb;        ///< only this layer quantized (weights and output), on float inputs
    std::optional<double> accumulatedDb;  ///< everything quantized
};

struct LayerSqnrOptions {
    unsigned threads = 0;   ///< 0: all cores
    std::size_t batch = 2;  ///< samples per forward pass; every layer's input and output is held for so many
};

/// The layers of the model under this simulation, in execution order, not measured yet.
Result<std::vector<LayerSqnr>> listLayers(const Model& model, const QuantSim& sim);

/// Measures them on all samples of the data set. Errors as of calibrate().
Result<std::vector<LayerSqnr>> measureLayers(const Model& model, const QuantSim& sim, const Dataset& dataset,
                                             const LayerSqnrOptions& options = {}, const JobContext& job = {});
/// The same on batches already in memory.
Result<std::vector<LayerSqnr>> measureLayers(const Model& model, const QuantSim& sim,
                                             std::span<const std::vector<Tensor>> batches,
                                             const LayerSqnrOptions& options = {}, const JobContext& job = {});

}  // namespace equant
