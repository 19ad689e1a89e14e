// SPDX-License-Identifier: Apache-2.0
// The operator to blame for NaN and infinity is named, and masks are not blamed.
#include <QtTest>
#include <cmath>
#include <limits>

#include "core/runtime/diagnose/non_finite.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_non_finite {

using namespace equant;
using test::ModelBuilder;
using test::randomTensor;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Tensor floats(Shape shape, std::initializer_list<float> values) {
    return Tensor(std::move(shape), values);
}

std::optional<NonFiniteOrigin> search(const Model& model, const std::vector<Tensor>& inputs) {
    const auto found = findNonFinite(model, inputs);
    if (!found) qFatal("%s", describe(found.error()).c_str());
    return *found;
}

/// x -> Relu -> Log -> Add(1) -> Neg -> y, with `second` instead of Log.
Model chain(const std::string& second) {
    return ModelBuilder()
        .input("x", {-1, 4})
        .output("y")
        .constant("one", floats({1}, {1.F}))
        .node("Identity", {"x"}, {"a"})
        .node(second, {"a"}, {"b"})
        .node("Add", {"b", "one"}, {"c"})
        .node("Neg", {"c"}, {"y"})
        .build();
}

/// Convolution of one weight tensor, then Relu and a pool.
Model convolution(Tensor weight) {
    return ModelBuilder()
        .input("x", {1, 2, 4, 4})
        .output("y")
        .constant("w0", randomTensor({2, 2, 1, 1}, 3))
        .constant("w", std::move(weight))
        .node("Conv", {"x", "w0"}, {"a"})
        .node("Conv", {"a", "w"}, {"b"})
        .node("Relu", {"b"}, {"c"})
        .node("GlobalAveragePool", {"c"}, {"y"})
        .build();
}

}  // namespace

class TestNonFinite : public QObject {
    Q_OBJECT

private slots:
    void countsByKind() {
        const auto count = countNonFinite(floats({5}, {1.F, kNan, -kInfinity, 2.F, kNan}));
        QCOMPARE(count.nan, std::size_t{2});
        QCOMPARE(count.infinite, std::size_t{1});
        QCOMPARE(count.first, std::size_t{1});
        QVERIFY(countNonFinite(randomTensor({100}, 1)).isFinite());
        QVERIFY(countNonFinite(Tensor(DType::Int64, {3})).isFinite());
        QVERIFY(countNonFinite(Tensor(DType::Float, {0})).isFinite());
        for (const DType type : {DType::Double, DType::Float16, DType::Bfloat16}) {
            const auto narrow = floats({3}, {0.F, kInfinity, kNan}).converted(type);
            QVERIFY(narrow.has_value());
            QCOMPARE(countNonFinite(*narrow).nan, std::size_t{1});
            QCOMPARE(countNonFinite(*narrow).infinite, std::size_t{1});
            QVERIFY(!isAllFinite(*narrow));
        }
        QVERIFY(
            isAllFinite(floats({2}, {std::numeric_limits<float>::max(), -std::numeric_limits<float>::denorm_min()})));
        QCOMPARE(describe(NonFiniteCount{2, 1, 0}), std::string("2 NaN and 1 infinity"));
        QCOMPARE(describe(NonFiniteCount{0, 2, 0}), std::string("2 infinities"));
    }

    void theFirstOperatorIsNamed() {
        const Model model = chain("Sqrt");
        QVERIFY(!search(model, {floats({1, 4}, {1, 4, 9, 0})}));
        const auto origin = search(model, {floats({1, 4}, {1, -4, 9, -1})});
        QVERIFY(origin.has_value());
        QCOMPARE(origin->layer, std::string("Sqrt_1"));
        QCOMPARE(origin->opType, std::string("Sqrt"));
        QCOMPARE(origin->value, std::string("b"));
        QCOMPARE(origin->count.nan, std::size_t{2});
        QCOMPARE(origin->count.first, std::size_t{1});
        QCOMPARE(describe(*origin),
                 std::string("Sqrt \"Sqrt_1\" makes 2 NaN of finite inputs (the first at index 1 of 1x4)."));
        QVERIFY(hintFor(*origin).find("root") != std::string::npos);
    }

    void whatIsFedIsBlamedFirst() {
        const auto origin = search(chain("Sqrt"), {floats({1, 4}, {1, -4, kNan, 1})});
        QVERIFY(origin && origin->layer.empty());
        QCOMPARE(origin->value, std::string("x"));
        QCOMPARE(describe(*origin), std::string("The input \"x\" holds 1 NaN (the first at index 2 of 1x4)."));
    }

