// SPDX-License-Identifier: Apache-2.0
// Plans and sensitivity tables written and read again, and files that are wrong.
#include <QTest>

#include "core/compression/plan/plan.h"
#include "core/compression/plan/sensitivity.h"
#include "tests/support/registry.h"

namespace test_compression_files {

using namespace equant;

class TestCompressionFiles : public QObject {
    Q_OBJECT

private slots:
    void planComesBack();
    void handWrittenPlan();
    void wrongPlans_data();
    void wrongPlans();
    void tableComesBack();
    void minimalTable();
    void wrongTables_data();
    void wrongTables();
};

void TestCompressionFiles::planComesBack() {
    CompressionPlan plan;
    plan.model = "abc";
    plan.costMetric = CostMetric::Parameters;
    plan.multiple = 8;
    plan.choices = {{"conv1", CompressionMethod::SpatialSvd, 0.5, 12, true},
                    {"conv1", CompressionMethod::ChannelPruning, 0.75, 0, false},
                    {"fc", CompressionMethod::WeightSvd, 0.25, 3, false}};
    plan.predicted = PlanPrediction{0.6, 0.5, 87.5};
    const auto back = parsePlan(toJson(plan));
    QVERIFY(back);
    QCOMPARE(*back, plan);
    plan.predicted->score.reset();
    QCOMPARE(*parsePlan(toJson(plan)), plan);
    QCOMPARE(plan.find("fc")->ratio, 0.25);
    QVERIFY(!plan.find("none"));
}

void TestCompressionFiles::handWrittenPlan() {
    const auto plan = parsePlan(R"({"method": "weight-svd", "ratios": {"fc1": 0.5, "fc2": 1}})");
    QVERIFY(plan);
    QCOMPARE(plan->choices.size(), std::size_t(2));
    QCOMPARE(plan->find("fc1")->method, CompressionMethod::WeightSvd);
    QCOMPARE(plan->find("fc1")->ratio, 0.5);
    QCOMPARE(plan->find("fc1")->size, std::int64_t(0));
}

void TestCompressionFiles::wrongPlans_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QByteArray>("named");
    QTest::newRow("no json") << QByteArray("ratio 0.5") << QByteArray("ratios");
    QTest::newRow("no ratios") << QByteArray(R"({"method": "weight-svd"})") << QByteArray("ratios");
    QTest::newRow("unknown method") << QByteArray(R"({"method": "magic", "ratios": {"a": 1}})")
                                    << QByteArray("spatial-svd");
    QTest::newRow("text for a ratio") << QByteArray(R"({"method": "weight-svd", "ratios": {"a": "half"}})")
                                      << QByteArray("field");
    QTest::newRow("newer") << QByteArray(R"({"equant_plan": 99, "ratios": {}})") << QByteArray("newer");
}

void TestCompressionFiles::wrongPlans() {
    QFETCH(QByteArray, text);
    QFETCH(QByteArray, named);
    const auto plan = parsePlan(text.toStdString());
    QVERIFY(!plan);
    QVERIFY2(describe(plan.error()).find(named.toStdString()) != std::string::npos, describe(plan.error()).c_str());
}

void TestCompressionFiles::tableComesBack() {
    SensitivityTable table;
    table.model = "abc";
    table.data = "def";
    table.metric = SensitivityMetric::Top1;
    table.metricReason = "the data have labels";
    table.baseline = 87.5;
    table.baselineInterval = Interval{86, 89};
    table.total = {1000, 200};
    table.seconds = 2.5;
    table.forwardEquivalents = 12;
    LayerSensitivity layer{"conv1", CompressionMethod::ChannelPruning, {500, 100}, 16, {}, {}};
    layer.cells.push_back({0.25, 0.24, 4, {400, 70}, 0.3, 0.2, 60.5, Interval{58, 63}, 2000});
    layer.cells.push_back({0.5, 0.5, 8, {260, 51}, 0.1, 0.05, std::nullopt, std::nullopt, 0});
    layer.elimination = {3, 0, 15};
    table.layers = {layer, {"depthwise", CompressionMethod::ChannelPruning, {10, 10}, 0, {}, "Depthwise."}};
    const auto back = parseSensitivity(toJson(table));
    QVERIFY(back);
    QCOMPARE(toJson(*back), toJson(table));
    QCOMPARE(back->layers[0].elimination, layer.elimination);
    QCOMPARE(back->layers[0].cells[0].predictedNoise, std::optional(0.2));
    QCOMPARE(back->layers[0].cells[0].score, std::optional(60.5));
    QCOMPARE(back->layers[0].cells[0].interval->high, 63.0);
    QVERIFY(!back->layers[0].cells[1].score);
    QCOMPARE(back->layers[1].skipped, std::string("Depthwise."));
}

/// Only the fields of the console's contract, as another tool may write them.
void TestCompressionFiles::minimalTable() {
    const auto table = parseSensitivity(R"({"method": "spatial-svd", "metric": "top1", "baseline": 0.9,
        "ratios": [0.5, 0.75],
        "layers": [{"name": "a", "macs": 100, "parameters": 10, "scores": [0.7, null], "actual_ratios": [0.45, 0.7],
                    "ranks": [3, 5]}]})");
    QVERIFY(table);
    const auto& cells = table->layers[0].cells;
    QCOMPARE(cells.size(), std::size_t(2));
    QCOMPARE(cells[0].saved.macs, 55.0);
    QCOMPARE(cells[1].size, std::int64_t(5));
    QVERIFY(!cells[1].score);
}

void TestCompressionFiles::wrongTables_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::newRow("no json") << QByteArray("[");
    QTest::newRow("no layers") << QByteArray("{}");
    QTest::newRow("metric") << QByteArray(R"({"metric": "beauty", "layers": []})");
    QTest::newRow("ratios missing") << QByteArray(
        R"({"method": "spatial-svd", "layers": [{"name": "a", "scores": [1]}]})");
    QTest::newRow("newer") << QByteArray(R"({"equant_sensitivity": 99, "layers": []})");
}

void TestCompressionFiles::wrongTables() {
    QFETCH(QByteArray, text);
    const auto table = parseSensitivity(text.toStdString());
    QVERIFY(!table);
    QVERIFY(!table.error().message.empty() && !table.error().hint.empty());
}

EQUANT_TEST(TestCompressionFiles)
}  // namespace test_compression_files

#include "test_compression_files.moc"
