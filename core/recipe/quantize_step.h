// SPDX-License-Identifier: Apache-2.0
// The step "quantize": calibrates, simulates and scores. What comes out is still a float network; exportQdq() makes
// integers of it. Safe from any thread.
#pragma once

#include "core/recipe/step.h"

namespace equant {

[[nodiscard]] const StepKind& quantizeKind();

/// Needs both data sets of the context. Layers are measured on 16 samples. Errors as of simulate().
Result<Outcome<SimulationReport>> runStep(const QuantizeStep& step, const Model& model, const StepContext& context);

}  // namespace equant
