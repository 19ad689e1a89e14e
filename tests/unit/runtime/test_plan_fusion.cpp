// SPDX-License-Identifier: Apache-2.0
// What is fused computes the same, and what somebody looks at from outside is not fused away.
#include <fmt/format.h>

#include "core/runtime/kernels/fake_quantize.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_plan_fusion {

using namespace equant;
using namespace equant::test;
using Ints = std::vector<std::int64_t>;

/// Residuals are fused where the processor, and whoever restricted oneDNN to older instructions, allows AVX-512.
static bool fusesResiduals() {
    return __builtin_cpu_supports("avx512bw") && !qEnvironmentVariableIsSet("DNNL_MAX_CPU_ISA");
}

class TestPlanFusion : public QObject {
    Q_OBJECT

private slots:
    void foldsBatchNormAndActivation();
    void addsResidualsInPlace();
    void keepsAResidualThatIsReadAgain();
    void addsResidualsOfMatrices();
    void recognisesSwish();
    void keepsTappedValuesAndOutputs();
    void quantizesWeightsPerChannel();
    void fusesFakeQuantization();
    void quantizesInputsAndOutputs();
    void quantizesSeparatelyWhereItMust();
    void randomGraphs();
};

namespace {

/// x -> Conv -> BatchNormalization -> Clip -> y
Model convBnClip(std::int64_t channels = 19) {
    ModelBuilder builder;
    const Shape each{channels};
    builder.input("x", {2, 5, 8, 9}).constant("w", randomTensor({channels, 5, 3, 3}, 1));
    builder.constant("gamma", randomTensor(each, 2, 0.5F, 2.0F))
        .constant("beta", randomTensor(each, 3))
        .constant("mean", randomTensor(each, 4));
    builder.constant("var", randomTensor(each, 5, 0.5F, 2.0F))
        .constant("low", Tensor(Shape{}, {0.0F}))
        .constant("high", Tensor(Shape{}, {2.0F}));
    builder.node("Conv", {"x", "w"}, {"c"}).node("BatchNormalization", {"c", "gamma", "beta", "mean", "var"}, {"n"});
    builder.node("Clip", {"n", "low", "high"}, {"y"}).output("y");
    return builder.build();
}

const Tensor kInput = randomTensor({2, 5, 8, 9}, 77);

/// How many values differ by more than half a step, and whether any differs by more than one and a half.
struct GridDifference {
    std::size_t oneStep = 0;
    bool isLarge = false;
};
GridDifference gridDifference(const Tensor& a, const Tensor& b, float scale) {
    GridDifference result;
    for (std::size_t i = 0; i < a.data<float>().size(); ++i) {
        const float distance = std::fabs(a.data<float>()[i] - b.data<float>()[i]);
        if (distance > 0.5F * scale) ++result.oneStep;
        if (distance > 1.5F * scale) result.isLarge = true;
    }
    return result;
}

}  // namespace

void TestPlanFusion::foldsBatchNormAndActivation() {
    const Model model = convBnClip();
    const std::string problem = compareWithUnfused(model, {kInput});
    QVERIFY2(problem.empty(), problem.c_str());
    const RunResult fused = compileAndRun(model, {kInput});
    QVERIFY(hasStep(fused, "+clip"));
    QVERIFY(!hasStep(fused, "BatchNormalization"));
    QVERIFY(!hasStep(fused, "[plain]"));
}

void TestPlanFusion::addsResidualsInPlace() {
    for (const std::int64_t channels : {5, 16, 19}) {
        ModelBuilder builder;
        builder.input("x", {2, 5, 8, 9})
            .constant("w", randomTensor({channels, 5, 3, 3}, 1))
            .constant("v", randomTensor({channels, 5, 1, 1}, 2));
        builder.node("Conv", {"x", "w"}, {"a"}, {{"pads", Ints{1, 1, 1, 1}}}).node("Conv", {"x", "v"}, {"b"});
        builder.node("Add", {"a", "b"}, {"s"}).node("Relu", {"s"}, {"y"}).output("y");
        const std::string problem = compareWithUnfused(builder.build(), {kInput});
        QVERIFY2(problem.empty(), problem.c_str());
        const RunResult fused = compileAndRun(builder.build(), {kInput});
        QVERIFY(!fusesResiduals() || hasStep(fused, "+add +relu"));
    }
}

