// SPDX-License-Identifier: Apache-2.0
#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "core/compression/plan/greedy_selection_internal.h"

namespace equant {

namespace {

constexpr double kTargetTolerance = 0.001;  ///< of the model's cost
constexpr double kWindowTolerance = 1e-4;   ///< of the range of scores

std::optional<std::size_t> ratioFor(const std::vector<double>& scores, double threshold) {
    if (scores.empty() || threshold > scores.back()) return std::nullopt;
    if (threshold < scores.front()) return 0;
    // From the second largest ratio down: the first score below the threshold ends the scan, a noisy dip too.
    for (std::size_t i = scores.size() - 1; i > 0; --i)
        if (scores[i - 1] < threshold) return i;
    return std::nullopt;
}

std::vector<std::optional<std::size_t>> choicesAt(const std::vector<GreedyLayer>& layers, double threshold) {
    std::vector<std::optional<std::size_t>> choices;
    for (const GreedyLayer& layer : layers) choices.push_back(ratioFor(layer.scores, threshold));
    return choices;
}

/// min |A x - b| with x >= 0. Source: Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23.
Eigen::VectorXd nonNegativeLeastSquares(const Eigen::MatrixXd& a, const Eigen::VectorXd& b) {
    const Eigen::Index count = a.cols();
    Eigen::VectorXd x = Eigen::VectorXd::Zero(count);
    std::vector<bool> isFree(static_cast<std::size_t>(count), false);
    for (Eigen::Index round = 0; round < 10 * count; ++round) {
        const Eigen::VectorXd gradient = a.transpose() * (b - a * x);
        Eigen::Index entering = -1;
        for (Eigen::Index i = 0; i < count; ++i) {
            if (!isFree[static_cast<std::size_t>(i)] && gradient[i] > 1e-11 &&
                (entering < 0 || gradient[i] > gradient[entering]))
                entering = i;
        }
        if (entering < 0) break;
        isFree[static_cast<std::size_t>(entering)] = true;
        for (;;) {
            std::vector<Eigen::Index> free;
            for (Eigen::Index i = 0; i < count; ++i)
                if (isFree[static_cast<std::size_t>(i)]) free.push_back(i);
            const Eigen::VectorXd solved = Eigen::MatrixXd(a(Eigen::all, free)).colPivHouseholderQr().solve(b);
            if ((solved.array() > 0).all()) {
                x.setZero();
                x(free) = solved;
                break;
            }
            double step = 1;
            for (std::size_t i = 0; i < free.size(); ++i) {
                const auto at = static_cast<Eigen::Index>(i);
                if (solved[at] <= 0) step = std::min(step, x[free[i]] / (x[free[i]] - solved[at]));
            }
            for (std::size_t i = 0; i < free.size(); ++i) {
                double& value = x[free[i]];
                value += step * (solved[static_cast<Eigen::Index>(i)] - value);
                if (value <= 1e-14) {
                    value = 0;
                    isFree[static_cast<std::size_t>(free[i])] = false;
                }
            }
        }
    }
    return x;
}

}  // namespace

std::vector<std::optional<std::size_t>> selectGreedily(const std::vector<GreedyLayer>& layers, double total,
                                                       double target) {
    double low = 0, high = 0;
    bool isFirst = true;
    for (const GreedyLayer& layer : layers) {
        for (const double score : layer.scores) {
            low = isFirst ? score : std::min(low, score);
            high = isFirst ? score : std::max(high, score);
            isFirst = false;
        }
    }
    const double range = high - low;
    while (high - low > kWindowTolerance * range) {
        const double middle = (low + high) / 2;
        auto choices = choicesAt(layers, middle);
        double remaining = total;
        for (std::size_t i = 0; i < layers.size(); ++i)
            if (choices[i]) remaining -= layers[i].saved[*choices[i]];
        const double ratio = remaining / total;
        if (std::abs(ratio - target) <= kTargetTolerance) return choices;
        (ratio > target ? high : low) = middle;
    }
    return choicesAt(layers, low);
}

std::vector<double> monotoneFit(const std::vector<double>& ratios, const std::vector<double>& scores) {
    constexpr Eigen::Index kTerms = 8;
    constexpr Eigen::Index kSlopes = 50;
    const auto count = static_cast<Eigen::Index>(ratios.size());
    Eigen::MatrixXd powers(count, kTerms);
    Eigen::VectorXd values(count);
    for (Eigen::Index i = 0; i < count; ++i) {
        values[i] = scores[static_cast<std::size_t>(i)];
        for (Eigen::Index p = 0; p < kTerms; ++p)
            powers(i, p) = std::pow(ratios[static_cast<std::size_t>(i)], static_cast<double>(p));
    }
    Eigen::MatrixXd slopes(kSlopes, kTerms);
    for (Eigen::Index i = 0; i < kSlopes; ++i) {
        const double x = 0.02 * static_cast<double>(i);
        slopes(i, 0) = 0;
        for (Eigen::Index p = 1; p < kTerms; ++p)
            slopes(i, p) = static_cast<double>(p) * std::pow(x, static_cast<double>(p - 1));
    }
    // With P = Q R and z = R c - Q^T v, the fit is: least |z| such that S R^-1 z >= -S R^-1 Q^T v, whose dual is a non
    // negative least squares problem (Lawson and Hanson, chapter 23, problem LDP). A little ridge for few ratios.
    Eigen::MatrixXd padded = Eigen::MatrixXd::Zero(count + kTerms, kTerms);
    padded << powers, 1e-7 * Eigen::MatrixXd::Identity(kTerms, kTerms);
    Eigen::VectorXd target = Eigen::VectorXd::Zero(count + kTerms);
    target.head(count) = values;
    const Eigen::HouseholderQR<Eigen::MatrixXd> qr(padded);
    const Eigen::MatrixXd r = qr.matrixQR().topRows(kTerms).triangularView<Eigen::Upper>();
    const Eigen::VectorXd projected = (qr.householderQ().transpose() * target).head(kTerms);
    Eigen::MatrixXd constraints = r.transpose().triangularView<Eigen::Lower>().solve(slopes.transpose()).transpose();
    Eigen::VectorXd least = -constraints * projected;
    for (Eigen::Index i = 0; i < kSlopes; ++i) {
        const double norm = constraints.row(i).norm();
        if (norm > 0) {
            constraints.row(i) /= norm;
            least[i] /= norm;
        }
    }
    const double scale = std::max(least.cwiseAbs().maxCoeff(), 1e-300);
    Eigen::VectorXd z = Eigen::VectorXd::Zero(kTerms);
    if (least.maxCoeff() > 1e-12 * scale) {
        Eigen::MatrixXd stacked(kTerms + 1, kSlopes);
        stacked << constraints.transpose(), least.transpose() / scale;
        Eigen::VectorXd unit = Eigen::VectorXd::Zero(kTerms + 1);
        unit[kTerms] = 1;
        const Eigen::VectorXd residual = stacked * nonNegativeLeastSquares(stacked, unit) - unit;
        if (std::abs(residual[kTerms]) > 1e-14) z = -scale * residual.head(kTerms) / residual[kTerms];
    }
    const Eigen::VectorXd fitted = powers * r.triangularView<Eigen::Upper>().solve(z + projected);
    return {fitted.data(), fitted.data() + count};
}

}  // namespace equant
