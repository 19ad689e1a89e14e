// SPDX-License-Identifier: Apache-2.0
#include <QtTest>
#include <algorithm>
#include <cmath>

#include "core/graph/constants.h"
#include "core/layers/layer_weights.h"
#include "core/metrics/evaluate.h"
#include "core/passes/channel_links.h"
#include "core/passes/equalize.h"
#include "core/passes/weight_ranges.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_equalize {

using namespace equant;
using test::ModelBuilder;
using test::randomTensor;

namespace {

using Ints = std::vector<std::int64_t>;
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;

/// Weights whose output channels differ in size by up to `spread`.
Tensor unevenWeights(const Shape& shape, unsigned seed, float spread) {
    Tensor tensor = randomTensor(shape, seed);
    const auto values = tensor.mutableData<float>();
    const auto perChannel = values.size() / std::size_t(shape[0]);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] *= std::pow(spread, float((i / perChannel) * 7 % std::size_t(shape[0])) / float(shape[0]));
    return tensor;
}

Attributes clip(float low, float high) {
    return {{"min", low}, {"max", high}};
}

/// dense -> activation -> depthwise -> activation -> dense, MobileNet's block. Opset 10: Clip has attributes.
Model block(const std::string& activation, const Attributes& attributes, std::int64_t opset = 10) {
    return ModelBuilder(opset)
        .input("x", {1, 3, 10, 10})
        .output("y")
        .constant("w1", unevenWeights({8, 3, 1, 1}, 1, 100.F))
        .constant("b1", randomTensor({8}, 2))
        .constant("w2", unevenWeights({8, 1, 3, 3}, 3, 50.F))
        .constant("b2", randomTensor({8}, 4))
        .constant("w3", randomTensor({5, 8, 1, 1}, 5))
        .node("Conv", {"x", "w1", "b1"}, {"h1"})
        .node(activation, {"h1"}, {"a1"}, attributes)
        .node("Conv", {"a1", "w2", "b2"}, {"h2"}, {{"group", std::int64_t{8}}, {"pads", Ints{1, 1, 1, 1}}})
        .node(activation, {"h2"}, {"a2"}, attributes)
        .node("Conv", {"a2", "w3"}, {"y"})
        .build();
}

double relativeDifference(const Model& before, const Model& after) {
    const auto result = compareOutputs(before, after, nullptr, 4, 7);
    if (!result) qWarning("%s", describe(result.error()).c_str());
    return result && result->outputStd > 1e-3 ? result->maxAbsDiff / result->outputStd : INFINITY;
}

const EqualizedPair* pairFrom(const EqualizeReport& report, const std::string& layer) {
    for (const auto& pair : report.pairs)
        if (pair.layers[0] == layer) return &pair;
    return nullptr;
}

}  // namespace

class TestEqualize : public QObject {
    Q_OBJECT

private slots:
    void keepsTheFunction_data() {
        QTest::addColumn<Model>("model");
        QTest::newRow("Relu") << block("Relu", {});
        QTest::newRow("LeakyRelu") << block("LeakyRelu", {{"alpha", 0.1F}});
        QTest::newRow("nothing") << block("Identity", {});
        QTest::newRow("ReLU6") << block("Clip", clip(0, 6));
        QTest::newRow("tight cap") << block("Clip", clip(0, 0.3F));
        QTest::newRow("hard tanh") << block("Clip", clip(-1, 1));
        QTest::newRow("lower bound only") << block("Clip", {{"min", -0.2F}});
        QTest::newRow("opset 7 cannot broadcast Min") << block("Clip", clip(0, 6), 7);
    }
    void keepsTheFunction() {
        QFETCH(Model, model);
        const auto equalized = equalize(model, {});
        QVERIFY2(equalized.has_value(), equalized ? "" : describe(equalized.error()).c_str());
        const double difference = relativeDifference(model, equalized->model);
        QVERIFY2(difference < 1e-4, qPrintable(QString::number(difference)));
    }

    void rangesMeetInTheMiddle() {
        const auto equalized = equalize(block("Clip", clip(0, 6)), {});
        QVERIFY(equalized.has_value());
        const Graph& graph = equalized->model.graph;
        std::vector<std::size_t> convs;
        for (std::size_t i = 0; i < graph.nodes.size(); ++i)
            if (graph.nodes[i].is("Conv")) convs.push_back(i);
        const auto range = [&](std::size_t node, bool isOutput, std::int64_t channel) {
            const auto layer = LayerWeights::of(graph, node);
            float largest = 0;
            layer->forEachBlock([&](std::size_t b, std::size_t o, std::size_t i) {
                if (std::int64_t(isOutput ? o : i) != channel) return;
                for (const float v : layer->block(b)) largest = std::max(largest, std::abs(v));
            });
            return double(largest);
        };
        for (std::int64_t c = 0; c < 8; ++c) {
            QVERIFY(std::abs(range(convs[0], true, c) / range(convs[1], false, c) - 1) < 0.03);
            QVERIFY(std::abs(range(convs[1], true, c) / range(convs[2], false, c) - 1) < 0.03);
        }
        QVERIFY(equalized->report.iterations > 1);
    }

