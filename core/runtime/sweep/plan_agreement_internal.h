// SPDX-License-Identifier: Apache-2.0
// How far two plans do exactly the same, and what memory is alive between two steps. Pure
// functions over immutable plans, any thread.
#pragma once

#include <cstddef>
#include <vector>

#include "core/runtime/emit/plan_data_internal.h"

namespace equant {

inline constexpr std::size_t kNoBuffer = static_cast<std::size_t>(-1);

struct PlanAgreement {
    /// Steps [0, cut) of both plans compute the same bits from the same inputs, and what the candidate still reads of
    /// them afterwards is alive in the base plan, too.
    std::size_t cut = 0;
    /// By arena buffer of the candidate: the base's buffer that holds the same bits; kNoBuffer where none is known.
    std::vector<std::size_t> baseBuffers;
};

/// Compares step by step: operation and parameters (Step::key), layouts, constants (by content), and the memory that
/// steps hand to one another. What cannot be compared counts as different.
[[nodiscard]] PlanAgreement agreementOf(const Plan& base, const Plan& candidate);

/// Arena buffers written before step `cut` and needed at it or later, in ascending order.
[[nodiscard]] std::vector<std::size_t> liveBuffers(const Plan& plan, std::size_t cut);
/// Whether a value is alive there whose size is only known while running: a run cannot be resumed at such places.
[[nodiscard]] bool hasLiveDynamics(const Plan& plan, std::size_t cut);
/// Whether steps [first, last) read an input of the plan; at `last` = number of steps, outputs count as well.
[[nodiscard]] bool readsInputs(const Plan& plan, std::size_t first, std::size_t last);

/// Step::work of the steps before each step; the last entry is that of the whole plan.
[[nodiscard]] std::vector<double> workBefore(const Plan& plan);

}  // namespace equant
