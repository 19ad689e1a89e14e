// SPDX-License-Identifier: Apache-2.0
// Signal, loss and Unique kernels against their definitions.
#include <complex>
#include <numbers>

#include "tests/support/registry.h"
#include "tests/unit/runtime/kernel_testing.h"

namespace test_kernels_signal {

using namespace equant;
using namespace equant::testing;

class TestKernelsSignal : public QObject {
    Q_OBJECT

private slots:
    void transformByDefinition_data();
    void transformByDefinition();
    void framesAreTransformed();
    void windows();
    void losses();
    void uniqueSlices();
};

void TestKernelsSignal::transformByDefinition_data() {
    QTest::addColumn<int>("length");
    for (const int length : {1, 2, 8, 12, 16, 17}) QTest::addRow("%d", length) << length;
}

void TestKernelsSignal::transformByDefinition() {
    QFETCH(int, length);
    std::mt19937 random(7);
    const Tensor x = randomFloats({2, length, 2}, random);
    const Tensor spectrum = run1(makeNode("DFT", {{"axis", std::int64_t{1}}}), {x});
    QCOMPARE(spectrum.shape(), x.shape());
    for (std::size_t b = 0; b < 2; ++b) {
        for (std::size_t k = 0; k < std::size_t(length); ++k) {
            std::complex<double> sum = 0;
            for (std::size_t i = 0; i < std::size_t(length); ++i) {
                const std::size_t at = 2 * (b * std::size_t(length) + i);
                sum += std::complex<double>(x.data<float>()[at], x.data<float>()[at + 1]) *
                       std::polar(1.0, -2.0 * std::numbers::pi * double(i * k) / double(length));
            }
            const std::size_t at = 2 * (b * std::size_t(length) + k);
            QVERIFY(std::fabs(sum.real() - double(spectrum.data<float>()[at])) < 1e-4);
            QVERIFY(std::fabs(sum.imag() - double(spectrum.data<float>()[at + 1])) < 1e-4);
        }
    }
    const Node inverse = makeNode("DFT", {{"axis", std::int64_t{1}}, {"inverse", std::int64_t{1}}});
    COMPARE_TENSORS(run1(inverse, {spectrum}), x, 1e-5);
}

void TestKernelsSignal::framesAreTransformed() {
    std::mt19937 random(3);
    const Tensor x = randomFloats({1, 20, 1}, random);
    const Tensor window = randomFloats({8}, random);
    const Tensor frames = run1(makeNode("STFT"), {x, of<std::int64_t>({}, {4}), window});
    QCOMPARE(frames.shape(), (Shape{1, 4, 5, 2}));
    for (std::size_t f = 0; f < 4; ++f) {
        std::vector<float> frame;
        for (std::size_t i = 0; i < 8; ++i) frame.push_back(x.data<float>()[4 * f + i] * window.data<float>()[i]);
        const Node transform = makeNode("DFT", {{"axis", std::int64_t{1}}, {"onesided", std::int64_t{1}}});
        const Tensor expected = run1(transform, {floats({1, 8, 1}, frame)});
        const auto part = frames.data<float>().subspan(10 * f, 10);
        COMPARE_TENSORS(Tensor(Shape{1, 5, 2}, part), expected, 1e-5);
    }
    QVERIFY(!run(makeNode("STFT"), {x, of<std::int64_t>({}, {0}), window}).has_value());
    QVERIFY(!run(makeNode("STFT"), {x, of<std::int64_t>({}, {1}), Tensor{}, of<std::int64_t>({}, {21})}).has_value());
}

void TestKernelsSignal::windows() {
    const Tensor five = of<std::int64_t>({}, {5});
    const std::vector<std::pair<std::string, AttributeValue>> symmetric{{"periodic", std::int64_t{0}}};
    COMPARE_TENSORS(run1(makeNode("HannWindow", symmetric), {five}), floats({5}, {0, 0.5F, 1, 0.5F, 0}), 1e-6);
    const float edge = 4.0F / 46.0F;
    COMPARE_TENSORS(run1(makeNode("HammingWindow", symmetric), {five}),
                    floats({5}, {edge, 25.0F / 46.0F, 1, 25.0F / 46.0F, edge}), 1e-6);
    COMPARE_TENSORS(run1(makeNode("BlackmanWindow", symmetric), {five}), floats({5}, {0, 0.34F, 1, 0.34F, 0}), 1e-6);
    const Tensor four = of<std::int64_t>({}, {4});
    COMPARE_TENSORS(run1(makeNode("HannWindow"), {four}), floats({4}, {0, 0.5F, 1, 0.5F}), 1e-6);
    QVERIFY(!run(makeNode("HannWindow"), {of<std::int64_t>({}, {-1})}).has_value());
}

void TestKernelsSignal::losses() {
    const Tensor logs = floats({2, 3}, {-1, -2, -3, -4, -5, -6});
    const Tensor targets = of<std::int64_t>({2}, {2, 0});
    const Tensor weights = floats({3}, {2, 1, 0.5F});
    const auto loss = [&](const std::string& reduction) {
        return run1(makeNode("NegativeLogLikelihoodLoss", {{"reduction", reduction}}), {logs, targets, weights});
    };
    COMPARE_TENSORS(loss("none"), floats({2}, {1.5F, 8}), 1e-6);
    COMPARE_TENSORS(loss("sum"), floats({}, {9.5F}), 1e-6);
    COMPARE_TENSORS(loss("mean"), floats({}, {3.8F}), 1e-6);
    const Node cross = makeNode("SoftmaxCrossEntropyLoss", {}, 2);
    const auto both = run(cross, {floats({1, 2}, {0, std::log(3.0F)}), of<std::int64_t>({1}, {1})});
    QVERIFY(both.has_value());
    COMPARE_TENSORS((*both)[0], floats({}, {std::log(4.0F / 3.0F)}), 1e-6);
    COMPARE_TENSORS((*both)[1], floats({1, 2}, {std::log(0.25F), std::log(0.75F)}), 1e-6);
    QVERIFY(!run(cross, {logs, of<std::int64_t>({2}, {0, 3})}).has_value());
    QVERIFY(!run(cross, {logs, of<std::int64_t>({1}, {0})}).has_value());
}

void TestKernelsSignal::uniqueSlices() {
    const Tensor x = floats({3, 2}, {2, 1, 0, 5, 2, 1});
    const auto rows = run(makeNode("Unique", {{"axis", std::int64_t{0}}}, 4), {x});
    QVERIFY(rows.has_value());
    COMPARE_TENSORS((*rows)[0], floats({2, 2}, {0, 5, 2, 1}), 0);
    COMPARE_TENSORS((*rows)[1], ints({1, 0}), 0);
    COMPARE_TENSORS((*rows)[2], ints({1, 0, 1}), 0);
    COMPARE_TENSORS((*rows)[3], ints({1, 2}), 0);
    const auto flat = run(makeNode("Unique", {{"sorted", std::int64_t{0}}}, 4), {x});
    QVERIFY(flat.has_value());
    COMPARE_TENSORS((*flat)[0], floats({4}, {2, 1, 0, 5}), 0);
    COMPARE_TENSORS((*flat)[3], ints({2, 2, 1, 1}), 0);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor distinct = run1(makeNode("Unique"), {floats({5}, {nan, 1, nan, 0, 1})});
    COMPARE_TENSORS(distinct, floats({3}, {0, 1, nan}), 0);
}

EQUANT_TEST(TestKernelsSignal)
}  // namespace test_kernels_signal

#include "test_kernels_signal.moc"
