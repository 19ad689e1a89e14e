// SPDX-License-Identifier: Apache-2.0
// QDQ export: the exported model computes what was simulated, is smaller, and refuses what it cannot say.
#include <QTest>
#include <cmath>
#include <random>

#include "core/graph/topology.h"
#include "core/interop/opset_raise_internal.h"
#include "core/interop/qdq_export.h"
#include "core/quantization/quantsim.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"

namespace test_qdq_export {

using namespace equant;

namespace {

Tensor randomTensor(Shape shape, unsigned seed) {
    Tensor tensor(DType::Float, std::move(shape));
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0F, 0.5F);
    for (float& value : tensor.mutableData<float>()) value = normal(random);
    return tensor;
}

Node makeNode(std::string type, std::string name, std::vector<std::string> inputs, std::vector<std::string> outputs) {
    Node node;
    node.opType = std::move(type);
    node.name = std::move(name);
    node.inputs = std::move(inputs);
    node.outputs = std::move(outputs);
    return node;
}

ValueInfo floatValue(std::string name, std::vector<std::int64_t> dims) {
    ValueInfo info{std::move(name), DType::Float, std::vector<Dim>{}, {}};
    for (const auto dim : dims) info.shape->push_back({dim, dim < 0 ? "N" : ""});
    return info;
}

/// Convolution, ReLU, a residual addition and a matrix product.
Model smallModel(std::int64_t opset = 13) {
    Model model;
    model.irVersion = 7;
    model.opsets[""] = opset;
    Graph& graph = model.graph;
    graph.name = "small";
    graph.inputs = {floatValue("x", {-1, 4, 6, 6})};
    graph.outputs = {floatValue("y", {-1, 5})};
    graph.initializers = {{"w", randomTensor({4, 4, 3, 3}, 1), {}},
                          {"b", randomTensor({4}, 2), {}},
                          {"m", randomTensor({144, 5}, 3), {}}};
    Node conv = makeNode("Conv", "conv", {"x", "w", "b"}, {"c"});
    conv.setAttribute("pads", std::vector<std::int64_t>{1, 1, 1, 1});
    graph.nodes = {conv, makeNode("Relu", "relu", {"c"}, {"r"}), makeNode("Add", "add", {"r", "x"}, {"a"}),
                   makeNode("Flatten", "flat", {"a"}, {"f"}), makeNode("MatMul", "fc", {"f", "m"}, {"y"})};
    return model;
}

std::vector<Tensor> runModel(const Model& model, const Tensor& input, const QuantOverlay& overlay = {}) {
    CompileOptions options;
    options.overlay = overlay;
    options.fuse = false;  // the plainest meaning of the simulation
    const auto executor = Executor::create(model, options);
    if (!executor) qFatal("%s", describe(executor.error()).c_str());
    const auto outputs = (*executor)->run(std::vector<Tensor>{input});
    if (!outputs) qFatal("%s", describe(outputs.error()).c_str());
    return *outputs;
}

QuantSim simulate(const Model& model, const QuantizationSettings& settings) {
    const std::vector<std::vector<Tensor>> batches{{randomTensor({8, 4, 6, 6}, 11)}, {randomTensor({8, 4, 6, 6}, 12)}};
    auto sim = calibrate(model, batches, settings);
    if (!sim) qFatal("%s", describe(sim.error()).c_str());
    return *sim;
}

}  // namespace

class TestQdqExport : public QObject {
    Q_OBJECT

private slots:
    void computesWhatWasSimulated_data();
    void computesWhatWasSimulated();
    void calibrationDoesNotDependOnThreads();
    void scopes();
    void weightsBecomeIntegers();
    void oldOpsets();
    void unknownValuesAreReported();
    void badEncodingsAreRefused();
};

void TestQdqExport::computesWhatWasSimulated_data() {
    QTest::addColumn<int>("weightBits");
    QTest::addColumn<int>("activationBits");
    QTest::addColumn<bool>("isPerChannel");
    QTest::addColumn<bool>("hasSymmetricWeights");
    QTest::newRow("w8a8") << 8 << 8 << false << true;
    QTest::newRow("w8a8 asymmetric") << 8 << 8 << false << false;
    QTest::newRow("w8a8 per channel") << 8 << 8 << true << true;
    QTest::newRow("w4a8 per channel") << 4 << 8 << true << true;
    QTest::newRow("w4a4") << 4 << 4 << false << true;
    QTest::newRow("w8a16") << 8 << 16 << false << true;
    QTest::newRow("w16a6") << 16 << 6 << true << false;
}

void TestQdqExport::computesWhatWasSimulated() {
    QFETCH(int, weightBits);
    QFETCH(int, activationBits);
    QFETCH(bool, isPerChannel);
    QFETCH(bool, hasSymmetricWeights);
    QuantizationSettings settings;
    settings.weightBits = weightBits;
    settings.activationBits = activationBits;
    settings.isPerChannel = isPerChannel;
    settings.hasSymmetricWeights = hasSymmetricWeights;
    const Model model = smallModel();
    const QuantSim sim = simulate(model, settings);
    const auto exported = exportQdq(model, overlay(sim));
    QVERIFY2(exported.has_value(), exported ? "" : describe(exported.error()).c_str());
    QCOMPARE(exported->report.weights, std::size_t{2});
    QCOMPARE(exported->report.activations, std::size_t{4});
    QVERIFY(Topology::of(exported->model.graph).has_value());

    const Tensor input = randomTensor({4, 4, 6, 6}, 21);
    const auto simulated = runModel(model, input, overlay(sim)).front();
    const auto real = runModel(exported->model, input).front();
    const double step = static_cast<double>(sim.find("y")->encoding.scale[0]);
    const auto a = simulated.data<float>();
    const auto b = real.data<float>();
    QCOMPARE(a.size(), b.size());
    // A value on the border between two steps may fall to either side when sums are ordered differently.
    int different = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        QVERIFY(difference < (activationBits > 8 ? 8.0 : 1.01) * step);
        if (difference > 0.5 * step) ++different;
    }
    if (activationBits <= 8) QVERIFY(different <= 1);
    // And quantization did change something.
    const auto plain = runModel(model, input).front();
    QVERIFY(!(plain == simulated));
}

