// SPDX-License-Identifier: Apache-2.0
// Which networks may be computed sample by sample: what keeps samples apart is found, what mixes them is never missed.
#include "core/runtime/exec/batching_internal.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_batching {

using namespace equant;
using namespace equant::test;

class TestBatching : public QObject {
    Q_OBJECT

private slots:
    void samplesApart_data();
    void samplesApart();
};

namespace {

using Ints = std::vector<std::int64_t>;
using Build = std::function<void(ModelBuilder&)>;

Tensor ints(const Ints& values) {
    return Tensor(Shape{static_cast<std::int64_t>(values.size())}, values);
}

/// Every case goes from x [N, 8, 6, 6] to y.
Model networkOf(const Build& build) {
    ModelBuilder builder(17);
    builder.input("x", {-1, 8, 6, 6});
    build(builder);
    builder.output("y");
    return builder.build();
}

struct Case {
    const char* name;
    bool isApart;
    Build build;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all{
        {"squeeze and excitation", true,
         [](ModelBuilder& b) {
             b.constant("w", randomTensor({8, 8, 1, 1}, 1));
             b.node("GlobalAveragePool", {"x"}, {"p"}).node("Conv", {"p", "w"}, {"c"}).node("Sigmoid", {"c"}, {"s"});
             b.node("Mul", {"s", "x"}, {"y"});
         }},
        {"slices and concat along channels", true,
         [](ModelBuilder& b) {
             b.constant("from", ints({0})).constant("to", ints({4})).constant("axis", ints({1}));
             b.node("Slice", {"x", "from", "to", "axis"}, {"a"})
                 .node("Concat", {"a", "x"}, {"y"}, {{"axis", std::int64_t{1}}});
         }},
        {"slice of the batch", false,
         [](ModelBuilder& b) {
             b.constant("from", ints({0})).constant("to", ints({1})).constant("axis", ints({0}));
             b.node("Slice", {"x", "from", "to", "axis"}, {"a"}).node("Add", {"a", "x"}, {"y"});
         }},
        {"class token", true,
         [](ModelBuilder& b) {
             b.constant("to", ints({0, 8, 36})).constant("token", randomTensor({1, 1, 36}, 2));
             b.constant("tail", ints({1, 36})).constant("zero", Tensor(Shape{}, std::vector<std::int64_t>{0}));
             b.node("Shape", {"x"}, {"shape"}).node("Gather", {"shape", "zero"}, {"n"}, {{"axis", std::int64_t{0}}});
             b.constant("first", ints({0}));
             b.node("Unsqueeze", {"n", "first"}, {"n1"})
                 .node("Concat", {"n1", "tail"}, {"size"}, {{"axis", std::int64_t{0}}});
             b.node("Expand", {"token", "size"}, {"tokens"}).node("Reshape", {"x", "to"}, {"v"});
             b.node("Concat", {"tokens", "v"}, {"y"}, {{"axis", std::int64_t{1}}});
         }},
        {"divided by the batch size", false,
         [](ModelBuilder& b) {
             b.constant("zero", Tensor(Shape{}, std::vector<std::int64_t>{0}));
             b.node("Shape", {"x"}, {"shape"}).node("Gather", {"shape", "zero"}, {"n"}, {{"axis", std::int64_t{0}}});
             b.node("Cast", {"n"}, {"f"}, {{"to", std::int64_t{1}}}).node("Div", {"x", "f"}, {"y"});
         }},
        {"layer normalization", true,
         [](ModelBuilder& b) {
             b.constant("g", randomTensor({6}, 1)).constant("h", randomTensor({6}, 2));
             b.node("LayerNormalization", {"x", "g", "h"}, {"y"}, {{"axis", std::int64_t{-1}}});
         }},
        {"normalization over the batch", false,
         [](ModelBuilder& b) {
             b.constant("g", randomTensor({8, 6, 6}, 1));
             b.node("ReduceSum", {"x"}, {"m"}, {{"keepdims", std::int64_t{1}}}).node("Sub", {"x", "m"}, {"y"});
         }},
        {"attention", true,
         [](ModelBuilder& b) {
             b.node("Transpose", {"x"}, {"t"}, {{"perm", Ints{0, 1, 3, 2}}}).node("MatMul", {"x", "t"}, {"a"});
             b.node("Softmax", {"a"}, {"s"}, {{"axis", std::int64_t{-1}}}).node("MatMul", {"s", "x"}, {"y"});
         }},
        {"softmax over the batch", false,
         [](ModelBuilder& b) {
             b.node("Softmax", {"x"}, {"y"}, {{"axis", std::int64_t{0}}});
         }},
        {"samples swapped with channels", false,
         [](ModelBuilder& b) {
             b.node("Transpose", {"x"}, {"y"}, {{"perm", Ints{1, 0, 2, 3}}});
         }},
        {"indices that count through the batch", false,
         [](ModelBuilder& b) {
             b.node("MaxPool", {"x"}, {"p", "i"}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
             b.node("Cast", {"i"}, {"y"}, {{"to", std::int64_t{1}}});
         }},
        {"running sum over the batch", false,
         [](ModelBuilder& b) {
             b.constant("axis", Tensor(Shape{}, std::vector<std::int64_t>{0}));
             b.node("CumSum", {"x", "axis"}, {"y"});
         }},
    };
    return all;
}

}  // namespace

void TestBatching::samplesApart_data() {
    QTest::addColumn<int>("index");
    for (std::size_t i = 0; i < cases().size(); ++i) QTest::newRow(cases()[i].name) << static_cast<int>(i);
}

void TestBatching::samplesApart() {
    QFETCH(int, index);
    const Case& what = cases()[static_cast<std::size_t>(index)];
    const Model model = networkOf(what.build);
    CompileOptions single;
    single.inputShapes["x"] = {1, 8, 6, 6};
    CompileOptions batch;
    batch.inputShapes["x"] = {3, 8, 6, 6};
    QCOMPARE(areSamplesIndependent(model, single, batch), what.isApart);

    // The answer is right: three samples at once against one after the other.
    const Tensor all = randomTensor({3, 8, 6, 6}, 7);
    const RunResult whole = compileAndRun(model, {all}, batch);
    QVERIFY2(whole.error.empty(), whole.error.c_str());
    const std::size_t each = whole.outputs[0].data<float>().size() / 3;
    double difference = 0.0;
    for (std::size_t i = 0; i < 3; ++i) {
        const std::size_t size = all.data<float>().size() / 3;
        const auto values = all.data<float>().subspan(i * size, size);
        const Tensor one(Shape{1, 8, 6, 6}, std::vector<float>(values.begin(), values.end()));
        const RunResult part = compileAndRun(model, {one}, single);
        QVERIFY2(part.error.empty(), part.error.c_str());
        for (std::size_t k = 0; k < std::min(each, part.outputs[0].data<float>().size()); ++k)
            difference = std::max(difference, std::fabs(double(part.outputs[0].data<float>()[k]) -
                                                        double(whole.outputs[0].data<float>()[i * each + k])));
    }
    QCOMPARE(difference < 1e-4, what.isApart);
}

EQUANT_TEST(TestBatching)
}  // namespace test_batching

#include "test_batching.moc"
