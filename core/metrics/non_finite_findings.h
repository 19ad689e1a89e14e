// SPDX-License-Identifier: Apache-2.0
// NaN and infinity that a run, a calibration or a score has shown, as findings: id "non-finite-values", the subject is
// the layer to blame (or the input).
#pragma once

#include "core/base/finding.h"
#include "core/metrics/non_finite_sample.h"
#include "core/metrics/scores.h"

namespace equant {

[[nodiscard]] Finding asFinding(const NonFiniteOrigin& origin);
[[nodiscard]] Finding asFinding(const NonFiniteSample& sample);

/// Of outputs of one run on `inputs`: none when they are finite.
Result<std::vector<Finding>> explainOutputs(std::span<const Tensor> outputs, const Model& model,
                                            std::span<const Tensor> inputs, const QuantOverlay& overlay = {},
                                            const JobContext& job = {});

/// Of a score measured on this data set: none when all results were finite. Runs the first sample that was not once
/// more. Fails with Cancelled only.
Result<std::vector<Finding>> explainScore(const Score& score, const Model& model, const Dataset& dataset,
                                          const QuantOverlay& overlay = {}, const JobContext& job = {});

}  // namespace equant
