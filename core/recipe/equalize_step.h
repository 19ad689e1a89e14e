// SPDX-License-Identifier: Apache-2.0
// The step "equalize": equalizes ranges across layers and compares the outputs before and after. Safe from any thread.
#pragma once

#include "core/recipe/step.h"

namespace equant {

[[nodiscard]] const StepKind& equalizeKind();

/// Compares on 16 samples of `context.calibration`, or on 16 random inputs without. Errors as of equalize().
Result<Outcome<EqualizationProof>> runStep(const EqualizeStep& step, const Model& model, const StepContext& context);

}  // namespace equant
