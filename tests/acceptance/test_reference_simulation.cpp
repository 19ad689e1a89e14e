// SPDX-License-Identifier: Apache-2.0
// Compares compatible calibration and simulation with 16 runs of AIMET on a small network: every encoding and the
// simulated outputs. Skips where the reference is not available; set EQUANT_SHARED to its folder.
#include <QTest>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/graph/constants.h"
#include "core/graph/onnx_io.h"
#include "core/passes/fold_batch_norm.h"
#include "core/quantization/quantsim.h"
#include "core/quantization/range_estimator.h"
#include "core/runtime/exec/executor.h"
#include "tests/acceptance/shared_folder.h"
#include "tests/support/registry.h"

namespace test_reference_simulation {

using namespace equant;
using Json = nlohmann::json;

namespace {

Tensor uniformInput(const Json& shape, std::uint32_t seed) {
    Tensor tensor(DType::Float, shape.get<Shape>());
    for (float& value : tensor.mutableData<float>()) {
        seed = 1664525U * seed + 1013904223U;
        value = static_cast<float>(-1.0 + 2.0 * (seed / 4294967296.0));
    }
    return tensor;
}

std::string failureText(const Error& error) {
    return describe(error);
}

bool isClose(double a, double b, double tolerance) {
    return std::abs(a - b) <= tolerance * std::max({std::abs(a), std::abs(b), 1e-9});
}

struct Count {
    int equal = 0, near = 0, different = 0;
};

/// One quantizer against the reference's list of [min, max, delta, offset, bits].
void compareGrids(const std::string& where, const CalibratedQuantizer* ours, const Json& reference, Count& count) {
    QVERIFY2(ours != nullptr, where.c_str());
    QCOMPARE(ours->grids.size(), reference.size());
    for (std::size_t i = 0; i < ours->grids.size(); ++i) {
        const GridRange& grid = ours->grids[i];
        const Json& row = reference[i];
        const auto agrees = [&](double tolerance) {
            return isClose(grid.min, row[0], tolerance) && isClose(grid.max, row[1], tolerance) &&
                   isClose(grid.scale, row[2], tolerance) && grid.offset == row[3].get<double>();
        };
        const bool isEqual = agrees(1e-6);
        // Activations come out of another runtime; the reference's histogram, laid out in single precision by their
        // extremes, amplifies their last bits.
        const bool isNear = agrees(3e-6);
        if (isEqual) {
            ++count.equal;
        } else {
            ++(isNear ? count.near : count.different);
            std::printf("%s[%zu]: ours %.9g %.9g %.9g %d, reference %s\n", where.c_str(), i, grid.min, grid.max,
                        grid.scale, grid.offset, row.dump().c_str());
        }
    }
}

}  // namespace

class TestReferenceSimulation : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void run_data();
    void run();

private:
    Json m_reference;
    Model m_folded;
};

void TestReferenceSimulation::initTestCase() {
    std::ifstream file(sharedFolder() / "aimet_ref" / "tiny_reference.json");
    if (!file) QSKIP("the reference runs are not available");
    m_reference = Json::parse(file);
    const auto model = readOnnx(sharedFolder() / "aimet_ref" / "tiny.onnx");
    QVERIFY2(model.has_value(), model ? "" : failureText(model.error()).c_str());
    const auto folded = foldBatchNorms(*model);
    QVERIFY2(folded.has_value(), folded ? "" : failureText(folded.error()).c_str());
    m_folded = folded->model;
}

void TestReferenceSimulation::run_data() {
    QTest::addColumn<QString>("name");
    for (const auto& [name, run] : m_reference["sim"].items())
        QTest::newRow(name.c_str()) << QString::fromStdString(name);
}

