// SPDX-License-Identifier: Apache-2.0
#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>

#include "core/compression/factorization/low_rank_internal.h"

namespace equant {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr int kConjugateSteps = 8;        ///< per sweep; the next sweep goes on from there
constexpr double kSmallSweepGain = 1e-4;  ///< relative to the error: a sweep that gains less is the last
constexpr double kJitter = 1e-12;         ///< relative to the trace: keeps factorizations of singular matrices finite

void addJitter(MatrixXd& matrix) {
    const double mean = matrix.trace() / static_cast<double>(std::max<Index>(matrix.rows(), 1));
    matrix.diagonal().array() += std::max(mean * kJitter, 1e-300);
}

/// Eigenvectors of the `count` largest eigenvalues of a symmetric matrix, largest first.
MatrixXd leadingEigenvectors(const MatrixXd& symmetric, Index count) {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(symmetric);
    return solver.eigenvectors().rowwise().reverse().leftCols(count);
}

/// Both factors with the same power per component, as the square roots of singular values give it.
void balance(LowRank& split, Index outer) {
    const Index rank = split.first.rows();
    for (Index k = 0; k < rank; ++k) {
        double second = 0;
        for (Index q = 0; q < outer; ++q) second += split.second.col(q * rank + k).squaredNorm();
        const double first = split.first.row(k).norm();
        if (first <= 0 || second <= 0) continue;
        const double factor = std::sqrt(std::sqrt(second) / first);
        split.first.row(k) *= factor;
        for (Index q = 0; q < outer; ++q) split.second.col(q * rank + k) /= factor;
    }
}

/// sum_q M_qq / outer
MatrixXd innerMetric(const MatrixXd& metric, const SplitShape& shape) {
    MatrixXd sum = MatrixXd::Zero(shape.inner, shape.inner);
    for (Index q = 0; q < shape.outer; ++q)
        sum += metric.block(q * shape.inner, q * shape.inner, shape.inner, shape.inner);
    return sum / static_cast<double>(shape.outer);
}

/// H of full rank whose first rows span the best inner subspace when the input's covariance is taken as the same for
/// every outer position and independent between them.
MatrixXd weightedStart(const MatrixXd& map, const MatrixXd& inner, const SplitShape& shape) {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(inner);
    const VectorXd roots = solver.eigenvalues().cwiseMax(solver.eigenvalues().maxCoeff() * 1e-12).cwiseSqrt();
    const MatrixXd root = solver.eigenvectors() * roots.asDiagonal() * solver.eigenvectors().transpose();
    const MatrixXd inverse =
        solver.eigenvectors() * roots.cwiseInverse().asDiagonal() * solver.eigenvectors().transpose();
    MatrixXd power = MatrixXd::Zero(shape.inner, shape.inner);
    for (Index q = 0; q < shape.outer; ++q) {
        const auto block = map.middleCols(q * shape.inner, shape.inner);
        power += block.transpose() * block;
    }
    return leadingEigenvectors(root * power * root, shape.inner).transpose() * inverse;
}

/// Alternating least squares for one problem, shape and rank.
class Alternation {
public:
    Alternation(const FitProblem& problem, const SplitShape& shape, MatrixXd start)
        : m_problem(problem), m_shape(shape), m_inner(innerMetric(problem.metric, shape)), m_first(std::move(start)) {
        addJitter(m_inner);
        solveSecond();
    }

    [[nodiscard]] double objective() const { return m_objective; }

    void sweep() {
        const MatrixXd oldFirst = m_first, oldSecond = m_second;
        const double old = m_objective;
        improveFirst();
        solveSecond();
        if (m_objective <= old) return;  // rounding near the optimum
        m_first = oldFirst;
        m_second = oldSecond;
        m_objective = old;
    }

    [[nodiscard]] LowRank result() const { return {m_first, m_second, m_objective}; }

private:
    [[nodiscard]] Index rank() const { return m_first.rows(); }

    /// [H M_0; ...; H M_{q-1}], (q r) x d, where M_q are the rows of outer position q.
    [[nodiscard]] MatrixXd applied(const MatrixXd& first) const {
        MatrixXd result(m_shape.outer * rank(), m_problem.metric.cols());
        for (Index q = 0; q < m_shape.outer; ++q)
            result.middleRows(q * rank(), rank()).noalias() =
                first * m_problem.metric.middleRows(q * m_shape.inner, m_shape.inner);
        return result;
    }

    /// V given H: least squares on z = H x, whose moments follow from those of x.
    void solveSecond() {
        const Eigen::HouseholderQR<MatrixXd> qr(m_first.transpose());
        m_first = (qr.householderQ() * MatrixXd::Identity(m_shape.inner, rank())).transpose();
        const MatrixXd half = applied(m_first);
        MatrixXd gram(half.rows(), half.rows());
        MatrixXd cross(m_problem.target.rows(), half.rows());
        for (Index q = 0; q < m_shape.outer; ++q) {
            gram.middleCols(q * rank(), rank()).noalias() =
                half.middleCols(q * m_shape.inner, m_shape.inner) * m_first.transpose();
            cross.middleCols(q * rank(), rank()).noalias() =
                m_problem.target.middleCols(q * m_shape.inner, m_shape.inner) * m_first.transpose();
        }
        addJitter(gram);
        m_second = gram.selfadjointView<Eigen::Lower>().llt().solve(cross.transpose()).transpose();
        m_objective = m_problem.power - m_second.cwiseProduct(cross).sum();
    }

