// SPDX-License-Identifier: Apache-2.0
// Backward elimination of groups of columns in least-squares problems: what each number of kept channels costs, in one
// pass. Private to core/compression (Eigen). Pure functions, safe from any thread. docs/algorithms/compression.md.
#pragma once

#include <Eigen/Core>
#include <functional>
#include <stop_token>
#include <vector>

#include "core/compression/factorization/low_rank_internal.h"

namespace equant {

/// One consumer of the channels: its fit, and which of its columns belong to which channel.
struct EliminationProblem {
    FitProblem fit;
    double power = 1;                                ///< errors of this consumer count relative to it
    std::vector<std::vector<Eigen::Index>> columns;  ///< per channel; empty where this consumer does not read it
};

struct EliminationStep {
    std::size_t channel = 0;
    double error = 0;  ///< relative error of all consumers together after this step, everything left refitted
};

/// Removes channel after channel, always the one whose loss hurts least when the rest makes up for it. `mayGo(channel)`
/// is asked at every step, `onStep(channel)` told; ends when none may go. With H = fit.metric and the best map W:
/// cost of channel c = tr(W_c [(H^-1)_cc]^-1 W_c^T)  (Hassibi and Stork, "Optimal Brain Surgeon", 1993, for blocks).
std::vector<EliminationStep> eliminate(std::vector<EliminationProblem> problems,
                                       const std::function<bool(std::size_t)>& mayGo,
                                       const std::function<void(std::size_t)>& onStep,
                                       const std::stop_token& stop = {});

}  // namespace equant
