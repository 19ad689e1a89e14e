// SPDX-License-Identifier: Apache-2.0
// Per-layer SQNR against a naive twin: the whole model run with only one layer's encodings, or with all.
#include <QTest>
#include <cmath>
#include <random>

#include "core/metrics/scores.h"
#include "core/quantization/layer_sqnr.h"
#include "core/runtime/exec/executor.h"
#include "core/runtime/kernels/fake_quantize.h"
#include "tests/support/registry.h"

namespace test_layer_sqnr {

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

Model residualModel() {
    Model model;
    model.opsets[""] = 13;
    Graph& graph = model.graph;
    graph.inputs = {{"x", DType::Float, std::vector<Dim>{{-1, "N"}, {4, ""}, {6, ""}, {6, ""}}, {}}};
    graph.outputs = {{"y", DType::Float, std::vector<Dim>{{-1, "N"}, {5, ""}}, {}}};
    graph.initializers = {{"w", randomTensor({4, 4, 3, 3}, 1), {}},
                          {"b", randomTensor({4}, 2), {}},
                          {"m", randomTensor({144, 5}, 3), {}},
                          {"mb", randomTensor({5}, 4), {}}};
    Node conv = makeNode("Conv", "conv", {"x", "w", "b"}, {"c"});
    conv.setAttribute("pads", std::vector<std::int64_t>{1, 1, 1, 1});
    graph.nodes = {conv,
                   makeNode("Relu", "relu", {"c"}, {"r"}),
                   makeNode("Add", "add", {"r", "x"}, {"a"}),
                   makeNode("Relu", "relu2", {"a"}, {"s"}),
                   makeNode("Flatten", "flat", {"s"}, {"f"}),
                   makeNode("MatMul", "fc", {"f", "m"}, {"q"}),
                   makeNode("Add", "bias", {"q", "mb"}, {"y"})};
    return model;
}

/// The value as the model computes it under the overlay, fake quantization of the value itself included.
Tensor valueOf(const Model& model, const std::string& value, const Tensor& input, const QuantOverlay& overlay) {
    CompileOptions options;
    options.overlay = overlay;
    options.taps = {value};
    options.fuse = false;
    const auto executor = Executor::create(model, options);
    if (!executor) qFatal("%s", describe(executor.error()).c_str());
    Tensor result;
    const auto ran =
        (*executor)->run(std::vector<Tensor>{input}, 0, [&](std::size_t, const Tensor& tapped) { result = tapped; });
    if (!ran) qFatal("%s", describe(ran.error()).c_str());
    if (!overlay.contains(value)) return result;
    return fakeQuantized(result, overlay.at(value)).value();
}

}  // namespace

class TestLayerSqnr : public QObject {
    Q_OBJECT

private slots:
    void matchesNaiveTwin();
    void doesNotDependOnThreads();
    void moreBitsAreBetter();
};

void TestLayerSqnr::matchesNaiveTwin() {
    const Model model = residualModel();
    const std::vector<std::vector<Tensor>> batches{{randomTensor({3, 4, 6, 6}, 11)}, {randomTensor({3, 4, 6, 6}, 12)}};
    QuantizationSettings settings;
    settings.weightBits = 5;
    settings.activationBits = 6;
    const auto sim = calibrate(model, batches, settings);
    QVERIFY(sim.has_value());
    const auto layers = measureLayers(model, *sim, batches);
    QVERIFY2(layers.has_value(), layers ? "" : describe(layers.error()).c_str());
    QCOMPARE(layers->size(), std::size_t{3});
    QCOMPARE(layers->at(0).name, std::string("conv"));
    QCOMPARE(layers->at(0).output, std::string("r"));
    QCOMPARE(layers->at(1).name, std::string("add"));
    QCOMPARE(layers->at(1).output, std::string("s"));
    QCOMPARE(layers->at(1).weight, std::string());
    QCOMPARE(layers->at(2).output, std::string("y"));
    const QuantOverlay all = overlay(*sim);
    for (const LayerSqnr& layer : *layers) {
        QuantOverlay own{{layer.output, all.at(layer.output)}};
        if (!layer.weight.empty()) own.emplace(layer.weight, all.at(layer.weight));
        SqnrAccumulator local;
        SqnrAccumulator accumulated;
        for (const auto& batch : batches) {
            const Tensor reference = valueOf(model, layer.output, batch[0], {});
            local.add(reference.data<float>(), valueOf(model, layer.output, batch[0], own).data<float>());
            accumulated.add(reference.data<float>(), valueOf(model, layer.output, batch[0], all).data<float>());
        }
        QVERIFY(std::abs(*layer.localDb - *local.db()) < 0.05);
        QVERIFY(std::abs(*layer.accumulatedDb - *accumulated.db()) < 0.05);
        QVERIFY(*layer.localDb > *layer.accumulatedDb);
    }
}

void TestLayerSqnr::doesNotDependOnThreads() {
    const Model model = residualModel();
    std::vector<std::vector<Tensor>> batches;
    for (unsigned i = 0; i < 5; ++i) batches.push_back({randomTensor({2, 4, 6, 6}, 40 + i)});
    const auto sim = calibrate(model, batches, {});
    LayerSqnrOptions one;
    one.threads = 1;
    LayerSqnrOptions three;
    three.threads = 3;
    const auto a = measureLayers(model, *sim, batches, one);
    const auto b = measureLayers(model, *sim, batches, three);
    QVERIFY(a.has_value() && b.has_value());
    for (std::size_t i = 0; i < a->size(); ++i) {
        QCOMPARE(*a->at(i).localDb, *b->at(i).localDb);
        QCOMPARE(*a->at(i).accumulatedDb, *b->at(i).accumulatedDb);
    }
}

void TestLayerSqnr::moreBitsAreBetter() {
    const Model model = residualModel();
    const std::vector<std::vector<Tensor>> batches{{randomTensor({4, 4, 6, 6}, 50)}};
    std::vector<double> previous(3, -100.0);
    for (const int bits : {4, 6, 8, 10}) {
        QuantizationSettings settings;
        settings.weightBits = bits;
        settings.activationBits = bits;
        const auto sim = calibrate(model, batches, settings);
        const auto layers = measureLayers(model, *sim, batches);
        for (std::size_t i = 0; i < previous.size(); ++i) {
            QVERIFY(*layers->at(i).localDb > previous[i] + 6.0);
            previous[i] = *layers->at(i).localDb;
        }
    }
}

EQUANT_TEST(TestLayerSqnr)
}  // namespace test_layer_sqnr

#include "test_layer_sqnr.moc"
