// SPDX-License-Identifier: Apache-2.0
// Layer normalization and gelu, written as chains by exporters, become one step; what somebody looks at stays.
#include "core/runtime/kernels/row_norm_internal.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_plan_composites {

using namespace equant;
using namespace equant::test;
using Ints = std::vector<std::int64_t>;

class TestPlanComposites : public QObject {
    Q_OBJECT

private slots:
    void rowsAgainstTheirDefinition();
    void recognisesLayerNormalization_data();
    void recognisesLayerNormalization();
    void recognisesRmsNormalization();
    void runsTheOperatorInOneStep();
    void leavesOtherMeansAlone();
    void recognisesGelu_data();
    void recognisesGelu();
    void fusesGeluIntoItsProduct();
    void geluIsExactEnough();
    void leavesOtherGatesAlone();
    void keepsWhatIsQuantizedBetween();
    void keepsWhatIsReadBetween();
};

namespace {

struct NormStyle {
    bool squaresByMul = false;
    bool dividesByReciprocal = false;
    bool hasScale = true;
    bool hasShift = true;
    std::int64_t axes = 1;
};

/// x [2, 5, 4, 19] -> layer normalization in small operators -> y
ModelBuilder normChain(const NormStyle& style) {
    ModelBuilder builder;
    const Shape row = style.axes == 1 ? Shape{19} : Shape{4, 19};
    const Ints axes = style.axes == 1 ? Ints{-1} : Ints{-2, -1};
    builder.input("x", {2, 5, 4, 19}).constant("gamma", randomTensor(row, 3)).constant("beta", randomTensor(row, 4));
    builder.constant("two", Tensor(Shape{}, {2.0F})).constant("eps", Tensor(Shape{}, {1e-3F}));
    builder.node("ReduceMean", {"x"}, {"m"}, {{"axes", axes}}).node("Sub", {"x", "m"}, {"d"});
    if (style.squaresByMul) {
        builder.node("Mul", {"d", "d"}, {"q"});
    } else {
        builder.node("Pow", {"d", "two"}, {"q"});
    }
    builder.node("ReduceMean", {"q"}, {"v"}, {{"axes", axes}})
        .node("Add", {"v", "eps"}, {"e"})
        .node("Sqrt", {"e"}, {"s"});
    if (style.dividesByReciprocal) {
        builder.node("Reciprocal", {"s"}, {"i"}).node("Mul", {"d", "i"}, {"n"});
    } else {
        builder.node("Div", {"d", "s"}, {"n"});
    }
    std::string last = "n";
    if (style.hasScale) {
        builder.node("Mul", {last, "gamma"}, {"g"});
        last = "g";
    }
    if (style.hasShift) {
        builder.node("Add", {"beta", last}, {"b"});
        last = "b";
    }
    builder.node("Relu", {last}, {"y"}).output("y");
    return builder;
}

const Tensor kRows = randomTensor({2, 5, 4, 19}, 7, -2.0F, 3.0F);

/// x [3, 6] * w [6, 10] -> gelu in small operators -> y. `order`: where the factor of one half stands.
ModelBuilder geluChain(int order, bool isTanh = false, float half = 0.5F) {
    ModelBuilder builder;
    builder.input("x", {3, 6}).constant("w", randomTensor({6, 10}, 1, -2.0F, 2.0F));
    builder.constant("half", Tensor(Shape{}, {half})).constant("one", Tensor(Shape{}, {1.0F}));
    builder.constant("root", Tensor(Shape{}, {1.41421356F})).constant("three", Tensor(Shape{}, {3.0F}));
    builder.constant("c", Tensor(Shape{}, {0.044715F})).constant("k", Tensor(Shape{}, {0.79788456F}));
    builder.node("MatMul", {"x", "w"}, {"u"});
    if (isTanh) {
        builder.node("Pow", {"u", "three"}, {"p"}).node("Mul", {"p", "c"}, {"pc"}).node("Add", {"u", "pc"}, {"a"});
        builder.node("Mul", {"a", "k"}, {"ak"}).node("Tanh", {"ak"}, {"t"});
    } else {
        builder.node("Div", {"u", "root"}, {"a"}).node("Erf", {"a"}, {"t"});
    }
    builder.node("Add", {"t", "one"}, {"s"});
    if (order == 0) builder.node("Mul", {"u", "s"}, {"us"}).node("Mul", {"us", "half"}, {"g"});
    if (order == 1) builder.node("Mul", {"half", "s"}, {"hs"}).node("Mul", {"hs", "u"}, {"g"});
    if (order == 2) builder.node("Mul", {"u", "half"}, {"hu"}).node("Mul", {"hu", "s"}, {"g"});
    builder.node("Identity", {"g"}, {"y"}).output("y");
    return builder;
}

const Tensor kColumns = randomTensor({3, 6}, 5, -2.0F, 2.0F);

}  // namespace

