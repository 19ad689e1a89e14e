// SPDX-License-Identifier: Apache-2.0
// Elementwise kernels: arithmetic with broadcasting, activations, casts, quantization.
#include "tests/support/registry.h"
#include "tests/unit/runtime/kernel_testing.h"

namespace test_kernels_elementwise {

using namespace equant;
using namespace equant::testing;

class TestKernelsElementwise : public QObject {
    Q_OBJECT

private slots:
    void broadcastsInEveryDirection() {
        const Tensor a = floats({2, 1, 3}, {1, 2, 3, 4, 5, 6});
        const Tensor b = floats({2, 1}, {10, 20});
        COMPARE_TENSORS(run1(makeNode("Add"), {a, b}),
                        floats({2, 2, 3}, {11, 12, 13, 21, 22, 23, 14, 15, 16, 24, 25, 26}), 0);
        COMPARE_TENSORS(run1(makeNode("Sub"), {b, a}), floats({2, 2, 3}, {9, 8, 7, 19, 18, 17, 6, 5, 4, 16, 15, 14}),
                        0);
        COMPARE_TENSORS(run1(makeNode("Mul"), {floats({}, {3}), floats({}, {2})}), floats({}, {6}), 0);
        COMPARE_TENSORS(run1(makeNode("Add"), {floats({0, 3}, {}), floats({3}, {1, 2, 3})}), floats({0, 3}, {}), 0);
        QVERIFY(!run(makeNode("Add"), {floats({2}, {1, 2}), floats({3}, {1, 2, 3})}));
        QVERIFY(!run(makeNode("Add"), {floats({1}, {1}), ints({1})}));
        QVERIFY(!run(makeNode("Add"), {floats({1}, {1})}));
    }

    void broadcastAgreesWithIndexArithmetic() {
        std::mt19937 random(7);
        for (int round = 0; round < 60; ++round) {
            const std::size_t rank = random() % 6;
            Shape a(rank), b(rank), out(rank);
            for (std::size_t i = 0; i < rank; ++i) {
                out[i] = static_cast<std::int64_t>(random() % 4 + 1);
                a[i] = random() % 3 == 0 ? 1 : out[i];
                b[i] = a[i] == 1 || random() % 3 != 0 ? out[i] : 1;
            }
            const Tensor x = randomFloats(a, random), y = randomFloats(b, random);
            std::vector<float> expected;
            for (std::int64_t i = 0; i < elementCount(out); ++i) {
                std::int64_t rest = i, strideA = 1, strideB = 1, atA = 0, atB = 0;
                for (std::size_t axis = rank; axis-- > 0;) {
                    const std::int64_t index = rest % out[axis];
                    rest /= out[axis];
                    atA += a[axis] == 1 ? 0 : index * strideA;
                    atB += b[axis] == 1 ? 0 : index * strideB;
                    strideA *= a[axis];
                    strideB *= b[axis];
                }
                expected.push_back(x.data<float>()[static_cast<std::size_t>(atA)] -
                                   y.data<float>()[static_cast<std::size_t>(atB)]);
            }
            COMPARE_TENSORS(run1(makeNode("Sub"), {x, y}), floats(out, expected), 0);
        }
    }

    void integersWrapAndNeverTrap() {
        const std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
        COMPARE_TENSORS(run1(makeNode("Div"), {ints({7, -7, lowest}), ints({2, 2, -1})}), ints({3, -3, lowest}), 0);
        QVERIFY(!run(makeNode("Div"), {ints({1}), ints({0})}));
        QVERIFY(!run(makeNode("Mod"), {ints({1}), ints({0})}));
        COMPARE_TENSORS(run1(makeNode("Mod"), {ints({-7, 7, 5}), ints({3, -3, -1})}), ints({2, -2, 0}), 0);
        COMPARE_TENSORS(run1(makeNode("Mod", {{"fmod", std::int64_t{1}}}), {ints({-7, 7}), ints({3, -3})}),
                        ints({-1, 1}), 0);
        COMPARE_TENSORS(run1(makeNode("Neg"), {ints({lowest, 5})}), ints({lowest, -5}), 0);
        COMPARE_TENSORS(run1(makeNode("Pow"), {ints({3, -2}), floats({2}, {4, 3})}), ints({81, -8}), 0);
    }

    void clipTakesLimitsFromAttributesOrInputs() {
        const Tensor x = floats({4}, {-3, 0.5F, 4, 9});
        const Node old = makeNode("Clip", {{"min", 0.0F}, {"max", 6.0F}});
        COMPARE_TENSORS(run1(old, {x}, 6), floats({4}, {0, 0.5F, 4, 6}), 0);
        COMPARE_TENSORS(run1(makeNode("Clip"), {x, Tensor{}, floats({}, {6})}, 11), floats({4}, {-3, 0.5F, 4, 6}), 0);
        COMPARE_TENSORS(run1(makeNode("Clip"), {ints({-4, 9}), of<std::int64_t>(Shape{}, {0})}, 12), ints({0, 9}), 0);
        const float infinity = std::numeric_limits<float>::infinity();
        COMPARE_TENSORS(run1(makeNode("Clip"), {floats({1}, {infinity})}, 13), floats({1}, {infinity}), 0);
    }

