// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/recipe.h"

namespace equant {

namespace {

template <typename StepType>
const StepType* firstOf(const std::vector<Step>& steps) {
    for (const Step& step : steps)
        if (const auto* found = std::get_if<StepType>(&step)) return found;
    return nullptr;
}

}  // namespace

const CompressStep* Recipe::compressStep() const {
    return firstOf<CompressStep>(steps);
}

const EqualizeStep* Recipe::equalizeStep() const {
    return firstOf<EqualizeStep>(steps);
}

const QuantizeStep* Recipe::quantizeStep() const {
    return firstOf<QuantizeStep>(steps);
}

}  // namespace equant
