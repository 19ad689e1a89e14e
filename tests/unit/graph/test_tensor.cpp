// SPDX-License-Identifier: Apache-2.0
#include <QtTest>
#include <cmath>
#include <limits>

#include "core/graph/tensor.h"
#include "tests/support/registry.h"

namespace test_tensor {

using namespace equant;

class TestTensor : public QObject {
    Q_OBJECT

private slots:
    void copiesShareUntilWritten() {
        Tensor a(Shape{2, 2}, {1.F, 2.F, 3.F, 4.F});
        Tensor b = a;
        QVERIFY(b.sharesDataWith(a));
        b.mutableData<float>()[0] = 9.F;
        QVERIFY(!b.sharesDataWith(a));
        QCOMPARE(a.data<float>()[0], 1.F);
        QCOMPARE(b.data<float>()[0], 9.F);
    }

    void scalarsAndEmptyTensors() {
        QCOMPARE(Tensor(DType::Float, {}).count(), 1);
        const Tensor empty(DType::Float, {3, 0, 2});
        QCOMPARE(empty.count(), 0);
        QCOMPARE(empty.sizeBytes(), std::size_t{0});
        QVERIFY(empty == Tensor(DType::Float, Shape{3, 0, 2}));
        QVERIFY(Tensor().isEmpty());
    }

    void fourBitTypesPackTwoPerByte() { QCOMPARE(Tensor(DType::Int4, {5}).sizeBytes(), std::size_t{3}); }

    void overflowingShapesAreRefused() {
        const auto huge = std::numeric_limits<std::int64_t>::max() / 2;
        QCOMPARE(checkedElementCount({huge, huge}, DType::Float).error().code, ErrorCode::OutOfRange);
        QCOMPARE(checkedElementCount({2, -1}, DType::Float).error().code, ErrorCode::InvalidArgument);
        QCOMPARE(checkedElementCount({3, 0}, DType::Float).value(), 0);
    }

    void transposeMovesEveryAxis() {
        Tensor tensor(DType::Int32, {2, 3, 4});
        for (std::int32_t i = 0; auto& value : tensor.mutableData<std::int32_t>()) value = i++;
        const std::vector<std::int64_t> permutation{2, 0, 1};
        const Tensor moved = tensor.transposed(permutation);
        QCOMPARE(moved.shape(), (Shape{4, 2, 3}));
        for (int i = 0; i < 2; ++i)
            for (int j = 0; j < 3; ++j)
                for (int k = 0; k < 4; ++k)
                    QCOMPARE(moved.data<std::int32_t>()[std::size_t(k * 6 + i * 3 + j)], i * 12 + j * 4 + k);
    }

    void halfRoundTripsEveryFiniteValue() {
        for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
            const auto half = static_cast<std::uint16_t>(bits);
            const float value = halfToFloat(half);
            if (std::isnan(value)) {
                QVERIFY(std::isnan(halfToFloat(floatToHalf(value))));
            } else {
                QCOMPARE(floatToHalf(value), half);
            }
        }
    }

    void narrowingRoundsToNearestEven_data() {
        QTest::addColumn<float>("value");
        QTest::addColumn<int>("half");
        QTest::addColumn<int>("bfloat");
        QTest::newRow("one") << 1.F << 0x3C00 << 0x3F80;
        QTest::newRow("tie to even, down") << 1.F + std::ldexp(1.F, -11) << 0x3C00 << 0x3F80;
        QTest::newRow("tie to even, up") << 1.F + 3 * std::ldexp(1.F, -11) << 0x3C02 << 0x3F80;
        QTest::newRow("largest half") << 65504.F << 0x7BFF << 0x4780;
        QTest::newRow("rounds to infinity") << 65520.F << 0x7C00 << 0x4780;
        QTest::newRow("smallest subnormal half") << std::ldexp(1.F, -24) << 0x0001 << 0x3380;
        QTest::newRow("half of it ties to zero") << std::ldexp(1.F, -25) << 0x0000 << 0x3300;
        QTest::newRow("minus two") << -2.F << 0xC000 << 0xC000;
    }
    void narrowingRoundsToNearestEven() {
        QFETCH(float, value);
        QFETCH(int, half);
        QFETCH(int, bfloat);
        QCOMPARE(int(floatToHalf(value)), half);
        QCOMPARE(int(floatToBfloat16(value)), bfloat);
    }

    void conversionSaturatesAndDropsFractions() {
        const Tensor values(Shape{5}, {1.9F, -1.9F, 300.F, -300.F, std::numeric_limits<float>::quiet_NaN()});
        const auto bytes = values.converted(DType::Int8);
        QVERIFY(bytes.has_value());
        const std::vector<std::int8_t> expected{1, -1, 127, -128, 0};
        for (std::size_t i = 0; i < expected.size(); ++i) QCOMPARE(bytes->data<std::int8_t>()[i], expected[i]);
        QVERIFY(!values.converted(DType::String).has_value());
        const auto half = values.converted(DType::Float16);
        QVERIFY(half.has_value());
        QCOMPARE(half->converted(DType::Float)->data<float>()[2], 300.F);
    }
};

EQUANT_TEST(TestTensor)
}  // namespace test_tensor

#include "test_tensor.moc"
