// SPDX-License-Identifier: Apache-2.0
#include <QtTest>

#include "core/graph/constants.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_constants {

using namespace equant;
using test::ModelBuilder;

class TestConstants : public QObject {
    Q_OBJECT

private slots:
    void seesThroughRearrangements() {
        const Tensor weight(Shape{2, 3}, {1.F, 2.F, 3.F, 4.F, 5.F, 6.F});
        const Model model = ModelBuilder()
                                .constant("w", weight)
                                .constant("shape", Tensor(Shape{2}, {std::int64_t{-1}, std::int64_t{2}}))
                                .constant("axes", Tensor(Shape{1}, {std::int64_t{0}}))
                                .node("Identity", {"w"}, {"i"})
                                .node("Transpose", {"i"}, {"t"}, {{"perm", std::vector<std::int64_t>{1, 0}}})
                                .node("Reshape", {"i", "shape"}, {"r"})
                                .node("Unsqueeze", {"r", "axes"}, {"u"})
                                .node("Squeeze", {"u", "axes"}, {"s"})
                                .node("Flatten", {"u"}, {"f"})
                                .node("Constant", {}, {"c"}, {{"value_floats", std::vector<float>{7.F}}})
                                .node("Relu", {"w"}, {"computed"})
                                .build();
        const Graph& graph = model.graph;
        QVERIFY(constantValue(graph, "i")->sharesDataWith(weight));
        QCOMPARE(constantValue(graph, "t")->shape(), (Shape{3, 2}));
        QCOMPARE(constantValue(graph, "t")->data<float>()[1], 4.F);
        QCOMPARE(constantValue(graph, "r")->shape(), (Shape{3, 2}));
        QCOMPARE(constantValue(graph, "u")->shape(), (Shape{1, 3, 2}));
        QCOMPARE(constantValue(graph, "s")->shape(), (Shape{3, 2}));
        QCOMPARE(constantValue(graph, "f")->shape(), (Shape{1, 6}));
        QCOMPARE(constantValue(graph, "c")->data<float>()[0], 7.F);
        QVERIFY(!constantValue(graph, "computed"));
        QVERIFY(!constantValue(graph, "nowhere"));
    }

    void replacingKeepsOtherReaders() {
        Model model = ModelBuilder()
                          .input("x", {2, 3})
                          .output("y")
                          .output("z")
                          .constant("shared", Tensor(Shape{1}, {1.F}))
                          .constant("own", Tensor(Shape{1}, {2.F}))
                          .node("Add", {"x", "shared"}, {"a"})
                          .node("Mul", {"a", "shared"}, {"y"})
                          .node("Sub", {"x", "own"}, {"z"})
                          .build();
        setConstantInput(model.graph, 1, 1, Tensor(Shape{1}, {5.F}), "weight");
        setConstantInput(model.graph, 2, 1, Tensor(Shape{1}, {6.F}), "weight");
        QCOMPARE(model.graph.nodes[0].inputs[1], std::string("shared"));
        QCOMPARE(model.graph.nodes[1].inputs[1], std::string("Mul_1.weight"));
        QCOMPARE(model.graph.nodes[2].inputs[1], std::string("own"));
        QCOMPARE(constantInput(model.graph, model.graph.nodes[0], 1)->data<float>()[0], 1.F);
        QCOMPARE(constantInput(model.graph, model.graph.nodes[1], 1)->data<float>()[0], 5.F);
        QCOMPARE(constantInput(model.graph, model.graph.nodes[2], 1)->data<float>()[0], 6.F);
    }

    void removesOnlyWhatNobodyReads() {
        Model model = ModelBuilder()
                          .input("x", {4})
                          .output("y")
                          .constant("used", Tensor(Shape{1}, {1.F}))
                          .constant("idle", Tensor(Shape{1}, {1.F}))
                          .node("Add", {"x", "used"}, {"y"})
                          .node("Relu", {"x"}, {"dead"})
                          .node("Add", {"dead", "idle"}, {"deader"})
                          .build();
        removeUnused(model.graph);
        QCOMPARE(model.graph.nodes.size(), std::size_t{1});
        QCOMPARE(model.graph.initializers.size(), std::size_t{1});
        QCOMPARE(model.graph.inputs.size(), std::size_t{1});
    }

    void namesStayUnique() {
        Model model = ModelBuilder().input("x", {1}).output("y").node("Relu", {"x"}, {"y"}).build();
        QCOMPARE(addInitializer(model.graph, "w", Tensor(Shape{1}, {1.F})), std::string("w"));
        QCOMPARE(addInitializer(model.graph, "w", Tensor(Shape{1}, {1.F})), std::string("w_1"));
        QCOMPARE(uniqueName(model.graph, "y"), std::string("y_1"));
    }
};

EQUANT_TEST(TestConstants)
}  // namespace test_constants

#include "test_constants.moc"
