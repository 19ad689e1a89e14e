// SPDX-License-Identifier: Apache-2.0
#include <QtTest>

#include "core/metrics/evaluate.h"
#include "core/passes/fold_batch_norm.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_fold_batch_norm {

using namespace equant;
using test::ModelBuilder;
using test::randomTensor;

namespace {

using Ints = std::vector<std::int64_t>;

void addBatchNorm(ModelBuilder& builder, const std::string& input, const std::string& output, std::int64_t channels,
                  unsigned seed) {
    builder.constant(output + ".gamma", randomTensor({channels}, seed, -1.5F, 1.5F))
        .constant(output + ".beta", randomTensor({channels}, seed + 1))
        .constant(output + ".mean", randomTensor({channels}, seed + 2))
        .constant(output + ".var", randomTensor({channels}, seed + 3, 0.1F, 2.F))
        .node("BatchNormalization", {input, output + ".gamma", output + ".beta", output + ".mean", output + ".var"},
              {output});
}

std::size_t countOf(const Model& model, const char* type) {
    return std::size_t(std::ranges::count_if(model.graph.nodes, [&](const Node& node) { return node.is(type); }));
}

Model convBatchNorm(Ints weightShape, std::int64_t groups, bool hasBias, const char* op = "Conv") {
    ModelBuilder builder;
    const std::int64_t outputs = std::string(op) == "Conv" ? weightShape[0] : weightShape[1] * groups;
    const std::int64_t inputs = std::string(op) == "Conv" ? weightShape[1] * groups : weightShape[0];
    builder.input("x", {2, inputs, 9, 7}).output("y").constant("w", randomTensor(weightShape, 10));
    std::vector<std::string> reads{"x", "w"};
    if (hasBias) {
        builder.constant("b", randomTensor({outputs}, 11));
        reads.push_back("b");
    }
    builder.node(op, reads, {"h"}, {{"group", groups}, {"pads", Ints{1, 0, 1, 2}}});
    addBatchNorm(builder, "h", "n", outputs, 20);
    builder.node("Relu", {"n"}, {"y"});
    return builder.build();
}

}  // namespace

class TestFoldBatchNorm : public QObject {
    Q_OBJECT

private slots:
    void foldsBehindALayer_data() {
        QTest::addColumn<Model>("model");
        QTest::newRow("dense, no bias") << convBatchNorm({6, 4, 3, 3}, 1, false);
        QTest::newRow("dense, bias") << convBatchNorm({6, 4, 3, 3}, 1, true);
        QTest::newRow("depthwise") << convBatchNorm({5, 1, 3, 3}, 5, true);
        QTest::newRow("grouped") << convBatchNorm({6, 2, 3, 3}, 3, false);
        QTest::newRow("transposed") << convBatchNorm({4, 6, 3, 3}, 1, true, "ConvTranspose");
        QTest::newRow("grouped transposed") << convBatchNorm({4, 3, 3, 3}, 2, true, "ConvTranspose");
    }
    void foldsBehindALayer() {
        QFETCH(Model, model);
        const auto folded = foldBatchNorms(model);
        QVERIFY2(folded.has_value(), folded ? "" : describe(folded.error()).c_str());
        QCOMPARE(folded->report.folded.size(), std::size_t{1});
        QCOMPARE(countOf(folded->model, "BatchNormalization"), std::size_t{0});
        QCOMPARE(folded->model.graph.nodes[0].inputs.size(), std::size_t{3});
        QCOMPARE(countOf(model, "BatchNormalization"), std::size_t{1});  // the original is untouched
        const auto same = compareOutputs(model, folded->model, nullptr, 3, 1);
        QVERIFY2(same.has_value(), same ? "" : describe(same.error()).c_str());
        QVERIFY2(same->maxAbsDiff < 2e-5, qPrintable(QString::number(same->maxAbsDiff)));
        QVERIFY(same->outputStd > 0.1);
    }

