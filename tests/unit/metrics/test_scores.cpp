// SPDX-License-Identifier: Apache-2.0
#include <QtTest>
#include <cmath>

#include "core/metrics/scores.h"
#include "tests/support/registry.h"

namespace test_scores {

using namespace equant;

class TestScores : public QObject {
    Q_OBJECT

private slots:
    void wilsonMatchesPublishedValues() {
        // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I (method 3).
        const auto [low, high] = wilsonInterval(81, 263);
        QVERIFY(std::abs(low - 25.53) < 0.01 && std::abs(high - 36.62) < 0.01);
        const auto none = wilsonInterval(0, 20);
        QVERIFY(std::abs(none.low) < 1e-9 && std::abs(none.high - 16.11) < 0.01);
        QCOMPARE(wilsonInterval(0, 0).high, 100.0);
    }

    void topKBreaksTiesLikeAStableSort() {
        const std::vector<float> values{0.1F, 0.5F, 0.5F, 0.2F};
        QCOMPARE(argmax(values), std::size_t{1});
        QVERIFY(isInTopK(values, 1, 1));
        QVERIFY(!isInTopK(values, 2, 1));
        QVERIFY(isInTopK(values, 2, 2));
        QVERIFY(!isInTopK(values, 0, 3));
        QVERIFY(!isInTopK(values, 9, 5));
        QVERIFY(!isInTopK(values, -1, 5));
    }

    void sqnrInDecibels() {
        SqnrAccumulator accumulator;
        QVERIFY(!accumulator.db());
        accumulator.add(std::vector<float>{10.F, 0.F}, std::vector<float>{9.F, 0.F});
        QVERIFY(std::abs(*accumulator.db() - 20.0) < 1e-9);
        SqnrAccumulator other;
        other.add(std::vector<float>{10.F}, std::vector<float>{9.F});
        accumulator.merge(other);
        QVERIFY(std::abs(*accumulator.db() - 20.0) < 1e-9);
        SqnrAccumulator same;
        same.add(std::vector<float>{1.F}, std::vector<float>{1.F});
        QVERIFY(std::isinf(*same.db()));
    }
};

EQUANT_TEST(TestScores)
}  // namespace test_scores

#include "test_scores.moc"
