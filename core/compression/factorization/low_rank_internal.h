// SPDX-License-Identifier: Apache-2.0
// The mathematics of splitting a weight in two: plain numbers in, plain numbers out. Private to core/compression
// (Eigen). Pure functions, safe from any thread. docs/algorithms/compression.md derives them.
//
// A weight W [n, p q] is split as W = sum_q V_q H with H [r, p] and V_q [n, r]: the first layer mixes the p inner
// elements in the same way at all q outer positions, the second one weighs the r results at the q positions. Columns
// of W are ordered [outer][inner].
#pragma once

#include <Eigen/Core>
#include <vector>

#include "core/base/progress.h"
#include "core/statistics/least_squares.h"

namespace equant {

struct SplitShape {
    Eigen::Index inner = 1;  ///< p
    Eigen::Index outer = 1;  ///< q
    [[nodiscard]] Eigen::Index maxRank(Eigen::Index outputs) const { return std::min(inner, outputs * outer); }
};

/// H and V = [V_0 ... V_{q-1}].
struct LowRank {
    Eigen::MatrixXd first;   ///< r x p
    Eigen::MatrixXd second;  ///< n x (q r)
    double objective = 0;
    [[nodiscard]] Eigen::MatrixXd product(const SplitShape& shape) const;  ///< n x (q p)
};

/// AIMET's split: truncated SVD of the weight as a p x (n q) matrix, square roots of the singular values on both sides.
LowRank truncateWeight(const Eigen::MatrixXd& weight, const SplitShape& shape, Eigen::Index rank);

/// Splits of one problem at any rank; what the ranks have in common is computed once. Refers to the problem.
class LowRankFitter {
public:
    /// Alternation begins at `start`, an H, where given; otherwise at the better of two.
    LowRankFitter(const FitProblem& problem, const SplitShape& shape, const Eigen::MatrixXd* start = nullptr);

    /// With one outer position: the optimum (reduced-rank regression). Otherwise alternating least squares; a local
    /// optimum, never worse than the start.
    [[nodiscard]] LowRank fit(Eigen::Index rank, int sweeps, const std::stop_token& stop = {}) const;

private:
    [[nodiscard]] LowRank regression(Eigen::Index rank) const;

    const FitProblem& m_problem;
    SplitShape m_shape;
    Eigen::MatrixXd m_full;                 ///< the least-squares map
    Eigen::MatrixXd m_outputs;              ///< one outer position: covariance of what m_full explains
    Eigen::MatrixXd m_leading;              ///< its eigenvectors, largest eigenvalue first
    std::vector<Eigen::MatrixXd> m_starts;  ///< several: H to begin with, the most important row first
};

}  // namespace equant