    void infinityThatIsFedMayBeAMask() {
        const Model model = ModelBuilder().input("x", {1, 3}).output("y").node("Softmax", {"x"}, {"y"}).build();
        QVERIFY(!search(model, {floats({1, 3}, {1, 2, -kInfinity})}));
        const auto origin = search(model, {floats({1, 3}, {-kInfinity, -kInfinity, -kInfinity})});
        QVERIFY(origin && origin->layer.empty());
        QCOMPARE(origin->count.infinite, std::size_t{3});
    }

    void infinityCountsWhereItReachesTheOutputs() {
        const auto origin = search(chain("Log"), {floats({1, 4}, {1, 2, 0, 1})});
        QVERIFY(origin.has_value());
        QCOMPARE(origin->layer, std::string("Log_1"));
        QCOMPARE(origin->count.infinite, std::size_t{1});
        QCOMPARE(origin->count.nan, std::size_t{0});
    }

    void infinityThatBecomesNanIsFollowedBack() {
        const Model model = ModelBuilder()
                                .input("x", {1, 2})
                                .output("y")
                                .node("Exp", {"x"}, {"a"})
                                .node("Neg", {"a"}, {"b"})
                                .node("Add", {"a", "b"}, {"y"})
                                .build();
        const auto origin = search(model, {floats({1, 2}, {1.F, 1000.F})});
        QVERIFY(origin.has_value());
        QCOMPARE(origin->layer, std::string("Exp_0"));
        QCOMPARE(origin->nanLayer, std::string("Add_2"));
        QVERIFY(describe(*origin).find("1 infinity of finite inputs") != std::string::npos);
    }

    void badWeightsAreNamed() {
        Tensor weight = randomTensor({3, 2, 1, 1}, 4);
        QVERIFY(!search(convolution(weight), {randomTensor({1, 2, 4, 4}, 5)}));
        weight.mutableData<float>()[3] = kNan;
        const auto origin = search(convolution(weight), {randomTensor({1, 2, 4, 4}, 5)});
        QVERIFY(origin.has_value());
        QCOMPARE(origin->layer, std::string("Conv_1"));
        QCOMPARE(origin->constant, std::string("w"));
        QCOMPARE(origin->inConstant.nan, std::size_t{1});
        QCOMPARE(origin->count.nan, std::size_t{16});
        QVERIFY(hintFor(*origin).find("export the model again") != std::string::npos);
    }

    void constantsAreSeenThroughWhatIsFolded() {
        const Model model = ModelBuilder()
                                .input("x", {1, 2})
                                .output("y")
                                .constant("w", floats({2, 2}, {1, kNan, 2, 3}))
                                .node("Transpose", {"w"}, {"t"})
                                .node("Relu", {"x"}, {"a"})
                                .node("MatMul", {"a", "t"}, {"y"})
                                .build();
        const auto origin = search(model, {floats({1, 2}, {1, 2})});
        QVERIFY(origin.has_value());
        QCOMPARE(origin->layer, std::string("MatMul_2"));
        QCOMPARE(origin->constant, std::string("w"));
    }

    void masksAreNoFault() {
        ModelBuilder builder;
        builder.input("x", {1, 3})
            .output("y")
            .constant("mask", floats({1, 3}, {0.F, -kInfinity, -kInfinity}))
            .node("Add", {"x", "mask"}, {"masked"})
            .node("Softmax", {"masked"}, {"y"});
        QVERIFY(!search(builder.build(), {floats({1, 3}, {1, 2, 3})}));
        // Nothing left to attend to: the mask is still no fault, the Softmax makes NaN of it.
        Model blind = builder.build();
        blind.graph.initializers[0].tensor = floats({1, 3}, {-kInfinity, -kInfinity, -kInfinity});
        const auto origin = search(blind, {floats({1, 3}, {1, 2, 3})});
        QVERIFY(origin.has_value());
        QCOMPARE(origin->layer, std::string("Softmax_1"));
    }

    void valuesThatNobodyNeedsDoNotMatter() {
        const Model model = ModelBuilder()
                                .input("x", {1, 2})
                                .output("y")
                                .node("Log", {"x"}, {"unused"})
                                .node("Frobnicate", {"unused"}, {"unknown"})
                                .node("Neg", {"x"}, {"y"})
                                .build();
        QVERIFY(!search(model, {floats({1, 2}, {-1, 2})}));
    }

    void wrongInputsAreAnError() {
        const std::vector<Tensor> inputs{floats({1, 3}, {1, 2, 3})};
        const auto found = findNonFinite(chain("Log"), inputs);
        QVERIFY(!found.has_value());
        std::stop_source stop;
        stop.request_stop();
        const std::vector<Tensor> right{floats({1, 4}, {1, 2, 3, 4})};
        const auto stopped = findNonFinite(chain("Log"), right, {}, {stop.get_token(), nullptr});
        QVERIFY(!stopped && stopped.error().code == ErrorCode::Cancelled);
    }
};

EQUANT_TEST(TestNonFinite)
}  // namespace test_non_finite

#include "test_non_finite.moc"
