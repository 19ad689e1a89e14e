// SPDX-License-Identifier: Apache-2.0
// Simulated quantization of a model: a calibrated encoding for every quantizer, as an overlay for the runtime.
// A QuantSim is a plain value; calibrate() runs the model on several threads, its result does not depend on how many.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/base/progress.h"
#include "core/data/dataset.h"
#include "core/metrics/non_finite_sample.h"
#include "core/quantization/placement.h"
#include "core/runtime/plan.h"

namespace equant {

struct CalibratedQuantizer {
    QuantizerSpec spec;
    std::vector<GridRange> grids;       ///< one, or one per channel: what reports show
    Encoding encoding;                  ///< the same for the runtime
    std::optional<RealRange> observed;  ///< of activations: smallest and largest value seen
};

struct QuantSim {
    QuantizationSettings settings;
    std::vector<CalibratedQuantizer> quantizers;  ///< in execution order
    std::vector<UnquantizedValue> skipped;
    std::size_t samples = 0;  ///< calibration samples seen
    double passSeconds = 0;   ///< wall time of the pass over the data, without compiling and searching
    /// The first sample with NaN in a value, or infinity in an output, that did not make its results NaN; such values
    /// were left out of the ranges.
    std::optional<NonFiniteSample> notFinite;

    [[nodiscard]] const CalibratedQuantizer* find(std::string_view value) const;
};

enum class QuantScope { Both, WeightsOnly, ActivationsOnly };

[[nodiscard]] QuantOverlay overlay(const QuantSim& sim, QuantScope scope = QuantScope::Both);

struct CalibrationOptions {
    unsigned threads = 0;   ///< 0: all cores
    std::size_t batch = 8;  ///< samples per forward pass; matters for the result in compatible mode only
    /// Off: NaN in the model's outputs is no error (for timing on random inputs).
    bool shouldRefuseNan = true;
};

/// Encodings of all quantizers that the rules of `settings` place. Weights are looked at once; activations while the
/// float model runs over the data (in compatible mode with quantized weights, one batch after the other, as AIMET
/// does). Unsupported: an operator without a kernel. InvalidArgument: no data, data that do not fit, wrong settings,
/// NaN in the model's outputs (the sample and the first operator to make it are named). Cancelled.
Result<QuantSim> calibrate(const Model& model, const Dataset& dataset, const QuantizationSettings& settings,
                           const CalibrationOptions& options = {}, const JobContext& job = {});

/// The same on batches already in memory: one tensor per model input in each.
Result<QuantSim> calibrate(const Model& model, std::span<const std::vector<Tensor>> batches,
                           const QuantizationSettings& settings, const CalibrationOptions& options = {},
                           const JobContext& job = {});

/// Only the weights: needs no data and no runtime.
Result<QuantSim> calibrateWeights(const Model& model, const QuantizationSettings& settings);

}  // namespace equant
