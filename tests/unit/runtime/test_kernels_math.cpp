// SPDX-License-Identifier: Apache-2.0
// Reductions, normalizations and matrix products.
#include "tests/support/registry.h"
#include "tests/unit/runtime/kernel_testing.h"

namespace test_kernels_math {

using namespace equant;
using namespace equant::testing;

class TestKernelsMath : public QObject {
    Q_OBJECT

private slots:
    void reductionsOverAnyAxes() {
        const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
        const auto no = std::int64_t{0};
        COMPARE_TENSORS(run1(makeNode("ReduceSum", {{"keepdims", no}}), {x, ints({0})}), floats({3}, {5, 7, 9}), 0);
        COMPARE_TENSORS(run1(makeNode("ReduceMean", {{"axes", list({-1})}}), {x}), floats({2, 1}, {2, 5}), 0);
        COMPARE_TENSORS(run1(makeNode("ReduceMax", {{"keepdims", no}}), {x}), floats({}, {6}), 0);
        COMPARE_TENSORS(run1(makeNode("ReduceL2", {{"keepdims", no}}), {floats({2}, {3, 4})}), floats({}, {5}), 1e-6);
        COMPARE_TENSORS(run1(makeNode("ReduceProd"), {ints({2, 3, 7})}), ints({42}), 0);
        COMPARE_TENSORS(run1(makeNode("ReduceLogSumExp", {{"keepdims", no}}), {floats({2}, {1000, 1000})}),
                        floats({}, {1000.6931F}), 1e-4);
        const Node noop = makeNode("ReduceSum", {{"noop_with_empty_axes", std::int64_t{1}}});
        COMPARE_TENSORS(run1(noop, {x}), x, 0);
        COMPARE_TENSORS(run1(makeNode("ReduceSum", {{"keepdims", no}}), {floats({0, 2}, {}), ints({0})}),
                        floats({2}, {0, 0}), 0);
        QVERIFY(!run(makeNode("ReduceSum"), {x, ints({2})}));
        QVERIFY(!run(makeNode("ReduceSum"), {x, ints({0, -2})}));
    }

    void sumsDoNotLoseSmallTerms() {
        const Tensor x = floats({1 << 20}, std::vector<float>(1 << 20, 0.1F));
        COMPARE_TENSORS(run1(makeNode("ReduceMean"), {x}), floats({1}, {0.1F}), 1e-9);
    }

    void argumentsAndCumulativeSums() {
        const Tensor x = floats({2, 3}, {1, 9, 9, 4, 0, 4});
        COMPARE_TENSORS(run1(makeNode("ArgMax", {{"axis", std::int64_t{1}}, {"keepdims", std::int64_t{0}}}), {x}),
                        ints({1, 0}), 0);
        const Node last = makeNode(
            "ArgMax",
            {{"axis", std::int64_t{-1}}, {"keepdims", std::int64_t{0}}, {"select_last_index", std::int64_t{1}}});
        COMPARE_TENSORS(run1(last, {x}), ints({2, 2}), 0);
        QVERIFY(!run(makeNode("ArgMin"), {floats({0}, {})}));
        const Node reverse = makeNode("CumSum", {{"exclusive", std::int64_t{1}}, {"reverse", std::int64_t{1}}});
        COMPARE_TENSORS(run1(reverse, {ints({1, 2, 3}), ints({0})}), ints({5, 3, 0}), 0);
    }

    void softmaxSumsToOne() {
        std::mt19937 random(9);
        for (const std::int64_t axis : {0, 1, 2, -1}) {
            const Tensor x = randomFloats({3, 37, 5}, random, -50, 50);
            const Tensor y = run1(makeNode("Softmax", {{"axis", axis}}), {x});
            const Tensor sums = run1(makeNode("ReduceSum"), {y, ints({axis})});
            const Tensor ones = floats(sums.shape(), std::vector<float>(static_cast<std::size_t>(sums.count()), 1.0F));
            COMPARE_TENSORS(sums, ones, 2e-6);
            const Tensor logarithm = run1(makeNode("LogSoftmax", {{"axis", axis}}), {x});
            COMPARE_TENSORS(run1(makeNode("Exp"), {logarithm}), y, 1e-6);
        }
    }

    void softmaxFlattensBeforeOpset13() {
        const Tensor x = floats({1, 2, 2}, {0, 0, 0, 0});
        COMPARE_TENSORS(run1(makeNode("Softmax"), {x}, 11), floats({1, 2, 2}, {0.25F, 0.25F, 0.25F, 0.25F}), 1e-7);
        COMPARE_TENSORS(run1(makeNode("Softmax"), {x}, 13), floats({1, 2, 2}, {0.5F, 0.5F, 0.5F, 0.5F}), 1e-7);
        COMPARE_TENSORS(run1(makeNode("Softmax"), {floats({2}, {-1e30F, 1e30F})}), floats({2}, {0, 1}), 0);
    }

