// SPDX-License-Identifier: Apache-2.0
#include <Eigen/Cholesky>
#include <algorithm>
#include <limits>

#include "core/compression/channels/channel_elimination_internal.h"

namespace equant {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;

/// The inverse metric and the best weights of one consumer, downdated as its channels go.
class Consumer {
public:
    explicit Consumer(EliminationProblem problem)
        : m_power(problem.power),
          m_ridge(problem.fit.ridge),
          m_columns(std::move(problem.columns)),
          m_prior(std::move(problem.fit.weight)) {
        const Index size = problem.fit.metric.rows();
        const Eigen::LLT<MatrixXd> factor(problem.fit.metric);
        m_inverse = factor.solve(MatrixXd::Identity(size, size));
        m_weight = problem.fit.target * m_inverse;
        m_objective = std::max(problem.fit.power - m_weight.cwiseProduct(problem.fit.target).sum(), 0.0);
    }

    /// On the data: without what the ridge adds to the objective.
    [[nodiscard]] double error() const {
        const double penalty = m_ridge * (m_removedPrior + (m_weight - m_prior).squaredNorm());
        return std::max(m_objective - penalty, 0.0) / m_power;
    }

    [[nodiscard]] double cost(std::size_t channel) const {
        const auto& columns = m_columns[channel];
        if (columns.empty()) return 0;
        if (columns.size() == 1)
            return m_weight.col(columns[0]).squaredNorm() / m_inverse(columns[0], columns[0]) / m_power;
        const MatrixXd weight = m_weight(Eigen::all, columns);
        const MatrixXd block = m_inverse(columns, columns);
        const Eigen::LLT<MatrixXd> factor(block);
        return factor.matrixL().solve(weight.transpose()).squaredNorm() / m_power;
    }

    void remove(std::size_t channel) {
        const std::vector<Index> columns = m_columns[channel];
        if (columns.empty()) return;
        m_objective += cost(channel) * m_power;
        const MatrixXd block = m_inverse(columns, columns);
        const Eigen::LLT<MatrixXd> factor(block);
        // With P_cc = L L^T and Z = P_:c L^-T: P -= Z Z^T, W -= (W_c L^-T) Z^T.
        const MatrixXd scaled = factor.matrixL().solve(MatrixXd(m_inverse(columns, Eigen::all)));  // Z^T
        const MatrixXd share = factor.matrixL().solve(MatrixXd(m_weight(Eigen::all, columns)).transpose());
        m_weight.noalias() -= share.transpose() * scaled;
        m_inverse.noalias() -= scaled.transpose() * scaled;
        m_columns[channel].clear();
        m_gone += static_cast<Index>(columns.size());
        m_dead.insert(m_dead.end(), columns.begin(), columns.end());
        if (m_gone * 4 > m_inverse.rows()) compact();
    }

private:
    /// Drops the rows and columns of channels that are gone: each step costs the square of their number.
    void compact() {
        std::vector<bool> isDead(static_cast<std::size_t>(m_inverse.rows()), false);
        for (const Index column : m_dead) isDead[static_cast<std::size_t>(column)] = true;
        std::vector<Index> alive, place(isDead.size(), -1);
        for (std::size_t i = 0; i < isDead.size(); ++i)
            if (!isDead[i]) {
                place[i] = static_cast<Index>(alive.size());
                alive.push_back(static_cast<Index>(i));
            }
        m_inverse = MatrixXd(m_inverse(alive, alive));
        m_weight = MatrixXd(m_weight(Eigen::all, alive));
        for (const Index column : m_dead) m_removedPrior += m_prior.col(column).squaredNorm();
        m_prior = MatrixXd(m_prior(Eigen::all, alive));
        for (auto& columns : m_columns)
            for (Index& column : columns) column = place[static_cast<std::size_t>(column)];
        m_dead.clear();
        m_gone = 0;
    }

    double m_power;
    double m_ridge;
    double m_objective = 0;
    double m_removedPrior = 0;  ///< |W|^2 of the columns that were dropped
    std::vector<std::vector<Index>> m_columns;
    MatrixXd m_prior, m_inverse, m_weight;
    std::vector<Index> m_dead;
    Index m_gone = 0;
};

}  // namespace

std::vector<EliminationStep> eliminate(std::vector<EliminationProblem> problems,
                                       const std::function<bool(std::size_t)>& mayGo,
                                       const std::function<void(std::size_t)>& onStep, const std::stop_token& stop) {
    std::vector<EliminationStep> steps;
    if (problems.empty()) return steps;
    std::vector<std::size_t> left(problems.front().columns.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    std::vector<Consumer> consumers;
    for (auto& problem : problems) consumers.emplace_back(std::move(problem));
    while (!left.empty() && !stop.stop_requested()) {
        double lowest = std::numeric_limits<double>::infinity();
        auto chosen = left.end();
        for (auto channel = left.begin(); channel != left.end(); ++channel) {
            if (!mayGo(*channel)) continue;
            double cost = 0;
            for (const auto& consumer : consumers) cost += consumer.cost(*channel);
            if (cost < lowest) {
                lowest = cost;
                chosen = channel;
            }
        }
        if (chosen == left.end()) break;
        EliminationStep step{*chosen, 0};
        for (auto& consumer : consumers) {
            consumer.remove(*chosen);
            step.error += consumer.error();
        }
        onStep(*chosen);
        left.erase(chosen);
        steps.push_back(step);
    }
    return steps;
}

}  // namespace equant
