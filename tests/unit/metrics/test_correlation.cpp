// SPDX-License-Identifier: Apache-2.0
#include <QTest>
#include <cmath>
#include <vector>

#include "core/metrics/correlation.h"
#include "tests/support/registry.h"

namespace test_correlation {

using namespace equant;

class TestCorrelation : public QObject {
    Q_OBJECT

private slots:
    void ranks();
};

void TestCorrelation::ranks() {
    const std::vector<double> a{1, 2, 3, 4, 5};
    QCOMPARE(*rankCorrelation(a, std::vector<double>{10, 100, 1e3, 1e4, 1e5}), 1.0);
    QCOMPARE(*rankCorrelation(a, std::vector<double>{5, 4, 3, 2, 1}), -1.0);
    // 1 - 6 * sum d^2 / (n (n^2 - 1)), d = 0 1 1 1 1
    QCOMPARE(*rankCorrelation(a, std::vector<double>{1, 3, 2, 5, 4}), 0.8);
    // Ties share their mean rank.
    const double tied = *rankCorrelation(a, std::vector<double>{1, 1, 2, 2, 3});
    QVERIFY(std::abs(tied - 9 / std::sqrt(90.0)) < 1e-12);
    QVERIFY(!rankCorrelation(a, std::vector<double>{1, 1, 1, 1, 1}));
    QVERIFY(!rankCorrelation(std::vector<double>{1, 2}, std::vector<double>{1, 2}));
}

EQUANT_TEST(TestCorrelation)
}  // namespace test_correlation

#include "test_correlation.moc"