    void foldsBeforeALayerOnlyWithoutPadding() {
        for (const bool isPadded : {false, true}) {
            ModelBuilder builder;
            builder.input("x", {1, 3, 8, 8}).output("y").constant("w", randomTensor({4, 3, 3, 3}, 1));
            addBatchNorm(builder, "x", "n", 3, 5);
            builder.node("Conv", {"n", "w"}, {"y"}, {{"pads", isPadded ? Ints{1, 1, 1, 1} : Ints{0, 0, 0, 0}}});
            const Model model = builder.build();
            const auto folded = foldBatchNorms(model);
            QVERIFY(folded.has_value());
            QCOMPARE(countOf(folded->model, "BatchNormalization"), std::size_t(isPadded));
            if (isPadded) QVERIFY(folded->report.kept[0].reason.find("pads") != std::string::npos);
            QVERIFY(compareOutputs(model, folded->model, nullptr, 3, 1)->maxAbsDiff < 2e-5);
        }
    }

    void foldsThroughFlatten() {
        ModelBuilder builder;
        builder.input("x", {2, 3, 4, 5}).output("y").constant("w", randomTensor({7, 60}, 1));
        addBatchNorm(builder, "x", "n", 3, 5);
        builder.node("Flatten", {"n"}, {"f"})
            .node("Gemm", {"f", "w"}, {"y"}, {{"transB", std::int64_t{1}}, {"alpha", 0.5F}});
        const Model model = builder.build();
        const auto folded = foldBatchNorms(model);
        QVERIFY(folded.has_value());
        QCOMPARE(countOf(folded->model, "BatchNormalization"), std::size_t{0});
        QVERIFY(compareOutputs(model, folded->model, nullptr, 3, 1)->maxAbsDiff < 2e-5);
    }

    void aMatrixProductGainsItsBias() {
        ModelBuilder builder;
        builder.input("x", {4, 6}).output("y").constant("w", randomTensor({6, 5}, 1)).node("MatMul", {"x", "w"}, {"h"});
        addBatchNorm(builder, "h", "y", 5, 5);
        const Model model = builder.build();
        const auto folded = foldBatchNorms(model);
        QVERIFY(folded.has_value());
        QCOMPARE(folded->model.graph.nodes[0].opType, std::string("Gemm"));
        QVERIFY(compareOutputs(model, folded->model, nullptr, 3, 1)->maxAbsDiff < 2e-5);
    }

    void whatCannotBeFoldedBecomesPlainAffine() {
        ModelBuilder builder;
        builder.input("x", {1, 3, 8, 8})
            .output("y")
            .output("h")
            .constant("w", randomTensor({4, 3, 1, 1}, 1))
            .node("Conv", {"x", "w"}, {"h"});
        addBatchNorm(builder, "h", "n", 4, 5);
        builder.node("Sigmoid", {"n"}, {"y"});
        const Model model = builder.build();
        const auto folded = foldBatchNorms(model);
        QVERIFY(folded.has_value());
        QCOMPARE(folded->report.kept.size(), std::size_t{1});
        QVERIFY(folded->report.kept[0].reason.find("other readers") != std::string::npos);
        const Node* batchNorm = folded->model.graph.nodeByLabel("BatchNormalization_1");
        QCOMPARE(batchNorm->floatAttribute("epsilon", 1), 0.F);
        QVERIFY(compareOutputs(model, folded->model, nullptr, 3, 1)->maxAbsDiff < 2e-5);
    }

    void unnamedLayersKeepTheirLabel() {
        Model model = convBatchNorm({6, 4, 3, 3}, 1, false);
        model.graph.nodes[0].name.clear();
        const auto folded = foldBatchNorms(model);
        QCOMPARE(folded->model.graph.nodes[0].label(), std::string("h"));
        QCOMPARE(folded->report.folded[0].layer, std::string("h"));
    }
};

EQUANT_TEST(TestFoldBatchNorm)
}  // namespace test_fold_batch_norm

#include "test_fold_batch_norm.moc"
