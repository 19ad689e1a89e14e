// SPDX-License-Identifier: Apache-2.0
// What the runtime computes for real models against reference outputs of another one; skips where they are absent.
#include <QtTest>
#include <algorithm>
#include <cmath>

#include "core/data/npy.h"
#include "core/graph/onnx_io.h"
#include "core/runtime/exec/executor.h"
#include "tests/acceptance/shared_folder.h"
#include "tests/support/registry.h"

namespace test_reference_outputs {

using namespace equant;
namespace fs = std::filesystem;

class TestReferenceOutputs : public QObject {
    Q_OBJECT

private slots:
    void modelsAgree_data();
    void modelsAgree();
};

void TestReferenceOutputs::modelsAgree_data() {
    QTest::addColumn<QString>("model");
    const fs::path folder = sharedFolder() / "data" / "models";
    if (!fs::exists(folder)) QSKIP("The reference models are not there.");
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() == ".onnx")
            QTest::newRow(entry.path().stem().c_str()) << QString::fromStdString(entry.path().string());
    }
}

void TestReferenceOutputs::modelsAgree() {
    QFETCH(QString, model);
    const fs::path path = model.toStdString();
    const fs::path reference = sharedFolder() / "data" / "reference" / path.stem();
    if (!fs::exists(reference)) QSKIP("No reference for this model.");
    const auto loaded = readOnnx(path);
    QVERIFY2(loaded.has_value(), loaded ? "" : describe(loaded.error()).c_str());
    const auto executor = Executor::create(*loaded);
    QVERIFY2(executor.has_value(), executor ? "" : describe(executor.error()).c_str());
    std::vector<Tensor> inputs;
    for (const ValueInfo& input : (*executor)->inputs()) {
        const auto tensor = readNpy(reference / ("input_" + input.name + ".npy"));
        QVERIFY2(tensor.has_value(), tensor ? "" : describe(tensor.error()).c_str());
        inputs.push_back(*tensor);
    }
    const auto outputs = (*executor)->run(inputs);
    QVERIFY2(outputs.has_value(), outputs ? "" : describe(outputs.error()).c_str());
    for (std::size_t i = 0; i < outputs->size(); ++i) {
        const auto expected = readNpy(reference / ("output_" + (*executor)->outputs()[i] + ".npy"));
        QVERIFY2(expected.has_value(), expected ? "" : describe(expected.error()).c_str());
        QCOMPARE((*outputs)[i].shape(), expected->shape());
        double largest = 0.0;
        double difference = 0.0;
        const auto a = expected->data<float>();
        const auto b = (*outputs)[i].data<float>();
        for (std::size_t k = 0; k < a.size(); ++k) {
            largest = std::max(largest, std::fabs(double(a[k])));
            difference = std::max(difference, std::fabs(double(a[k]) - double(b[k])));
        }
        qInfo("%s: %.2e of the largest magnitude", (*executor)->outputs()[i].c_str(), difference / largest);
        QVERIFY(difference <= 1e-4 * largest);
    }
}

EQUANT_TEST(TestReferenceOutputs)
}  // namespace test_reference_outputs

#include "test_reference_outputs.moc"
