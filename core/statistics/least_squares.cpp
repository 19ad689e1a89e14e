// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/least_squares.h"

#include <Eigen/Cholesky>
#include <algorithm>

namespace equant {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kLeastRidge = 1e-4;

}  // namespace

double FitProblem::objective(const MatrixXd& map) const {
    return std::max(power - 2 * map.cwiseProduct(target).sum() + (map * metric).cwiseProduct(map).sum(), 0.0);
}

VectorXd FitProblem::bias(const MatrixXd& map) const {
    return outputMean - map * inputMean;
}

FitProblem fitProblem(const MatrixXd& weight, const LayerMoments& moments) {
    const Index size = weight.cols();
    if (moments.count == 0) return plainProblem(weight);
    FitProblem problem;
    problem.weight = weight;
    problem.inputMean = moments.gram.col(size).head(size);
    problem.outputMean = moments.cross.col(size);
    problem.metric = moments.gram.topLeftCorner(size, size) - problem.inputMean * problem.inputMean.transpose();
    problem.target = moments.cross.leftCols(size) - problem.outputMean * problem.inputMean.transpose();
    const double variance = std::max(problem.metric.trace() / static_cast<double>(size), 1e-30);
    const double scarcity = static_cast<double>(size) / static_cast<double>(moments.count);
    problem.ridge = variance * moments.ridge.value_or(kLeastRidge + scarcity * scarcity);
    problem.metric.diagonal().array() += problem.ridge;
    problem.target += problem.ridge * weight;
    problem.power = moments.outputPower.sum() - problem.outputMean.squaredNorm() + problem.ridge * weight.squaredNorm();
    return problem;
}

FitProblem plainProblem(const MatrixXd& weight) {
    FitProblem problem;
    problem.weight = weight;
    problem.metric = MatrixXd::Identity(weight.cols(), weight.cols());
    problem.target = weight;
    problem.power = weight.squaredNorm();
    problem.inputMean = VectorXd::Zero(weight.cols());
    problem.outputMean = VectorXd::Zero(weight.rows());
    return problem;
}

MatrixXd solveFull(const FitProblem& problem) {
    return problem.metric.selfadjointView<Eigen::Lower>().llt().solve(problem.target.transpose()).transpose();
}

}  // namespace equant