    void fastExponentialIsAccurate() {
        std::vector<float> points;
        for (float x = -103.0F; x < 88.7F; x += 0.0137F) points.push_back(x);
        const Tensor x = floats({static_cast<std::int64_t>(points.size())}, points);
        const Tensor y = run1(makeNode("Exp"), {x});
        const Tensor t = run1(makeNode("Tanh"), {x});
        for (std::size_t i = 0; i < points.size(); ++i) {
            const double exact = std::exp(double{points[i]});
            const double ulp = std::max(exact * 0x1p-23, 0x1p-149);
            QVERIFY2(std::fabs(double{y.data<float>()[i]} - exact) <= 2 * ulp, qPrintable(QString::number(points[i])));
            const double exactTanh = std::tanh(double{points[i]});
            QVERIFY2(std::fabs(double{t.data<float>()[i]} - exactTanh) <= 3e-7 * std::fabs(exactTanh),
                     qPrintable(QString::number(points[i])));
        }
        const float infinity = std::numeric_limits<float>::infinity();
        COMPARE_TENSORS(run1(makeNode("Exp"), {floats({4}, {-infinity, infinity, 0, std::nanf("")})}),
                        floats({4}, {0, infinity, 1, std::nanf("")}), 0);
        COMPARE_TENSORS(run1(makeNode("Sigmoid"), {floats({3}, {-200, 0, 200})}), floats({3}, {0, 0.5F, 1}), 1e-37);
    }

    void fastErrorFunctionIsAccurate() {
        std::vector<float> points;
        for (float x = -6.0F; x < 6.0F; x += 0.00137F) points.push_back(x);
        points.insert(points.end(), {1e-30F, -1e-7F, 0.99999994F, 1.0F, 4.0F, 30.0F});
        const Tensor x = floats({static_cast<std::int64_t>(points.size())}, points);
        const Tensor y = run1(makeNode("Erf"), {x});
        for (std::size_t i = 0; i < points.size(); ++i) {
            const double exact = std::erf(double{points[i]});
            QVERIFY2(std::fabs(double{y.data<float>()[i]} - exact) <= 3 * 0x1p-24 * 2 * std::fabs(exact),
                     qPrintable(QString::number(points[i])));
        }
        const float infinity = std::numeric_limits<float>::infinity();
        COMPARE_TENSORS(run1(makeNode("Erf"), {floats({4}, {-infinity, infinity, 0, std::nanf("")})}),
                        floats({4}, {-1, 1, 0, std::nanf("")}), 0);
    }

    void activationsByHand() {
        const Tensor x = floats({3}, {-1, 0, 2});
        COMPARE_TENSORS(run1(makeNode("LeakyRelu", {{"alpha", 0.1F}}), {x}), floats({3}, {-0.1F, 0, 2}), 1e-7);
        COMPARE_TENSORS(run1(makeNode("HardSwish"), {x}), floats({3}, {-1.0F / 3, 0, 5.0F / 3}), 1e-6);
        COMPARE_TENSORS(run1(makeNode("HardSigmoid"), {x}), floats({3}, {0.3F, 0.5F, 0.9F}), 1e-6);
        COMPARE_TENSORS(run1(makeNode("Elu"), {x}), floats({3}, {-0.63212056F, 0, 2}), 1e-6);
        COMPARE_TENSORS(run1(makeNode("Gelu"), {x}), floats({3}, {-0.15865526F, 0, 1.9544997F}), 1e-6);
        COMPARE_TENSORS(run1(makeNode("Mish"), {x}), floats({3}, {-0.30340147F, 0, 1.9439590F}), 1e-6);
        COMPARE_TENSORS(run1(makeNode("Softplus"), {x}), floats({3}, {0.31326169F, 0.69314718F, 2.1269280F}), 1e-6);
        COMPARE_TENSORS(run1(makeNode("PRelu"), {floats({1, 2, 2}, {-1, 2, -3, 4}), floats({2, 1}, {0.5F, 0.1F})}),
                        floats({1, 2, 2}, {-0.5F, 2, -0.3F, 4}), 1e-6);
    }

