// SPDX-License-Identifier: Apache-2.0
// What the machine can do is measured, what a model costs is counted, and the bound follows from both.
#include <QtTest>
#include <algorithm>
#include <thread>

#include "core/runtime/diagnose/machine_limits.h"
#include "core/runtime/diagnose/roofline.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_machine_limits {

using namespace equant;
using test::ModelBuilder;
using test::randomTensor;

namespace {

/// x [N, 3, 8, 8] -> Conv 5x3x3x3 -> Relu -> y [N, 5, 6, 6]
Model convolution() {
    return ModelBuilder(13)
        .input("x", {-1, 3, 8, 8})
        .output("y")
        .constant("w", randomTensor({5, 3, 3, 3}, 1))
        .node("Conv", {"x", "w"}, {"c"})
        .node("Relu", {"c"}, {"y"})
        .build();
}

constexpr double kOutputs = 5 * 6 * 6;
constexpr double kFlops = 2 * kOutputs * 3 * 3 * 3;
constexpr double kWeightBytes = 4 * 5 * 3 * 3 * 3;
constexpr double kInputBytes = 4 * 3 * 8 * 8;

MachineLimits machine(double gflops, double gbs, std::int64_t cacheBytes) {
    return {"none", 1, gflops, gbs, cacheBytes};
}

}  // namespace

class TestMachineLimits : public QObject {
    Q_OBJECT

private slots:
    void measures() {
        const auto limits = measureMachineLimits(2);
        QVERIFY(limits.has_value());
        // No processor of the last ten years is slower, even a busy one, and none of the next ten is that fast: a wrong
        // unit or a loop that was optimized away is a factor of 1000.
        QVERIFY2(limits->peakGflops > 0.5 && limits->peakGflops < 20'000,
                 qPrintable(QString::number(limits->peakGflops)));
        QVERIFY2(limits->bandwidthGbs > 0.1 && limits->bandwidthGbs < 2'000,
                 qPrintable(QString::number(limits->bandwidthGbs)));
        QCOMPARE(limits->threads, std::min(2U, std::max(1U, std::thread::hardware_concurrency())));
        QVERIFY(limits->cacheBytes == 0 || limits->cacheBytes >= 64 << 10);
        QVERIFY(!limits->instructions.empty());
    }

    void stops() {
        std::stop_source source;
        source.request_stop();
        const auto limits = measureMachineLimits(2, {source.get_token()});
        QVERIFY(!limits.has_value());
        QCOMPARE(limits.error().code, ErrorCode::Cancelled);
    }

    void countsOneSample() {
        const Shape shapes[] = {{1, 3, 8, 8}};
        const auto cost = sampleCost(convolution(), shapes);
        QVERIFY(cost.has_value());
        QCOMPARE(cost->flops, kFlops);
        QCOMPARE(cost->weightBytes, kWeightBytes);
        QCOMPARE(cost->inputOutputBytes, kInputBytes + 4 * kOutputs);
        QCOMPARE(cost->activationBytes, 2 * 4 * kOutputs);  // of Conv and of Relu
        QCOMPARE(cost->bytes(8), kWeightBytes / 8 + kInputBytes + 4 * kOutputs);
    }

    void aBatchCostsNoMoreASample() {
        const Shape one[] = {{1, 3, 8, 8}}, four[] = {{4, 3, 8, 8}};
        const auto single = sampleCost(convolution(), one), several = sampleCost(convolution(), four);
        QVERIFY(single.has_value() && several.has_value());
        QCOMPARE(several->flops, single->flops);
        QCOMPARE(several->weightBytes, single->weightBytes);
        QCOMPARE(several->inputOutputBytes, single->inputOutputBytes);
        QCOMPARE(several->activationBytes, single->activationBytes);
    }

    void refusesShapesThatDoNotFit() {
        const Shape shapes[] = {{1, 2, 8, 8}};
        QVERIFY(!sampleCost(convolution(), shapes).has_value());
    }

    void boundIsTheLongerOfBoth() {
        const SampleCost cost{2e9, 1e8, 0, 0};
        QCOMPARE(boundSeconds(cost, 1, machine(100, 10, 0)), 0.02);           // 20 ms of arithmetic, 10 of fetching
        QCOMPARE(boundSeconds(cost, 1, machine(100, 2, 0)), 0.05);            // fetching
        QCOMPARE(boundSeconds(cost, 8, machine(100, 2, 0)), 0.02);            // shared by eight samples
        QCOMPARE(boundSeconds(cost, 1, machine(100, 2, 100'000'000)), 0.02);  // the cache keeps them
    }
};

EQUANT_TEST(TestMachineLimits)
}  // namespace test_machine_limits

#include "test_machine_limits.moc"
