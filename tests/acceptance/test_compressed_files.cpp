// SPDX-License-Identifier: Apache-2.0
// Every kind of compressed file, of several networks: smaller, as cheap as asked, and ONNX Runtime computes from it
// what our engine does. Skips where the reference data, node or onnxruntime-node (NODE_PATH) are not available.
#include <QTemporaryDir>
#include <QtTest>
#include <cmath>

#include "core/compression/channels/channel_groups_internal.h"
#include "core/compression/compress.h"
#include "core/compression/plan/plan_cost.h"
#include "core/compression/plan/sensitivity.h"
#include "core/data/subset.h"
#include "core/graph/onnx_io.h"
#include "core/inspection/inspection.h"
#include "core/interop/qdq_export.h"
#include "core/passes/equalize.h"
#include "core/quantization/quantsim.h"
#include "core/runtime/exec/executor.h"
#include "tests/acceptance/onnx_runtime.h"
#include "tests/support/registry.h"

namespace test_compressed_files {

using namespace equant;
namespace fs = std::filesystem;

namespace {

using enum CompressionMethod;
using Methods = std::vector<CompressionMethod>;

/// As the recommended flow has it: what residual streams share is not pruned.
Status leaveStreams(SensitivityTable& table, const Model& model) {
    const auto analysis = analyzeChannels(model);
    if (!analysis) return fail(analysis.error());
    for (LayerSensitivity& row : table.layers) {
        const auto node = std::ranges::find(model.graph.nodes, row.name, &Node::label);
        if (row.method == ChannelPruning && !row.cells.empty() && node != model.graph.nodes.end() &&
            isResidual(*analysis, model.graph,
                       channelGroup(*analysis, static_cast<std::size_t>(node - model.graph.nodes.begin()))))
            row.cells.clear();
    }
    return {};
}

/// The network at `macs` of its cost, in as many stages as there are sets of methods, each saving the same share.
Result<Model> compressed(const Model& original, const Dataset& data, const std::vector<Methods>& stages, double macs) {
    Model model = original;
    double reached = 1;
    const BatchSource source = batchesOf(data, 8);
    for (std::size_t i = 0; i < stages.size(); ++i) {
        SensitivityOptions options;
        options.methods = stages[i];
        options.ratios = {0.3, 0.45, 0.6, 0.75, 0.85, 0.95};
        options.calibrationSamples = data.size();
        auto table = predictSensitivity(model, data, options);
        if (!table) return fail(table.error());
        if (const auto left = leaveStreams(*table, model); !left) return fail(left.error());
        SolverOptions solver;
        solver.target.macsRatio = std::pow(macs, double(i + 1) / double(stages.size())) / reached;
        const auto solved = solvePlanFor(model, *table, solver);
        if (!solved) return fail(solved.error());
        auto outcome = compress(model, solved->plan, &source, {});
        if (!outcome) return fail(outcome.error());
        reached *= outcome->report.macsRatio;
        model = std::move(outcome->model);
    }
    return model;
}

Result<Model> quantized(const Model& model, const Dataset& data) {
    auto equalized = equalize(model, {});
    if (!equalized) return fail(equalized.error());
    const auto sim = calibrate(equalized->model, data, {});
    if (!sim) return fail(sim.error());
    auto exported = exportQdq(equalized->model, overlay(*sim));
    if (!exported) return fail(exported.error());
    return std::move(exported->model);
}

struct Difference {
    double largest = 0, mean = 0;
    double deviation = 0;  ///< standard deviation of what is compared with
};

Difference differenceOf(std::span<const float> values, std::span<const float> reference) {
    Difference result;
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double expected = double(reference[i]), difference = std::abs(double(values[i]) - expected);
        result.largest = std::max(result.largest, difference);
        result.mean += difference / double(values.size());
        sum += expected;
        squares += expected * expected;
    }
    const double mean = sum / double(values.size());
    result.deviation = std::sqrt(squares / double(values.size()) - mean * mean);
    return result;
}

}  // namespace

class TestCompressedFiles : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        if (!fs::exists(sharedFolder() / "data/models")) QSKIP("The reference models are not at hand.");
    }
    void onnxRuntimeAgrees_data();
    void onnxRuntimeAgrees();

private:
    /// Writes the file, and compares what both make of it.
    void judge(const Model& made, const fs::path& original, const std::vector<Tensor>& inputs, bool isQuantized);
};

