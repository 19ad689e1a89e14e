// SPDX-License-Identifier: Apache-2.0
#include <QtTest>
#include <algorithm>
#include <limits>

#include "core/inspection/inspection.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_inspection {

using namespace equant;
using test::ModelBuilder;
using test::randomTensor;

namespace {

using Ints = std::vector<std::int64_t>;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const Finding* find(const Inspection& inspection, const std::string& id) {
    const auto found = std::ranges::find(inspection.findings, id, &Finding::id);
    return found == inspection.findings.end() ? nullptr : &*found;
}

const LayerTechniques& techniquesOf(const Inspection& inspection, const std::string& layer) {
    for (std::size_t i = 0; i < inspection.layers.size(); ++i)
        if (inspection.layers[i].name == layer) return inspection.techniques[i];
    qFatal("no layer %s", layer.c_str());
}

ModelBuilder network() {
    ModelBuilder builder;
    builder.input("x", {-1, 3, 8, 8})
        .output("y")
        .constant("w1", randomTensor({6, 3, 3, 3}, 1))
        .constant("w2", randomTensor({6, 1, 3, 3}, 2))
        .constant("w3", randomTensor({4, 6, 1, 1}, 3))
        .node("Conv", {"x", "w1"}, {"a"}, {{"pads", Ints{1, 1, 1, 1}}})
        .node("Relu", {"a"}, {"b"})
        .node("Conv", {"b", "w2"}, {"c"}, {{"group", std::int64_t{6}}, {"pads", Ints{1, 1, 1, 1}}})
        .node("Conv", {"c", "w3"}, {"y"});
    return builder;
}

}  // namespace

class TestInspection : public QObject {
    Q_OBJECT

private slots:
    void costAndTechniques() {
        const auto inspection = inspect(network().build());
        QVERIFY(inspection.has_value());
        QCOMPARE(inspection->cost.parameters, 162 + 54 + 24);
        QCOMPARE(inspection->cost.macs, (162 + 54 + 24) * 64);
        QCOMPARE(inspection->layers.size(), std::size_t{4});
        QCOMPARE(inspection->techniques.size(), std::size_t{4});
        QVERIFY(techniquesOf(*inspection, "Conv_0").spatialSvd.isOk);
        QVERIFY(techniquesOf(*inspection, "Conv_0").equalization.isOk);
        QVERIFY(!techniquesOf(*inspection, "Conv_0").channelPruning.isOk);  // the model's input cannot be pruned
        QVERIFY(techniquesOf(*inspection, "Conv_2").channelPruning.reason.find("Depthwise") != std::string::npos);
        QVERIFY(!techniquesOf(*inspection, "Conv_3").spatialSvd.isOk);
        QVERIFY(techniquesOf(*inspection, "Conv_3").weightSvd.isOk);
        QVERIFY(!techniquesOf(*inspection, "Relu_1").weightSvd.isOk);
        QVERIFY(inspection->unsupported.empty());
    }

    void unknownOperatorsAreFindingsNotFailures() {
        auto builder = network();
        builder.node("Frobnicate", {"y"}, {"z"});
        Model model = builder.build();
        model.graph.outputs[0].name = "z";
        const auto inspection = inspect(model);
        QVERIFY(inspection.has_value());
        QCOMPARE(inspection->unsupported.size(), std::size_t{1});
        const Finding* finding = find(*inspection, "unsupported-operator");
        QVERIFY(finding && finding->severity == Severity::Error);
        QVERIFY(finding->message.find("Frobnicate") != std::string::npos);
        QCOMPARE(finding->subject, std::string("Frobnicate_4"));
        QCOMPARE(inspection->findings.front().severity, Severity::Error);  // worst first
    }

    void nonFiniteWeightsAreNamed() {
        Model model = network().build();
        Tensor weight = model.graph.initializers[2].tensor;
        weight.mutableData<float>()[5] = kNan;
        weight.mutableData<float>()[9] = std::numeric_limits<float>::infinity();
        model.graph.initializers[2].tensor = weight;
        const auto inspection = inspect(model);
        QVERIFY(inspection.has_value());
        const Finding* finding = find(*inspection, "non-finite-weights");
        QVERIFY(finding && finding->severity == Severity::Error);
        QCOMPARE(finding->subject, std::string("Conv_3"));
        QCOMPARE(finding->message, std::string("Its constant \"w3\" holds 1 NaN and 1 infinity among 24 values (the "
                                               "first at index 5 of 4x6x1x1)."));
        QVERIFY(!finding->hint.empty());
    }

    void infiniteMasksAreNoFinding() {
        auto builder = network();
        builder.constant("mask", Tensor(Shape{1}, {-std::numeric_limits<float>::infinity()}))
            .node("Max", {"y", "mask"}, {"z"});
        QVERIFY(!find(*inspect(builder.build()), "non-finite-weights"));
        Model model = builder.build();
        model.graph.initializers.back().tensor = Tensor(Shape{1}, {kNan});
        QCOMPARE(find(*inspect(model), "non-finite-weights")->subject, std::string("Max_4"));
    }

    void overflowByFoldingIsNamed() {
        auto builder = network();
        const auto four = [](float value) { return Tensor(Shape{4}, {value, value, value, value}); };
        builder.constant("scale", four(3e38F)).constant("shift", four(0)).constant("mean", four(0));
        builder.constant("variance", four(0));
        builder.node("BatchNormalization", {"y", "scale", "shift", "mean", "variance"}, {"z"});
        Model model = builder.build();
        model.graph.outputs[0].name = "z";
        const auto inspection = inspect(model);
        const Finding* finding = find(*inspection, "non-finite-weights");
        QVERIFY(finding);
        QCOMPARE(finding->subject, std::string("Conv_3"));
        QVERIFY(finding->message.find("batch norm") != std::string::npos);
    }

    void constantsInBodiesAreLookedAt() {
        auto body = std::make_shared<Graph>();
        body->initializers.push_back({"inner", Tensor(Shape{1}, {kNan}), {}});
        body->nodes.push_back({"inside", "Identity", {}, {"inner"}, {"out"}, {}, {}});
        body->outputs.push_back({"out", DType::Float, std::nullopt, {}});
        auto builder = network();
        builder.constant("condition", Tensor(DType::Bool, {}));
        const std::shared_ptr<const Graph> shared = body;
        builder.node("If", {"condition"}, {"z"}, {{"then_branch", shared}, {"else_branch", shared}});
        QCOMPARE(find(*inspect(builder.build()), "non-finite-weights")->subject, std::string("inside"));
    }

    void wastedBitsAreNamed() {
        Model model = network().build();
        Tensor weight = model.graph.initializers[1].tensor;
        weight.mutableData<float>()[0] = 500.F;
        model.graph.initializers[1].tensor = weight;
        const auto inspection = inspect(model);
        QVERIFY(find(*inspection, "wasted-bits"));
        QCOMPARE(find(*inspection, "wasted-bits")->subject, std::string("Conv_2"));
        QVERIFY(!find(*inspect(network().build()), "wasted-bits"));
    }

    void contradictingShapesStillOpen() {
        auto builder = network();
        builder.constant("wrong", randomTensor({2, 5, 1, 1}, 9)).node("Conv", {"y", "wrong"}, {"z"});
        Model model = builder.build();
        model.graph.outputs[0].name = "z";
        const auto inspection = inspect(model);
        QVERIFY(inspection.has_value());
        QVERIFY(find(*inspection, "inconsistent-shapes"));
        QCOMPARE(inspection->layers.size(), std::size_t{5});
    }
};

EQUANT_TEST(TestInspection)
}  // namespace test_inspection

#include "test_inspection.moc"
