// SPDX-License-Identifier: Apache-2.0
// Taking out channels that hold nothing, or that nobody reads, must not change what a network computes, whatever they
// pass on the way.
#include "../support/model_builder.h"

#include <QtTest>
#include <cmath>

#include "core/compression/channels/channel_groups_internal.h"
#include "core/compression/channels/channel_removal_internal.h"
#include "core/graph/constants.h"
#include "core/layers/layers.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"

namespace test_channel_removal {

using namespace equant;
using namespace equant::test;

namespace {

constexpr std::int64_t kSide = 6;

/// Grows a random network of branches that meet again; every operator that channels can pass occurs.
class RandomNetwork {
public:
    explicit RandomNetwork(unsigned seed) : m_random(seed + 7), m_seed(seed * 1000) {}

    Model build() {
        m_builder.input("x", {1, 3, kSide, kSide});
        Value value = convolution({"x", 3}, 4 + pick(5));
        const int steps = 5 + static_cast<int>(pick(6));
        for (int i = 0; i < steps; ++i) value = step(value);
        value = convolution(value, 5);  // whatever came last has a reader
        value = {unary("Relu", value.name), 5};
        std::int64_t features = value.channels * kSide * kSide;
        std::string name = value.name;
        if (pick(2) == 0) {
            name = unary("GlobalAveragePool", name);
            features = value.channels;
        }
        if (pick(2) == 0) {
            name = unary("Flatten", name);
        } else {
            m_builder.constant("flat", Tensor(Shape{2}, {std::int64_t{1}, features}));
            const std::string flat = fresh();
            m_builder.node("Reshape", {name, "flat"}, {flat});
            name = flat;
        }
        m_builder.constant("fc", random({4, features})).constant("fcBias", random({4}));
        m_builder.node("Gemm", {name, "fc", "fcBias"}, {"y"}, {{"transB", std::int64_t{1}}});
        return m_builder.output("y").build();
    }

private:
    struct Value {
        std::string name;
        std::int64_t channels = 0;
    };

    std::int64_t pick(std::int64_t count) {
        return static_cast<std::int64_t>(m_random() / 7 % static_cast<unsigned>(count));
    }
    std::string fresh() { return "v" + std::to_string(m_next++); }
    Tensor random(const Shape& shape, float low = -1, float high = 1) {
        return randomTensor(shape, m_seed++, low, high);
    }
    std::string constant(Tensor tensor) {
        const std::string name = "c" + std::to_string(m_next++);
        m_builder.constant(name, std::move(tensor));
        return name;
    }
    std::string unary(const std::string& op, const std::string& input,
                      std::vector<std::pair<std::string, AttributeValue>> attributes = {}) {
        const std::string output = fresh();
        m_builder.node(op, {input}, {output}, std::move(attributes));
        return output;
    }
    std::string binary(const std::string& op, const std::string& a, const std::string& b) {
        const std::string output = fresh();
        m_builder.node(op, {a, b}, {output});
        return output;
    }
    Value convolution(const Value& input, std::int64_t channels, std::int64_t group = 1) {
        const std::string output = fresh();
        m_builder.node(
            "Conv",
            {input.name, constant(random({channels, input.channels / group, 3, 3})), constant(random({channels}))},
            {output},
            {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}},
             {"group", group},
             {"kernel_shape", std::vector<std::int64_t>{3, 3}}});
        return {output, channels};
    }
    std::string ints(std::vector<std::int64_t> values) {
        return constant(Tensor(Shape{static_cast<std::int64_t>(values.size())}, values));
    }

    Value step(const Value& v) {
        const auto c = v.channels;
        switch (pick(13)) {
            case 0:
                return convolution(v, 4 + pick(5));
            case 1: {  // residual
                const Value inner = convolution({unary("Relu", convolution(v, 6).name), 6}, c);
                return {unary("Relu", binary("Add", inner.name, v.name)), c};
            }
            case 2: {  // fire module
                const Value a = convolution(v, 3), b = convolution(v, 4);
                const std::string output = fresh();
                m_builder.node("Concat", {a.name, b.name, v.name}, {output}, {{"axis", std::int64_t{1}}});
                return {output, 7 + c};
            }
            case 3:
                return convolution(v, c, c);  // depthwise
            case 4:
                return convolution(v, 2 * c, c);  // with a multiplier
            case 5: {                             // split, one half worked on, joined the other way round
                const std::int64_t half = c / 2;
                const std::string a = fresh(), b = fresh(), output = fresh();
                m_builder.node("Split", {v.name, ints({half, c - half})}, {a, b}, {{"axis", std::int64_t{1}}});
                const Value worked = convolution({b, c - half}, 3);
                m_builder.node("Concat", {worked.name, a}, {output}, {{"axis", std::int64_t{1}}});
                return {output, 3 + half};
            }
            case 6: {
                const std::string output = fresh();
                m_builder.node("BatchNormalization",
                               {v.name, constant(random({c})), constant(random({c})), constant(random({c})),
                                constant(random({c}, 0.5F, 2))},
                               {output});
                return {unary("Relu", output), c};
            }
            case 7: {  // squeeze and excitation
                const Value squeezed{unary("GlobalAveragePool", v.name), c};
                const std::string weight = constant(random({c, c, 1, 1})), gate = fresh();
                m_builder.node("Conv", {squeezed.name, weight}, {gate});
                return {binary("Mul", v.name, unary("Sigmoid", gate)), c};
            }
            case 8:
                return {binary("Mul", v.name, constant(random({1, c, 1, 1}))), c};
            case 9:
                return {binary("Add", constant(random({c, 1, 1})), v.name), c};
            case 10: {  // channels added by padding, as in residual shortcuts
                const std::string padded = fresh();
                m_builder.node("Pad", {v.name, ints({0, 1, 0, 0, 0, 2, 0, 0})}, {padded});
                const Value other = convolution(v, c + 3);
                return {binary("Add", padded, other.name), c + 3};
            }
            case 11: {
                const std::string output = fresh();
                m_builder.node("Slice", {v.name, ints({1}), ints({-1}), ints({1})}, {output});
                return {output, c - 2};
            }
            default:
                return {binary("PRelu", v.name, constant(random({c, 1, 1}))), c};
        }
    }