void TestCompressedFiles::onnxRuntimeAgrees_data() {
    QTest::addColumn<QString>("network");
    QTest::addColumn<std::vector<Methods>>("stages");
    QTest::addColumn<bool>("isQuantizedToo");
    const auto add = [](const char* kind, const char* network, const std::vector<Methods>& stages,
                        bool isQuantizedToo) {
        QTest::addRow("%s, %s", network, kind) << network << stages << isQuantizedToo;
    };
    for (const char* network : {"cifar10_resnet20_jpeg", "squeezenet1.1-7"})
        add("spatial SVD", network, {{SpatialSvd}}, false);
    for (const char* network : {"cifar10_resnet20_jpeg", "cifar10_mobilenetv2_bn_jpeg"}) {
        add("weight SVD", network, {{WeightSvd}}, false);
        add("channel pruning", network, {{ChannelPruning}}, false);
        add("factorized and pruned, then equalized and quantized", network, {{WeightSvd}, {ChannelPruning}}, true);
    }
}

void TestCompressedFiles::onnxRuntimeAgrees() {
    QFETCH(QString, network);
    QFETCH(std::vector<Methods>, stages);
    QFETCH(bool, isQuantizedToo);
    const fs::path data = sharedFolder() / "data", file = data / "models" / (network.toStdString() + ".onnx");
    const auto model = readOnnx(file);
    QVERIFY(model);
    const bool isCifar = network.startsWith("cifar10");
    DatasetOptions options;
    options.preprocess = fs::path(file).replace_extension(".preprocess.json").string();
    options.limit = isCifar ? 32 : 16;
    const auto images = openDataset(data / (isCifar ? "cifar10/train_10000" : "imagenet-sample-500"), *model, options);
    QVERIFY(images);
    const auto inputs = batchesOf(*images->dataset, 8).load(0);
    QVERIFY(inputs);
    const double asked = 0.6;
    const auto made = compressed(*model, *images->dataset, stages, asked);
    QVERIFY2(made, made ? "" : describe(made.error()).c_str());
    const auto before = inspect(*model), after = inspect(*made);
    QVERIFY(before && after);
    const double reached = double(after->cost.macs) / double(before->cost.macs);
    qInfo("asked %.2f of the MACs, reached %.3f", asked, reached);
    QVERIFY(std::abs(reached - asked) <= 0.01);
    judge(*made, file, *inputs, false);
    if (!isQuantizedToo || QTest::currentTestFailed()) return;
    const auto integers = quantized(*made, *images->dataset);
    QVERIFY2(integers, integers ? "" : describe(integers.error()).c_str());
    judge(*integers, file, *inputs, true);
}

void TestCompressedFiles::judge(const Model& made, const fs::path& original, const std::vector<Tensor>& inputs,
                                bool isQuantized) {
    const QTemporaryDir folder;
    const QString path = folder.filePath("compressed.onnx");
    QVERIFY(writeOnnx(made, path.toStdString()));
    const double size = double(fs::file_size(path.toStdString())) / double(fs::file_size(original));
    const auto reread = readOnnx(path.toStdString());
    QVERIFY(reread);
    const auto executor = Executor::create(*reread);
    QVERIFY2(executor, executor ? "" : describe(executor.error()).c_str());
    const auto outputs = (*executor)->run(inputs);
    QVERIFY(outputs);
    const Graph& graph = reread->graph;
    const auto judged = onnxRuntimeOutput(path, graph.inputs[0].name, inputs[0], graph.outputs[0].name, folder.path());
    if (!judged && judged.error().code == ErrorCode::Unsupported) QSKIP(judged.error().message.c_str());
    QVERIFY2(judged, judged ? "" : describe(judged.error()).c_str());
    QVERIFY(judged->shape() == outputs->front().shape());
    const auto found = differenceOf(outputs->front().data<float>(), judged->data<float>());
    qInfo("%s: %.0f %% of the file, outputs differ by %.1e at most and %.1e in the mean (standard deviation %.2g)",
          isQuantized ? "quantized" : "float", 100 * size, found.largest, found.mean, found.deviation);
    QVERIFY(size < (isQuantized ? 0.35 : 0.95));
    // On a grid, other orders of summation become steps, which grow from layer to layer: ONNX Runtime with and without
    // its graph optimizations differs by as much from itself (0.07 of the deviation for MobileNetV2).
    if (isQuantized)
        QVERIFY(found.mean <= 0.15 * found.deviation);
    else
        QVERIFY(found.largest <= 1e-4 * found.deviation);
}

EQUANT_TEST(TestCompressedFiles)
}  // namespace test_compressed_files

#include "test_compressed_files.moc"
