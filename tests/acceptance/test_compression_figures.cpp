// SPDX-License-Identifier: Apache-2.0
// Half and a third of a network's work, without labels or training: the way a user goes, predicted sensitivities,
// solved plan, compression fitted to data. On reference data kept outside the project.
#include <QElapsedTimer>
#include <QtTest>
#include <algorithm>

#include "core/compression/compress.h"
#include "core/compression/plan/plan_cost.h"
#include "core/compression/plan/sensitivity.h"
#include "core/data/subset.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/evaluate.h"
#include "tests/acceptance/shared_folder.h"
#include "tests/support/registry.h"

namespace test_compression_figures {

using namespace equant;
namespace fs = std::filesystem;

class TestCompressionFigures : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        if (!fs::exists(sharedFolder() / "data/models")) QSKIP("The reference models are not at hand.");
    }
    void accuracyWithoutTraining_data();
    void accuracyWithoutTraining();
    void predictionsRankAsMeasurements_data();
    void predictionsRankAsMeasurements();
};

void TestCompressionFigures::accuracyWithoutTraining_data() {
    QTest::addColumn<CompressionMethod>("method");
    QTest::addColumn<double>("macs");
    QTest::addColumn<double>("depthWeight");
    QTest::addColumn<double>("mostLost");
    using enum CompressionMethod;
    QTest::newRow("half, spatial SVD") << SpatialSvd << 0.5 << 0.0 << 1.5;
    QTest::newRow("half, weight SVD") << WeightSvd << 0.5 << kDepthWeight << 4.0;
    QTest::newRow("half, channel pruning") << ChannelPruning << 0.5 << kDepthWeight << 4.0;
    QTest::newRow("a third, spatial SVD") << SpatialSvd << 0.33 << kDepthWeight << 6.0;
}

void TestCompressionFigures::accuracyWithoutTraining() {
    QFETCH(CompressionMethod, method);
    QFETCH(double, macs);
    QFETCH(double, depthWeight);
    QFETCH(double, mostLost);
    const fs::path models = sharedFolder() / "data/models", images = sharedFolder() / "data/cifar10";
    const auto model = readOnnx(models / "cifar10_resnet20_jpeg.onnx");
    QVERIFY(model);
    DatasetOptions options;
    options.preprocess = (models / "cifar10_resnet20_jpeg.preprocess.json").string();
    const auto test = openDataset(images / "test_2000", *model, options);
    options.limit = 500;
    const auto calibration = openDataset(images / "train_10000", *model, options);
    QVERIFY(test && calibration);

    SensitivityOptions sensitivity;
    sensitivity.methods = {method};
    sensitivity.calibrationSamples = 500;
    sensitivity.ratios.clear();
    // A sixteenth is one channel of the smallest layers.
    const bool isPruning = method == CompressionMethod::ChannelPruning;
    const double first = isPruning ? 0.05 : 0.1, step = isPruning ? 0.03125 : 0.05;
    for (int i = 0; first + i * step < 0.951; ++i) sensitivity.ratios.push_back(first + i * step);
    QElapsedTimer timer;
    timer.start();
    const auto table = predictSensitivity(*model, *calibration->dataset, sensitivity);
    QVERIFY2(table, table ? "" : describe(table.error()).c_str());
    const double predicted = 1e-3 * double(timer.restart());
    SolverOptions solver;
    solver.target.macsRatio = macs;
    solver.depthWeight = depthWeight;
    // Streams stay whole: the first layers of the blocks read them.
    if (isPruning)
        for (const auto& layer : table->layers)
            if (layer.name.find("/conv1/") != std::string::npos) solver.excluded.insert(layer.name);
    const auto solved = solvePlanFor(*model, *table, solver);
    QVERIFY(solved && solved->isTargetMet);
    const auto source = batchesOf(*calibration->dataset, 8);
    const auto compressed = compress(*model, solved->plan, &source, {});
    QVERIFY2(compressed, compressed ? "" : describe(compressed.error()).c_str());
    const double seconds = 1e-3 * double(timer.elapsed());
    const auto before = Executor::create(*model), after = Executor::create(compressed->model);
    QVERIFY(before && after);
    const auto scores = evaluateAll({*before, *after}, *before, *test->dataset, {});
    QVERIFY(scores);
    const double lost = *(*scores)[0].top1 - *(*scores)[1].top1;
    qInfo("asked %.2f of the MACs, reached %.3f: top-1 %.2f -> %.2f (predicted in %.1f s, compressed in %.1f s)", macs,
          compressed->report.macsRatio, *(*scores)[0].top1, *(*scores)[1].top1, predicted, seconds);
    QVERIFY(compressed->report.macsRatio <= macs + 0.005 && compressed->report.macsRatio >= macs - 0.01);
    QVERIFY(lost <= mostLost);
}

void TestCompressionFigures::predictionsRankAsMeasurements_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<CompressionMethod>("method");
    QTest::newRow("residual network, spatial SVD") << "cifar10_resnet20_jpeg" << CompressionMethod::SpatialSvd;
    QTest::newRow("MobileNetV2, weight SVD") << "cifar10_mobilenetv2_bn_jpeg" << CompressionMethod::WeightSvd;
}

void TestCompressionFigures::predictionsRankAsMeasurements() {
    QFETCH(QString, name);
    QFETCH(CompressionMethod, method);
    const fs::path models = sharedFolder() / "data/models", images = sharedFolder() / "data/cifar10";
    const auto model = readOnnx(models / (name.toStdString() + ".onnx"));
    QVERIFY(model);
    DatasetOptions options;
    options.preprocess = (models / (name.toStdString() + ".preprocess.json")).string();
    const auto data = openDataset(images / "train_10000", *model, options);
    const auto test = openDataset(images / "test_2000", *model, options);
    QVERIFY(data && test);
    SensitivityOptions sensitivity;
    sensitivity.methods = {method};
    sensitivity.evaluationSamples = 100;
    sensitivity.metric = SensitivityMetric::SqnrDb;
    const auto study = studyLayers(*model, *data->dataset, sensitivity);
    QVERIFY(study);
    auto table = predictSensitivity(**study, sensitivity);
    QVERIFY(table);
    table = measureSensitivity(**study, *test->dataset, std::move(*table), sensitivity, {});
    QVERIFY(table && table->rankCorrelation);
    qInfo("rank correlation of predicted and measured noise %.3f (%.1f passes)", *table->rankCorrelation,
          table->forwardEquivalents);
    QVERIFY(*table->rankCorrelation >= 0.9);
}

EQUANT_TEST(TestCompressionFigures)
}  // namespace test_compression_figures

#include "test_compression_figures.moc"