void TestQdqExport::calibrationDoesNotDependOnThreads() {
    const Model model = smallModel();
    std::vector<std::vector<Tensor>> batches;
    for (unsigned i = 0; i < 7; ++i) batches.push_back({randomTensor({3, 4, 6, 6}, 30 + i)});
    for (const RangeScheme scheme : {RangeScheme::MinMax, RangeScheme::Mse, RangeScheme::Percentile}) {
        QuantizationSettings settings;
        settings.scheme = scheme;
        CalibrationOptions one;
        one.threads = 1;
        CalibrationOptions three;
        three.threads = 3;
        const auto a = calibrate(model, batches, settings, one);
        const auto b = calibrate(model, batches, settings, three);
        QVERIFY(a.has_value() && b.has_value());
        QCOMPARE(a->samples, std::size_t{21});
        QVERIFY(overlay(*a) == overlay(*b));
    }
}

void TestQdqExport::scopes() {
    const QuantSim sim = simulate(smallModel(), {});
    const QuantOverlay weights = overlay(sim, QuantScope::WeightsOnly);
    const QuantOverlay activations = overlay(sim, QuantScope::ActivationsOnly);
    QCOMPARE(weights.size() + activations.size(), overlay(sim).size());
    QVERIFY(weights.contains("w") && weights.contains("m") && weights.size() == 2);
    QVERIFY(activations.contains("x") && activations.contains("y"));
    QVERIFY(sim.find("x")->observed.has_value());
    const auto noData = calibrate(smallModel(), std::span<const std::vector<Tensor>>{}, {});
    QVERIFY(!noData.has_value());
}

void TestQdqExport::weightsBecomeIntegers() {
    const Model model = smallModel();
    QuantizationSettings settings;
    settings.weightBits = 4;
    const auto exported = exportQdq(model, overlay(simulate(model, settings)));
    QVERIFY(exported.has_value());
    QVERIFY(exported->model.graph.initializer("w") == nullptr);
    const Initializer* stored = exported->model.graph.initializer("w_quantized");
    QVERIFY(stored != nullptr);
    QVERIFY(stored->tensor.dtype() == DType::Int8);
    for (const std::int8_t value : stored->tensor.data<std::int8_t>()) QVERIFY(value >= -8 && value <= 7);
    QVERIFY(exported->report.initializerBytesAfter * 3 < exported->report.initializerBytesBefore);
    QCOMPARE(exported->model.graph.inputs[0].name, std::string("x"));
    QCOMPARE(exported->model.graph.outputs[0].name, std::string("y"));
}

void TestQdqExport::oldOpsets() {
    QuantizationSettings settings;
    const Model model = smallModel(11);
    QCOMPARE(exportQdq(model, overlay(simulate(model, settings)))->report.opset, 11);
    settings.isPerChannel = true;
    QCOMPARE(exportQdq(model, overlay(simulate(model, settings)))->report.opset, 13);

    Model withSoftmax = smallModel(11);
    withSoftmax.graph.nodes.push_back(makeNode("Softmax", "soft", {"y"}, {"z"}));
    withSoftmax.graph.outputs.push_back(floatValue("z", {-1, 5}));
    QVERIFY(exportQdq(withSoftmax, {}).has_value());
    const auto refused = exportQdq(withSoftmax, overlay(simulate(withSoftmax, settings)));
    QVERIFY(!refused.has_value());
    QVERIFY(refused.error().code == ErrorCode::Unsupported);
    QCOMPARE(refused.error().subject, std::string("soft"));
    Model newer = smallModel(17);
    QVERIFY(raiseOpset(newer, 13).has_value());
    QCOMPARE(newer.opset(), 17);
}

void TestQdqExport::unknownValuesAreReported() {
    Encoding encoding;
    encoding.scale = {0.1F};
    encoding.zeroPoint = {0};
    const auto exported = exportQdq(smallModel(), {{"nothing", encoding}});
    QVERIFY(exported.has_value());
    QCOMPARE(exported->report.notFound, std::vector<std::string>{"nothing"});
}

void TestQdqExport::badEncodingsAreRefused() {
    Encoding encoding;
    encoding.isSigned = true;
    encoding.axis = 0;
    encoding.scale = {0.1F, 0.2F};
    encoding.zeroPoint = {0, 0};
    const auto wrongCount = exportQdq(smallModel(), {{"w", encoding}});
    QVERIFY(!wrongCount.has_value());
    QCOMPARE(wrongCount.error().subject, std::string("w"));
    const auto perChannelActivation = exportQdq(smallModel(), {{"r", encoding}});
    QVERIFY(!perChannelActivation.has_value());
}

EQUANT_TEST(TestQdqExport)
}  // namespace test_qdq_export

#include "test_qdq_export.moc"