void TestPlanFusion::keepsAResidualThatIsReadAgain() {
    ModelBuilder builder;
    builder.input("x", {2, 5, 8, 9})
        .constant("w", randomTensor({16, 5, 3, 3}, 1))
        .constant("v", randomTensor({16, 16, 3, 3}, 2));
    builder.node("Conv", {"x", "w"}, {"a"})
        .node("Conv", {"a", "v"}, {"b"}, {{"pads", Ints{1, 1, 1, 1}}})
        .node("Add", {"b", "a"}, {"s"});
    builder.node("Conv", {"s", "v"}, {"d"}, {{"pads", Ints{1, 1, 1, 1}}})
        .node("Add", {"a", "d"}, {"t"})
        .node("Mul", {"t", "a"}, {"y"})
        .output("y");
    const std::string problem = compareWithUnfused(builder.build(), {kInput});
    QVERIFY2(problem.empty(), problem.c_str());
}

void TestPlanFusion::addsResidualsOfMatrices() {
    for (const bool isReadAgain : {false, true}) {
        ModelBuilder builder;
        builder.input("x", {2, 7, 12})
            .constant("w", randomTensor({12, 12}, 1))
            .constant("b", randomTensor({12}, 2))
            .constant("v", randomTensor({12, 12}, 3));
        builder.node("MatMul", {"x", "v"}, {"r"})
            .node("MatMul", {"r", "w"}, {"p"})
            .node("Add", {"p", "b"}, {"a"})
            .node("Tanh", {"a"}, {"t"});
        builder.node("MatMul", {"t", "w"}, {"q"}).node("Add", {"r", "q"}, {"s"}).node("Relu", {"s"}, {"y"}).output("y");
        if (isReadAgain) builder.node("Abs", {"r"}, {"z"}).output("z");
        const Tensor x = randomTensor({2, 7, 12}, 4);
        const std::string problem = compareWithUnfused(builder.build(), {x});
        QVERIFY2(problem.empty(), problem.c_str());
        QVERIFY(isReadAgain || !fusesResiduals() || hasStep(compileAndRun(builder.build(), {x}), "+add +relu"));
    }
}

void TestPlanFusion::recognisesSwish() {
    for (const bool isGateFirst : {false, true}) {
        ModelBuilder builder;
        builder.input("x", {2, 5, 8, 9})
            .constant("w", randomTensor({19, 5, 3, 3}, 1))
            .node("Conv", {"x", "w"}, {"a"})
            .node("Sigmoid", {"a"}, {"g"});
        builder
            .node("Mul", isGateFirst ? std::vector<std::string>{"g", "a"} : std::vector<std::string>{"a", "g"}, {"y"})
            .output("y");
        const std::string problem = compareWithUnfused(builder.build(), {kInput});
        QVERIFY2(problem.empty(), problem.c_str());
        QVERIFY(hasStep(compileAndRun(builder.build(), {kInput}), "+swish"));
        // A tapped gate has to exist.
        CompileOptions options;
        options.taps = {"g"};
        const RunResult tapped = compileAndRun(builder.build(), {kInput}, options);
        QCOMPARE(tapped.taps.size(), std::size_t{1});
        QVERIFY(!hasStep(tapped, "swish"));
    }
}

void TestPlanFusion::keepsTappedValuesAndOutputs() {
    const Model model = convBnClip();
    CompileOptions options;
    options.taps = {"c", "n", "y", "x", "w"};
    options.overlay["n"] = asymmetricGrid(-1.0F, 1.0F);
    options.overlay["x"] = asymmetricGrid(-0.5F, 0.5F);
    const RunResult fused = compileAndRun(model, {kInput}, options, 2);
    options.fuse = false;
    const RunResult single = compileAndRun(model, {kInput}, options);
    QCOMPARE(fused.taps.size(), std::size_t{5});
    for (std::size_t i = 0; i < 5; ++i)
        QVERIFY2(relativeDifference(single.taps.at(i), fused.taps.at(i)) < 1e-2, std::to_string(i).c_str());
    // Taps see values before their quantization.
    QVERIFY(fused.taps.at(3) == kInput);
    QVERIFY(relativeDifference(single.taps.at(0), fused.taps.at(0)) < 1e-5);
    QVERIFY(!(fused.taps.at(1) == *fakeQuantized(fused.taps.at(1), options.overlay["n"])));

    CompileOptions middle;
    middle.outputs = {"n", "c"};
    const RunResult outputs = compileAndRun(model, {kInput}, middle);
    QCOMPARE(outputs.outputs.size(), std::size_t{2});
    middle.fuse = false;
    const RunResult expected = compileAndRun(model, {kInput}, middle);
    for (std::size_t i = 0; i < 2; ++i) QVERIFY(relativeDifference(expected.outputs[i], outputs.outputs[i]) < 1e-5);
}

