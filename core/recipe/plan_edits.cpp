// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/plan_edits.h"

#include <algorithm>

namespace equant {

void setChoice(CompressionPlan& plan, const LayerChoice& choice) {
    const auto first = std::ranges::find(plan.choices, choice.layer, &LayerChoice::layer);
    if (choice.ratio >= 1 && !choice.isLocked) {
        std::erase_if(plan.choices, [&](const LayerChoice& old) { return old.layer == choice.layer; });
        return;
    }
    if (first == plan.choices.end()) {
        plan.choices.push_back(choice);
        return;
    }
    *first = choice;
    plan.choices.erase(std::remove_if(first + 1, plan.choices.end(),
                                      [&](const LayerChoice& old) { return old.layer == choice.layer; }),
                       plan.choices.end());
}

CompressionPlan effectivePlan(CompressionPlan plan) {
    std::erase_if(plan.choices, [](const LayerChoice& choice) { return choice.ratio >= 1; });
    for (LayerChoice& choice : plan.choices) choice.isLocked = false;
    std::ranges::stable_sort(plan.choices, {}, &LayerChoice::layer);
    plan.predicted.reset();
    return plan;
}

std::vector<CompressionMethod> usefulMethods(const std::vector<CompressibleLayer>& layers) {
    double all = 0, spatial = 0;
    for (const CompressibleLayer& layer : layers) {
        all += layer.geometry.cost.macs;
        if (layer.can(CompressionMethod::SpatialSvd)) spatial += layer.geometry.cost.macs;
    }
    if (spatial > 0.5 * all) return {CompressionMethod::SpatialSvd};
    if (spatial > 0) return {CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd};
    return {CompressionMethod::WeightSvd};
}

}  // namespace equant
