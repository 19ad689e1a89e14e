// SPDX-License-Identifier: Apache-2.0
#include <QtTest>

#include "core/layers/layer_weights.h"
#include "core/passes/weight_ranges.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_weight_ranges {

using namespace equant;
using test::ModelBuilder;

class TestWeightRanges : public QObject {
    Q_OBJECT

private slots:
    void statisticsPerOutputChannel() {
        const Model model = ModelBuilder()
                                .input("x", {1, 2, 1, 1})
                                .output("y")
                                .constant("w", Tensor(Shape{2, 2, 1, 1}, {1.F, -3.F, 0.F, 0.75F}))
                                .constant("b", Tensor(Shape{2}, {5.F, 6.F}))
                                .node("Conv", {"x", "w", "b"}, {"y"})
                                .build();
        const auto ranges = weightRanges(model);
        QVERIFY(ranges.has_value());
        const ChannelRanges& layer = ranges->front();
        QCOMPARE(layer.min, (std::vector<float>{-3.F, 0.F}));
        QCOMPARE(layer.max, (std::vector<float>{1.F, 0.75F}));
        QCOMPARE(layer.mean, (std::vector<float>{-1.F, 0.375F}));
        QCOMPARE(layer.std, (std::vector<float>{2.F, 0.375F}));
        QCOMPARE(layer.bias, (std::vector<float>{5.F, 6.F}));
        QCOMPARE(layer.effectiveBits[0], 8.F);
        QVERIFY(std::abs(layer.effectiveBits[1] - 6.F) < 0.05F);  // a quarter of the range: two bits less
        QCOMPARE(layer.imbalance(), 1.0);
    }

    void transposedWeightsCountTheRightAxis_data() {
        QTest::addColumn<QString>("op");
        QTest::addColumn<int>("transB");
        QTest::newRow("Gemm") << "Gemm" << 0;
        QTest::newRow("Gemm transposed") << "Gemm" << 1;
        QTest::newRow("MatMul") << "MatMul" << 0;
        QTest::newRow("ConvTranspose") << "ConvTranspose" << 0;
    }
    void transposedWeightsCountTheRightAxis() {
        QFETCH(QString, op);
        QFETCH(int, transB);
        // Output channel 0 holds {1, 2, 3}, channel 1 {10, 20, 30}, whatever the layout.
        const bool isRowMajor = transB != 0;
        const std::vector<float> values =
            isRowMajor ? std::vector<float>{1, 2, 3, 10, 20, 30} : std::vector<float>{1, 10, 2, 20, 3, 30};
        Shape shape = isRowMajor ? Shape{2, 3} : Shape{3, 2};
        if (op == "ConvTranspose") shape = {3, 2, 1, 1};
        ModelBuilder builder;
        builder.input("x", {1, 3}).output("y").constant("w", Tensor(shape, values));
        std::vector<std::pair<std::string, AttributeValue>> attributes;
        if (transB) attributes.emplace_back("transB", std::int64_t{1});
        builder.node(op.toStdString(), {"x", "w"}, {"y"}, attributes);
        const auto ranges = weightRanges(builder.build());
        QVERIFY(ranges.has_value());
        QCOMPARE(ranges->front().max, (std::vector<float>{3.F, 30.F}));
        QCOMPARE(ranges->front().min, (std::vector<float>{1.F, 10.F}));
    }

    void groupedTransposedConvolution() {
        // Two groups, 2 inputs and 3 outputs each: output channel = group * 3 + column.
        Tensor weight(DType::Float, {4, 3, 1, 1});
        for (std::size_t i = 0; i < 12; ++i) weight.mutableData<float>()[i] = float(i);
        const Model model = ModelBuilder()
                                .input("x", {1, 4, 1, 1})
                                .output("y")
                                .constant("w", weight)
                                .node("ConvTranspose", {"x", "w"}, {"y"}, {{"group", std::int64_t{2}}})
                                .build();
        const auto layer = LayerWeights::of(model.graph, 0);
        QVERIFY(layer.has_value());
        QCOMPARE(layer->outputChannels(), 6);
        QCOMPARE(layer->inputChannels(), 4);
        layer->forEachBlock([](std::size_t block, std::size_t output, std::size_t input) {
            QCOMPARE(input, block / 3);
            QCOMPARE(output, block / 6 * 3 + block % 3);
        });
    }

    void unusableWeightsSayWhy() {
        const Model model =
            ModelBuilder().input("x", {1, 3}).input("w", {3, 3}).output("y").node("MatMul", {"x", "w"}, {"y"}).build();
        const auto layer = LayerWeights::of(model.graph, 0);
        QVERIFY(!layer.has_value());
        QVERIFY(layer.error().message.find("not constant") != std::string::npos);
        QVERIFY(weightRanges(model)->empty());
    }
};

EQUANT_TEST(TestWeightRanges)
}  // namespace test_weight_ranges

#include "test_weight_ranges.moc"