void TestPlanComposites::rowsAgainstTheirDefinition() {
    for (const std::size_t length : {1, 3, 16, 37, 100}) {
        for (const bool isCentered : {true, false}) {
            const auto n = static_cast<std::int64_t>(length);
            const Tensor x = randomTensor({4, n}, 11, 2.0F, 5.0F);
            const Tensor gamma = randomTensor({n}, 12);
            const Tensor beta = randomTensor({n}, 13);
            Tensor y(DType::Float, {4, n});
            normalizeRows(x.data<float>().data(), {4, length, 1e-5, isCentered}, gamma.data<float>().data(),
                          beta.data<float>().data(), y.mutableData<float>().data());
            for (std::size_t row = 0; row < 4; ++row) {
                const auto in = x.data<float>().subspan(row * length, length);
                double mean = 0.0;
                for (const float value : in) mean += isCentered ? double(value) / double(length) : 0.0;
                double variance = 0.0;
                for (const float value : in)
                    variance += (double(value) - mean) * (double(value) - mean) / double(length);
                for (std::size_t i = 0; i < length; ++i) {
                    const double expected =
                        (double(in[i]) - mean) / std::sqrt(variance + 1e-5) * double(gamma.data<float>()[i]) +
                        double(beta.data<float>()[i]);
                    QVERIFY(std::fabs(double(y.data<float>()[row * length + i]) - expected) < 2e-6);
                }
            }
        }
    }
}

void TestPlanComposites::recognisesLayerNormalization_data() {
    QTest::addColumn<int>("style");
    for (int style = 0; style < 32; ++style) QTest::addRow("style %d", style) << style;
}

void TestPlanComposites::recognisesLayerNormalization() {
    QFETCH(int, style);
    NormStyle how;
    how.squaresByMul = (style & 1) != 0;
    how.dividesByReciprocal = (style & 2) != 0;
    how.hasScale = (style & 4) != 0;
    how.hasShift = (style & 8) != 0;
    how.axes = (style & 16) != 0 ? 2 : 1;
    const Model model = normChain(how).build();
    const std::string problem = compareWithUnfused(model, {kRows}, {}, 1e-6);
    QVERIFY2(problem.empty(), problem.c_str());
    const RunResult fused = compileAndRun(model, {kRows});
    QVERIFY(hasStep(fused, "normalize rows"));
    QVERIFY(!hasStep(fused, "ReduceMean"));
    QVERIFY(!hasStep(fused, "Sub") && !hasStep(fused, "sub "));
    if (how.hasScale || !how.hasShift) QCOMPARE(fused.steps.size(), std::size_t{2});
}

