// SPDX-License-Identifier: Apache-2.0
// Kernels that move data: transpositions, slices, pads and their inverses, shapes and their refusals.
#include "tests/support/registry.h"
#include "tests/unit/runtime/kernel_testing.h"

namespace test_kernels_movement {

using namespace equant;
using namespace equant::testing;

class TestKernelsMovement : public QObject {
    Q_OBJECT

private slots:
    void transposeAgreesWithTensorAndInverts() {
        std::mt19937 random(11);
        for (int round = 0; round < 40; ++round) {
            const std::size_t rank = random() % 5 + 1;
            Shape shape(rank);
            for (auto& dim : shape) dim = static_cast<std::int64_t>(random() % 19 + 1);
            std::vector<std::int64_t> order(rank), inverse(rank);
            std::iota(order.begin(), order.end(), 0);
            std::shuffle(order.begin(), order.end(), random);
            for (std::size_t i = 0; i < rank; ++i)
                inverse[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
            const Tensor x = randomFloats(shape, random);
            const Tensor y = run1(makeNode("Transpose", {{"perm", order}}), {x});
            COMPARE_TENSORS(y, x.transposed(order), 0);
            COMPARE_TENSORS(run1(makeNode("Transpose", {{"perm", inverse}}), {y}), x, 0);
        }
        QVERIFY(!run(makeNode("Transpose", {{"perm", list({0, 0})}}), {floats({1, 1}, {1})}));
        QVERIFY(!run(makeNode("Transpose", {{"perm", list({0, 2})}}), {floats({1, 1}, {1})}));
    }

    void sliceInBothForms() {
        const Tensor x = ints({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
        const auto sliced = [&](std::int64_t start, std::int64_t end, std::int64_t step) {
            return run1(makeNode("Slice"), {x, ints({start}), ints({end}), ints({0}), ints({step})}, 13);
        };
        constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
        constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
        COMPARE_TENSORS(sliced(2, 8, 3), ints({2, 5}), 0);
        COMPARE_TENSORS(sliced(-3, kMax, 1), ints({7, 8, 9}), 0);
        COMPARE_TENSORS(sliced(-1, kMin, -4), ints({9, 5, 1}), 0);
        COMPARE_TENSORS(sliced(kMax, kMin, kMin), ints({9}), 0);
        COMPARE_TENSORS(sliced(kMin, kMax, kMax), ints({0}), 0);
        COMPARE_TENSORS(sliced(kMin, kMin, -1), ints({}), 0);
        COMPARE_TENSORS(sliced(5, 2, 1), ints({}), 0);
        QVERIFY(!run(makeNode("Slice"), {x, ints({0}), ints({1}), ints({0}), ints({0})}, 13));
        QVERIFY(!run(makeNode("Slice"), {x, ints({0}), ints({1}), ints({1})}, 13));
        QVERIFY(!run(makeNode("Slice"), {x, ints({0, 0}), ints({1})}, 13));
        const Node old = makeNode("Slice", {{"starts", list({1, 0})}, {"ends", list({2, -1})}, {"axes", list({0, 1})}});
        COMPARE_TENSORS(run1(old, {floats({2, 3}, {1, 2, 3, 4, 5, 6})}, 9), floats({1, 2}, {4, 5}), 0);
    }

    void padThenSliceIsIdentity() {
        std::mt19937 random(5);
        for (const std::string mode : {"constant", "reflect", "edge", "wrap"}) {
            for (int round = 0; round < 10; ++round) {
                Shape shape(random() % 4 + 1);
                std::vector<std::int64_t> before, after, starts, ends;
                for (auto& dim : shape) {
                    dim = static_cast<std::int64_t>(random() % 5 + 2);
                    before.push_back(static_cast<std::int64_t>(random() % 2));
                    after.push_back(static_cast<std::int64_t>(random() % 2));
                    starts.push_back(before.back());
                    ends.push_back(before.back() + dim);
                }
                const Tensor x = randomFloats(shape, random);
                std::vector<std::int64_t> pads = before;
                pads.insert(pads.end(), after.begin(), after.end());
                const Tensor padded = run1(makeNode("Pad", {{"mode", mode}}), {x, ints(pads), floats({}, {7})}, 19);
                COMPARE_TENSORS(run1(makeNode("Slice"), {padded, ints(starts), ints(ends)}), x, 0);
            }
        }
    }

    void padByHand() {
        const Tensor x = floats({3}, {1, 2, 3});
        const auto padded = [&](const std::string& mode, std::vector<std::int64_t> pads) {
            return run1(makeNode("Pad", {{"mode", mode}}), {x, ints(std::move(pads))}, 19);
        };
        COMPARE_TENSORS(padded("constant", {1, 2}), floats({6}, {0, 1, 2, 3, 0, 0}), 0);
        COMPARE_TENSORS(padded("reflect", {2, 1}), floats({6}, {3, 2, 1, 2, 3, 2}), 0);
        COMPARE_TENSORS(padded("edge", {1, 2}), floats({6}, {1, 1, 2, 3, 3, 3}), 0);
        COMPARE_TENSORS(padded("wrap", {1, 2}), floats({6}, {3, 1, 2, 3, 1, 2}), 0);
        COMPARE_TENSORS(padded("constant", {-1, 1}), floats({3}, {2, 3, 0}), 0);
        const Node old = makeNode("Pad", {{"pads", list({0, 1})}, {"value", 5.0F}});
        COMPARE_TENSORS(run1(old, {x}, 9), floats({4}, {1, 2, 3, 5}), 0);
        const Tensor matrix = floats({1, 2}, {1, 2});
        COMPARE_TENSORS(run1(makeNode("Pad"), {matrix, ints({1, 1}), Tensor{}, ints({-1})}, 18),
                        floats({1, 4}, {0, 1, 2, 0}), 0);
        QVERIFY(!run(makeNode("Pad"), {x, ints({1})}, 13));
        QVERIFY(!run(makeNode("Pad"), {x, ints({-4, 0})}, 13));
        QVERIFY(!run(makeNode("Pad"), {x, ints({std::numeric_limits<std::int64_t>::max(), 9})}, 13));
    }

    void reshapeResolvesAndRefuses() {
        const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
        const auto reshaped = [&](std::vector<std::int64_t> to) {
            return run(makeNode("Reshape"), {x, ints(std::move(to))});
        };
        QCOMPARE(reshaped({-1})->front().shape(), (Shape{6}));
        QCOMPARE(reshaped({0, -1, 1})->front().shape(), (Shape{2, 3, 1}));
        QVERIFY(!reshaped({4, -1}));
        QVERIFY(!reshaped({-1, -1}));
        QVERIFY(!reshaped({7}));
        QVERIFY(!reshaped({6, 1, 0}));
        QVERIFY(!reshaped({std::int64_t{1} << 40, std::int64_t{1} << 40}));
        const Tensor empty = floats({0, 3}, {});
        QCOMPARE(run1(makeNode("Reshape", {{"allowzero", std::int64_t{1}}}), {empty, ints({3, 0})}).shape(),
                 (Shape{3, 0}));
    }

    void squeezeUnsqueezeFlatten() {
        const Tensor x = floats({1, 2, 1, 3}, {1, 2, 3, 4, 5, 6});
        QCOMPARE(run1(makeNode("Squeeze"), {x}).shape(), (Shape{2, 3}));
        QCOMPARE(run1(makeNode("Squeeze"), {x, ints({-2})}).shape(), (Shape{1, 2, 3}));
        QCOMPARE(run1(makeNode("Squeeze", {{"axes", list({0})}}), {x}, 11).shape(), (Shape{2, 1, 3}));
        QVERIFY(!run(makeNode("Squeeze"), {x, ints({1})}));
        QCOMPARE(run1(makeNode("Unsqueeze"), {floats({2}, {1, 2}), ints({-1, 0})}).shape(), (Shape{1, 2, 1}));
        QVERIFY(!run(makeNode("Unsqueeze"), {x, ints({9})}));
        QCOMPARE(run1(makeNode("Flatten", {{"axis", std::int64_t{-1}}}), {x}).shape(), (Shape{2, 3}));
        QCOMPARE(run1(makeNode("Flatten", {{"axis", std::int64_t{0}}}), {floats({}, {1})}).shape(), (Shape{1, 1}));
    }

    void concatUndoesSplit() {
        std::mt19937 random(2);
        const Tensor x = randomFloats({2, 7, 3}, random);
        const Node split = makeNode("Split", {{"axis", std::int64_t{1}}}, 3);
        const auto parts = run(split, {x, ints({2, 0, 5})});
        QVERIFY(parts.has_value());
        QCOMPARE(parts->at(1).shape(), (Shape{2, 0, 3}));
        COMPARE_TENSORS(run1(makeNode("Concat", {{"axis", std::int64_t{-2}}}), *parts), x, 0);
        QVERIFY(!run(split, {x, ints({2, 2, 2})}));
        const auto uneven = run(makeNode("Split", {{"num_outputs", std::int64_t{2}}}, 2), {ints({1, 2, 3})}, 18);
        QCOMPARE(uneven->at(1).shape(), (Shape{1}));
        QVERIFY(
            !run(makeNode("Concat", {{"axis", std::int64_t{0}}}), {floats({1, 2}, {1, 2}), floats({1, 3}, {1, 2, 3})}));
    }

    void depthToSpaceAndBack() {
        std::mt19937 random(4);
        const Tensor x = randomFloats({2, 12, 2, 3}, random);
        const Node toSpace = makeNode("DepthToSpace", {{"blocksize", std::int64_t{2}}});
        const Node toDepth = makeNode("SpaceToDepth", {{"blocksize", std::int64_t{2}}});
        COMPARE_TENSORS(run1(toDepth, {run1(toSpace, {x})}), x, 0);
        QVERIFY(!run(toSpace, {randomFloats({1, 3, 2, 2}, random)}));
        QVERIFY(!run(toDepth, {randomFloats({1, 1, 3, 2}, random)}));
    }

    void tileExpandRangeAndFriends() {
        COMPARE_TENSORS(run1(makeNode("Tile"), {floats({1, 2}, {1, 2}), ints({2, 2})}),
                        floats({2, 4}, {1, 2, 1, 2, 1, 2, 1, 2}), 0);
        COMPARE_TENSORS(run1(makeNode("Expand"), {floats({2, 1}, {1, 2}), ints({3})}),
                        floats({2, 3}, {1, 1, 1, 2, 2, 2}), 0);
        const auto scalar = [](std::int64_t value) { return of<std::int64_t>(Shape{}, {value}); };
        COMPARE_TENSORS(run1(makeNode("Range"), {scalar(5), scalar(-2), scalar(-3)}), ints({5, 2, -1}), 0);
        QVERIFY(!run(makeNode("Range"), {scalar(0), scalar(1), scalar(0)}));
        COMPARE_TENSORS(run1(makeNode("Shape", {{"start", std::int64_t{-2}}}), {floats({4, 1, 1}, {1, 2, 3, 4})}),
                        ints({1, 1}), 0);
        COMPARE_TENSORS(run1(makeNode("ConstantOfShape"), {ints({2})}), floats({2}, {0, 0}), 0);
        QVERIFY(!run(makeNode("ConstantOfShape"), {ints({-2})}));
        QVERIFY(!run(makeNode("ConstantOfShape"), {ints({std::int64_t{1} << 62, std::int64_t{1} << 62})}));
        COMPARE_TENSORS(run1(makeNode("Trilu"), {floats({2, 2}, {1, 2, 3, 4})}), floats({2, 2}, {1, 2, 0, 4}), 0);
    }
};

EQUANT_TEST(TestKernelsMovement)
}  // namespace test_kernels_movement

#include "test_kernels_movement.moc"
