// SPDX-License-Identifier: Apache-2.0
// Gathering, scattering, picking and resizing.
#include "tests/support/registry.h"
#include "tests/unit/runtime/kernel_testing.h"

namespace test_kernels_selection {

using namespace equant;
using namespace equant::testing;

class TestKernelsSelection : public QObject {
    Q_OBJECT

private slots:
    void gatherReadsFromBothEnds() {
        const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
        const Node columns = makeNode("Gather", {{"axis", std::int64_t{1}}});
        COMPARE_TENSORS(run1(columns, {x, ints({-1, 0})}), floats({2, 2}, {3, 1, 6, 4}), 0);
        COMPARE_TENSORS(run1(makeNode("Gather"), {x, of<std::int64_t>(Shape{}, {1})}), floats({3}, {4, 5, 6}), 0);
        QVERIFY(!run(columns, {x, ints({3})}));
        QVERIFY(!run(columns, {x, ints({-4})}));
        QVERIFY(!run(makeNode("Gather"), {floats({}, {1}), ints({0})}));
        COMPARE_TENSORS(run1(makeNode("GatherND"), {x, of<std::int64_t>(Shape{2, 2}, {0, 1, -1, -1})}),
                        floats({2}, {2, 6}), 0);
        QVERIFY(!run(makeNode("GatherND"), {x, of<std::int64_t>(Shape{1, 2}, {0, 3})}));
        QVERIFY(!run(makeNode("GatherElements"), {x, of<std::int64_t>(Shape{1, 3}, {0, 2, 0})}));
    }

    void scatterUndoesGatherElements() {
        std::mt19937 random(41);
        const Tensor x = randomFloats({4, 5}, random);
        std::vector<std::int64_t> order;
        for (int row = 0; row < 4; ++row) {
            std::vector<std::int64_t> one = {0, 1, 2, 3, 4};
            std::shuffle(one.begin(), one.end(), random);
            order.insert(order.end(), one.begin(), one.end());
        }
        const Tensor indices(Shape{4, 5}, order);
        const Tensor picked = run1(makeNode("GatherElements", {{"axis", std::int64_t{1}}}), {x, indices});
        const Tensor zeros(DType::Float, Shape{4, 5});
        COMPARE_TENSORS(run1(makeNode("ScatterElements", {{"axis", std::int64_t{-1}}}), {zeros, indices, picked}), x,
                        0);
        const Node add = makeNode("ScatterND", {{"reduction", std::string("add")}});
        COMPARE_TENSORS(run1(add, {ints({1, 1}), of<std::int64_t>(Shape{2, 1}, {0, 0}), ints({5, 6})}), ints({12, 1}),
                        0);
        QVERIFY(!run(add, {ints({1, 1}), of<std::int64_t>(Shape{1, 1}, {2}), ints({5})}));
    }

    void topKOrdersAndKeepsTies() {
        const Tensor x = floats({1, 5}, {3, 7, 7, 1, std::nanf("")});
        const auto outputs = run(makeNode("TopK", {}, 2), {x, ints({3})});
        QVERIFY(outputs.has_value());
        COMPARE_TENSORS(outputs->at(1), of<std::int64_t>(Shape{1, 3}, {4, 1, 2}), 0);
        const auto smallest = run(makeNode("TopK", {{"largest", std::int64_t{0}}}, 2), {x, ints({2})});
        COMPARE_TENSORS(smallest->at(0), floats({1, 2}, {1, 3}), 0);
        QVERIFY(!run(makeNode("TopK", {}, 2), {x, ints({6})}));
    }

    void pickingByHand() {
        COMPARE_TENSORS(run1(makeNode("NonZero"), {floats({2, 2}, {0, 1, 2, 0})}),
                        of<std::int64_t>(Shape{2, 2}, {0, 1, 1, 0}), 0);
        const Tensor condition(Shape{3}, {true, false, true});
        COMPARE_TENSORS(run1(makeNode("Compress"), {ints({4, 5, 6, 7}), condition}), ints({4, 6}), 0);
        const Tensor values = ints({0, 9});
        COMPARE_TENSORS(run1(makeNode("OneHot"), {ints({1, -1, 5}), ints({2}), values}),
                        of<std::int64_t>(Shape{3, 2}, {0, 9, 0, 9, 0, 0}), 0);
    }

    void resizeByOneIsIdentity() {
        std::mt19937 random(6);
        const Tensor x = randomFloats({1, 2, 5, 7}, random);
        for (const std::string mode : {"nearest", "linear", "cubic"}) {
            for (const std::string where :
                 {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"}) {
                const Node node = makeNode("Resize", {{"mode", mode}, {"coordinate_transformation_mode", where}});
                COMPARE_TENSORS(run1(node, {x, Tensor{}, floats({4}, {1, 1, 1, 1})}), x, 0);
                COMPARE_TENSORS(run1(node, {x, Tensor{}, Tensor{}, ints({1, 2, 5, 7})}), x, 0);
            }
        }
    }

    /// Linear interpolation reproduces linear functions inside the image; cubic too.
    void interpolationReproducesRamps() {
        std::vector<float> ramp(16);
        std::iota(ramp.begin(), ramp.end(), 0.0F);
        for (const std::string mode : {"linear", "cubic"}) {
            const Node node = makeNode("Resize", {{"mode", mode},
                                                  {"coordinate_transformation_mode", std::string("align_corners")},
                                                  {"cubic_coeff_a", -0.5F}});
            const Tensor y = run1(node, {floats({1, 1, 16}, ramp), Tensor{}, Tensor{}, ints({1, 1, 46})});
            QCOMPARE(y.count(), 46);
            for (std::size_t i = 6; i < 40; ++i) QVERIFY(std::fabs(y.data<float>()[i] - float(i) / 3) < 1e-4F);
        }
    }

    void nearestModesByHand() {
        const Tensor x = floats({1, 1, 2}, {1, 2});
        const Tensor doubled = floats({3}, {1, 1, 2});
        COMPARE_TENSORS(run1(makeNode("Resize"), {x, Tensor{}, doubled}), floats({1, 1, 4}, {1, 1, 2, 2}), 0);
        COMPARE_TENSORS(run1(makeNode("Upsample"), {x, doubled}, 9), floats({1, 1, 4}, {1, 1, 2, 2}), 0);
        const Node ceil = makeNode("Resize", {{"coordinate_transformation_mode", std::string("asymmetric")},
                                              {"nearest_mode", std::string("ceil")}});
        COMPARE_TENSORS(run1(ceil, {x, Tensor{}, doubled}), floats({1, 1, 4}, {1, 2, 2, 2}), 0);
        COMPARE_TENSORS(
            run1(makeNode("Resize"), {of<std::uint8_t>(Shape{1, 2}, {3, 4}), Tensor{}, floats({2}, {2, 1})}),
            of<std::uint8_t>(Shape{2, 2}, {3, 4, 3, 4}), 0);
        const Node axes = makeNode("Resize", {{"axes", list({-1})}});
        COMPARE_TENSORS(run1(axes, {x, Tensor{}, Tensor{}, ints({4})}, 18), floats({1, 1, 4}, {1, 1, 2, 2}), 0);
        QVERIFY(!run(makeNode("Resize"), {x, Tensor{}, floats({2}, {1, 2})}));
        QVERIFY(!run(makeNode("Resize"), {x, Tensor{}, floats({3}, {1, 1, -2})}));
        QVERIFY(!run(makeNode("Resize"), {x}));
    }
};

EQUANT_TEST(TestKernelsSelection)
}  // namespace test_kernels_selection

#include "test_kernels_selection.moc"