void TestPlanFusion::quantizesWeightsPerChannel() {
    ModelBuilder builder;
    const Tensor w = randomTensor({4, 5, 3, 3}, 1);
    Encoding encoding;
    encoding.bits = 4;
    encoding.isSigned = true;
    encoding.axis = 0;
    encoding.scale = {0.1F, 0.05F, 0.2F, 0.125F};
    encoding.zeroPoint = {0, 0, 0, 0};
    const auto quantized = fakeQuantized(w, encoding);
    QVERIFY(quantized.has_value());
    builder.input("x", {2, 5, 8, 9}).constant("w", w).node("Conv", {"x", "w"}, {"y"}).output("y");
    ModelBuilder replaced;
    replaced.input("x", {2, 5, 8, 9}).constant("w", *quantized).node("Conv", {"x", "w"}, {"y"}).output("y");
    CompileOptions options;
    options.overlay["w"] = encoding;
    const RunResult overlaid = compileAndRun(builder.build(), {kInput}, options);
    QVERIFY(relativeDifference(compileAndRun(replaced.build(), {kInput}).outputs[0], overlaid.outputs[0]) < 1e-7);
    QVERIFY(relativeDifference(compileAndRun(builder.build(), {kInput}).outputs[0], overlaid.outputs[0]) > 1e-3);
    options.overlay["w"].scale.pop_back();
    QVERIFY(!compileAndRun(builder.build(), {kInput}, options).error.empty());
}

void TestPlanFusion::fusesFakeQuantization() {
    for (const std::int64_t channels : {16, 19}) {
        ModelBuilder builder;
        builder.input("x", {2, 5, 8, 9})
            .constant("w", randomTensor({channels, 5, 3, 3}, 1))
            .constant("v", randomTensor({channels, 5, 3, 3}, 2));
        builder.constant("b", randomTensor({channels}, 3));
        builder.node("Conv", {"x", "w", "b"}, {"a"})
            .node("Relu", {"a"}, {"r"})
            .node("Conv", {"x", "v"}, {"c"})
            .node("Add", {"r", "c"}, {"s"});
        builder.node("Relu", {"s"}, {"y"}).output("y");
        CompileOptions options;
        options.overlay = {{"a", asymmetricGrid(-3.1F, 2.93F)},
                           {"r", asymmetricGrid(0.0F, 2.47F)},
                           {"c", asymmetricGrid(-2.03F, 2.99F)},
                           {"s", asymmetricGrid(-2.1F, 4.07F)},
                           {"y", asymmetricGrid(0.0F, 3.97F)}};
        const RunResult fused = compileAndRun(builder.build(), {kInput}, options, 2);
        QVERIFY2(fused.error.empty(), fused.error.c_str());
        QVERIFY(hasStep(fused, "+fake-quant +relu +fake-quant ["));
        QVERIFY(!fusesResiduals() || hasStep(fused, "+fake-quant +add +fake-quant +relu +fake-quant ["));
        QVERIFY(!hasStep(fused, "ref"));
        options.fuse = false;
        const RunResult single = compileAndRun(builder.build(), {kInput}, options);
        // The ranges are such that grids do not meet in ties. Sums differ in their last bits, so values that fall next
        // to a tie may round to either side, at each of the five grids; the steps of all of them add up to less than
        // two of the coarsest.
        const float scale = options.overlay["s"].scale[0];
        const GridDifference difference = gridDifference(single.outputs[0], fused.outputs[0], scale);
        QVERIFY(!difference.isLarge);
        QVERIFY2(difference.oneStep * 500 < static_cast<std::size_t>(single.outputs[0].count()),
                 std::to_string(difference.oneStep).c_str());
        QVERIFY(relativeDifference(*fakeQuantized(fused.outputs[0], options.overlay["y"]), fused.outputs[0]) < 1e-6);
    }
}

