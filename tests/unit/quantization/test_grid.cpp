// SPDX-License-Identifier: Apache-2.0
// Facts and properties of quantization grids.
#include <QTest>
#include <cmath>
#include <random>

#include "core/quantization/grid.h"
#include "tests/support/registry.h"

namespace test_grid {

using namespace equant;

class TestGrid : public QObject {
    Q_OBJECT

private slots:
    void knownGrids();
    void symmetricGridsStepBeyondTheNegativeEnd();
    void strictGridsAreMirrored();
    void unsignedSymmetricGridsStartAtZero();
    void zeroIsAlwaysOnTheGrid();
    void encodingAndGridAreTheSame_data();
    void encodingAndGridAreTheSame();
    void mixedChannelsBecomeSigned();
    void infiniteEndsAreTamed();
};

namespace {

GridOptions asymmetric(int bits) {
    GridOptions options;
    options.bits = bits;
    return options;
}

GridOptions symmetric(int bits, bool isStrict = false, bool isUnsignedAllowed = false) {
    return {bits, true, isStrict, isUnsignedAllowed};
}

}  // namespace

void TestGrid::knownGrids() {
    const GridRange three = gridFromRange(-5.0, 10.0, asymmetric(3));
    QVERIFY(std::abs(three.min + 4.285714285714286) < 1e-12);
    QVERIFY(std::abs(three.max - 10.714285714285714) < 1e-12);
    // Zero of a centred range with an odd number of steps lies half way between integers: half away from zero.
    const GridRange centred = gridFromRange(-5.0, 5.0, asymmetric(3));
    QCOMPARE(centred.offset, -4);
    const GridRange eight = gridFromRange(-0.46, 0.72, asymmetric(8));
    QCOMPARE(eight.offset, -99);
    QVERIFY(std::abs(eight.min + 0.45811764705882) < 1e-8);
    QVERIFY(std::abs(eight.max - 0.72188235294118) < 1e-8);
}

void TestGrid::symmetricGridsStepBeyondTheNegativeEnd() {
    const GridRange grid = gridFromRange(-1.0, 2.54, symmetric(8));
    QCOMPARE(grid.offset, -128);
    QVERIFY(grid.isSigned);
    QVERIFY(std::abs(grid.max - 2.54) < 1e-12);
    QVERIFY(std::abs(grid.min + 2.56) < 1e-12);
}

void TestGrid::strictGridsAreMirrored() {
    const GridRange grid = gridFromRange(-1.27, 1.0, symmetric(8, true));
    QCOMPARE(grid.offset, -127);
    QCOMPARE(grid.min, -grid.max);
    QVERIFY(std::abs(grid.scale - 0.01) < 1e-12);
}

void TestGrid::unsignedSymmetricGridsStartAtZero() {
    const GridRange grid = gridFromRange(0.0, 2.55, symmetric(8, false, true));
    QCOMPARE(grid.offset, 0);
    QVERIFY(!grid.isSigned);
    QVERIFY(std::abs(grid.scale - 0.01) < 1e-12);
    QVERIFY(gridFromRange(0.0, 2.55, symmetric(8)).isSigned);
}

void TestGrid::zeroIsAlwaysOnTheGrid() {
    std::mt19937 random(3);
    std::uniform_real_distribution<double> uniform(0.001, 10.0);
    for (int i = 0; i < 200; ++i) {
        const double low = -uniform(random);
        const double high = uniform(random);
        for (int bits = 2; bits <= 16; ++bits) {
            const GridRange grid = gridFromRange(low, high, asymmetric(bits));
            QVERIFY(grid.offset <= 0 && grid.offset >= -gridSteps(asymmetric(bits)));
            QVERIFY(grid.min <= 0.0 && grid.max >= -1e-12);
            // Shifting zero onto the grid moves the ends by at most half a step.
            QVERIFY(std::abs(grid.min - low) <= 0.5 * grid.scale + 1e-12);
            QVERIFY(std::abs(grid.max - high) <= 0.5 * grid.scale + 1e-12);
        }
    }
}

void TestGrid::encodingAndGridAreTheSame_data() {
    QTest::addColumn<int>("bits");
    QTest::addColumn<bool>("isSymmetric");
    QTest::addColumn<bool>("isStrict");
    QTest::addColumn<bool>("isUnsignedAllowed");
    QTest::addColumn<double>("min");
    for (const int bits : {4, 8, 16}) {
        for (const double min : {-2.0, 0.0}) {
            QTest::addRow("asymmetric %d %g", bits, min) << bits << false << false << false << min;
            QTest::addRow("symmetric %d %g", bits, min) << bits << true << false << false << min;
            QTest::addRow("strict %d %g", bits, min) << bits << true << true << false << min;
            QTest::addRow("unsigned %d %g", bits, min) << bits << true << false << true << min;
            QTest::addRow("unsigned strict %d %g", bits, min) << bits << true << true << true << min;
        }
    }
}

void TestGrid::encodingAndGridAreTheSame() {
    QFETCH(int, bits);
    QFETCH(bool, isSymmetric);
    QFETCH(bool, isStrict);
    QFETCH(bool, isUnsignedAllowed);
    QFETCH(double, min);
    const GridOptions options{bits, isSymmetric, isStrict, isUnsignedAllowed};
    const GridRange grid = gridFromRange(min, 3.0, options);
    const Encoding encoding = toEncoding({grid}, options);
    QCOMPARE(encoding.qMax() - encoding.qMin(), gridSteps(options));
    QVERIFY(std::abs(encoding.min() - grid.min) <= 1e-6 * std::abs(grid.min) + 1e-12);
    QVERIFY(std::abs(encoding.max() - grid.max) <= 1e-6 * grid.max);
    QVERIFY(encoding.zeroPoint[0] >= encoding.qMin() && encoding.zeroPoint[0] <= encoding.qMax());
    if (encoding.isSigned) QCOMPARE(encoding.zeroPoint[0], 0);
    const GridRange back = gridOf(encoding);
    QCOMPARE(back.offset, grid.offset);
    QCOMPARE(back.isSigned, grid.isSigned);
    QCOMPARE(static_cast<float>(back.scale), static_cast<float>(grid.scale));
}

void TestGrid::mixedChannelsBecomeSigned() {
    const GridOptions options = symmetric(8, false, true);
    const Encoding encoding =
        toEncoding({gridFromRange(0.0, 1.0, options), gridFromRange(-1.0, 1.0, options)}, options, 0);
    QVERIFY(encoding.isSigned);
    QCOMPARE(encoding.scale[0], encoding.scale[1]);
    QCOMPARE(encoding.zeroPoint, (std::vector<std::int32_t>{0, 0}));
}

void TestGrid::infiniteEndsAreTamed() {
    const GridRange grid = gridFromRange(-HUGE_VAL, 1.0, symmetric(8));
    QVERIFY(std::isfinite(grid.scale) && std::isfinite(static_cast<float>(grid.scale)));
}

EQUANT_TEST(TestGrid)
}  // namespace test_grid

#include "test_grid.moc"
