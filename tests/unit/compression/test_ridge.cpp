// SPDX-License-Identifier: Apache-2.0
// How far fits may leave the original weights: chosen by what serves samples that were not fitted.
#include <Eigen/Cholesky>
#include <QtTest>
#include <random>

#include "core/compression/channels/channel_elimination_internal.h"
#include "core/statistics/ridge_internal.h"
#include "tests/support/registry.h"

namespace test_ridge {

using namespace equant;

namespace {

using Eigen::Index;
using Eigen::MatrixXd;

constexpr Index kInputs = 24, kOutputs = 6, kPositions = 16;

/// `samples` with `kPositions` positions each that resemble each other by `likeness` (0 to 1); y = W x + noise.
LayerMoments momentsOf(const MatrixXd& weight, int samples, double likeness, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> gaussian;
    const auto drawn = [&](Index rows) {
        return MatrixXd(MatrixXd::NullaryExpr(rows, 1, [&]() -> double { return gaussian(random); }));
    };
    LayerMoments moments;
    moments.gram = MatrixXd::Zero(kInputs + 1, kInputs + 1);
    moments.cross = MatrixXd::Zero(kOutputs, kInputs + 1);
    moments.outputPower = Eigen::VectorXd::Zero(kOutputs);
    for (int sample = 0; sample < samples; ++sample) {
        const MatrixXd common = drawn(kInputs), wrong = drawn(kOutputs);
        for (Index position = 0; position < kPositions; ++position) {
            Eigen::VectorXd x(kInputs + 1);
            x << std::sqrt(likeness) * common + std::sqrt(1 - likeness) * drawn(kInputs), 1;
            const Eigen::VectorXd y = weight * x.head(kInputs) +
                                      2 * (std::sqrt(likeness) * wrong + std::sqrt(1 - likeness) * drawn(kOutputs));
            moments.gram += x * x.transpose();
            moments.cross += y * x.transpose();
            moments.outputPower += y.cwiseAbs2();
        }
    }
    moments.count = static_cast<std::size_t>(samples * kPositions);
    const double share = 1.0 / static_cast<double>(moments.count);
    moments.gram *= share;
    moments.cross *= share;
    moments.outputPower *= share;
    return moments;
}

MatrixXd weightOf(unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> gaussian;
    return MatrixXd::NullaryExpr(kOutputs, kInputs, [&]() -> double { return 0.3 * gaussian(random); });
}

double errorOfFit(const MatrixXd& prior, const LayerMoments& fitted, const LayerMoments& judge) {
    const FitProblem problem = fitProblem(prior, fitted);
    MatrixXd map(kOutputs, kInputs + 1);
    map.leftCols(kInputs) = solveFull(problem);
    map.rightCols<1>() = problem.bias(map.leftCols(kInputs));
    return judge.error(map);
}

}  // namespace

class TestRidge : public QObject {
    Q_OBJECT

private slots:
    void servesSamplesNotSeen() {
        const MatrixXd weight = weightOf(1);
        // The weights are as they should be: all that a fit finds is noise of the samples.
        const LayerMoments a = momentsOf(weight, 10, 0.9, 2), b = momentsOf(weight, 10, 0.9, 3);
        const LayerMoments fresh = momentsOf(weight, 400, 0.9, 4);
        const LayerMoments chosen = joinedHalves(a, b, weight), byCount = joinedHalves(a, b, {});
        QVERIFY(chosen.ridge && !byCount.ridge);
        QCOMPARE(chosen.count, a.count + b.count);
        QVERIFY((chosen.gram - (a.gram + b.gram) / 2).norm() < 1e-12);
        QVERIFY(errorOfFit(weight, chosen, fresh) < 0.95 * errorOfFit(weight, byCount, fresh));
    }

    void followsTheDataWhereTheySayEnough() {
        const MatrixXd truth = weightOf(5), prior = weightOf(6);
        const LayerMoments a = momentsOf(truth, 200, 0, 7), b = momentsOf(truth, 200, 0, 8);
        const LayerMoments joined = joinedHalves(a, b, prior);
        QVERIFY(joined.ridge && *joined.ridge < 0.1);
        const LayerMoments many = momentsOf(truth, 700, 0, 9);
        QVERIFY(!joinedHalves(many, many, prior).ridge);  // nothing left to choose
    }

    /// What pruning predicts is the error on the data, not the objective with the ridge.
    void eliminationTellsTheErrorOnTheData() {
        const MatrixXd prior = weightOf(10);
        LayerMoments moments = momentsOf(weightOf(11), 30, 0.5, 12);
        moments.ridge = 0.5;
        EliminationProblem problem;
        problem.fit = fitProblem(prior, moments);
        problem.power = moments.outputPower.sum();
        for (Index c = 0; c < kInputs; c += 2) problem.columns.push_back({c, c + 1});
        std::vector<bool> isGone(kInputs / 2, false);
        const auto steps = eliminate(
            {problem}, [&](std::size_t) { return true; }, [](std::size_t) {});
        QCOMPARE(steps.size(), std::size_t(kInputs / 2));
        for (const EliminationStep& step : steps) {
            isGone[step.channel] = true;
            // The naive twin: the columns that are left, fitted anew.
            std::vector<Index> left;
            for (Index column = 0; column < kInputs; ++column)
                if (!isGone[static_cast<std::size_t>(column / 2)]) left.push_back(column);
            MatrixXd map = MatrixXd::Zero(kOutputs, kInputs + 1);
            if (!left.empty()) {
                const MatrixXd metric = problem.fit.metric(left, left), target = problem.fit.target(Eigen::all, left);
                const MatrixXd fitted = metric.ldlt().solve(target.transpose()).transpose();
                map(Eigen::all, left) = fitted;
            }
            map.rightCols<1>() = problem.fit.bias(map.leftCols(kInputs));
            const double wanted = moments.error(map) / problem.power;
            QVERIFY2(std::abs(step.error - wanted) < 1e-9,
                     qPrintable(QString("%1 instead of %2").arg(step.error).arg(wanted)));
        }
    }
};

EQUANT_TEST(TestRidge)
}  // namespace test_ridge

#include "test_ridge.moc"