    /// sum_{q,q'} V_q^T V_q' H M_{q'q}
    [[nodiscard]] MatrixXd normalOperator(const MatrixXd& first, const MatrixXd& secondGram) const {
        const MatrixXd half = applied(first);
        MatrixXd result = MatrixXd::Zero(rank(), m_shape.inner);
        for (Index q = 0; q < m_shape.outer; ++q)
            result.noalias() +=
                secondGram.middleRows(q * rank(), rank()) * half.middleCols(q * m_shape.inner, m_shape.inner);
        return result;
    }

    /// Some steps of preconditioned conjugate gradients for H given V.
    void improveFirst() {
        const MatrixXd secondGram = m_second.transpose() * m_second;
        MatrixXd diagonal = MatrixXd::Zero(rank(), rank());
        MatrixXd wanted = MatrixXd::Zero(rank(), m_shape.inner);
        for (Index q = 0; q < m_shape.outer; ++q) {
            diagonal += secondGram.block(q * rank(), q * rank(), rank(), rank());
            wanted.noalias() += m_second.middleCols(q * rank(), rank()).transpose() *
                                m_problem.target.middleCols(q * m_shape.inner, m_shape.inner);
        }
        addJitter(diagonal);
        const auto left = diagonal.llt();
        const auto right = m_inner.llt();
        const auto precondition = [&](const MatrixXd& residual) -> MatrixXd {
            return right.solve(left.solve(residual).transpose()).transpose();
        };
        MatrixXd residual = wanted - normalOperator(m_first, secondGram);
        MatrixXd direction = precondition(residual);
        double power = residual.cwiseProduct(direction).sum();
        for (int step = 0; step < kConjugateSteps && power > 0; ++step) {
            const MatrixXd image = normalOperator(direction, secondGram);
            const double curvature = direction.cwiseProduct(image).sum();
            if (!(curvature > 0)) return;
            const double length = power / curvature;
            m_first += length * direction;
            residual -= length * image;
            const MatrixXd next = precondition(residual);
            const double nextPower = residual.cwiseProduct(next).sum();
            direction = next + nextPower / power * direction;
            power = nextPower;
        }
    }

    const FitProblem& m_problem;
    SplitShape m_shape;
    MatrixXd m_inner;
    MatrixXd m_first, m_second;
    double m_objective = 0;
};

}  // namespace

MatrixXd LowRank::product(const SplitShape& shape) const {
    const Index rank = first.rows();
    MatrixXd map(second.rows(), shape.inner * shape.outer);
    for (Index q = 0; q < shape.outer; ++q)
        map.middleCols(q * shape.inner, shape.inner).noalias() = second.middleCols(q * rank, rank) * first;
    return map;
}

LowRank truncateWeight(const MatrixXd& weight, const SplitShape& shape, Index rank) {
    const Index outputs = weight.rows(), inner = shape.inner, outer = shape.outer;
    MatrixXd stacked(inner, outputs * outer);  // columns [outer][output]
    for (Index q = 0; q < outer; ++q)
        stacked.middleCols(q * outputs, outputs) = weight.middleCols(q * inner, inner).transpose();
    // The eigenvectors of the smaller of the two products are singular vectors; the other factor follows by projection.
    MatrixXd left, right;
    if (inner <= stacked.cols()) {
        left = leadingEigenvectors(stacked * stacked.transpose(), rank);
        right = stacked.transpose() * left;
    } else {
        right = leadingEigenvectors(stacked.transpose() * stacked, rank);
        left = stacked * right;
    }
    LowRank split;
    split.first = left.transpose();
    split.second.resize(outputs, outer * rank);
    for (Index q = 0; q < outer; ++q) split.second.middleCols(q * rank, rank) = right.middleRows(q * outputs, outputs);
    split.objective = (split.product(shape) - weight).squaredNorm();
    balance(split, outer);
    return split;
}

LowRankFitter::LowRankFitter(const FitProblem& problem, const SplitShape& shape, const MatrixXd* start)
    : m_problem(problem), m_shape(shape) {
    if (shape.outer > 1 && start) {
        m_starts = {*start};
        return;
    }
    m_full = solveFull(problem);
    if (shape.outer > 1) {
        m_starts = {truncateWeight(m_full, shape, shape.maxRank(m_full.rows())).first,
                    weightedStart(m_full, innerMetric(problem.metric, shape), shape)};
        return;
    }
    m_outputs = m_full * problem.target.transpose();
    m_outputs = 0.5 * (m_outputs + m_outputs.transpose().eval());
    m_leading = leadingEigenvectors(m_outputs, m_outputs.rows());
}

/// A = W* of rank r is the projection of the full solution onto the leading directions of its outputs.
/// Source: Izenman, "Reduced-rank regression for the multivariate linear model", 1975.
LowRank LowRankFitter::regression(Index rank) const {
    LowRank split;
    split.second = m_leading.leftCols(std::min(rank, m_shape.maxRank(m_full.rows())));
    split.first = split.second.transpose() * m_full;
    split.objective = m_problem.power - split.second.cwiseProduct(m_outputs * split.second).sum();
    return split;
}

LowRank LowRankFitter::fit(Index rank, int sweeps, const std::stop_token& stop) const {
    if (m_shape.outer == 1) {
        LowRank split = regression(rank);
        balance(split, 1);
        return split;
    }
    std::vector<Alternation> tries;
    for (const MatrixXd& start : m_starts)
        tries.emplace_back(m_problem, m_shape, start.topRows(std::min(rank, start.rows())));
    Alternation& best = *std::ranges::min_element(tries, {}, &Alternation::objective);
    for (int i = 0; i < sweeps && !stop.stop_requested(); ++i) {
        const double before = best.objective();
        best.sweep();
        if (before - best.objective() < kSmallSweepGain * before) break;
    }
    LowRank split = best.result();
    balance(split, m_shape.outer);
    return split;
}

}  // namespace equant
