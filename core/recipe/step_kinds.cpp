// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/step_kinds.h"

#include <algorithm>
#include <array>

#include "core/recipe/compress_step.h"
#include "core/recipe/equalize_step.h"
#include "core/recipe/quantize_step.h"

namespace equant {

std::span<const StepKind> stepKinds() {
    static const std::array kinds{compressKind(), equalizeKind(), quantizeKind()};
    return kinds;
}

const StepKind* findStepKind(std::string_view name) {
    const auto found = std::ranges::find(stepKinds(), name, &StepKind::name);
    return found == stepKinds().end() ? nullptr : &*found;
}

const StepKind& kindOf(const Step& step) {
    return *findStepKind(name(step));
}

}  // namespace equant
