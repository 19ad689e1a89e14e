// SPDX-License-Identifier: Apache-2.0
// The whole simulation in one call, for the console and the window alike: calibrate, score float / weights only /
// activations only / quantized in a single pass over the evaluation data, measure every layer.
// Samples are loaded and forgotten batch by batch: memory does not grow with the data. Safe from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/base/finding.h"
#include "core/base/progress.h"
#include "core/data/dataset.h"
#include "core/graph/model.h"
#include "core/metrics/scores.h"
#include "core/passes/fold_batch_norm.h"
#include "core/quantization/layer_sqnr.h"
#include "core/quantization/quantsim.h"
#include "core/quantization/settings.h"

namespace equant {

struct SimulationOptions {
    unsigned threads = 0;           ///< 0: all cores; no result depends on it
    std::size_t batch = 8;          ///< samples per forward pass
    std::size_t layerSamples = 32;  ///< of the evaluation data, spread over them; 0: layers are not measured
    /// Batch norms are folded first: a target computes with folded weights, so that is what must be simulated.
    bool shouldFoldBatchNorms = true;
    /// What scores compare with; null: the model given. Must outlive the call.
    const Model* reference = nullptr;
};

/// What was done and how long it took.
struct SimulationStep {
    std::string step;  ///< "fold", "calibrate", "evaluate", "layers"
    double seconds = 0;
};

struct SimulationReport {
    Model model;  ///< as simulated (batch norms folded): what to export together with `sim`
    QuantSim sim;
    FoldReport fold;
    Score floating;                 ///< of the reference
    std::optional<Score> prepared;  ///< of the model given, in float, when a reference was named
    Score weightsOnly;
    Score activationsOnly;
    Score quantized;
    std::vector<LayerSqnr> layers;  ///< in execution order
    std::size_t layerSamples = 0;   ///< samples the layers were measured on
    std::vector<SimulationStep> steps;
    /// NaN and infinity: met while calibrating, and in the results (in float, or else quantized).
    std::vector<Finding> findings;
};

/// Agreement, SQNR and cosine of all scores compare with the reference's float outputs. Errors as of calibrate() and
/// evaluateAll(): Unsupported (an operator without a kernel), InvalidArgument (data or settings that do not fit),
/// Corrupt / Io (a sample that cannot be read), Cancelled.
Result<SimulationReport> simulate(const Model& model, const Dataset& calibration, const Dataset& evaluation,
                                  const QuantizationSettings& settings, const SimulationOptions& options = {},
                                  const JobContext& job = {});

}  // namespace equant