    void batchNormalizationByHand() {
        const Tensor x = floats({1, 2, 2}, {1, 2, 3, 4});
        const std::vector<Tensor> inputs = {x, floats({2}, {2, 1}), floats({2}, {1, 0}), floats({2}, {1, 3}),
                                            floats({2}, {3.99999F, 0.99999F})};
        COMPARE_TENSORS(run1(makeNode("BatchNormalization"), inputs), floats({1, 2, 2}, {1, 2, 0, 1}), 1e-6);
        auto wrong = inputs;
        wrong[3] = floats({3}, {1, 2, 3});
        QVERIFY(!run(makeNode("BatchNormalization"), wrong));
    }

    void normalizedRowsHaveZeroMeanAndUnitVariance() {
        std::mt19937 random(31);
        const Tensor x = randomFloats({4, 6, 33}, random, 5, 9);
        const auto check = [&](const Tensor& y, std::int64_t rows) {
            const std::size_t n = static_cast<std::size_t>(y.count() / rows);
            for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
                double sum = 0, squares = 0;
                for (std::size_t i = 0; i < n; ++i) {
                    const double value = y.data<float>()[row * n + i];
                    sum += value;
                    squares += value * value;
                }
                if (std::fabs(sum) / double(n) > 1e-5 || std::fabs(squares / double(n) - 1) > 1e-3) return false;
            }
            return true;
        };
        const auto ones = [](std::int64_t n) {
            return floats({n}, std::vector<float>(static_cast<std::size_t>(n), 1));
        };
        const auto zeros = [](std::int64_t n) {
            return floats({n}, std::vector<float>(static_cast<std::size_t>(n), 0));
        };
        QVERIFY(check(run1(makeNode("LayerNormalization"), {x, ones(33), zeros(33)}), 24));
        QVERIFY(check(run1(makeNode("InstanceNormalization"), {x, ones(6), zeros(6)}), 24));
        const Node group = makeNode("GroupNormalization", {{"num_groups", std::int64_t{3}}});
        QVERIFY(check(run1(group, {x, ones(3), zeros(3)}, 18), 12));
        QVERIFY(check(run1(group, {x, ones(6), zeros(6)}, 21), 12));
        QVERIFY(!run(makeNode("LayerNormalization"), {x, ones(7), zeros(7)}));
    }

    void matmulBroadcastsBatches() {
        std::mt19937 random(13);
        const Tensor a = randomFloats({2, 1, 3, 5}, random), b = randomFloats({4, 5, 2}, random);
        const Tensor y = run1(makeNode("MatMul"), {a, b});
        std::vector<float> expected;
        for (std::size_t i = 0; i < 2; ++i)
            for (std::size_t j = 0; j < 4; ++j)
                for (std::size_t r = 0; r < 3; ++r)
                    for (std::size_t c = 0; c < 2; ++c) {
                        float sum = 0;
                        for (std::size_t k = 0; k < 5; ++k)
                            sum += a.data<float>()[(i * 3 + r) * 5 + k] * b.data<float>()[(j * 5 + k) * 2 + c];
                        expected.push_back(sum);
                    }
        COMPARE_TENSORS(y, floats({2, 4, 3, 2}, expected), 1e-6);
        QCOMPARE(run1(makeNode("MatMul"), {floats({2}, {1, 2}), floats({2}, {3, 4})}).shape(), Shape{});
        QVERIFY(!run(makeNode("MatMul"), {floats({2}, {1, 2}), floats({3}, {3, 4, 5})}));
        QVERIFY(!run(makeNode("MatMul"), {floats({}, {1}), floats({1}, {3})}));
        COMPARE_TENSORS(run1(makeNode("MatMul"), {floats({2, 0}, {}), floats({0, 1}, {})}), floats({2, 1}, {0, 0}), 0);
    }

    void gemmTransposesScalesAndAdds() {
        std::mt19937 random(19);
        const Tensor a = randomFloats({3, 4}, random), b = randomFloats({4, 2}, random), c = randomFloats({2}, random);
        const Tensor plain = run1(makeNode("Gemm"), {a, b, c});
        const Node transposed = makeNode("Gemm", {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}});
        const std::vector<std::int64_t> swap = {1, 0};
        COMPARE_TENSORS(run1(transposed, {a.transposed(swap), b.transposed(swap), c}), plain, 1e-6);
        COMPARE_TENSORS(run1(makeNode("Add"), {run1(makeNode("MatMul"), {a, b}), c}), plain, 1e-6);
        const Node scaled = makeNode("Gemm", {{"alpha", 0.5F}, {"beta", 2.0F}});
        COMPARE_TENSORS(run1(scaled, {floats({1, 1}, {4}), floats({1, 1}, {3}), floats({}, {1})}), floats({1, 1}, {8}),
                        0);
        QVERIFY(!run(makeNode("Gemm"), {a, b, floats({3}, {1, 2, 3})}));
    }
};

EQUANT_TEST(TestKernelsMath)
}  // namespace test_kernels_math

#include "test_kernels_math.moc"
