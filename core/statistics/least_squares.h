// SPDX-License-Identifier: Apache-2.0
// Regularized least squares on the moments of a layer: the problem that fits of full and of low rank share (Eigen).
// Pure functions, safe from any thread. docs/algorithms/compression.md derives them.
#pragma once

#include <Eigen/Core>

#include "core/statistics/moments.h"

namespace equant {

/// min |y - A x|^2 over maps A of low rank, after the best bias has been taken out: moments about the mean, with the
/// original weight as the prior that counts where the data say little.
struct FitProblem {
    Eigen::MatrixXd weight;  ///< W
    Eigen::MatrixXd metric;  ///< Cov(x) + ridge
    Eigen::MatrixXd target;  ///< Cov(y, x) + ridge W
    double power = 0;        ///< tr Cov(y) + ridge |W|^2
    Eigen::VectorXd inputMean;
    Eigen::VectorXd outputMean;
    double ridge = 0;

    /// The objective: power - 2 <A, target> + <A metric, A>.
    [[nodiscard]] double objective(const Eigen::MatrixXd& map) const;
    /// The bias that makes the mean of A x + b that of y.
    [[nodiscard]] Eigen::VectorXd bias(const Eigen::MatrixXd& map) const;
};

/// The ridge is that of the moments, in units of the mean variance of an input element; where they have none, it is
/// 1e-4 and grows as count falls below the number of elements: without data the prior remains.
FitProblem fitProblem(const Eigen::MatrixXd& weight, const LayerMoments& moments);

/// The problem without data: all input elements independent and of equal power.
FitProblem plainProblem(const Eigen::MatrixXd& weight);

/// The best map of full rank: least squares.
Eigen::MatrixXd solveFull(const FitProblem& problem);

}  // namespace equant
