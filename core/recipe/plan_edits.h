// SPDX-License-Identifier: Apache-2.0
// Edits of a compression plan that keep it in one form, and the methods to begin with. Pure functions of values.
#pragma once

#include <vector>

#include "core/compression/plan/plan.h"

namespace equant {

/// Replaces all choices of the layer by this one. A ratio of 1 without a lock removes them.
void setChoice(CompressionPlan& plan, const LayerChoice& choice);

/// The plan as compress() sees it, in one order: without locks, predictions and layers at ratio 1. Plans with equal
/// effective plans give the same network.
[[nodiscard]] CompressionPlan effectivePlan(CompressionPlan plan);

/// Methods to begin with: spatial SVD, with weight SVD where spatial SVD applies to no more than half of the MACs (a 1x1
/// kernel has no rows and columns to factorize).
[[nodiscard]] std::vector<CompressionMethod> usefulMethods(const std::vector<CompressibleLayer>& layers);

}  // namespace equant
