// SPDX-License-Identifier: Apache-2.0
// Which channels go together, and the sentence that says why some cannot go.
#include "../support/model_builder.h"

#include <QtTest>

#include "core/compression/channels/channel_groups_internal.h"
#include "core/compression/channels/dead_channels_internal.h"
#include "core/layers/layers.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"

namespace test_channel_groups {

using namespace equant;
using namespace equant::test;

namespace {

ModelBuilder& conv(ModelBuilder& builder, const std::string& from, const std::string& to, std::int64_t in,
                   std::int64_t out, std::int64_t group = 1) {
    return builder.constant(to + ".w", randomTensor({out, in / group, 1, 1}, static_cast<unsigned>(to.size() + to[0])))
        .node("Conv", {from, to + ".w"}, {to}, {{"group", group}});
}

std::size_t nodeOf(const Model& model, const std::string& output) {
    for (std::size_t i = 0; i < model.graph.nodes.size(); ++i)
        if (model.graph.nodes[i].outputs[0] == output) return i;
    qFatal("no such value");
}

std::string reasonFor(const Model& model, const std::string& output) {
    const auto analysis = analyzeChannels(model);
    if (!analysis) qFatal("%s", describe(analysis.error()).c_str());
    return channelPruningReason(*analysis, model.graph, nodeOf(model, output));
}

/// x -> a -> relu -> b -> y with `op` of the values "r" (channels of a) in between.
ModelBuilder chain() {
    ModelBuilder builder;
    builder.input("x", {1, 3, 4, 4});
    conv(builder, "x", "a", 3, 4).node("Relu", {"a"}, {"r"});
    return builder;
}

}  // namespace

class TestChannelGroups : public QObject {
    Q_OBJECT
private slots:
    void residualStreamIsOneGroup() {
        ModelBuilder builder = chain();
        conv(builder, "r", "b", 4, 6).node("Relu", {"b"}, {"rb"});
        conv(builder, "rb", "c", 6, 4).node("Add", {"c", "r"}, {"s"});
        conv(builder, "s", "d", 4, 5).output("d");
        const Model model = builder.build();
        const auto analysis = analyzeChannels(model);
        QVERIFY(analysis.has_value());
        const auto stream = channelGroup(*analysis, nodeOf(model, "d"));
        QCOMPARE(stream.units.size(), std::size_t(4));
        QCOMPARE(stream.producers, (std::vector<std::size_t>{nodeOf(model, "a"), nodeOf(model, "c")}));
        QCOMPARE(stream.consumers, (std::vector<std::size_t>{nodeOf(model, "b"), nodeOf(model, "d")}));
        const auto inner = channelGroup(*analysis, nodeOf(model, "c"));
        QCOMPARE(inner.producers, std::vector<std::size_t>{nodeOf(model, "b")});
        QCOMPARE(inner.consumers, std::vector<std::size_t>{nodeOf(model, "c")});
    }

    void firstLayerReadsTheInput() {
        ModelBuilder builder = chain();
        conv(builder, "r", "b", 4, 2).output("b");
        QCOMPARE(reasonFor(builder.build(), "a"),
                 std::string("Its input channels are those of the network's input \"x\"."));
        QVERIFY(reasonFor(builder.build(), "b").empty());
    }

    void outputsBlock() {
        ModelBuilder builder = chain();
        conv(builder, "r", "b", 4, 2).output("b").output("r");
        QCOMPARE(reasonFor(builder.build(), "b"),
                 std::string("The channels reach the network's output \"r\" through Relu \"Relu_1\"."));
    }

    void softmaxBlocksOverChannelsOnly() {
        for (const std::int64_t axis : {1, 2}) {
            ModelBuilder builder = chain();
            builder.node("Softmax", {"r"}, {"p"}, {{"axis", axis}});
            conv(builder, "p", "b", 4, 2).output("b");
            const std::string reason = reasonFor(builder.build(), "b");
            QCOMPARE(reason.empty(), axis == 2);
            if (axis == 1) QVERIFY(reason.find("Softmax") != std::string::npos);
        }
    }

    void groupedAndDepthwise() {
        ModelBuilder builder = chain();
        conv(builder, "r", "g", 4, 4, 2);
        conv(builder, "g", "d", 4, 4, 4);
        conv(builder, "d", "b", 4, 2).output("b");
        const Model model = builder.build();
        QCOMPARE(reasonFor(model, "g"), std::string("Grouped convolution."));
        QVERIFY(reasonFor(model, "d").starts_with("Depthwise"));
        QVERIFY(reasonFor(model, "b").find("grouped") != std::string::npos);
    }

    void unknownOperatorsBlock() {
        ModelBuilder builder = chain();
        builder.node("CumSum", {"r", "one"}, {"u"}).constant("one", Tensor(Shape{}, {std::int64_t{1}}));
        conv(builder, "u", "b", 4, 2).output("b");
        const Model model = builder.build();
        QVERIFY(reasonFor(model, "b").find("CumSum") != std::string::npos);
    }

    /// A row of zero weights with a negative bias dies at the Relu; with a positive one it is a constant.
    void deadChannelsGo() {
        ModelBuilder builder;
        builder.input("x", {1, 2, 3, 3});
        Tensor weight = randomTensor({4, 2, 1, 1}, 3);
        for (const std::size_t i : {2U, 3U, 4U, 5U}) weight.mutableData<float>()[i] = 0;
        builder.constant("aw", weight).constant("ab", Tensor(Shape{4}, {0.1F, -1.0F, 2.0F, 0.3F}));
        builder.node("Conv", {"x", "aw", "ab"}, {"a"}).node("Relu", {"a"}, {"r"});
        conv(builder, "r", "b", 4, 3).output("b");
        const Model model = builder.build();
        const auto outcome = removeDeadChannels(model);
        QVERIFY(outcome.has_value());
        QCOMPARE(outcome->report.layers.size(), std::size_t(1));
        QCOMPARE(outcome->report.layers[0].removed, std::int64_t(2));
        QCOMPARE(outcome->report.layers[0].left, std::int64_t(2));
        QVERIFY(outcome->report.macsAfter * 2 == outcome->report.macsBefore);
        const std::vector<Tensor> inputs{randomTensor({1, 2, 3, 3}, 8)};
        const auto before = (*Executor::create(model))->run(inputs);
        const auto after = (*Executor::create(outcome->model))->run(inputs);
        QVERIFY(before && after);
        for (std::size_t i = 0; i < 27; ++i)
            QVERIFY(std::abs(before->front().data<float>()[i] - after->front().data<float>()[i]) < 1e-5F);
    }
};

EQUANT_TEST(TestChannelGroups)
}  // namespace test_channel_groups

#include "test_channel_groups.moc"