void TestPlanComposites::recognisesRmsNormalization() {
    ModelBuilder builder;
    builder.input("x", {2, 5, 19}).constant("gamma", randomTensor({19}, 3));
    builder.constant("two", Tensor(Shape{}, {2.0F})).constant("eps", Tensor(Shape{}, {1e-5F}));
    builder.node("Pow", {"x", "two"}, {"q"}).node("ReduceMean", {"q"}, {"v"}, {{"axes", Ints{-1}}});
    builder.node("Add", {"v", "eps"}, {"e"}).node("Sqrt", {"e"}, {"s"}).node("Div", {"x", "s"}, {"n"});
    builder.node("Mul", {"gamma", "n"}, {"y"}).output("y");
    const Tensor x = randomTensor({2, 5, 19}, 8, -1.0F, 4.0F);
    const std::string problem = compareWithUnfused(builder.build(), {x}, {}, 1e-6);
    QVERIFY2(problem.empty(), problem.c_str());
    QCOMPARE(compileAndRun(builder.build(), {x}).steps.size(), std::size_t{1});
}

void TestPlanComposites::runsTheOperatorInOneStep() {
    for (const std::int64_t axis : {-1, 1}) {
        ModelBuilder builder(17);
        const Shape row = axis == 1 ? Shape{4, 19} : Shape{19};
        builder.input("x", {3, 4, 19}).constant("gamma", randomTensor(row, 3)).constant("beta", randomTensor(row, 4));
        builder.node("LayerNormalization", {"x", "gamma", "beta"}, {"y"}, {{"axis", axis}}).output("y");
        const Tensor x = randomTensor({3, 4, 19}, 8);
        const std::string problem = compareWithUnfused(builder.build(), {x}, {}, 1e-6);
        QVERIFY2(problem.empty(), problem.c_str());
        QVERIFY(hasStep(compileAndRun(builder.build(), {x}), "normalize rows"));
    }
}

void TestPlanComposites::leavesOtherMeansAlone() {
    // The mean goes over another axis than the mean of the squares.
    ModelBuilder builder;
    builder.input("x", {2, 5, 19}).constant("two", Tensor(Shape{}, {2.0F})).constant("eps", Tensor(Shape{}, {1e-3F}));
    builder.node("ReduceMean", {"x"}, {"m"}, {{"axes", Ints{1}}}).node("Sub", {"x", "m"}, {"d"});
    builder.node("Pow", {"d", "two"}, {"q"}).node("ReduceMean", {"q"}, {"v"}, {{"axes", Ints{2}}});
    builder.node("Add", {"v", "eps"}, {"e"}).node("Sqrt", {"e"}, {"s"}).node("Div", {"d", "s"}, {"y"}).output("y");
    const std::string problem = compareWithUnfused(builder.build(), {randomTensor({2, 5, 19}, 8)}, {}, 1e-6);
    QVERIFY2(problem.empty(), problem.c_str());
}

void TestPlanComposites::recognisesGelu_data() {
    QTest::addColumn<int>("order");
    QTest::addColumn<bool>("isTanh");
    for (int order = 0; order < 3; ++order) {
        QTest::addRow("erf %d", order) << order << false;
        QTest::addRow("tanh %d", order) << order << true;
    }
}

void TestPlanComposites::recognisesGelu() {
    QFETCH(int, order);
    QFETCH(bool, isTanh);
    const Model model = geluChain(order, isTanh).build();
    const std::string problem = compareWithUnfused(model, {kColumns}, {}, 1e-6);
    QVERIFY2(problem.empty(), problem.c_str());
    const RunResult fused = compileAndRun(model, {kColumns});
    QVERIFY(hasStep(fused, "gelu"));
    QVERIFY(!hasStep(fused, "Erf") && !hasStep(fused, "tanh") && !hasStep(fused, "Pow"));
}

void TestPlanComposites::fusesGeluIntoItsProduct() {
    const RunResult fused = compileAndRun(geluChain(0).build(), {kColumns});
    QVERIFY(hasStep(fused, "+gelu"));
    QCOMPARE(fused.steps.size(), std::size_t{1});
}