void TestPlanFusion::quantizesInputsAndOutputs() {
    ModelBuilder builder;
    builder.input("x", {2, 5, 8, 9}).node("Identity", {"x"}, {"y"}).output("y").output("x");
    CompileOptions options;
    options.overlay = {{"x", asymmetricGrid(-1.0F, 1.0F, 4)}, {"absent", asymmetricGrid(0.0F, 1.0F)}};
    const RunResult result = compileAndRun(builder.build(), {kInput}, options, 2);
    QVERIFY2(result.error.empty(), result.error.c_str());
    const auto expected = fakeQuantized(kInput, options.overlay["x"]);
    QVERIFY(result.outputs[0] == *expected);
    QVERIFY(result.outputs[1] == *expected);
}

void TestPlanFusion::quantizesSeparatelyWhereItMust() {
    Encoding perChannel = asymmetricGrid(-2.0F, 2.0F);
    perChannel.axis = 1;
    perChannel.scale.assign(19, 0.02F);
    perChannel.zeroPoint.assign(19, 100);
    for (std::size_t i = 0; i < 19; ++i) perChannel.scale[i] += 0.001F * static_cast<float>(i);
    Encoding away = asymmetricGrid(-2.0F, 2.0F);
    away.rounding = Rounding::HalfAwayFromZero;
    Encoding withoutZero = asymmetricGrid(0.0F, 1.0F);
    withoutZero.zeroPoint = {-20};  // the padding of channel blocks would not stay zero
    for (const Encoding& encoding : {perChannel, away, withoutZero}) {
        for (const char* value : {"c", "y"}) {
            CompileOptions options;
            options.overlay[value] = encoding;
            const RunResult fused = compileAndRun(convBnClip(), {kInput}, options, 2);
            options.fuse = false;
            const RunResult single = compileAndRun(convBnClip(), {kInput}, options);
            QVERIFY2(fused.error.empty(), fused.error.c_str());
            const GridDifference difference = gridDifference(single.outputs[0], fused.outputs[0], 0.1F);
            // A value next to a tie may round to the other side; the batch norm behind it makes that step larger.
            QVERIFY2(difference.oneStep * 500 < static_cast<std::size_t>(single.outputs[0].count()), value);
        }
    }
}

void TestPlanFusion::randomGraphs() {
    // Random DAGs over tensors of one shape: sharing, in-place reuse and fusion in all combinations.
    for (unsigned seed = 0; seed < 60; ++seed) {
        std::minstd_rand random(seed + 1);
        const std::int64_t channels = seed % 3 == 0 ? 16 : 7;
        ModelBuilder builder;
        builder.input("v0", {1, channels, 5, 6})
            .constant("w", randomTensor({channels, channels, 3, 3}, seed, -0.2F, 0.2F));
        builder.constant("p", randomTensor({channels, channels, 1, 1}, seed, -0.4F, 0.4F))
            .constant("k", randomTensor({1, channels, 1, 1}, seed));
        const int nodes = 14;
        for (int i = 1; i <= nodes; ++i) {
            const auto pick = [&] {
                return fmt::format("v{}", i - 1 - static_cast<int>(random() % static_cast<unsigned>(std::min(i, 4))));
            };
            const std::vector<std::string> out{fmt::format("v{}", i)};
            switch (random() % 9) {
                case 0:
                    builder.node("Conv", {pick(), "w"}, out, {{"pads", Ints{1, 1, 1, 1}}});
                    break;
                case 1:
                    builder.node("Conv", {pick(), "p"}, out);
                    break;
                case 2:
                    builder.node("Add", {pick(), pick()}, out);
                    break;
                case 3:
                    builder.node("Mul", {pick(), "k"}, out);
                    break;
                case 4:
                    builder.node("Relu", {pick()}, out);
                    break;
                case 5:
                    builder.node("Tanh", {pick()}, out);
                    break;
                case 6:
                    builder.node("Sub", {pick(), pick()}, out);
                    break;
                case 7:
                    builder.node("MaxPool", {pick()}, out, {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}});
                    break;
                default:
                    builder.node("Identity", {pick()}, out);
                    break;
            }
        }
        for (int i = nodes; i > nodes - 3; --i) builder.output(fmt::format("v{}", i));
        const std::string problem =
            compareWithUnfused(builder.build(), {randomTensor({1, channels, 5, 6}, seed + 500)}, {}, 2e-4);
        QVERIFY2(problem.empty(), (std::to_string(seed) + ": " + problem).c_str());
    }
}

EQUANT_TEST(TestPlanFusion)
}  // namespace test_plan_fusion

#include "test_plan_fusion.moc"
