// SPDX-License-Identifier: Apache-2.0
// Multiple-choice knapsack with up to two budgets: one option of every class, least total value within the limits.
// Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace equant {

struct KnapsackOption {
    double value = 0;
    std::array<double, 2> weight{};
};

using KnapsackClass = std::vector<KnapsackOption>;  ///< never empty

struct KnapsackResult {
    std::vector<std::size_t> chosen;  ///< an option per class
    double value = 0;
    std::array<double, 2> weight{};
    bool isFeasible = true;  ///< false: `chosen` exceeds the limits as little as possible
    double gap = 0;          ///< the optimum is at most this much below `value`; 0: proven
};

/// Exact by dynamic programming over undominated partial choices, pruned with the bounds of the continuous relaxation
/// (Sinha and Zoltners, 1979; Pisinger, 1995). Where more than a fixed number of partial choices survive, the worst
/// bounded are dropped and `gap` says what that may have cost.
KnapsackResult solveKnapsack(const std::vector<KnapsackClass>& classes, const std::array<double, 2>& limits);

/// One step of the continuous relaxation: in class `group`, from the option before to `option`.
struct KnapsackStep {
    std::size_t group = 0;
    std::size_t option = 0;
    double valueAdded = 0;
    double weightSaved = 0;
};

/// Starting from every class's least valued option, the steps along the lower convex hulls that save weight (of the
/// first budget), cheapest per unit first. After each step the choice is optimal for the weight it has.
struct KnapsackDescent {
    std::vector<std::size_t> start;
    std::vector<KnapsackStep> steps;
};
KnapsackDescent descend(const std::vector<KnapsackClass>& classes);

}  // namespace equant