    /// Balancing a faded channel's weights would make its activation huge, and with it the step all channels share.
    void fadedChannelsDoNotWidenCaps() {
        Model model = block("Clip", clip(0, 6));
        for (const char* name : {"w1", "b1"}) {
            Tensor& tensor = model.graph.initializer(name)->tensor;
            const auto values = tensor.mutableData<float>();
            const bool isBias = values.size() == 8;
            for (std::size_t i = 0; i < values.size() / 8; ++i)
                values[5 * values.size() / 8 + i] = isBias ? 2.F : 1e-7F;
        }
        const auto equalized = equalize(model, {});
        QVERIFY(equalized.has_value());
        for (const char* node : {"Clip_1.caps", "Clip_3.caps"}) {
            const auto caps = constantInput(equalized->model.graph, *equalized->model.graph.nodeByLabel(node), 1);
            std::vector<float> sorted(caps->data<float>().begin(), caps->data<float>().end());
            std::ranges::sort(sorted);
            QVERIFY2(sorted.back() <= 4.01F * sorted[4], node);
        }
        QVERIFY(relativeDifference(model, equalized->model) < 1e-4);
    }

    void capsBecomeOnePerChannel() {
        const auto equalized = equalize(block("Clip", clip(0, 6)), {});
        const auto* pair = pairFrom(equalized->report, "Conv_0");
        QVERIFY(pair->isEqualized);
        QCOMPARE(pair->reasonCode, std::string("exact-caps"));
        int mins = 0;
        for (const auto& node : equalized->model.graph.nodes)
            if (node.is("Min")) {
                ++mins;
                QCOMPARE(constantInput(equalized->model.graph, node, 1)->shape(), (Shape{1, 8, 1, 1}));
            }
        QCOMPARE(mins, 2);
        const auto caps = constantInput(equalized->model.graph, *equalized->model.graph.nodeByLabel("Clip_1.caps"), 1);
        for (std::size_t c = 0; c < 8; ++c) QVERIFY(std::abs(caps->data<float>()[c] * pair->scales[0][c] - 6) < 1e-4);
    }

    void otherWaysWithReLU6() {
        const Model model = block("Clip", clip(0, 0.3F));
        EqualizeOptions options;
        options.relu6 = CapMode::Skip;
        const auto skipped = equalize(model, options);
        QCOMPARE(pairFrom(skipped->report, "Conv_0")->reasonCode, std::string("capped"));
        QVERIFY(relativeDifference(model, skipped->model) < 1e-6);
        options.relu6 = CapMode::Replace;
        const auto replaced = equalize(model, options);
        QCOMPARE(pairFrom(replaced->report, "Conv_0")->reasonCode, std::string("cap-replaced"));
        QVERIFY(relativeDifference(model, replaced->model) > 0.05);  // the cap did something, and is gone
    }

    void excludedPairsAreLeftAlone() {
        EqualizeOptions options;
        options.excluded = {"Conv_0"};
        const auto equalized = equalize(block("Relu", {}), options);
        QCOMPARE(pairFrom(equalized->report, "Conv_0")->reasonCode, std::string("excluded"));
        QVERIFY(pairFrom(equalized->report, "Conv_2")->isEqualized);
    }

