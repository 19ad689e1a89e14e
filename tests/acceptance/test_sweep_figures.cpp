// SPDX-License-Identifier: Apache-2.0
// Sweeps over the layers of real networks: every result has the bits of the candidate's own run, and the sweep costs
// about half. Prints work and time against full runs. Needs the reference data kept outside the project.
#include <QElapsedTimer>
#include <QtTest>

#include "core/data/batch_source.h"
#include "core/graph/constants.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/evaluate.h"
#include "core/runtime/sweep/prefix_reuse.h"
#include "tests/acceptance/shared_folder.h"
#include "tests/support/registry.h"

namespace test_sweep_figures {

using namespace equant;
namespace fs = std::filesystem;

namespace {

using Batches = std::vector<std::vector<Tensor>>;

template <typename T>
T need(Result<T> result) {
    if (!result) qFatal("%s", describe(result.error()).c_str());
    return std::move(*result);
}

Batches batchesFor(const Model& model, const QString& name, const QString& data, std::size_t samples) {
    if (data.isEmpty()) {
        const auto executor = need(Executor::create(model));
        Batches batches;
        for (std::size_t i = 0; i < samples; ++i) batches.push_back(randomInputs(*executor, i));
        return batches;
    }
    DatasetOptions options;
    options.preprocess = (sharedFolder() / "data/models" / (name.toStdString() + ".preprocess.json")).string();
    options.limit = samples;
    const auto dataset = need(openDataset(sharedFolder() / "data" / data.toStdString(), model, options));
    const BatchSource source = batchesOf(*dataset.dataset, 8);
    Batches batches;
    for (std::size_t i = 0; i < source.batches; ++i) batches.push_back(need(source.load(i)));
    return batches;
}

/// One model per weighted layer: its weights scaled down a little.
std::vector<Model> layerSweep(const Model& base) {
    std::vector<Model> candidates;
    for (std::size_t i = 0; i < base.graph.nodes.size(); ++i) {
        const Node& node = base.graph.nodes[i];
        if (!node.is("Conv") && !node.is("Gemm") && !node.is("MatMul")) continue;
        const auto weight = constantInput(base.graph, node, 1);
        if (!weight || weight->dtype() != DType::Float) continue;
        Tensor scaled = *weight;
        for (float& value : scaled.mutableData<float>()) value *= 0.9F;
        candidates.push_back(base);
        setConstantInput(candidates.back().graph, i, 1, scaled, "scaled");
    }
    return candidates;
}

/// 8 bits for the output of every operator and every weight, on grids that do for a comparison of bits.
QuantOverlay gridsFor(const Model& model) {
    Encoding grid;
    grid.scale = {1.0F / 16};
    grid.zeroPoint = {128};
    QuantOverlay overlay;
    for (const Node& node : model.graph.nodes) overlay[node.outputs[0]] = grid;
    grid.scale = {1.0F / 128};
    for (const Initializer& initializer : model.graph.initializers) {
        if (initializer.tensor.rank() >= 2) overlay[initializer.name] = grid;
    }
    return overlay;
}

}  // namespace

class TestSweepFigures : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        if (!fs::exists(sharedFolder() / "data/models")) QSKIP("The reference models are not at hand.");
    }

    void halfTheWork_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("data");
        QTest::addColumn<int>("samples");
        QTest::addColumn<bool>("isSimulated");
        QTest::addColumn<double>("most");
        QTest::newRow("mobilenetv2-tf") << "mobilenetv2-tf"
                                        << "imagenet-sample-500" << 16 << false << 0.55;
        QTest::newRow("mobilenetv2-tf, simulated") << "mobilenetv2-tf"
                                                   << "imagenet-sample-500" << 16 << true << 0.55;
        // 20 layers: half of them, and 1.5 passes more.
        QTest::newRow("cifar10_resnet20_jpeg") << "cifar10_resnet20_jpeg"
                                               << "cifar10/test_2000" << 64 << false << 0.57;
        QTest::newRow("yolox_nano") << "yolox_nano"
                                    << "" << 2 << false << 0.55;
    }

    void halfTheWork() {
        QFETCH(QString, name);
        QFETCH(QString, data);
        QFETCH(int, samples);
        QFETCH(bool, isSimulated);
        QFETCH(double, most);
        const Model base = need(readOnnx(sharedFolder() / "data/models" / (name.toStdString() + ".onnx")));
        const QuantOverlay overlay = isSimulated ? gridsFor(base) : QuantOverlay{};
        const Batches batches = batchesFor(base, name, data, static_cast<std::size_t>(samples));
        const auto candidates = layerSweep(base);
        PrefixReuseOptions options;
        options.threads = 1;
        options.compile.overlay = overlay;
        const BatchSource source = batchesOf(batches);
        const auto reuse = need(PrefixReuse::create(base, source.batches, source.load, options));

        double work = 0;
        qint64 sweepNs = 0, fullNs = 0, compileNs = 0;
        std::size_t held = 0;
        QElapsedTimer timer;
        for (const Model& candidate : candidates) {
            Batches swept(batches.size());
            timer.start();
            const auto run = need(
                reuse->run(candidate, overlay, [&](std::size_t batch, const std::vector<Tensor>& outputs) -> Status {
                    swept[batch] = outputs;
                    return {};
                }));
            sweepNs += timer.nsecsElapsed();
            work += run.forwardEquivalents;
            held = std::max(held, run.heldBytes);
            QCOMPARE(run.wholeBatches, std::size_t{0});
            timer.start();
            CompileOptions compileOptions;
            compileOptions.overlay = overlay;
            const auto executor = need(Executor::create(candidate, compileOptions));
            compileNs += timer.nsecsElapsed();
            for (std::size_t i = 0; i < batches.size(); ++i) {
                const auto outputs = need(executor->run(batches[i]));
                QVERIFY2(outputs == swept[i], qPrintable(QString::fromStdString(run.firstChange)));
            }
            fullNs += timer.nsecsElapsed();
        }
        // No step of these networks is of a kind that cannot be compared.
        const auto ignore = [](std::size_t, const std::vector<Tensor>&) -> Status { return {}; };
        QCOMPARE(need(reuse->run(base, overlay, ignore)).firstChange, std::string());
        QCOMPARE(need(reuse->run(base, overlay, ignore)).forwardEquivalents, 0.0);

        const auto count = static_cast<double>(candidates.size());
        qInfo(
            "%zu layers, %d samples: work %.3f of full passes, time %.3f (%.2f s against %.2f s), compiling a "
            "candidate %.1f ms, held %.1f MiB",
            candidates.size(), samples, work / count, double(sweepNs) / double(fullNs), double(sweepNs) / 1e9,
            double(fullNs) / 1e9, double(compileNs) / 1e6 / count, double(held) / 1048576);
        QVERIFY(work / count <= most);
    }
};

EQUANT_TEST(TestSweepFigures)
}  // namespace test_sweep_figures

#include "test_sweep_figures.moc"
