// SPDX-License-Identifier: Apache-2.0
// The loops over raw memory against their definitions: swish in double, tables one value at a time.
#include "core/runtime/kernels/fake_quantize.h"
#include "core/runtime/kernels/pointwise_pass_internal.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_pointwise_pass {

using namespace equant;
using namespace equant::test;

class TestPointwisePass : public QObject {
    Q_OBJECT

private slots:
    void swishIsAccurate();
    void swishOfExtremes();
    void tableEqualsFunction_data();
    void tableEqualsFunction();
};

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

bool areSame(float a, float b) {
    return a == b || (std::isnan(a) && std::isnan(b));
}

}  // namespace

void TestPointwisePass::swishIsAccurate() {
    std::vector<float> x;
    for (int i = -86000; i <= 86000; i += 7) x.push_back(static_cast<float>(i) / 1000.0F);
    std::vector<float> y(x.size());
    swish(x.data(), y.data(), x.size());
    double worst = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double expected = double(x[i]) / (1.0 + std::exp(-double(x[i])));
        worst = std::max(worst, std::fabs(double(y[i]) - expected) / std::max(std::fabs(expected), 1e-30));
    }
    QVERIFY2(worst < 4e-7, std::to_string(worst).c_str());
    std::vector<float> inPlace = x;
    swish(inPlace.data(), inPlace.data(), inPlace.size());
    QVERIFY(inPlace == y);
}

void TestPointwisePass::swishOfExtremes() {
    const std::vector<float> x{0.0F, 100.0F, 1e30F, kInfinity, -100.0F, kNaN};
    std::vector<float> y(x.size());
    swish(x.data(), y.data(), x.size());
    for (std::size_t i = 0; i < 4; ++i) QCOMPARE(y[i], x[i]);
    QVERIFY(std::fabs(y[4]) < 1e-30F);
    QVERIFY(std::isnan(y[5]));
}

void TestPointwisePass::tableEqualsFunction_data() {
    QTest::addColumn<int>("bits");
    QTest::addColumn<int>("resultBits");
    QTest::addColumn<bool>("isSigned");
    for (const int bits : {2, 4, 8, 12}) {
        for (const int resultBits : {0, 4, 8, 16}) {
            for (const bool isSigned : {false, true})
                QTest::addRow("%d to %d, %s", bits, resultBits, isSigned ? "signed" : "unsigned")
                    << bits << resultBits << isSigned;
        }
    }
}

void TestPointwisePass::tableEqualsFunction() {
    QFETCH(int, bits);
    QFETCH(int, resultBits);
    QFETCH(bool, isSigned);
    Encoding grid = asymmetricGrid(-2.3F, 4.1F, bits);
    grid.isSigned = isSigned;
    if (isSigned) grid.zeroPoint[0] -= 1 << (bits - 1);
    const Encoding result = asymmetricGrid(-0.3F, 4.0F, resultBits == 0 ? 8 : resultBits);
    const auto function = [&](std::vector<float> values) {
        for (float& value : values) value = value / (1.0F + std::exp(-value));
        if (resultBits != 0) fakeQuantizePerTensor(values.data(), values.size(), result);
        return values;
    };
    const LookupTable table = makeTable(grid, function(gridValues(grid)), resultBits == 0 ? nullptr : &result);
    QCOMPARE(table.hasCodes, bits <= 8 && resultBits != 0 && resultBits <= 8);
    LookupTable plain = table;
    plain.hasCodes = false;
    // Lengths around the width of the vectors; ties, what is beyond the grid, and what is no number.
    for (const std::size_t count : {1, 15, 16, 17, 63, 64, 65, 200}) {
        const Tensor random = randomTensor({static_cast<std::int64_t>(count)}, 3, -5.0F, 6.0F);
        std::vector<float> x(random.data<float>().begin(), random.data<float>().end());
        for (std::size_t i = 0; i < count; i += 5) x[i] = (std::rint(x[i] / grid.scale[0]) + 0.5F) * grid.scale[0];
        x[count / 2] = kNaN;
        x[count / 3] = kInfinity;
        x.back() = -kInfinity;
        std::vector<float> expected = x;
        fakeQuantizePerTensor(expected.data(), count, grid);
        expected = function(expected);
        for (const LookupTable* each : {&table, static_cast<const LookupTable*>(&plain)}) {
            std::vector<float> y(count + 1, 77.0F);
            lookUp(x.data(), y.data(), count, *each);
            QCOMPARE(y.back(), 77.0F);
            for (std::size_t i = 0; i < count; ++i) {
                if (!areSame(y[i], expected[i]))
                    QFAIL(qPrintable(QString("%1 of %2: %3 -> %4, not %5")
                                         .arg(i)
                                         .arg(count)
                                         .arg(double(x[i]))
                                         .arg(double(y[i]))
                                         .arg(double(expected[i]))));
            }
            std::vector<float> inPlace = x;
            lookUp(inPlace.data(), inPlace.data(), count, *each);
            for (std::size_t i = 0; i < count; ++i) QVERIFY(areSame(inPlace[i], y[i]));
        }
    }
}

EQUANT_TEST(TestPointwisePass)
}  // namespace test_pointwise_pass

#include "test_pointwise_pass.moc"