void TestPlanComposites::geluIsExactEnough() {
    // Every value of the range where gelu is neither 0 nor x.
    ModelBuilder builder(20);
    constexpr std::int64_t kCount = 200001;
    builder.input("x", {1, kCount}).node("Gelu", {"x"}, {"y"}).output("y");
    Tensor x(DType::Float, {1, kCount});
    for (std::size_t i = 0; i < std::size_t{kCount}; ++i)
        x.mutableData<float>()[i] = static_cast<float>(i) / 10000.0F - 10.0F;
    for (const bool fuse : {true, false}) {
        CompileOptions options;
        options.fuse = fuse;
        const RunResult run = compileAndRun(builder.build(), {x}, options);
        QVERIFY2(run.error.empty(), run.error.c_str());
        double worst = 0.0;
        for (std::size_t i = 0; i < std::size_t{kCount}; ++i) {
            const double at = double(x.data<float>()[i]);
            const double exact = 0.5 * at * std::erfc(-at / std::sqrt(2.0));
            worst = std::max(worst,
                             std::fabs(double(run.outputs[0].data<float>()[i]) - exact) / std::max(1.0, std::fabs(at)));
        }
        QVERIFY2(worst < 1e-6, qPrintable(QString::number(worst)));
    }
}

void TestPlanComposites::leavesOtherGatesAlone() {
    const Model model = geluChain(0, false, 0.25F).build();
    const std::string problem = compareWithUnfused(model, {kColumns}, {}, 1e-6);
    QVERIFY2(problem.empty(), problem.c_str());
    QVERIFY(!hasStep(compileAndRun(model, {kColumns}), "gelu"));
}

void TestPlanComposites::keepsWhatIsQuantizedBetween() {
    for (const std::string inner : {"a", "t", "s", "us"}) {
        CompileOptions options;
        options.overlay[inner] = asymmetricGrid(-2.0F, 2.0F, 4);
        const std::string problem = compareWithUnfused(geluChain(0).build(), {kColumns}, options, 1e-6);
        QVERIFY2(problem.empty(), problem.c_str());
        QVERIFY(!hasStep(compileAndRun(geluChain(0).build(), {kColumns}, options), "gelu"));
    }
    for (const std::string inner : {"m", "d", "q", "v", "e", "s", "n", "g"}) {
        CompileOptions options;
        options.overlay[inner] = asymmetricGrid(-4.0F, 4.0F, 6);
        const std::string problem = compareWithUnfused(normChain({}).build(), {kRows}, options, 1e-5);
        QVERIFY2(problem.empty(), problem.c_str());
        const RunResult run = compileAndRun(normChain({}).build(), {kRows}, options);
        // Where only the mean or the distance is quantized, what follows still is the normalization by the mean square.
        const bool isBehind = inner == "q" || inner == "v" || inner == "e" || inner == "s";
        QCOMPARE(hasStep(run, "normalize rows"), !isBehind);
    }
}

void TestPlanComposites::keepsWhatIsReadBetween() {
    for (const std::string inner : {"u", "a", "t", "s", "us"}) {
        CompileOptions options;
        options.taps = {inner};
        const RunResult run = compileAndRun(geluChain(0).build(), {kColumns}, options);
        options.fuse = false;
        const RunResult single = compileAndRun(geluChain(0).build(), {kColumns}, options);
        QCOMPARE(run.taps.size(), std::size_t{1});
        QVERIFY(relativeDifference(single.taps.at(0), run.taps.at(0)) < 1e-5);
        QCOMPARE(hasStep(run, "gelu"), inner == "u");
    }
    for (const std::string inner : {"x", "m", "d", "q", "v", "e", "s", "n", "g", "b"}) {
        CompileOptions options;
        options.taps = {inner};
        const RunResult run = compileAndRun(normChain({}).build(), {kRows}, options);
        options.fuse = false;
        const RunResult single = compileAndRun(normChain({}).build(), {kRows}, options);
        QCOMPARE(run.taps.size(), std::size_t{1});
        QVERIFY(relativeDifference(single.taps.at(0), run.taps.at(0)) < 1e-5);
    }
}

EQUANT_TEST(TestPlanComposites)
}  // namespace test_plan_composites

#include "test_plan_composites.moc"