    ModelBuilder m_builder;
    std::minstd_rand m_random;
    unsigned m_seed;
    int m_next = 0;
};

void zeroPositions(Graph& graph, const ConstantCut& cut, const std::vector<bool>& isChosen) {
    Tensor tensor = *constantInput(graph, graph.nodes[cut.node], cut.slot);
    const auto axis = static_cast<std::size_t>(cut.axis);
    std::int64_t inner = 1;
    for (std::size_t i = axis + 1; i < tensor.shape().size(); ++i) inner *= tensor.shape()[i];
    const auto values = tensor.mutableData<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto position = static_cast<std::int64_t>(i) / inner % tensor.shape()[axis];
        if (isChosen[static_cast<std::size_t>(cut.units[static_cast<std::size_t>(position)])]) values[i] = 0;
    }
    setConstantInput(graph, cut.node, cut.slot, tensor, "zeroed");
}

bool readsInput(const ChannelAnalysis& analysis, const ConstantCut& cut) {
    const ChannelLayer* layer = analysis.layer(cut.node);
    return layer && layer->isConsumer && cut.slot == 1 && cut.units == layer->inputs;
}

/// About every third unit that may go, but never the last channel of a value.
std::vector<bool> chooseUnits(const ChannelAnalysis& analysis, unsigned seed) {
    std::vector<bool> isChosen(analysis.blockedBy.size());
    std::minstd_rand random(seed + 99);
    for (std::size_t unit = 0; unit < isChosen.size(); ++unit)
        isChosen[unit] = analysis.blockedBy[unit].empty() && random() / 11 % 3 == 0;
    for (const auto& [name, axis] : analysis.values)
        if (std::ranges::all_of(axis.units, [&](int unit) { return isChosen[static_cast<std::size_t>(unit)]; }))
            isChosen[static_cast<std::size_t>(axis.units.front())] = false;
    return isChosen;
}

Tensor outputOf(const Model& model) {
    const auto executor = Executor::create(model);
    if (!executor) qFatal("%s", describe(executor.error()).c_str());
    const std::vector<Tensor> inputs{randomTensor({1, 3, kSide, kSide}, 5)};
    const auto outputs = (*executor)->run(inputs);
    if (!outputs) qFatal("%s", describe(outputs.error()).c_str());
    return outputs->front();
}

double difference(const Tensor& a, const Tensor& b) {
    double largest = 0, magnitude = 1;
    for (std::size_t i = 0; i < a.data<float>().size(); ++i) {
        largest = std::max(largest, std::abs(double(a.data<float>()[i]) - b.data<float>()[i]));
        magnitude = std::max(magnitude, std::abs(double(a.data<float>()[i])));
    }
    return largest / magnitude;
}

}  // namespace

class TestChannelRemoval : public QObject {
    Q_OBJECT
private slots:
    void unreadChannels() { check(true); }
    void silentChannels() { check(false); }

    void blockedUnitsAreRefused() {
        const Model model = ModelBuilder()
                                .input("x", {1, 2, 4, 4})
                                .constant("w", randomTensor({3, 2, 1, 1}, 1))
                                .node("Conv", {"x", "w"}, {"y"})
                                .output("y")
                                .build();
        const auto analysis = analyzeChannels(model);
        QVERIFY(analysis.has_value());
        Model edited = model;
        const auto status = removeChannels(edited, *analysis, std::vector<bool>(analysis->blockedBy.size(), true));
        QVERIFY(!status);
        QCOMPARE(status.error().code, ErrorCode::InvalidArgument);
        QVERIFY(status.error().message.find("reach the network's output") != std::string::npos);
    }

private:
    static void check(bool isUnread) {
        int removed = 0;
        for (unsigned seed = 0; seed < 60; ++seed) {
            Model model = RandomNetwork(seed).build();
            const auto analysis = analyzeChannels(model);
            QVERIFY(analysis.has_value());
            const auto isChosen = chooseUnits(*analysis, seed);
            for (const auto& cut : analysis->cuts)
                if (readsInput(*analysis, cut) == isUnread && !(cut.slot == 4))
                    zeroPositions(model.graph, cut, isChosen);
            const Tensor expected = outputOf(model);
            Model pruned = model;
            const auto status = removeChannels(pruned, *analysis, isChosen);
            if (!status) qFatal("%s", describe(status.error()).c_str());
            QVERIFY2(difference(expected, outputOf(pruned)) < 1e-5, qPrintable(QString("seed %1").arg(seed)));
            removed += static_cast<int>(std::ranges::count(isChosen, true));
        }
        QVERIFY(removed > 600);
    }
};

EQUANT_TEST(TestChannelRemoval)
}  // namespace test_channel_removal

#include "test_channel_removal.moc"
