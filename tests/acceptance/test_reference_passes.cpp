// SPDX-License-Identifier: Apache-2.0
// Batch norm folding, scale factors and bias absorption against the numbers AIMET computed (aimet_ref/cases.json and
// tiny_reference.json): 1e-6 relative to the largest magnitude of each tensor.
#include <QRegularExpression>
#include <QtTest>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/graph/constants.h"
#include "core/graph/onnx_io.h"
#include "core/passes/equalize.h"
#include "tests/acceptance/shared_folder.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_reference_passes {

using namespace equant;
using Json = nlohmann::json;

namespace {

using Ints = std::vector<std::int64_t>;

Tensor tensorOf(const Json& json) {
    return Tensor(json["shape"].get<Shape>(), json["data"].get<std::vector<float>>());
}

/// "Conv2d(2, 4, kernel_size=(3, 3), padding=(1, 1))" -> {1, 1} for "padding", {} when absent.
Ints option(const QString& layer, const char* key) {
    const auto match = QRegularExpression(QString("%1=\\(?(\\d+)(?:, (\\d+)\\))?").arg(key)).match(layer);
    if (!match.hasMatch()) return {};
    Ints values{match.captured(1).toLongLong()};
    if (!match.captured(2).isEmpty()) values.push_back(match.captured(2).toLongLong());
    return values;
}

/// The network that the case's list of layers describes; node "k" is layer k.
Model modelOf(const Json& layers, const Json& state, const Json& input) {
    test::ModelBuilder builder;
    builder.input("x", input["shape"].get<Shape>());
    for (const auto& [key, value] : state.items()) builder.constant(key, tensorOf(value));
    std::string value = "x";
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const auto text = QString::fromStdString(layers[i].get<std::string>());
        const std::string id = std::to_string(i), next = "v" + id;
        if (text.startsWith("BatchNorm")) {
            builder.node("BatchNormalization",
                         {value, id + ".weight", id + ".bias", id + ".running_mean", id + ".running_var"}, {next});
        } else if (text.startsWith("ReLU")) {
            builder.node("Relu", {value}, {next});
        } else {
            std::vector<std::string> inputs{value, id + ".weight"};
            if (state.contains(id + ".bias")) inputs.push_back(id + ".bias");
            auto pads = option(text, "padding");
            if (pads.empty()) pads = {0, 0};
            auto strides = option(text, "stride");
            const auto groups = option(text, "groups");
            builder.node(text.startsWith("ConvTranspose") ? "ConvTranspose" : "Conv", inputs, {next},
                         {{"pads", Ints{pads[0], pads[1], pads[0], pads[1]}},
                          {"strides", strides.empty() ? Ints{1, 1} : strides},
                          {"group", groups.empty() ? std::int64_t{1} : groups[0]}});
        }
        value = next;
    }
    return builder.output(value).build();
}

/// Largest difference, relative to the tensor's largest magnitude.
double difference(const Tensor& actual, const Tensor& expected) {
    if (actual.shape() != expected.shape()) return INFINITY;
    double largest = 0, worst = 0;
    for (std::size_t i = 0; i < actual.data<float>().size(); ++i) {
        largest = std::max(largest, std::abs(double(expected.data<float>()[i])));
        worst = std::max(worst, std::abs(double(actual.data<float>()[i]) - expected.data<float>()[i]));
    }
    return largest > 0 ? worst / largest : worst;
}

/// Weights of layer k of the result: by the node that the builder numbered k.
Tensor parameter(const Model& model, const std::string& key) {
    const auto dot = key.find('.');
    const std::string suffix = "_" + key.substr(0, dot);
    for (const auto& node : model.graph.nodes)
        if (node.name.ends_with(suffix))
            if (const auto value = constantInput(model.graph, node, key.substr(dot) == ".weight" ? 1 : 2))
                return *value;
    return {};
}

}  // namespace

class TestReferencePasses : public QObject {
    Q_OBJECT

    Json m_cases;

    void compare(const Model& model, const Json& expected, const char* stage) {
        for (const auto& [key, value] : expected.items()) {
            if (!key.ends_with(".weight") && !key.ends_with(".bias")) continue;
            const double off = difference(parameter(model, key), tensorOf(value));
            QVERIFY2(off < 1e-6, qPrintable(QString("%1 %2: %3").arg(stage, QString::fromStdString(key)).arg(off)));
        }
    }

private slots:
    void initTestCase() {
        const auto text = readFile(sharedFolder() / "aimet_ref/cases.json");
        if (!text) QSKIP("The reference numbers are not at hand.");
        m_cases = Json::parse(*text);
    }

    void batchNormFolding() {
        for (const auto& [name, entry] : m_cases["bn_fold"].items()) {
            const auto folded = foldBatchNorms(modelOf(entry["layers"], entry["before"], entry["input"]));
            QVERIFY(folded.has_value());
            compare(folded->model, entry["after"], name.c_str());
        }
    }

    void scalingAndAbsorption() {
        for (const auto& [name, entry] : m_cases["cle"].items()) {
            const Model model = modelOf(entry["layers"], entry["before"], entry["input"]);
            EqualizeOptions options;
            options.isAimetCompatible = true;
            options.shouldAbsorbBias = false;
            const auto scaled = equalize(model, options);
            QVERIFY(scaled.has_value());
            compare(scaled->model, entry["after_scaling"], name.c_str());
            std::size_t link = 0;
            for (const auto& pair : scaled->report.pairs) {
                if (!pair.isEqualized) continue;
                const auto expected = entry["sets"][0]["scale_factors"][link++].get<std::vector<float>>();
                const Shape shape{std::int64_t(expected.size())};
                QVERIFY2(difference(Tensor(shape, pair.scales[0]), Tensor(shape, expected)) < 1e-6, name.c_str());
            }
            QCOMPARE(link, entry["sets"][0]["scale_factors"].size());
            options.shouldAbsorbBias = true;
            const auto absorbed = equalize(model, options);
            compare(absorbed->model, entry["after_bias_absorption"], name.c_str());
        }
    }

    void wholeNetwork() {
        const auto model = readOnnx(sharedFolder() / "aimet_ref/tiny.onnx");
        QVERIFY(model.has_value());
        const Json reference = Json::parse(*readFile(sharedFolder() / "aimet_ref/tiny_reference.json"));
        EqualizeOptions options;
        options.isAimetCompatible = true;
        const auto equalized = equalize(*model, options);
        QVERIFY(equalized.has_value());
        for (const auto& [key, value] : reference["cle_state"].items()) {
            const std::string layer = key.substr(0, key.find('.'));
            Tensor actual;
            for (const auto& node : equalized->model.graph.nodes)
                if (node.name.find("/" + layer + "/") != std::string::npos && !node.is("Relu"))
                    actual =
                        constantInput(equalized->model.graph, node, key.ends_with("weight") ? 1 : 2).value_or(Tensor());
            QVERIFY2(difference(actual, tensorOf(value)) < 1e-6, key.c_str());
        }
    }
};

EQUANT_TEST(TestReferencePasses)
}  // namespace test_reference_passes

#include "test_reference_passes.moc"
