// SPDX-License-Identifier: Apache-2.0
// Shapes at the edges of what compile() meets: sizes that only the data tell, no elements at all, scalars, many axes,
// and element counts beyond 64 bits.
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_plan_shapes {

using namespace equant;
using namespace equant::test;

namespace {

using Ints = std::vector<std::int64_t>;

/// Boxes of a detector's head, one class: conv -> boxes and scores -> suppression -> the boxes that survive.
Model detector() {
    ModelBuilder builder;
    builder.input("x", {1, 2, 4, 4})
        .constant("w", randomTensor({5, 2, 1, 1}, 1))
        .constant("shape", Tensor(Shape{3}, Ints{1, 5, 16}))
        .constant("four", Tensor(Shape{2}, Ints{4, 1}))
        .constant("most", Tensor(Shape{1}, Ints{8}))
        .constant("overlap", Tensor(Shape{1}, {0.5F}))
        .constant("least", Tensor(Shape{1}, {0.6F}))
        .constant("column", Tensor(Shape{}, {std::int64_t{2}}))
        .constant("half", Tensor(Shape{}, {0.5F}));
    builder.node("Conv", {"x", "w"}, {"c"})
        .node("Sigmoid", {"c"}, {"s"})
        .node("Reshape", {"s", "shape"}, {"r"})
        .node("Split", {"r", "four"}, {"corners", "scores"}, {{"axis", std::int64_t{1}}})
        .node("Transpose", {"corners"}, {"boxes"}, {{"perm", Ints{0, 2, 1}}})
        .node("NonMaxSuppression", {"boxes", "scores", "most", "overlap", "least"}, {"kept"})
        .node("Gather", {"kept", "column"}, {"index"}, {{"axis", std::int64_t{1}}})
        .node("Gather", {"boxes", "index"}, {"found"}, {{"axis", std::int64_t{1}}})
        .node("Mul", {"found", "half"}, {"y"});
    return builder.output("y").output("kept", {}, DType::Int64).build();
}

Model elementwise(const Shape& shape) {
    ModelBuilder builder;
    builder.input("x", shape).input("z", shape).constant("c", Tensor(Shape{}, {0.25F}));
    builder.node("Relu", {"x"}, {"r"})
        .node("Add", {"r", "z"}, {"a"})
        .node("Mul", {"a", "c"}, {"m"})
        .node("Sigmoid", {"m"}, {"s"})
        .node("Sub", {"s", "x"}, {"d"})
        .node("Exp", {"d"}, {"y"});
    return builder.output("y").build();
}

}  // namespace

class TestPlanShapes : public QObject {
    Q_OBJECT

private slots:
    void detectionsOfAnyNumber();
    void uniqueAndCompress();
    void elementwiseOfAnyRank_data();
    void elementwiseOfAnyRank();
    void nothingAtAll();
    void hugeShapesAreRefused();
    void unknownInputNames();
};

void TestPlanShapes::detectionsOfAnyNumber() {
    const auto fused = Executor::create(detector());
    QVERIFY2(fused.has_value(), fused ? "" : describe(fused.error()).c_str());
    CompileOptions options;
    options.fuse = false;
    const auto single = Executor::create(detector(), options);
    QVERIFY(single.has_value());
    std::vector<std::int64_t> counts;
    for (const float strength : {0.0F, 10.0F, 40.0F, 0.0F, 20.0F}) {
        const Tensor x = randomTensor({1, 2, 4, 4}, 9, -strength, strength + 1e-6F);
        const auto a = (*fused)->run(std::vector{x});
        const auto b = (*single)->run(std::vector{x});
        QVERIFY2(a.has_value(), a ? "" : describe(a.error()).c_str());
        QVERIFY(b.has_value());
        QVERIFY((*a)[1] == (*b)[1]);
        QCOMPARE((*a)[0].shape(), (Shape{1, (*a)[1].dim(0), 4}));
        QVERIFY(relativeDifference((*b)[0], (*a)[0]) < 1e-5);
        counts.push_back((*a)[1].dim(0));
    }
    QCOMPARE(counts[0], std::int64_t{0});  // nothing found is a result, too
    QVERIFY(counts[2] > counts[1]);
    QCOMPARE(counts[3], std::int64_t{0});
}

void TestPlanShapes::uniqueAndCompress() {
    ModelBuilder builder;
    builder.input("x", {2, 4}).constant("zero", Tensor(Shape{}, {0.0F}));
    builder.node("Relu", {"x"}, {"r"})
        .node("Unique", {"r"}, {"u", "first", "inverse", "counts"})
        .node("Greater", {"u", "zero"}, {"isPositive"})
        .node("Compress", {"u", "isPositive"}, {"positive"})
        .node("Concat", {"positive", "u"}, {"all"}, {{"axis", std::int64_t{0}}})
        .node("Neg", {"all"}, {"y"});
    const Model model = builder.output("y").output("counts", {}, DType::Int64).build();
    const auto executor = Executor::create(model);
    QVERIFY2(executor.has_value(), executor ? "" : describe(executor.error()).c_str());
    const auto some = (*executor)->run(std::vector{Tensor(Shape{2, 4}, std::vector<float>{1, -1, 2, 1, -3, 5, 2, 2})});
    QVERIFY2(some.has_value(), some ? "" : describe(some.error()).c_str());
    QVERIFY((*some)[0] == Tensor(Shape{7}, std::vector<float>{-1, -2, -5, -0.0F, -1, -2, -5}));
    QVERIFY((*some)[1] == Tensor(Shape{4}, Ints{2, 2, 3, 1}));
    const auto none = (*executor)->run(std::vector{Tensor(Shape{2, 4}, std::vector<float>(8, -1.0F))});
    QVERIFY(none.has_value());
    QVERIFY((*none)[0] == Tensor(Shape{1}, {-0.0F}));
}

void TestPlanShapes::elementwiseOfAnyRank_data() {
    QTest::addColumn<QList<int>>("dims");
    const QList<int> full{2, 3, 1, 2, 3, 2};
    for (int rank = 0; rank <= 6; ++rank) {
        QTest::addRow("rank %d", rank) << full.mid(0, rank);
        if (rank == 0) continue;
        QList<int> empty = full.mid(0, rank);
        empty[rank / 2] = 0;
        QTest::addRow("rank %d, no elements", rank) << empty;
    }
}

void TestPlanShapes::elementwiseOfAnyRank() {
    QFETCH(QList<int>, dims);
    const Shape shape(dims.begin(), dims.end());
    const Tensor x = randomTensor(shape, 1);
    const Tensor z = randomTensor(shape, 2);
    const RunResult result = compileAndRun(elementwise(shape), {x, z}, {}, 2);
    QVERIFY2(result.error.empty(), result.error.c_str());
    QCOMPARE(result.outputs[0].shape(), shape);
    for (std::size_t i = 0; i < x.data<float>().size(); ++i) {
        const double a = x.data<float>()[i];
        const double s = 1.0 / (1.0 + std::exp(-0.25 * (std::max(a, 0.0) + double(z.data<float>()[i]))));
        QVERIFY(std::fabs(std::exp(s - a) - double(result.outputs[0].data<float>()[i])) < 1e-5);
    }
}

void TestPlanShapes::nothingAtAll() {
    // A batch of none through layers that oneDNN would otherwise take.
    ModelBuilder builder;
    builder.input("x", {-1, 3, 6, 6})
        .constant("w", randomTensor({4, 3, 3, 3}, 1))
        .constant("f", randomTensor({4, 2}, 2));
    builder.node("Conv", {"x", "w"}, {"c"})
        .node("Relu", {"c"}, {"r"})
        .node("MaxPool", {"r"}, {"p"}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}})
        .node("GlobalAveragePool", {"p"}, {"g"})
        .node("Flatten", {"g"}, {"v"})
        .node("MatMul", {"v", "f"}, {"l"})
        .node("Softmax", {"l"}, {"y"});
    const auto executor = Executor::create(builder.output("y").build());
    QVERIFY2(executor.has_value(), executor ? "" : describe(executor.error()).c_str());
    const auto none = (*executor)->run(std::vector{Tensor(DType::Float, {0, 3, 6, 6})});
    QVERIFY2(none.has_value(), none ? "" : describe(none.error()).c_str());
    QCOMPARE((*none)[0].shape(), (Shape{0, 2}));
    const auto two = (*executor)->run(std::vector{randomTensor({2, 3, 6, 6}, 3)});
    QVERIFY(two.has_value());
    QCOMPARE((*two)[0].shape(), (Shape{2, 2}));
}

