// SPDX-License-Identifier: Apache-2.0
// The step "compress": carries out a compression plan, fits the layers to samples, times the result. Safe from any thread.
#pragma once

#include "core/recipe/step.h"

namespace equant {

[[nodiscard]] const StepKind& compressKind();

/// Fitted to `context.calibration`; without it the weights alone decide. Errors as of compress().
Result<Outcome<CompressionReport>> runStep(const CompressStep& step, const Model& model, const StepContext& context);

}  // namespace equant
