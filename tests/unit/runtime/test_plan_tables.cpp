// SPDX-License-Identifier: Apache-2.0
// Functions of one quantized value become tables, which must give what the operators give, to the bit.
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_plan_tables {

using namespace equant;
using namespace equant::test;

class TestPlanTables : public QObject {
    Q_OBJECT

private slots:
    void sameBits_data();
    void sameBits();
    void behindConvolution();
    void residualBehindTable();
    void tapsSeeTheRealValues();
    void valueWantedElsewhereStays();
    void onlyWhatIsWorthIt();
    void swishInItsOwnPass();
};

namespace {

using Build = std::function<void(ModelBuilder&)>;

struct Case {
    const char* name;
    Build build;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all{
        {"silu",
         [](ModelBuilder& b) {
             b.node("Sigmoid", {"x"}, {"g"}).node("Mul", {"x", "g"}, {"y"});
         }},
        {"silu, gate first",
         [](ModelBuilder& b) {
             b.node("Sigmoid", {"x"}, {"g"}).node("Mul", {"g", "x"}, {"y"});
         }},
        {"hardswish",
         [](ModelBuilder& b) {
             b.node("HardSigmoid", {"x"}, {"g"}, {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}});
             b.node("Mul", {"x", "g"}, {"y"});
         }},
        {"mish",
         [](ModelBuilder& b) {
             b.node("Softplus", {"x"}, {"s"}).node("Tanh", {"s"}, {"g"}).node("Mul", {"x", "g"}, {"y"});
         }},
        {"gelu as exported",
         [](ModelBuilder& b) {
             b.constant("root", Tensor(Shape{}, std::vector<float>{1.41421356F}));
             b.constant("one", Tensor(Shape{1, 1}, std::vector<float>{1.0F}));
             b.constant("half", Tensor(Shape{1}, std::vector<float>{0.5F}));
             b.node("Div", {"x", "root"}, {"d"}).node("Erf", {"d"}, {"e"}).node("Add", {"e", "one"}, {"a"});
             b.node("Mul", {"x", "a"}, {"g"}).node("Mul", {"g", "half"}, {"y"});
         }},
    };
    return all;
}

/// All values of the function get quantizers.
CompileOptions quantizedEverywhere(const Model& model, int bits) {
    CompileOptions options;
    options.overlay["x"] = asymmetricGrid(-3.0F, 4.0F, bits);
    for (const Node& node : model.graph.nodes) options.overlay[node.outputs[0]] = asymmetricGrid(-1.5F, 3.5F, bits);
    return options;
}

RunResult unfused(const Model& model, const std::vector<Tensor>& inputs, CompileOptions options) {
    options.fuse = false;
    return compileAndRun(model, inputs, options);
}

/// Small whole numbers, so that sums are exact in any order.
Tensor wholeTensor(const Shape& shape, unsigned seed) {
    Tensor tensor = randomTensor(shape, seed, -3.0F, 3.0F);
    for (float& value : tensor.mutableData<float>()) value = std::rint(value);
    return tensor;
}

}  // namespace

void TestPlanTables::sameBits_data() {
    QTest::addColumn<int>("index");
    QTest::addColumn<int>("bits");
    for (std::size_t i = 0; i < cases().size(); ++i) {
        for (const int bits : {4, 8, 12, 16})
            QTest::addRow("%s, %d bits", cases()[i].name, bits) << static_cast<int>(i) << bits;
    }
}

void TestPlanTables::sameBits() {
    QFETCH(int, index);
    QFETCH(int, bits);
    const Case& what = cases()[static_cast<std::size_t>(index)];
    ModelBuilder builder(17);
    builder.input("x", {1, 5, 23, 17});
    what.build(builder);
    builder.output("y");
    const Model model = builder.build();
    const CompileOptions options = quantizedEverywhere(model, bits);
    const std::vector<Tensor> inputs{randomTensor({1, 5, 23, 17}, 5, -4.0F, 5.0F)};
    const RunResult fused = compileAndRun(model, inputs, options, 2);
    QVERIFY2(fused.error.empty(), fused.error.c_str());
    const bool isTable = bits <= 12;
    QCOMPARE(hasStep(fused, "table x"), isTable);
    if (!isTable) return;
    QCOMPARE(fused.steps.size(), std::size_t{1});
    QVERIFY(fused.outputs[0] == unfused(model, inputs, options).outputs[0]);
}

void TestPlanTables::behindConvolution() {
    // 13 channels: blocked layouts have padding, which the table must not touch (0 does not map to 0 here).
    ModelBuilder builder(13);
    builder.input("i", {2, 4, 20, 20})
        .constant("w", wholeTensor({13, 4, 3, 3}, 1))
        .constant("v", wholeTensor({3, 13, 1, 1}, 2));
    builder.constant("b", wholeTensor({13}, 3)).constant("two", Tensor(Shape{}, std::vector<float>{2.0F}));
    builder.node("Conv", {"i", "w", "b"}, {"x"}).node("Sigmoid", {"x"}, {"g"}).node("Add", {"x", "two"}, {"s"});
    builder.node("Mul", {"s", "g"}, {"m"}).node("Conv", {"m", "v"}, {"y"}).output("y");
    const Model model = builder.build();
    CompileOptions options;
    for (const char* name : {"x", "g", "s", "m"}) {
        Encoding grid;
        grid.isSigned = true;
        grid.scale = {0.25F};
        grid.zeroPoint = {0};
        options.overlay[name] = grid;
    }
    options.inputShapes["i"] = {2, 4, 20, 20};
    const std::vector<Tensor> inputs{wholeTensor({2, 4, 20, 20}, 7)};
    const RunResult fused = compileAndRun(model, inputs, options, 2);
    QVERIFY2(fused.error.empty(), fused.error.c_str());
    QVERIFY(hasStep(fused, "table Conv_0 [own]"));
    QVERIFY(fused.outputs[0] == unfused(model, inputs, options).outputs[0]);
}

