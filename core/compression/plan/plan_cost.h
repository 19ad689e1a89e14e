// SPDX-License-Identifier: Apache-2.0
// What a plan costs on its model. Savings of factorized layers add up; those of pruned channels do not: a layer that
// loses inputs and outputs saves less than the sum of both. Pure functions, safe from any thread.
#pragma once

#include "core/compression/plan/solver.h"

namespace equant {

/// Cost of the whole model under the plan, by really removing as many channels as it asks for, layer by layer in
/// execution order, and by the formulas of the factorizations. Which channels go is what the table says
/// (LayerSensitivity::elimination; without, the smallest weights): on residual connections whose shortcuts pad channels, it decides
/// how many other layers lose. Unsupported, InvalidArgument: choices that do not fit the model.
Result<LayerCost> plannedCost(const Model& model, const CompressionPlan& plan, const SensitivityTable& table = {});

/// solvePlan for budgets that hold on the model: the table's target is moved until the cost that was really reached is
/// within a hundredth below the target, or no better plan is found. `predicted` then has the real ratios.
Result<SolvedPlan> solvePlanFor(const Model& model, const SensitivityTable& table, const SolverOptions& options);

}  // namespace equant
