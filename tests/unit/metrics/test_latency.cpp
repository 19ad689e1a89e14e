// SPDX-License-Identifier: Apache-2.0
// Timing in turns: how often each contestant runs, what the figures are of, stopping. How fast anything is is not
// judged, but a network of a hundred times the arithmetic takes longer.
#include <QtTest>

#include "core/metrics/evaluate.h"
#include "core/metrics/latency.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_latency {

using namespace equant;
using namespace equant::test;

namespace {

Model convolution(std::int64_t channels, std::int64_t batch = -1) {
    ModelBuilder builder;
    builder.input("x", {batch, 3, 8, 8}).constant("w", randomTensor({channels, 3, 3, 3}, 1)).output("y");
    return builder.node("Conv", {"x", "w"}, {"y"}).build();
}

}  // namespace

class TestLatency : public QObject {
    Q_OBJECT

private slots:
    void mediansOfOddAndEvenCounts();
    void everyContestantRunsEquallyOften();
    void timeIsLimitedButNotBelowTheLeast();
    void comparesTwoNetworks();
    void countsAFixedBatch();
    void stops();
    void failsWhereNothingRuns();
};

void TestLatency::mediansOfOddAndEvenCounts() {
    QCOMPARE((Timings{{3, 1, 2}}).median(), 2.0);
    QCOMPARE((Timings{{4, 1, 2, 3}}).median(), 2.5);
    QCOMPARE((Timings{{4, 1, 2, 3}}).minimum(), 1.0);
}

void TestLatency::everyContestantRunsEquallyOften() {
    const auto executor = Executor::create(convolution(4));
    QVERIFY(executor.has_value());
    const std::vector<Contestant> contestants{{**executor, 1}, {**executor, 2}};
    TimingOptions options;
    options.runs = options.leastRuns = 4;
    const auto times = timeInTurns(contestants, randomInputs(**executor, 1), options);
    QVERIFY(times.has_value());
    QCOMPARE(times->size(), std::size_t{2});
    for (const Timings& each : *times) {
        QCOMPARE(each.values.size(), std::size_t{4});
        QVERIFY(each.minimum() <= each.median());
    }
}

void TestLatency::timeIsLimitedButNotBelowTheLeast() {
    const auto executor = Executor::create(convolution(4));
    QVERIFY(executor.has_value());
    const std::vector<Contestant> one{{**executor, 1}};
    const auto times = timeInTurns(one, randomInputs(**executor, 1), {.runs = 1000, .leastRuns = 3, .seconds = 0});
    QVERIFY(times.has_value());
    QCOMPARE((*times)[0].values.size(), std::size_t{3});
}

void TestLatency::comparesTwoNetworks() {
    const auto change = measureLatency(convolution(2048), convolution(8));
    QVERIFY(change.has_value());
    QVERIFY2(change->ratio() < 0.5, qPrintable(QString::number(change->ratio())));
    QVERIFY(change->after < change->before);
    QCOMPARE(change->batch, std::int64_t{1});
    QVERIFY(change->runs >= 5 && change->runs <= 30);
}

void TestLatency::countsAFixedBatch() {
    const auto change = measureLatency(convolution(8, 4), convolution(2, 4));
    QVERIFY(change.has_value());
    QCOMPARE(change->batch, std::int64_t{4});
}

void TestLatency::stops() {
    std::stop_source stop;
    stop.request_stop();
    const auto change = measureLatency(convolution(8), convolution(2), {stop.get_token(), nullptr});
    QVERIFY(!change.has_value());
    QCOMPARE(change.error().code, ErrorCode::Cancelled);
}

void TestLatency::failsWhereNothingRuns() {
    ModelBuilder builder;
    builder.input("x", {1, 3}).output("y").node("NoSuchOperator", {"x"}, {"y"});
    const auto change = measureLatency(builder.build(), convolution(2));
    QVERIFY(!change.has_value());
    QCOMPARE(change.error().code, ErrorCode::Unsupported);
}

EQUANT_TEST(TestLatency)
}  // namespace test_latency

#include "test_latency.moc"
