// SPDX-License-Identifier: Apache-2.0
// Buffers alive at the same time never share memory, and memory is reused where it can be.
#include <QtTest>
#include <fmt/format.h>

#include "core/runtime/plan.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_memory_planner {

using namespace equant;
using namespace equant::test;

class TestMemoryPlanner : public QObject {
    Q_OBJECT

private slots:
    void reusesBuffersOfAChain();
    void survivesManyRuns();
};

void TestMemoryPlanner::reusesBuffersOfAChain() {
    // Twenty layers of 16 KiB each need two buffers at a time (and kernels' scratch), not twenty.
    ModelBuilder builder;
    builder.input("v0", {1, 16, 16, 16}).constant("w", randomTensor({16, 16, 3, 3}, 1));
    for (int i = 0; i < 20; ++i) {
        builder.node("Conv", {fmt::format("v{}", i), "w"}, {fmt::format("v{}", i + 1)},
                     {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
    }
    builder.output("v20");
    const auto plan = compile(builder.build(), {});
    QVERIFY(plan.has_value());
    QVERIFY(arenaBytes(**plan) < 8 * 16384);
}

void TestMemoryPlanner::survivesManyRuns() {
    // The same input must give the same bits whatever earlier runs left in the arena.
    ModelBuilder builder;
    builder.input("x", {2, 7, 9, 9})
        .constant("w", randomTensor({7, 7, 3, 3}, 1))
        .constant("k", randomTensor({19, 7, 1, 1}, 2));
    builder.node("Conv", {"x", "w"}, {"a"})
        .node("MaxPool", {"a"}, {"m"}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
    builder.node("Conv", {"a", "k"}, {"b"})
        .node("Conv", {"m", "k"}, {"c"})
        .node("GlobalAveragePool", {"c"}, {"g"})
        .node("Mul", {"b", "g"}, {"y"});
    builder.output("y").output("m");
    const auto plan = compile(builder.build(), {});
    QVERIFY(plan.has_value());
    const std::vector<Tensor> first{randomTensor({2, 7, 9, 9}, 5)};
    const std::vector<Tensor> second{randomTensor({2, 7, 9, 9}, 6, 100.0F, 900.0F)};
    Runner runner(*plan);
    const auto once = runner.run(first);
    QVERIFY(runner.run(second).has_value());
    const auto again = runner.run(first);
    QVERIFY(once.has_value() && again.has_value());
    QVERIFY(*once == *again);
}

EQUANT_TEST(TestMemoryPlanner)
}  // namespace test_memory_planner

#include "test_memory_planner.moc"