    void worksThroughPoolingFlattenAndSeparateBias() {
        // mnist-8's shape: Conv, bias as Add, Relu, MaxPool, Reshape, MatMul with the weights behind a Reshape.
        const Model model = ModelBuilder(8)
                                .input("x", {1, 1, 12, 12})
                                .output("y")
                                .constant("w1", unevenWeights({4, 1, 5, 5}, 1, 30.F))
                                .constant("b1", randomTensor({4, 1, 1}, 2))
                                .constant("w2", randomTensor({4, 4, 4, 6}, 3))
                                .constant("to2", Tensor(Shape{2}, {std::int64_t{64}, std::int64_t{6}}))
                                .constant("flat", Tensor(Shape{2}, {std::int64_t{1}, std::int64_t{64}}))
                                .node("Conv", {"x", "w1"}, {"c"})
                                .node("Add", {"c", "b1"}, {"p"})
                                .node("Relu", {"p"}, {"r"})
                                .node("MaxPool", {"r"}, {"m"}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}})
                                .node("Reshape", {"m", "flat"}, {"f"})
                                .node("Reshape", {"w2", "to2"}, {"wr"})
                                .node("MatMul", {"f", "wr"}, {"y"})
                                .build();
        const auto equalized = equalize(model, {});
        QVERIFY(equalized.has_value());
        QVERIFY2(pairFrom(equalized->report, "Conv_0")->isEqualized,
                 pairFrom(equalized->report, "Conv_0")->reason.c_str());
        QVERIFY(relativeDifference(model, equalized->model) < 1e-4);
        QVERIFY(weightRanges(equalized->model)->front().imbalance() < 0.7 * weightRanges(model)->front().imbalance());
    }

    void skipReasonsNameWhatIsInTheWay_data() {
        QTest::addColumn<QString>("op");
        QTest::addColumn<QString>("code");
        QTest::newRow("sigmoid") << "Sigmoid"
                                 << "nonlinear";
        QTest::newRow("tanh") << "Tanh"
                              << "nonlinear";
    }
    void skipReasonsNameWhatIsInTheWay() {
        QFETCH(QString, op);
        QFETCH(QString, code);
        const auto equalized = equalize(block(op.toStdString(), {}), {});
        const auto* pair = pairFrom(equalized->report, "Conv_0");
        QVERIFY(!pair->isEqualized);
        QCOMPARE(pair->reasonCode, code.toStdString());
        QVERIFY(pair->reason.find(op.toStdString()) != std::string::npos);
        QCOMPARE(pairFrom(equalized->report, "Conv_4")->reasonCode, std::string("output"));
    }

    void clipsWithoutBoundsAreNoRelu() {
        // Both bounds omitted: nothing is clipped, and negative values must pass.
        const Model model = ModelBuilder()
                                .input("x", {1, 3, 5, 5})
                                .output("y")
                                .constant("w1", randomTensor({4, 3, 1, 1}, 41, -3.F, 1.F))
                                .constant("w2", randomTensor({2, 4, 1, 1}, 42))
                                .node("Conv", {"x", "w1"}, {"c"})
                                .node("Clip", {"c"}, {"r"})
                                .node("Conv", {"r", "w2"}, {"y"})
                                .build();
        const auto outcome = equalize(model, {});
        QVERIFY(outcome);
        QVERIFY(outcome->report.pairs[0].isEqualized);
        QCOMPARE(std::ranges::count_if(outcome->model.graph.nodes, [](const Node& node) { return node.is("Relu"); }),
                 0);
        QCOMPARE(std::ranges::count_if(outcome->model.graph.nodes, [](const Node& node) { return node.is("Clip"); }),
                 1);
    }

    void aSlopeIsNoChannel() {
        const Model model = ModelBuilder()
                                .input("x", {1, 3, 4, 4})
                                .output("y")
                                .constant("w1", unevenWeights({3, 3, 1, 1}, 1, 9.F))
                                .constant("w2", randomTensor({3, 3, 1, 1}, 2))
                                .node("Conv", {"x", "w1"}, {"slope"})
                                .node("PRelu", {"x", "slope"}, {"p"})
                                .node("Conv", {"p", "w2"}, {"y"})
                                .build();
        const auto equalized = equalize(model, {});
        QVERIFY(!pairFrom(equalized->report, "Conv_0")->isEqualized);
        QCOMPARE(relativeDifference(model, equalized->model), 0.0);
    }

    void branchesAreSkippedByName() {
        const Model model = ModelBuilder()
                                .input("x", {1, 3, 4, 4})
                                .output("y")
                                .constant("w1", unevenWeights({3, 3, 1, 1}, 1, 9.F))
                                .constant("w2", randomTensor({3, 3, 1, 1}, 2))
                                .node("Conv", {"x", "w1"}, {"a"})
                                .node("Conv", {"a", "w2"}, {"b"})
                                .node("Add", {"a", "b"}, {"y"})
                                .build();
        const auto equalized = equalize(model, {});
        QCOMPARE(pairFrom(equalized->report, "Conv_0")->reasonCode, std::string("branch"));
        QVERIFY(pairFrom(equalized->report, "Conv_0")->reason.find("Add_2") != std::string::npos);
        QCOMPARE(pairFrom(equalized->report, "Conv_1")->reasonCode, std::string("join"));
        QCOMPARE(relativeDifference(model, equalized->model), 0.0);
    }

    void deadChannelsAreSilenced() {
        Model model = block("Clip", clip(0, 6));
        auto w1 = model.graph.initializer("w1")->tensor;
        auto b1 = model.graph.initializer("b1")->tensor;
        for (std::size_t i = 0; i < 3; ++i) w1.mutableData<float>()[2 * 3 + i] = 1e-20F;  // channel 2
        b1.mutableData<float>()[2] = -0.5F;
        model.graph.initializer("w1")->tensor = w1;
        model.graph.initializer("b1")->tensor = b1;
        auto w2 = model.graph.initializer("w2")->tensor;
        w2.mutableData<float>()[2 * 9] = 500.F;
        model.graph.initializer("w2")->tensor = w2;
        const auto equalized = equalize(model, {});
        const auto* pair = pairFrom(equalized->report, "Conv_0");
        QCOMPARE(pair->constantChannels, (Ints{2}));
        QVERIFY(pair->reason.find("never change") != std::string::npos);
        const auto ranges = weightRanges(equalized->model);
        QCOMPARE((*ranges)[1].max[2], 0.F);
        QVERIFY(relativeDifference(model, equalized->model) < 1e-4);
    }

    void constantsMoveIntoTheNextBias() {
        Model model = block("Relu", {});
        auto w2 = model.graph.initializer("w2")->tensor;  // channel 3 of the depthwise layer: its bias, always
        for (std::size_t i = 0; i < 9; ++i) w2.mutableData<float>()[3 * 9 + i] = 0;
        auto b2 = model.graph.initializer("b2")->tensor;
        b2.mutableData<float>()[3] = 0.7F;
        model.graph.initializer("w2")->tensor = w2;
        model.graph.initializer("b2")->tensor = b2;
        const auto equalized = equalize(model, {});
        QCOMPARE(pairFrom(equalized->report, "Conv_2")->constantChannels, (Ints{3}));
        QVERIFY(relativeDifference(model, equalized->model) < 1e-4);
        for (std::size_t i = 0; i < equalized->model.graph.nodes.size(); ++i)
            if (equalized->model.graph.nodes[i].label() == "Conv_4")
                LayerWeights::of(equalized->model.graph, i)
                    ->forEachBlock([&](std::size_t b, std::size_t, std::size_t input) {
                        if (input == 3) QCOMPARE(LayerWeights::of(equalized->model.graph, i)->block(b)[0], 0.F);
                    });
    }

    void aFadedChannelDoesNotBlowUpItsBias() {
        Model model = block("Relu", {});
        auto w1 = model.graph.initializer("w1")->tensor;
        auto b1 = model.graph.initializer("b1")->tensor;
        for (std::size_t i = 0; i < 3; ++i) w1.mutableData<float>()[5 * 3 + i] = 1e-9F;  // not below resolution at 1e6
        b1.mutableData<float>()[5] = 2.F;
        model.graph.initializer("w1")->tensor = w1;
        model.graph.initializer("b1")->tensor = b1;
        const auto equalized = equalize(model, {});
        const auto* pair = pairFrom(equalized->report, "Conv_0");
        QVERIFY(pair->constantChannels.empty());
        QVERIFY2(pair->scales[0][5] > 1e-3F, qPrintable(QString::number(double(pair->scales[0][5]))));
        QVERIFY(relativeDifference(model, equalized->model) < 1e-4);
    }

    void aChannelThatCanBeActiveIsNotDead() {
        Model model = block("Relu", {});
        auto b1 = model.graph.initializer("b1")->tensor;
        b1.mutableData<float>()[2] = -0.5F;  // ordinary weights: large inputs reach it
        model.graph.initializer("b1")->tensor = b1;
        QVERIFY(pairFrom(equalize(model, {})->report, "Conv_0")->constantChannels.empty());
    }

    void highBiasesMoveOnWithoutChangingMuch() {
        ModelBuilder builder;
        builder.input("x", {1, 4, 6, 6})
            .output("y")
            .constant("w1", randomTensor({4, 4, 1, 1}, 1, -0.1F, 0.1F))
            .constant("gamma", randomTensor({4}, 2, 0.1F, 0.2F))
            .constant("beta", Tensor(Shape{4}, {3.F, 2.F, -1.F, 0.1F}))
            .constant("mean", randomTensor({4}, 3, -0.01F, 0.01F))
            .constant("var", randomTensor({4}, 4, 0.004F, 0.006F))
            .constant("w2", randomTensor({3, 4, 1, 1}, 5))
            .node("Conv", {"x", "w1"}, {"c"})
            .node("BatchNormalization", {"c", "gamma", "beta", "mean", "var"}, {"n"})
            .node("Relu", {"n"}, {"r"})
            .node("Conv", {"r", "w2"}, {"y"});
        const Model model = builder.build();
        EqualizeOptions options;
        QVERIFY(equalize(model, options)->report.absorbed.empty());  // exact: the rule of three sigma is not
        options.relu6 = CapMode::Replace;
        const auto equalized = equalize(model, options);
        QCOMPARE(equalized->report.absorbed.size(), std::size_t{1});
        const auto& absorbed = equalized->report.absorbed[0];
        QVERIFY(absorbed.amounts[0] > 0 && absorbed.amounts[1] > 0);
        QCOMPARE(absorbed.amounts[2], 0.F);
        QVERIFY(absorbed.biasAfter[0] < absorbed.biasBefore[0]);
        QVERIFY(relativeDifference(model, equalized->model) < 0.05);
        options.shouldAbsorbBias = false;
        QVERIFY(relativeDifference(model, equalize(model, options)->model) < 1e-4);
    }

    void meansMoveExactlyWhereNothingLiesBetween() {
        ModelBuilder builder;
        builder.input("x", {1, 4, 6, 6})
            .output("y")
            .constant("w1", randomTensor({4, 4, 3, 3}, 1))
            .constant("gamma", randomTensor({4}, 2))
            .constant("beta", Tensor(Shape{4}, {3.F, 2.F, -1.F, 0.1F}))
            .constant("mean", randomTensor({4}, 3))
            .constant("var", randomTensor({4}, 4, 0.1F, 1.F))
            .constant("w2", randomTensor({3, 4, 1, 1}, 5))
            .node("Conv", {"x", "w1"}, {"c"})
            .node("BatchNormalization", {"c", "gamma", "beta", "mean", "var"}, {"n"})
            .node("Conv", {"n", "w2"}, {"y"});
        const Model model = builder.build();
        const auto equalized = equalize(model, {});
        QCOMPARE(equalized->report.absorbed.size(), std::size_t{1});
        QVERIFY(relativeDifference(model, equalized->model) < 1e-4);
    }

    void randomChainsKeepTheirFunction() {
        for (unsigned seed = 0; seed < 25; ++seed) {
            std::minstd_rand random(seed + 1);
            const auto pick = [&](int n) { return int(random() / 16 % unsigned(n)); };
            ModelBuilder builder(11);
            std::int64_t channels = 2 + pick(4);
            builder.input("x", {1, channels, 9, 9}).output("y");
            builder.constant("zero", Tensor(Shape{}, {0.F}))
                .constant("cap", Tensor(Shape{}, {0.2F + 0.1F * float(pick(20))}));
            std::string value = "x";
            const int layers = 3 + pick(3);
            for (int i = 0; i < layers; ++i) {
                const std::string id = std::to_string(i);
                const bool isDepthwise = pick(3) == 0;
                const std::int64_t outputs = isDepthwise ? channels : 2 + pick(5);
                const std::int64_t kernel = 1 + 2 * pick(2);
                builder
                    .constant("w" + id, unevenWeights({outputs, isDepthwise ? 1 : channels, kernel, kernel},
                                                      seed * 31 + unsigned(i), 40.F))
                    .constant("b" + id, randomTensor({outputs}, seed + unsigned(i)))
                    .node("Conv", {value, "w" + id, "b" + id}, {"c" + id},
                          {{"group", isDepthwise ? channels : std::int64_t{1}}, {"pads", Ints(4, kernel / 2)}});
                value = "c" + id;
                switch (pick(4)) {
                    case 0:
                        builder.node("Relu", {value}, {"a" + id});
                        break;
                    case 1:
                        builder.node("Clip", {value, "zero", "cap"}, {"a" + id});
                        break;
                    case 2:
                        builder.node("Clip", {value, "", "cap"}, {"a" + id});
                        break;
                    default:
                        builder.node("AveragePool", {value}, {"a" + id}, {{"kernel_shape", Ints{2, 2}}});
                        break;
                }
                value = "a" + id;
                channels = outputs;
            }
            builder.node("Identity", {value}, {"y"});
            const Model model = builder.build();
            const auto equalized = equalize(model, {});
            QVERIFY2(equalized.has_value(), equalized ? "" : describe(equalized.error()).c_str());
            const auto result = compareOutputs(model, equalized->model, nullptr, 2, seed);
            QVERIFY2(result.has_value(), result ? "" : describe(result.error()).c_str());
            QVERIFY2(result->maxAbsDiff <= 1e-4 * std::max(1.0, result->outputStd),
                     qPrintable(QString("seed %1: %2").arg(seed).arg(result->maxAbsDiff)));
        }
    }
};

EQUANT_TEST(TestEqualize)
}  // namespace test_equalize

#include "test_equalize.moc"