    void castsTruncateSaturateAndRoundTripHalves() {
        const auto to = [](DType type) { return makeNode("Cast", {{"to", static_cast<std::int64_t>(type)}}); };
        const Tensor x = floats({4}, {-1.7F, 2.9F, 1e30F, std::nanf("")});
        const Tensor wide = run1(to(DType::Int32), {x});
        COMPARE_TENSORS(wide, of<std::int32_t>(Shape{4}, {-1, 2, std::numeric_limits<std::int32_t>::max(), 0}), 0);
        COMPARE_TENSORS(run1(to(DType::Bool), {floats({2}, {0, 0.5F})}), Tensor(Shape{2}, {false, true}), 0);
        const Tensor exact = floats({3}, {0.5F, -1.25F, 1024});
        for (const DType half : {DType::Float16, DType::Bfloat16}) {
            COMPARE_TENSORS(run1(to(DType::Float), {run1(to(half), {exact})}), exact, 0);
        }
        QVERIFY(!run(to(DType::String), {x}));
    }

    void halfPrecisionRunsThroughFloat() {
        const Tensor a = *floats({2}, {1.5F, -2}).converted(DType::Float16);
        const Tensor sum = run1(makeNode("Add"), {a, a});
        QCOMPARE(sum.dtype(), DType::Float16);
        COMPARE_TENSORS(*sum.converted(DType::Float), floats({2}, {3, -4}), 0);
        const Tensor b = *floats({2}, {1.5F, -2}).converted(DType::Bfloat16);
        COMPARE_TENSORS(*run1(makeNode("Relu"), {b}).converted(DType::Float), floats({2}, {1.5F, 0}), 0);
    }

    void quantizeRoundsHalfToEvenAndSaturates() {
        const Tensor x = floats({7}, {-1000, -0.75F, 0.25F, 0.75F, 1.25F, 1000, std::nanf("")});
        const Tensor zero = of<std::uint8_t>(Shape{}, {10});
        const Tensor q = run1(makeNode("QuantizeLinear"), {x, floats({}, {0.5F}), zero});
        COMPARE_TENSORS(q, of<std::uint8_t>(Shape{7}, {0, 8, 10, 12, 12, 255, 0}), 0);
    }

    void quantizeDequantizeErrorIsHalfAStep() {
        std::mt19937 random(3);
        const Tensor x = randomFloats({2, 3, 5}, random, -1, 1);
        const Tensor scale = floats({3}, {0.01F, 0.02F, 0.008F});
        const Tensor zero = of<std::int8_t>(Shape{3}, {0, 3, -2});
        const Node quantize = makeNode("QuantizeLinear", {{"axis", std::int64_t{-2}}});
        const Node dequantize = makeNode("DequantizeLinear", {{"axis", std::int64_t{-2}}});
        const Tensor q = run1(quantize, {x, scale, zero});
        QCOMPARE(q.dtype(), DType::Int8);
        const Tensor y = run1(dequantize, {q, scale, zero});
        for (std::size_t i = 0; i < 30; ++i) {
            const float step = scale.data<float>()[i / 5 % 3];
            QVERIFY(std::fabs(y.data<float>()[i] - x.data<float>()[i]) <= step * 0.5001F);
        }
        QVERIFY(!run(quantize, {x, floats({2}, {1, 1}), Tensor{}}));
        QVERIFY(!run(dequantize, {q, scale, of<std::uint8_t>(Shape{3}, {0, 0, 0})}));
    }

    void blocksHaveScalesOfTheirOwn() {
        const Tensor q = of<std::int8_t>(Shape{1, 4}, {1, 2, 3, 4});
        const Node node = makeNode("DequantizeLinear", {{"axis", std::int64_t{1}}, {"block_size", std::int64_t{2}}});
        COMPARE_TENSORS(run1(node, {q, floats({1, 2}, {1, 10})}, 21), floats({1, 4}, {1, 2, 30, 40}), 0);
    }

    void whereMaxMinMean() {
        const Tensor condition(Shape{2, 1}, {true, false});
        COMPARE_TENSORS(run1(makeNode("Where"), {condition, floats({2}, {1, 2}), floats({}, {9})}),
                        floats({2, 2}, {1, 2, 9, 9}), 0);
        const std::vector<Tensor> three = {floats({2}, {1, 5}), floats({2}, {3, 2}), floats({1}, {4})};
        COMPARE_TENSORS(run1(makeNode("Max"), three), floats({2}, {4, 5}), 0);
        COMPARE_TENSORS(run1(makeNode("Min"), three), floats({2}, {1, 2}), 0);
        COMPARE_TENSORS(run1(makeNode("Mean"), three), floats({2}, {8.0F / 3, 11.0F / 3}), 1e-6);
        COMPARE_TENSORS(run1(makeNode("Less"), {ints({1, 5}), ints({3})}), Tensor(Shape{2}, {true, false}), 0);
    }
};

EQUANT_TEST(TestKernelsElementwise)
}  // namespace test_kernels_elementwise

#include "test_kernels_elementwise.moc"
