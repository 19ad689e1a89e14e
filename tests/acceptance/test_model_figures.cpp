// SPDX-License-Identifier: Apache-2.0
// The figures that real networks must reach, on reference data kept outside the project: published accuracies, and
// what equalization is worth.
#include <QElapsedTimer>
#include <QtTest>
#include <cmath>

#include "core/graph/constants.h"
#include "core/graph/onnx_io.h"
#include "core/layers/layer_weights.h"
#include "core/metrics/evaluate.h"
#include "core/passes/equalize.h"
#include "tests/acceptance/shared_folder.h"
#include "tests/support/registry.h"

namespace test_model_figures {

using namespace equant;
namespace fs = std::filesystem;

namespace {

fs::path modelFile(const QString& name) {
    return sharedFolder() / "data/models" / (name.toStdString() + ".onnx");
}

Score scoreOf(const Model& model, const QString& name, const QString& data, std::size_t limit = 0) {
    DatasetOptions options;
    options.preprocess = (sharedFolder() / "data/models" / (name.toStdString() + ".preprocess.json")).string();
    options.limit = limit;
    const auto dataset = openDataset(sharedFolder() / "data" / data.toStdString(), model, options);
    if (!dataset) qFatal("%s", describe(dataset.error()).c_str());
    const auto executor = Executor::create(model);
    if (!executor) qFatal("%s", describe(executor.error()).c_str());
    const auto score = evaluate(*executor, nullptr, *dataset->dataset, {});
    if (!score) qFatal("%s", describe(score.error()).c_str());
    return *score;
}

/// Weights rounded to 8 bits with one symmetric scale per tensor, everything else float.
Model roundedWeights(const Model& model) {
    Model rounded = model;
    for (std::size_t i = 0; i < rounded.graph.nodes.size(); ++i) {
        auto layer = LayerWeights::of(rounded.graph, i);
        if (!layer) continue;
        Tensor weight = layer->weight();
        float largest = 0;
        for (const float v : weight.data<float>()) largest = std::max(largest, std::abs(v));
        const float step = largest / 127;
        for (float& v : weight.mutableData<float>()) v = step > 0 ? std::nearbyint(v / step) * step : 0;
        setConstantInput(rounded.graph, i, 1, weight, "weight");
    }
    return rounded;
}

}  // namespace

class TestModelFigures : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        if (!fs::exists(sharedFolder() / "data/models")) QSKIP("The reference models are not at hand.");
    }

    void publishedAccuracies_data() {
        QTest::addColumn<QString>("data");
        QTest::addColumn<double>("top1");
        QTest::newRow("mobilenetv2-tf") << "imagenet-sample-500" << 86.6;
        QTest::newRow("squeezenet1.1-7") << "imagenet-sample-500" << 59.4;
        QTest::newRow("cifar10_resnet20_jpeg") << "cifar10/test_2000" << 87.95;
        QTest::newRow("cifar10_mobilenetv2_bn_jpeg") << "cifar10/test_2000" << 71.15;
        QTest::newRow("cifar10_mlperf_resnet8") << "cifar10/test_2000" << 76.4;
        QTest::newRow("mnist-8") << "mnist/test_2000" << 98.9;
    }
    void publishedAccuracies() {
        QFETCH(QString, data);
        QFETCH(double, top1);
        const QString name = QTest::currentDataTag();
        const Score score = scoreOf(*readOnnx(modelFile(name)), name, data);
        qInfo("%s: top-1 %.2f (published %.2f)", qPrintable(name), *score.top1, top1);
        QVERIFY(std::abs(*score.top1 - top1) <= 0.6);
    }

    void exactEqualizationSavesMobileNet() {
        const QString name = "mobilenetv2-tf", data = "imagenet-sample-500";
        const Model model = *readOnnx(modelFile(name));
        QElapsedTimer timer;
        timer.start();
        const auto equalized = equalize(model, {});
        QVERIFY(equalized.has_value());
        const auto milliseconds = timer.elapsed();
        const auto same = compareOutputs(model, equalized->model, nullptr, 8, 0);
        QVERIFY2(same.has_value(), same ? "" : describe(same.error()).c_str());
        const double before = *scoreOf(roundedWeights(model), name, data).top1;
        const double after = *scoreOf(roundedWeights(equalized->model), name, data).top1;
        const double floating = *scoreOf(equalized->model, name, data).top1;
        qInfo(
            "equalized in %lld ms; float top-1 %.2f; max |difference| %.2g of the outputs' deviation; W8 per tensor "
            "%.2f -> %.2f",
            milliseconds, floating, same->maxAbsDiff / same->outputStd, before, after);
        QVERIFY(std::abs(floating - 86.6) <= 0.3);
        QVERIFY(same->maxAbsDiff < 1e-3 * same->outputStd);
        QVERIFY(before < 20);
        QVERIFY(after >= 82);
    }
};

EQUANT_TEST(TestModelFigures)
}  // namespace test_model_figures

#include "test_model_figures.moc"
