// SPDX-License-Identifier: Apache-2.0
// Noise per layer against running the whole network with one layer quantized at a time.
#include <QTest>

#include "core/metrics/scores.h"
#include "core/quantization/layer_noise.h"
#include "core/runtime/executor.h"
#include "tests/unit/support/model_builder.h"

using namespace equant;

namespace {

class RandomData : public Dataset {
public:
    std::size_t size() const override { return 5; }
    Result<Sample> load(std::size_t index) const override {
        Sample sample;
        sample.inputs.push_back(test::randomTensor({3, 6, 6}, 50 + static_cast<unsigned>(index)));
        return sample;
    }
    std::string sampleName(std::size_t index) const override { return std::to_string(index); }
    bool hasLabels() const override { return false; }
    std::optional<std::int64_t> label(std::size_t) const override { return std::nullopt; }
    std::string describe() const override { return "random"; }
    std::string fingerprint() const override { return "random"; }
};

/// Two convolutions with a residual around the second, so that a group reads a value from outside.
Model residualModel() {
    test::ModelBuilder builder;
    const std::vector<std::int64_t> pads{1, 1, 1, 1};
    builder.input("x", {-1, 3, 6, 6})
        .output("y", {-1, 4, 6, 6})
        .constant("w1", test::randomTensor({4, 3, 3, 3}, 1))
        .constant("w2", test::randomTensor({4, 4, 3, 3}, 2))
        .node("Conv", {"x", "w1"}, {"c1"}, {{"pads", pads}})
        .node("Relu", {"c1"}, {"r1"})
        .node("Conv", {"r1", "w2"}, {"c2"}, {{"pads", pads}})
        .node("Add", {"c2", "r1"}, {"y"});
    return builder.build();
}

}  // namespace

class TestLayerNoise : public QObject {
    Q_OBJECT

private slots:
    void agreesWithTheWholeNetwork() {
        const Model model = residualModel();
        const RandomData data;
        QuantizationSettings settings;
        settings.weightBits = 5;
        settings.activationBits = 6;
        const auto sim = calibrate(model, data, settings);
        QVERIFY(sim);
        const auto noise = measureLayerNoise(model, *sim, data, {5, 1});
        QVERIFY(noise);
        QVERIFY(noise->size() >= 2);
        QCOMPARE(noise->front().layer, std::string("Conv_0"));
        for (const LayerNoise& layer : *noise) {
            // The reference: the whole float network with only this layer's quantizers, and with all of them.
            CompileOptions exact;
            exact.outputs = {layer.value};
            CompileOptions all = exact;
            all.overlay = overlay(*sim);
            CompileOptions alone = exact;
            for (const CalibratedQuantizer& quantizer : sim->quantizers)
                if (quantizer.spec.value == layer.value ||
                    (quantizer.spec.isParameter() && quantizer.spec.layer == layer.layer))
                    alone.overlay.emplace(quantizer.spec.value, quantizer.encoding);
            SqnrAccumulator local;
            SqnrAccumulator accumulated;
            auto floating = *Executor::create(model, exact);
            auto onlyThis = *Executor::create(model, alone);
            auto everything = *Executor::create(model, all);
            for (std::size_t i = 0; i < data.size(); ++i) {
                const std::vector<Tensor> input{data.load(i)->inputs.front().reshaped({1, 3, 6, 6})};
                const auto reference = *floating->run(input);
                local.add(reference[0].data<float>(), (*onlyThis->run(input))[0].data<float>());
                accumulated.add(reference[0].data<float>(), (*everything->run(input))[0].data<float>());
            }
            QVERIFY(layer.localDb && layer.accumulatedDb);
            QVERIFY2(std::abs(*layer.localDb - *local.db()) < 0.05, layer.layer.c_str());
            QVERIFY2(std::abs(*layer.accumulatedDb - *accumulated.db()) < 0.05, layer.layer.c_str());
        }
    }

    void threadsDoNotMatter() {
        const Model model = residualModel();
        const RandomData data;
        const auto sim = calibrate(model, data, {});
        QVERIFY(sim);
        const auto one = measureLayerNoise(model, *sim, data, {3, 1});
        const auto four = measureLayerNoise(model, *sim, data, {3, 4});
        QVERIFY(one && four);
        QCOMPARE(one->size(), four->size());
        for (std::size_t i = 0; i < one->size(); ++i) QCOMPARE(*(*one)[i].localDb, *(*four)[i].localDb);
    }

    void stopsWhenAsked() {
        const Model model = residualModel();
        const RandomData data;
        const auto sim = calibrate(model, data, {});
        QVERIFY(sim);
        std::stop_source stop;
        stop.request_stop();
        JobContext job;
        job.stop = stop.get_token();
        const auto noise = measureLayerNoise(model, *sim, data, {}, job);
        QVERIFY(!noise);
        QCOMPARE(noise.error().code, ErrorCode::Cancelled);
    }
};

QTEST_APPLESS_MAIN(TestLayerNoise)
#include "test_layer_noise.moc"
