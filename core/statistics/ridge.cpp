// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "core/statistics/least_squares.h"
#include "core/statistics/ridge_internal.h"

namespace equant {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;

constexpr std::array kRidges{1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0};  ///< of the mean variance of an input element
constexpr std::size_t kFirst = 1;                                 ///< where the search begins
constexpr double kPlenty = 400;  ///< positions per input element: more leave nothing to choose

LayerMoments mean(const LayerMoments& a, const LayerMoments& b) {
    const double all = static_cast<double>(a.count + b.count);
    const double p = static_cast<double>(a.count) / all, q = static_cast<double>(b.count) / all;
    LayerMoments joined;
    joined.gram = p * a.gram + q * b.gram;
    joined.cross = p * a.cross + q * b.cross;
    joined.outputPower = p * a.outputPower + q * b.outputPower;
    joined.postAddPower = p * a.postAddPower + q * b.postAddPower;
    joined.count = a.count + b.count;
    return joined;
}

/// What a fit to one half errs by on the other.
double errorElsewhere(LayerMoments fitted, const LayerMoments& judge, const MatrixXd& prior, double ridge) {
    fitted.ridge = ridge;
    const Index groups = fitted.groups(), rows = prior.rows() / groups;
    double error = 0;
    for (Index group = 0; group < groups; ++group) {
        const FitProblem problem = fitProblem(prior.middleRows(group * rows, rows), fitted.ofGroup(group));
        MatrixXd map(rows, prior.cols() + 1);
        map.leftCols(prior.cols()) = solveFull(problem);
        map.rightCols<1>() = problem.bias(map.leftCols(prior.cols()));
        error += judge.ofGroup(group).error(map);
    }
    return error;
}

}  // namespace

LayerMoments joinedHalves(const LayerMoments& a, const LayerMoments& b, const MatrixXd& prior,
                          const std::stop_token& stop) {
    if (a.count == 0 || b.count == 0) return a.count == 0 ? b : a;
    LayerMoments joined = mean(a, b);
    if (prior.size() == 0 || static_cast<double>(joined.count) > kPlenty * static_cast<double>(prior.cols()))
        return joined;
    const auto errorAt = [&](std::size_t i) {
        return errorElsewhere(a, b, prior, kRidges[i]) + errorElsewhere(b, a, prior, kRidges[i]);
    };
    std::size_t best = kFirst;
    double least = errorAt(best);
    for (const int step : {1, -1}) {
        for (std::size_t i = kFirst + static_cast<std::size_t>(step); i < kRidges.size() && !stop.stop_requested();
             i += static_cast<std::size_t>(step)) {
            const double error = errorAt(i);
            if (!(error < least)) break;
            least = error;
            best = i;
        }
        if (best != kFirst) break;
    }
    joined.ridge = 0.5 * kRidges[best];  // twice the data need half of it
    return joined;
}

}  // namespace equant