void TestPlanTables::residualBehindTable() {
    ModelBuilder builder(13);
    builder.input("i", {1, 8, 16, 16}).constant("w", wholeTensor({8, 8, 1, 1}, 1));
    builder.node("Conv", {"i", "w"}, {"x"}).node("Sigmoid", {"x"}, {"g"}).node("Mul", {"x", "g"}, {"m"});
    builder.node("Add", {"m", "i"}, {"y"}).output("y");
    const Model model = builder.build();
    CompileOptions options;
    for (const char* name : {"x", "g", "m", "y"}) {
        Encoding grid;
        grid.isSigned = true;
        grid.scale = {0.25F};
        grid.zeroPoint = {0};
        options.overlay[name] = grid;
    }
    const std::vector<Tensor> inputs{wholeTensor({1, 8, 16, 16}, 7)};
    const RunResult fused = compileAndRun(model, inputs, options, 2);
    QVERIFY2(fused.error.empty(), fused.error.c_str());
    QVERIFY(hasStep(fused, "table Conv_0 [own]"));
    QVERIFY(fused.outputs[0] == unfused(model, inputs, options).outputs[0]);
}

void TestPlanTables::tapsSeeTheRealValues() {
    ModelBuilder builder(13);
    builder.input("x", {1, 5, 23, 17});
    builder.node("Sigmoid", {"x"}, {"g"}).node("Mul", {"x", "g"}, {"y"}).output("y");
    const Model model = builder.build();
    const std::vector<Tensor> inputs{randomTensor({1, 5, 23, 17}, 5, -4.0F, 5.0F)};
    for (const char* tapped : {"x", "g", "y"}) {
        CompileOptions options = quantizedEverywhere(model, 8);
        options.taps = {tapped};
        RunResult fused = compileAndRun(model, inputs, options);
        RunResult single = unfused(model, inputs, options);
        QVERIFY2(fused.error.empty(), fused.error.c_str());
        QVERIFY(relativeDifference(single.taps[0], fused.taps[0]) < 1e-6);
        QVERIFY(relativeDifference(single.outputs[0], fused.outputs[0]) < 0.012);
    }
}

void TestPlanTables::valueWantedElsewhereStays() {
    // The quantized x itself is read by a convolution.
    ModelBuilder builder(13);
    builder.input("x", {1, 5, 23, 17}).constant("w", randomTensor({5, 5, 1, 1}, 1));
    builder.node("Sigmoid", {"x"}, {"g"}).node("Mul", {"x", "g"}, {"m"}).node("Conv", {"x", "w"}, {"c"});
    builder.node("Add", {"m", "c"}, {"y"}).output("y");
    const Model model = builder.build();
    const std::vector<Tensor> inputs{randomTensor({1, 5, 23, 17}, 5, -4.0F, 5.0F)};
    CompileOptions options;
    options.overlay["x"] = asymmetricGrid(-3.0F, 4.0F);
    const RunResult fused = compileAndRun(model, inputs, options);
    QVERIFY(!hasStep(fused, "table"));
    const std::string message = compareWithUnfused(model, inputs, options);
    QVERIFY2(message.empty(), message.c_str());
}

void TestPlanTables::onlyWhatIsWorthIt() {
    // A clamp between two quantizers stays a post-operation of what produces the value.
    ModelBuilder builder(13);
    builder.input("x", {1, 5, 23, 17}).node("Relu", {"x"}, {"r"}).output("r");
    const Model model = builder.build();
    const RunResult result = compileAndRun(model, {randomTensor({1, 5, 23, 17}, 5)}, quantizedEverywhere(model, 8));
    QVERIFY(result.error.empty());
    QVERIFY(!hasStep(result, "table"));
}

void TestPlanTables::swishInItsOwnPass() {
    for (const std::int64_t size : {4, 40}) {
        ModelBuilder builder(13);
        builder.input("x", {2, 3, size, size})
            .constant("w", randomTensor({13, 3, 3, 3}, 1))
            .constant("v", randomTensor({13, 13, 1, 1}, 2));
        builder.node("Conv", {"x", "w"}, {"c"}).node("Sigmoid", {"c"}, {"g"}).node("Mul", {"c", "g"}, {"s"});
        builder.node("Conv", {"s", "v"}, {"d"}).node("Sigmoid", {"d"}, {"h"}).node("Mul", {"d", "h"}, {"t"});
        builder.node("Add", {"t", "s"}, {"y"}).output("y");
        const Model model = builder.build();
        const std::vector<Tensor> inputs{randomTensor({2, 3, size, size}, 4, -3.0F, 3.0F)};
        CompileOptions options;
        options.inputShapes["x"] = {2, 3, size, size};
        const RunResult fused = compileAndRun(model, inputs, options);
        QCOMPARE(hasStep(fused, "[own]"), size > 4);
        const std::string message = compareWithUnfused(model, inputs, options);
        QVERIFY2(message.empty(), message.c_str());
    }
}

EQUANT_TEST(TestPlanTables)
}  // namespace test_plan_tables

#include "test_plan_tables.moc"