void TestPlanShapes::hugeShapesAreRefused() {
    const std::int64_t large = std::int64_t{1} << 40;
    ModelBuilder fixed;
    fixed.input("x", {1}).constant("shape", Tensor(Shape{2}, Ints{large, large}));
    fixed.node("Expand", {"x", "shape"}, {"y"}).output("y");
    const auto refused = compile(fixed.build(), {});
    QVERIFY(!refused.has_value());
    QCOMPARE(refused.error().code, ErrorCode::InvalidArgument);
    // The same while running.
    ModelBuilder open;
    open.input("x", {1}).input("shape", {2}, DType::Int64).node("Expand", {"x", "shape"}, {"y"}).output("y");
    const RunResult result =
        compileAndRun(open.build(), {Tensor(Shape{1}, {1.0F}), Tensor(Shape{2}, Ints{large, large})});
    QVERIFY(result.error.find("too large") != std::string::npos);
    CompileOptions options;
    options.inputShapes["x"] = {large, large};
    QVERIFY(!compile(elementwise({1, 1}), options).has_value());
}

void TestPlanShapes::unknownInputNames() {
    CompileOptions options;
    options.inputShapes["image"] = {1, 2, 4, 4};
    const auto executor = Executor::create(detector(), options);
    QVERIFY(!executor.has_value());
    QCOMPARE(executor.error().code, ErrorCode::InvalidArgument);
    const std::string text = describe(executor.error());
    QVERIFY2(text.find("image") != std::string::npos && text.find("\"x\"") != std::string::npos, text.c_str());
}

EQUANT_TEST(TestPlanShapes)
}  // namespace test_plan_shapes

#include "test_plan_shapes.moc"
