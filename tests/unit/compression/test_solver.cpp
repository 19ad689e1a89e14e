// SPDX-License-Identifier: Apache-2.0
#include <QTest>
#include <cmath>

#include "core/compression/plan/greedy_selection_internal.h"
#include "core/compression/plan/losses.h"
#include "core/compression/plan/solver.h"
#include "tests/support/registry.h"

namespace test_solver {

using namespace equant;

namespace {

/// Layers a and b with three ratios each; a is cheap to compress, b dear.
SensitivityTable smallTable() {
    SensitivityTable table;
    table.metric = SensitivityMetric::Agreement;
    table.baseline = 100;
    table.total = {1000, 100};
    const auto layer = [&](const std::string& name, double macs, double parameters, std::vector<double> scores) {
        LayerSensitivity row{name, CompressionMethod::SpatialSvd, {macs, parameters}, 10, {}, {}};
        for (std::size_t i = 0; i < scores.size(); ++i) {
            SensitivityCell cell;
            cell.ratio = cell.actualRatio = 0.25 * double(i + 1);
            cell.size = std::int64_t(i + 1);
            cell.saved = {(1 - cell.ratio) * macs, (1 - cell.ratio) * parameters};
            cell.score = scores[i];
            row.cells.push_back(cell);
        }
        table.layers.push_back(row);
    };
    layer("a", 400, 20, {95, 98, 99.5});
    layer("b", 400, 60, {60, 80, 92});
    layer("c", 200, 20, {});
    table.layers.back().skipped = "Grouped convolution.";
    return table;
}

double ratioOf(const CompressionPlan& plan, const char* layer) {
    const LayerChoice* choice = plan.find(layer);
    return choice ? choice->ratio : 1;
}

SolverOptions byMacs(double ratio) {
    SolverOptions options;
    options.target.macsRatio = ratio;
    return options;
}

}  // namespace

class TestSolver : public QObject {
    Q_OBJECT

private slots:
    void meetsTheBudgetAtTheLeastLoss();
    void bothBudgets();
    void locksAndExclusions();
    void largestDrop();
    void targetOutOfReach();
    void refusals();
    void frontierIsMonotone();
    void predictionAddsUp();
    void marginal();
    void noiseIsSteadiedByPredictedErrors();
    void budgetIsSpentWhereNothingIsLost();
    void greedyFollowsTheThreshold();
    void monotoneFitRises();
};

void TestSolver::meetsTheBudgetAtTheLeastLoss() {
    const auto solved = solvePlan(smallTable(), byMacs(0.7));
    QVERIFY(solved && solved->isTargetMet);
    QCOMPARE(ratioOf(solved->plan, "a"), 0.25);
    QCOMPARE(ratioOf(solved->plan, "b"), 1.0);
    QCOMPARE(solved->plan.predicted->macsRatio, 0.7);
    QCOMPARE(*solved->plan.predicted->score, 95.0);
    QCOMPARE(solved->plan.find("a")->size, 1);
}

void TestSolver::bothBudgets() {
    SolverOptions options = byMacs(0.8);
    options.target.sizeRatio = 0.7;
    const auto solved = solvePlan(smallTable(), options);
    QVERIFY(solved && solved->isTargetMet);
    // Size: a saves at most 0.15, b 0.15 at ratio 0.75.
    QCOMPARE(ratioOf(solved->plan, "a"), 0.25);
    QCOMPARE(ratioOf(solved->plan, "b"), 0.75);
    QVERIFY(solved->plan.predicted->sizeRatio <= 0.7 + 1e-9);
}

void TestSolver::locksAndExclusions() {
    SolverOptions options = byMacs(0.8);
    options.locks["a"] = 1;
    auto solved = solvePlan(smallTable(), options);
    QVERIFY(solved && solved->isTargetMet);
    QCOMPARE(ratioOf(solved->plan, "a"), 1.0);
    QCOMPARE(ratioOf(solved->plan, "b"), 0.5);
    QVERIFY(solved->plan.find("a")->isLocked);
    options.locks.clear();
    options.excluded.insert("b");
    solved = solvePlan(smallTable(), options);
    QCOMPARE(ratioOf(solved->plan, "a"), 0.5);
    QVERIFY(!solved->plan.find("b"));
}

void TestSolver::largestDrop() {
    SolverOptions options;
    options.target.maxDrop = 6;
    const auto solved = solvePlan(smallTable(), options);
    QVERIFY(solved && solved->isTargetMet);
    QCOMPARE(ratioOf(solved->plan, "a"), 0.25);
    QCOMPARE(ratioOf(solved->plan, "b"), 1.0);
    QVERIFY(*solved->plan.predicted->score >= 94);
}

void TestSolver::targetOutOfReach() {
    const auto solved = solvePlan(smallTable(), byMacs(0.3));
    QVERIFY(solved && !solved->isTargetMet);
    QCOMPARE(solved->plan.predicted->macsRatio, 0.4);
    QVERIFY(solved->limitedBy.find("40.0 %") != std::string::npos);
    QVERIFY(solved->limitedBy.find("20.0 %") != std::string::npos);
}

void TestSolver::refusals() {
    const SensitivityTable table = smallTable();
    QVERIFY(!solvePlan(table, {}));
    QVERIFY(!solvePlan(table, byMacs(1.5)));
    SolverOptions options = byMacs(0.5);
    options.locks["nobody"] = 0.5;
    QVERIFY(solvePlan(table, options).error().message.find("nobody") != std::string::npos);
    options.locks = {{"a", 0.0}};
    QVERIFY(!solvePlan(table, options));
    SensitivityTable none = table;
    for (auto& layer : none.layers) layer.cells.clear();
    none.layers[0].skipped = "It has a single channel.";
    QVERIFY(solvePlan(none, byMacs(0.5)).error().hint.find("single channel") != std::string::npos);
    SensitivityTable unmeasured = table;
    for (auto& layer : unmeasured.layers)
        for (auto& cell : layer.cells) cell.score.reset();
    options = {};
    options.target.maxDrop = 1;
    QVERIFY(!solvePlan(unmeasured, options));
}

void TestSolver::frontierIsMonotone() {
    const auto frontier = solveFrontier(smallTable(), byMacs(1));
    QVERIFY(frontier.size() >= 4);
    for (std::size_t i = 1; i < frontier.size(); ++i) {
        QVERIFY(frontier[i].prediction.macsRatio > frontier[i - 1].prediction.macsRatio);
        QVERIFY(*frontier[i].prediction.score >= *frontier[i - 1].prediction.score);
    }
    QCOMPARE(frontier.back().prediction.macsRatio, 1.0);
}

void TestSolver::predictionAddsUp() {
    const SensitivityTable table = smallTable();
    CompressionPlan plan;
    plan.choices = {{"a", CompressionMethod::SpatialSvd, 0.5, 0, false},
                    {"b", CompressionMethod::SpatialSvd, 0.75, 0, false}};
    PlanPrediction prediction = predictPlan(table, plan);
    QCOMPARE(prediction.macsRatio, 1 - 0.2 - 0.1);
    QCOMPARE(*prediction.score, 100.0 - 2 - 8);
    plan.choices[0].ratio = 0.625;  // halfway between 98 and 99.5
    plan.choices[1].ratio = 1;
    prediction = predictPlan(table, plan);
    QVERIFY(std::abs(*prediction.score - 98.75) < 1e-9);
    QVERIFY(std::abs(prediction.macsRatio - 0.85) < 1e-9);
}

void TestSolver::marginal() {
    CompressionPlan plan;
    auto next = marginalCost(smallTable(), plan, CostMetric::Macs);
    QVERIFY(next);
    QCOMPARE(next->layer, std::string("a"));
    QCOMPARE(next->ratio, 0.75);
    plan.choices = {{"a", CompressionMethod::SpatialSvd, 0.25, 0, false}};
    next = marginalCost(smallTable(), plan, CostMetric::Macs);
    QVERIFY(next);
    QCOMPARE(next->layer, std::string("b"));
    plan.choices.push_back({"b", CompressionMethod::SpatialSvd, 0.25, 0, true});
    QVERIFY(!marginalCost(smallTable(), plan, CostMetric::Macs));
}

/// Scores within their noise must not decide against what the errors say.
void TestSolver::noiseIsSteadiedByPredictedErrors() {
    SensitivityTable table = smallTable();
    for (std::size_t row = 0; row < 2; ++row) {
        for (std::size_t i = 0; i < 3; ++i) {
            SensitivityCell& cell = table.layers[row].cells[i];
            cell.predictedError = (row == 0 ? 0.01 : 0.1) * double(3 - i);
            cell.interval = Interval{*cell.score - 2, *cell.score + 2};
        }
    }
    table.layers[0].cells[2].score = 97;  // noisy: worse than at the smaller ratio
    const CellLosses losses = lossesOf(table);
    for (const auto& row : losses.loss)
        for (std::size_t i = 1; i < row.size(); ++i) QVERIFY(row[i] <= row[i - 1] + 1e-12);
    QVERIFY(losses.loss[0][2] < 2.9);  // measured: 3
    QVERIFY(losses.loss[1][2] > losses.loss[0][2]);
    QCOMPARE(nonIncreasing({1, 3, 2}, {1, 1, 1}), (std::vector<double>{2, 2, 2}));
}

/// A plan for 75 % must not take half away because the samples show no loss at either.
void TestSolver::budgetIsSpentWhereNothingIsLost() {
    SensitivityTable table = smallTable();
    for (auto& layer : table.layers) {
        for (auto& cell : layer.cells) {
            cell.score = 100;
            cell.predictedError = 0.1 * (1 - cell.ratio);
        }
    }
    const auto solved = solvePlan(table, byMacs(0.75));
    QVERIFY(solved && solved->isTargetMet);
    QVERIFY(solved->plan.predicted->macsRatio > 0.69);
    QVERIFY(*solved->plan.predicted->score > 99.9);
}

void TestSolver::greedyFollowsTheThreshold() {
    // Source: the reference's own unit test of its threshold rule.
    const std::vector<GreedyLayer> layers{{{11, 23, 47, 85, 89}, {90, 70, 50, 30, 10}}};
    const auto at = [&](double target) { return selectGreedily(layers, 100, target)[0]; };
    QCOMPARE(at(0.5), std::optional<std::size_t>(2));
    QCOMPARE(at(0.7), std::optional<std::size_t>(3));
    SolverOptions options = byMacs(0.7);
    options.isGreedy = true;
    const auto solved = solvePlan(smallTable(), options);
    QVERIFY(solved);
    QVERIFY(solved->plan.predicted->macsRatio <= 0.701);
}

void TestSolver::monotoneFitRises() {
    const std::vector<double> ratios{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
    const auto rising = monotoneFit(ratios, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9});
    for (std::size_t i = 0; i < ratios.size(); ++i) QVERIFY(std::abs(rising[i] - ratios[i]) < 1e-6);
    const auto noisy = monotoneFit(ratios, {0.2, 0.1, 0.5, 0.3, 0.6, 0.7, 0.65, 0.8, 0.7});
    for (std::size_t i = 1; i < ratios.size(); ++i) QVERIFY(noisy[i] >= noisy[i - 1] - 1e-9);
}

EQUANT_TEST(TestSolver)
}  // namespace test_solver

#include "test_solver.moc"
