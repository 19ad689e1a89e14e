// SPDX-License-Identifier: Apache-2.0
// The one list of steps. A new step is added here, with its own pair of files and its type in recipe.h. Thread-safe.
#pragma once

#include <span>
#include <string_view>

#include "core/recipe/step.h"

namespace equant {

/// In the order in which they usually stand.
[[nodiscard]] std::span<const StepKind> stepKinds();
/// Null: no such kind.
[[nodiscard]] const StepKind* findStepKind(std::string_view name);
[[nodiscard]] const StepKind& kindOf(const Step& step);

}  // namespace equant
