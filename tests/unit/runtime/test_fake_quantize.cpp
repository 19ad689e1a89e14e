// SPDX-License-Identifier: Apache-2.0
// The quantization grid against a direct transcription of its definition.
#include <QtTest>
#include <cmath>

#include "core/runtime/kernels/fake_quantize.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_fake_quantize {

using namespace equant;

class TestFakeQuantize : public QObject {
    Q_OBJECT

private slots:
    void followsTheDefinition();
    void roundsTies();
    void perChannel();
    void integers();
    void refusesWhatDoesNotFit();
};

namespace {

float naive(float x, const Encoding& e, std::size_t channel) {
    const double steps = double(x / e.scale[channel]);
    const double rounded = e.rounding == Rounding::HalfToEven ? std::nearbyint(steps) : std::round(steps);
    const double q = std::clamp(rounded + e.zeroPoint[channel], double(e.qMin()), double(e.qMax()));
    return static_cast<float>(q - e.zeroPoint[channel]) * e.scale[channel];
}

Encoding grid(int bits, bool isSigned, float scale, std::int32_t zeroPoint) {
    Encoding e;
    e.bits = bits;
    e.isSigned = isSigned;
    e.scale = {scale};
    e.zeroPoint = {zeroPoint};
    return e;
}

}  // namespace

void TestFakeQuantize::followsTheDefinition() {
    const Tensor x = test::randomTensor({1000}, 3, -40.0F, 40.0F);
    for (Encoding e : {grid(8, false, 0.1F, 128), grid(8, true, 0.03F, -7), grid(4, true, 1.7F, 0),
                       grid(16, false, 0.001F, 30000), grid(8, false, 0.01F, 300)}) {
        for (const Rounding rounding : {Rounding::HalfToEven, Rounding::HalfAwayFromZero}) {
            for (const bool isStrict : {false, true}) {
                e.rounding = rounding;
                e.isStrict = isStrict;
                const auto result = fakeQuantized(x, e);
                QVERIFY(result.has_value());
                for (std::size_t i = 0; i < 1000; ++i)
                    QCOMPARE(result->data<float>()[i], naive(x.data<float>()[i], e, 0));
            }
        }
    }
}

void TestFakeQuantize::roundsTies() {
    const Tensor x(Shape{8}, {0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F, 0.49999997F, -0.49999997F});
    Encoding e = grid(8, true, 1.0F, 1);
    const std::vector<float> even{0, 2, 2, 0, -2, -2, 0, 0};
    const std::vector<float> away{1, 2, 3, -1, -2, -3, 0, 0};
    const auto toEven = fakeQuantized(x, e);
    e.rounding = Rounding::HalfAwayFromZero;
    const auto fromZero = fakeQuantized(x, e);
    for (std::size_t i = 0; i < 8; ++i) {
        QCOMPARE(toEven->data<float>()[i], even[i]);
        QCOMPARE(fromZero->data<float>()[i], away[i]);
    }
}

void TestFakeQuantize::perChannel() {
    const Tensor x = test::randomTensor({4, 3, 5}, 3, -3.0F, 3.0F);
    for (const int axis : {0, 1, 2}) {
        Encoding e = grid(6, true, 1.0F, 0);
        e.axis = axis;
        e.scale.clear();
        e.zeroPoint.clear();
        for (int i = 0; i < x.dim(axis); ++i) {
            e.scale.push_back(0.05F + 0.03F * static_cast<float>(i));
            e.zeroPoint.push_back(i);
        }
        const auto result = fakeQuantized(x, e);
        QVERIFY(result.has_value());
        for (std::size_t i = 0; i < 60; ++i) {
            const std::size_t index[3] = {i / 15, i / 5 % 3, i % 5};
            QCOMPARE(result->data<float>()[i], naive(x.data<float>()[i], e, index[axis]));
        }
    }
}

void TestFakeQuantize::integers() {
    const Tensor x = test::randomTensor({500}, 8, -20.0F, 20.0F);
    const Encoding e = grid(8, false, 0.1F, 100);
    const auto real = fakeQuantized(x, e);
    const auto whole = quantizedIntegers(x, e);
    QVERIFY(real.has_value() && whole.has_value());
    for (std::size_t i = 0; i < 500; ++i) {
        const std::int32_t q = whole->data<std::int32_t>()[i];
        QVERIFY(q >= 0 && q <= 255);
        QCOMPARE(static_cast<float>(q - 100) * 0.1F, real->data<float>()[i]);
    }
}

void TestFakeQuantize::refusesWhatDoesNotFit() {
    Encoding e = grid(8, false, 0.1F, 0);
    QVERIFY(!fakeQuantized(Tensor(DType::Int32, {3}), e).has_value());
    e.axis = 1;
    QVERIFY(!fakeQuantized(test::randomTensor({3, 4}, 1), e).has_value());
    QVERIFY(!fakeQuantized(test::randomTensor({3}, 1), e).has_value());
    QVERIFY(!fakeQuantized(test::randomTensor({3}, 1), grid(8, false, 0.0F, 0)).has_value());
}

EQUANT_TEST(TestFakeQuantize)
}  // namespace test_fake_quantize

#include "test_fake_quantize.moc"