void TestReferenceSimulation::run() {
    QFETCH(QString, name);
    const Json& run = m_reference["sim"][name.toStdString()];
    Model model = m_folded;
    const std::map<std::string, std::string> layers = {
        {"conv1", "/conv1/Conv"}, {"dw", "/dw/Conv"}, {"pw", "/pw/Conv"}, {"conv4", "/conv4/Conv"}, {"fc", "/fc/Gemm"}};
    if (name.startsWith("cle")) {
        // The reference's own equalized weights, so that only quantization is compared here. It turned the ReLU6
        // between the convolutions into a ReLU.
        for (const auto& [layer, label] : layers) {
            for (std::size_t i = 0; i < model.graph.nodes.size(); ++i) {
                if (model.graph.nodes[i].name != label) continue;
                for (const auto& [slot, key] : std::map<std::size_t, std::string>{{1, ".weight"}, {2, ".bias"}}) {
                    const Json& value = m_reference["cle_state"][layer + key];
                    setConstantInput(model.graph, i, slot,
                                     Tensor(value["shape"].get<Shape>(), value["data"].get<std::vector<float>>()), key);
                }
            }
        }
        for (Node& node : model.graph.nodes) {
            if (!node.is("Clip")) continue;
            node.opType = "Relu";
            node.inputs.resize(1);
        }
    }
    QuantizationSettings settings;
    settings.isAimetCompatible = true;
    settings.weightBits = name.contains("w4") ? 4 : 8;
    settings.activationBits = name.contains("a16") ? 16 : 8;
    settings.isPerChannel = name.endsWith("_pc");
    settings.scheme = name.contains("tf_enhanced") ? RangeScheme::Sqnr : RangeScheme::MinMax;
    const std::vector<std::vector<Tensor>> batches{{uniformInput(m_reference["calib_shape"], 4321)}};
    const auto sim = calibrate(model, batches, settings);
    QVERIFY2(sim.has_value(), sim ? "" : failureText(sim.error()).c_str());

    Count count;
    const Json& encodings = run["encodings_min_max_delta_offset_bw"];
    const auto outputOf = [&](const std::string& prefix) -> std::string {
        for (const Node& node : model.graph.nodes) {
            if (node.name.starts_with("/" + prefix + "/") && !node.is("Constant") && !node.is("Pad"))
                return node.outputs[0];
        }
        return {};
    };
    for (const auto& [layer, quantizers] : encodings.items()) {
        if (quantizers["params"].contains("weight") && !quantizers["params"]["weight"].is_null()) {
            const Node* node = model.graph.nodeByLabel(layers.at(layer));
            compareGrids(layer + ".weight", sim->find(node->inputs[1]), quantizers["params"]["weight"], count);
        }
        if (layer == "conv1" && !quantizers["inputs"][0].is_null()) {
            compareGrids("input", sim->find("input"), quantizers["inputs"][0], count);
        }
        // The reference quantizes behind Flatten a second time on the same grid, which changes nothing.
        if (layer == "flat" || quantizers["outputs"][0].is_null()) continue;
        compareGrids(layer + ".output", sim->find(outputOf(layer)), quantizers["outputs"][0], count);
    }
    CompileOptions options;
    options.overlay = overlay(*sim);
    const auto executor = Executor::create(model, options);
    QVERIFY2(executor.has_value(), executor ? "" : failureText(executor.error()).c_str());
    const std::vector<Tensor> input{uniformInput(m_reference["test_shape"], 8765)};
    const auto outputs = (*executor)->run(input);
    QVERIFY2(outputs.has_value(), outputs ? "" : failureText(outputs.error()).c_str());
    const auto values = outputs->front().data<float>();
    double largest = 0.0;
    double step = 0.0;
    int different = 0;
    if (const auto* output = sim->find("output")) step = output->grids[0].scale;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double difference = std::abs(static_cast<double>(values[i]) - run["output"][i].get<double>());
        largest = std::max(largest, difference);
        if (difference > 1e-5) ++different;
    }
    std::printf(
        "%-28s encodings: %3d equal, %d within 3e-6, %d different; outputs: %d of %zu differ, at most by %.3g (step "
        "%.3g)\n",
        qPrintable(name), count.equal, count.near, count.different, different, values.size(), largest, step);
    QCOMPARE(count.different, 0);
    QVERIFY(largest < 1.05 * step);
    QVERIFY(settings.activationBits == 16 || different == 0);
}

EQUANT_TEST(TestReferenceSimulation)
}  // namespace test_reference_simulation

#include "test_reference_simulation.moc"
