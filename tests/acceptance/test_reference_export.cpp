// SPDX-License-Identifier: Apache-2.0
// Exports a small network as QDQ ONNX, lets ONNX Runtime execute it and compares with the simulation; reads the
// reference's encodings file. Skips where the reference, node or onnxruntime-node (NODE_PATH) is not available.
#include <QDir>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <cstdio>
#include <random>

#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/interop/encodings_json.h"
#include "core/interop/qdq_export.h"
#include "core/metrics/scores.h"
#include "core/passes/fold_batch_norm.h"
#include "core/runtime/exec/executor.h"
#include "tests/acceptance/onnx_runtime.h"
#include "tests/support/registry.h"

namespace test_reference_export {

using namespace equant;

namespace {

Tensor uniformInput(Shape shape, unsigned seed) {
    Tensor tensor(DType::Float, std::move(shape));
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
    for (float& value : tensor.mutableData<float>()) value = uniform(random);
    return tensor;
}

}  // namespace

class TestReferenceExport : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void onnxRuntimeAgrees_data();
    void onnxRuntimeAgrees();
    void readsAnEncodingsFile();

private:
    Model m_folded;
};

void TestReferenceExport::initTestCase() {
    const auto model = readOnnx(sharedFolder() / "aimet_ref" / "tiny.onnx");
    if (!model) QSKIP("the reference network is not available");
    m_folded = foldBatchNorms(*model)->model;
}

void TestReferenceExport::onnxRuntimeAgrees_data() {
    QTest::addColumn<int>("weightBits");
    QTest::addColumn<int>("activationBits");
    QTest::addColumn<bool>("isPerChannel");
    QTest::newRow("w8a8 per tensor") << 8 << 8 << false;
    QTest::newRow("w8a8 per channel") << 8 << 8 << true;
    QTest::newRow("w4a8 per channel") << 4 << 8 << true;
    QTest::newRow("w8a4 per tensor") << 8 << 4 << false;
    QTest::newRow("w8a16 per channel") << 8 << 16 << true;
}

void TestReferenceExport::onnxRuntimeAgrees() {
    if (m_folded.graph.nodes.empty()) QSKIP("the reference network is not available");
    QFETCH(int, weightBits);
    QFETCH(int, activationBits);
    QFETCH(bool, isPerChannel);
    QuantizationSettings settings;
    settings.weightBits = weightBits;
    settings.activationBits = activationBits;
    settings.isPerChannel = isPerChannel;
    const std::vector<std::vector<Tensor>> batches{{uniformInput({8, 3, 16, 16}, 1)}};
    const auto sim = calibrate(m_folded, batches, settings);
    QVERIFY(sim.has_value());
    const auto exported = exportQdq(m_folded, overlay(*sim));
    QVERIFY2(exported.has_value(), exported ? "" : describe(exported.error()).c_str());

    const QTemporaryDir folder;
    const QString modelPath = folder.filePath("quantized.onnx");
    QVERIFY(writeOnnx(exported->model, modelPath.toStdString()).has_value());
    const Tensor input = uniformInput({32, 3, 16, 16}, 2);
    const auto judged = onnxRuntimeOutput(modelPath, "input", input, "output", folder.path());
    if (!judged && judged.error().code == ErrorCode::Unsupported) QSKIP(judged.error().message.c_str());
    QVERIFY2(judged, judged ? "" : describe(judged.error()).c_str());

    CompileOptions options;
    options.overlay = overlay(*sim);
    const auto outputs = (*Executor::create(m_folded, options))->run(std::vector<Tensor>{input});
    QVERIFY(outputs.has_value());
    const auto ours = outputs->front().data<float>();
    const auto theirs = judged->data<float>();
    QCOMPARE(ours.size(), theirs.size());
    double largest = 0.0;
    std::size_t different = 0;
    std::size_t agreeing = 0;
    const double step = static_cast<double>(sim->find("output")->encoding.scale[0]);
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const double difference = std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i]));
        largest = std::max(largest, difference);
        different += difference > 0.5 * step;
    }
    const std::size_t classes = ours.size() / 32;
    for (std::size_t s = 0; s < 32; ++s) {
        agreeing += argmax(ours.subspan(s * classes, classes)) == argmax(theirs.subspan(s * classes, classes));
    }
    std::printf(
        "%s: %zu of 32 agree, %zu of %zu outputs a step apart, largest difference %.3g (step %.3g), "
        "initializers %zu -> %zu bytes, opset %d\n",
        QTest::currentDataTag(), agreeing, different, ours.size(), largest, step,
        exported->report.initializerBytesBefore, exported->report.initializerBytesAfter,
        static_cast<int>(exported->report.opset));
    QVERIFY(agreeing >= 31);
    QVERIFY(largest <= (activationBits > 8 ? 16.0 : 2.01) * step);
}

void TestReferenceExport::readsAnEncodingsFile() {
    const auto text = readFile(sharedFolder() / "aimet_ref" / "tiny_folded_w8a8_tfe.encodings");
    if (!text) QSKIP("the reference file is not available");
    const auto file = parseEncodings(*text, m_folded);
    QVERIFY2(file.has_value(), file ? "" : describe(file.error()).c_str());
    QVERIFY(file->version == EncodingsVersion::V0_6_1);
    QCOMPARE(file->parameters.size(), std::size_t{5});
    const Encoding& weight = file->parameters.at("conv1.weight");
    QVERIFY(weight.isSigned && weight.zeroPoint[0] == 0 && weight.bits == 8);
    QCOMPARE(file->activations.at("/conv4/Conv_output_0").zeroPoint[0], 124);
}

EQUANT_TEST(TestReferenceExport)
}  // namespace test_reference_export

#include "test_reference_export.moc"
