// SPDX-License-Identifier: Apache-2.0
// What one sensitivity table takes over from another, and edits of plans.
#include <QTest>

#include "core/recipe/plan_edits.h"
#include "core/recipe/sensitivity_reuse.h"
#include "tests/support/registry.h"

namespace test_sensitivity_reuse {

using namespace equant;

namespace {

SensitivityCell cellAt(double ratio, std::int64_t size, std::optional<double> score = {}) {
    SensitivityCell cell;
    cell.ratio = cell.actualRatio = ratio;
    cell.size = size;
    cell.score = score;
    if (score) {
        cell.interval = Interval{*score - 1, *score + 1};
        cell.samples = 100;
    }
    return cell;
}

/// One layer with two ratios.
SensitivityTable tableOf(std::optional<double> low, std::optional<double> high) {
    SensitivityTable table;
    table.model = "m";
    table.layers.push_back(
        {"conv", CompressionMethod::SpatialSvd, {}, 8, {cellAt(0.25, 2, low), cellAt(0.5, 4, high)}, {}});
    if (low || high) {
        table.baseline = 90;
        table.data = "d 100";
        table.metric = SensitivityMetric::Top1;
    }
    return table;
}

}  // namespace

class TestSensitivityReuse : public QObject {
    Q_OBJECT

private slots:
    void scoresOfTheSameCellsAreReused() {
        SensitivityTable table = tableOf({}, {});
        table.layers.push_back({"conv", CompressionMethod::WeightSvd, {}, 8, {cellAt(0.25, 2)}, {}});
        table.layers.front().cells[1].size = 5;  // another rank at the same ratio
        reuseScores(table, tableOf(80, 88));
        QCOMPARE(table.layers[0].cells[0].score, std::optional(80.0));
        QVERIFY(!table.layers[0].cells[1].score && !table.layers[1].cells[0].score);
        QCOMPARE(table.baseline, std::optional(90.0));
        QCOMPARE(table.metric, SensitivityMetric::Top1);
        SensitivityTable other = tableOf({}, {});
        other.model = "another";
        reuseScores(other, tableOf(80, 88));
        QVERIFY(!hasScores(other) && !other.baseline);
    }

    void interruptedTablesContinue() {
        QVERIFY(canContinue(tableOf(80, {}), "m", "d"));
        QVERIFY(!canContinue(tableOf(80, {}), "m", "other"));
        QVERIFY(!canContinue(tableOf(80, {}), "other", "d"));
        QVERIFY(!canContinue(tableOf({}, {}), "m", "d"));  // a prediction is made again in seconds
    }

    /// The change on the new samples counts, not their score.
    void cellsMeasuredAgainKeepTheirBaseline() {
        SensitivityTable table = tableOf(80, 88);
        SensitivityTable one = cellsAt(table, "conv", 0.25);
        QCOMPARE(one.layers.size(), std::size_t{1});
        QCOMPARE(one.layers[0].cells.size(), std::size_t{1});
        QVERIFY(!hasScores(one) && !one.baseline);
        one.baseline = 92;
        one.layers[0].cells[0] = cellAt(0.25, 2, 85);
        mergeScores(table, one, 0.25);
        QCOMPARE(table.layers[0].cells[0].score, std::optional(83.0));
        QCOMPARE(table.layers[0].cells[0].interval->low, 82.0);
        QCOMPARE(table.layers[0].cells[1].score, std::optional(88.0));
        QCOMPARE(table.baseline, std::optional(90.0));
        QVERIFY(cellsAt(table, "none", 0.25).layers.empty());
    }

    void plansHaveOneForm() {
        CompressionPlan plan;
        setChoice(plan, {"b", CompressionMethod::SpatialSvd, 0.5, 4, true});
        setChoice(plan, {"a", CompressionMethod::WeightSvd, 0.3, 2, false});
        setChoice(plan, {"c", CompressionMethod::WeightSvd, 1.0, 0, true});
        QCOMPARE(plan.choices.size(), std::size_t{3});
        const CompressionPlan effective = effectivePlan(plan);
        QCOMPARE(effective.choices.size(), std::size_t{2});
        QCOMPARE(effective.choices.front().layer, std::string("a"));
        QVERIFY(!effective.choices.back().isLocked);
        setChoice(plan, {"b", CompressionMethod::SpatialSvd, 1.0, 0, false});
        QVERIFY(!plan.find("b") && plan.find("c"));
    }

    void methodsFollowTheKernels() {
        CompressibleLayer wide, small;
        wide.geometry.cost.macs = 100;
        small.geometry.cost.macs = 60;
        small.spatialSvdReason = "a 1x1 kernel";
        using enum CompressionMethod;
        QVERIFY((usefulMethods({wide, small}) == std::vector{SpatialSvd}));
        QVERIFY((usefulMethods({wide, small, small}) == std::vector{SpatialSvd, WeightSvd}));
        QVERIFY((usefulMethods({small}) == std::vector{WeightSvd}));
    }
};

EQUANT_TEST(TestSensitivityReuse)
}  // namespace test_sensitivity_reuse

#include "test_sensitivity_reuse.moc"
