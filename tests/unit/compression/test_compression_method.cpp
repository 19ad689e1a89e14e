// SPDX-License-Identifier: Apache-2.0
// What each method can do with a layer, what it costs, and which size meets a ratio.
#include <QtTest>

#include "core/compression/method.h"
#include "core/graph/shapes/shapes.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_compression_method {

using namespace equant;
using namespace equant::test;

namespace {

using Ints = std::vector<std::int64_t>;

LayerGeometry convolution(std::int64_t inputs, std::int64_t outputs, std::int64_t kernel, std::int64_t positions,
                          std::int64_t stride = 1) {
    LayerGeometry layer;
    layer.inputs = inputs;
    layer.outputs = outputs;
    layer.kernelHeight = layer.kernelWidth = kernel;
    layer.strideHeight = layer.strideWidth = stride;
    layer.positions = positions;
    layer.cost.parameters = static_cast<double>(inputs * outputs * kernel * kernel);
    layer.cost.macs = layer.cost.parameters * static_cast<double>(positions);
    return layer;
}

const CompressibleLayer& layerNamed(const std::vector<CompressibleLayer>& layers, const std::string& name) {
    return *std::ranges::find_if(layers, [&](const CompressibleLayer& layer) { return layer.geometry.name == name; });
}

}  // namespace

class TestCompressionMethod : public QObject {
    Q_OBJECT

private slots:
    void namesRoundTrip() {
        for (const auto method :
             {CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd, CompressionMethod::ChannelPruning}) {
            const auto parsed = parseCompressionMethod(name(method));
            QVERIFY(parsed.has_value() && *parsed == method);
        }
        const auto unknown = parseCompressionMethod("tucker");
        QVERIFY(!unknown && unknown.error().hint.find("weight-svd") != std::string::npos);
    }

    /// The MNIST network of AIMET's cost tests: conv 1->32 5x5 on 28x28, conv 32->64 5x5 on 14x14, fc 3136->1024->10.
    void ranksAndCostsOfMnist() {
        const auto conv1 = convolution(1, 32, 5, 784), conv2 = convolution(32, 64, 5, 196);
        const auto fc1 = convolution(3136, 1024, 1, 1), fc2 = convolution(1024, 10, 1, 1);
        const auto rank = [](CompressionMethod method, const LayerGeometry& layer) {
            return sizeForRatio(method, layer, 0.5, CostMetric::Macs).size;
        };
        QCOMPARE(rank(CompressionMethod::SpatialSvd, conv1), 2);
        QCOMPARE(rank(CompressionMethod::SpatialSvd, conv2), 53);
        QCOMPARE(rank(CompressionMethod::SpatialSvd, fc1), 385);
        QCOMPARE(rank(CompressionMethod::SpatialSvd, fc2), 4);
        QCOMPARE(rank(CompressionMethod::WeightSvd, conv2), 15);
        QCOMPARE(costAtSize(CompressionMethod::SpatialSvd, conv1, 2).macs +
                     costAtSize(CompressionMethod::SpatialSvd, conv2, 53).macs,
                 5244960.0);
        QCOMPARE(maxSize(CompressionMethod::SpatialSvd, conv2), 160);
        QCOMPARE(maxSize(CompressionMethod::WeightSvd, conv2), 32);
        QCOMPARE(maxSize(CompressionMethod::ChannelPruning, conv2), 32);
        QCOMPARE(costAtSize(CompressionMethod::ChannelPruning, conv2, 16).macs, 5017600.0);
        const auto strided = convolution(32, 64, 5, 196, 2);
        QCOMPARE(rank(CompressionMethod::SpatialSvd, strided), 40);
        QCOMPARE(costAtSize(CompressionMethod::SpatialSvd, strided, 40).macs, 5017600.0);
    }

    void multiplesRoundUpToTheRankOfTheWholeLayer() {
        const auto layer = convolution(64, 64, 3, 56 * 56);  // layer1.0.conv1 of ResNet-18
        QCOMPARE(sizeForRatio(CompressionMethod::SpatialSvd, layer, 0.5, CostMetric::Macs, 1).size, 48);
        QCOMPARE(sizeForRatio(CompressionMethod::SpatialSvd, layer, 0.45, CostMetric::Macs, 8).size, 48);
        const auto choice = sizeForRatio(CompressionMethod::SpatialSvd, layer, 0.99, CostMetric::Macs, 64);
        QCOMPARE(choice.size, 96);  // 128 would be dearer than the layer
        QCOMPARE(choice.ratio, 1.0);
        QCOMPARE(sizeForRatio(CompressionMethod::ChannelPruning, layer, 0.3, CostMetric::Macs, 16).size, 32);
        QCOMPARE(sizeForRatio(CompressionMethod::ChannelPruning, layer, 0.001, CostMetric::Macs).size, 1);
        // The full rank costs more than the layer: the ratio says so.
        const auto thin = convolution(1, 32, 5, 784);
        QVERIFY(sizeForRatio(CompressionMethod::WeightSvd, thin, 0.5, CostMetric::Macs).ratio > 1);
    }

    void reasonsNameWhatIsInTheWay() {
        ModelBuilder builder;
        builder.input("x", {1, 4, 9, 9})
            .output("y")
            .constant("w0", randomTensor({8, 4, 3, 3}, 1))
            .constant("w1", randomTensor({8, 1, 3, 3}, 2))
            .constant("w2", randomTensor({6, 8, 1, 1}, 3))
            .constant("w3", randomTensor({6, 6, 3, 3}, 4))
            .constant("w4", randomTensor({6, 2, 2, 2}, 5))
            .constant("w5", randomTensor({6, 1}, 6))
            .node("Conv", {"x", "w0"}, {"a"}, {{"strides", Ints{2, 1}}})
            .node("Conv", {"a", "w1"}, {"b"}, {{"group", std::int64_t{8}}})
            .node("Conv", {"b", "w2"}, {"c"})
            .node("Conv", {"c", "w3"}, {"d"}, {{"dilations", Ints{2, 2}}, {"pads", Ints{2, 2, 2, 2}}})
            .node("ConvTranspose", {"d", "w4"}, {"e"})
            .node("MatMul", {"e", "w5"}, {"y"});
        const Model model = builder.build();
        const auto facts = inferShapes(model, {.inputShapes = {}, .batch = 1, .evaluate = {}});
        QVERIFY(facts.has_value());
        const auto layers = compressibleLayers(model, *facts);
        QCOMPARE(layers.size(), std::size_t{6});
        const auto& first = layerNamed(layers, "Conv_0");
        QVERIFY(first.can(CompressionMethod::SpatialSvd) && first.can(CompressionMethod::WeightSvd));
        QCOMPARE(first.geometry.positions, 4 * 7);
        QCOMPARE(first.geometry.strideHeight, 2);
        QCOMPARE(first.geometry.strideWidth, 1);
        QCOMPARE(first.geometry.cost.macs, 8.0 * 4 * 9 * 28);
        QVERIFY(layerNamed(layers, "Conv_1").weightSvdReason.find("Depthwise") == 0);
        QVERIFY(layerNamed(layers, "Conv_1").spatialSvdReason.find("Depthwise 3x3") == 0);
        QVERIFY(layerNamed(layers, "Conv_1").channelPruningReason.find("Depthwise") == 0);
        QVERIFY(layerNamed(layers, "Conv_2").spatialSvdReason.find("1x1") != std::string::npos);
        QVERIFY(layerNamed(layers, "Conv_2").can(CompressionMethod::WeightSvd));
        QVERIFY(layerNamed(layers, "Conv_3").can(CompressionMethod::SpatialSvd));
        QVERIFY(layerNamed(layers, "Conv_3").can(CompressionMethod::WeightSvd));
        const auto& transposed = layerNamed(layers, "ConvTranspose_4");
        QVERIFY(transposed.can(CompressionMethod::SpatialSvd) && transposed.can(CompressionMethod::WeightSvd));
        QCOMPARE(transposed.geometry.positions, 2 * 5);  // of its input
        QCOMPARE(transposed.geometry.cost.macs, 6.0 * 2 * 4 * 10);
        QVERIFY(layerNamed(layers, "MatMul_5").weightSvdReason.find("single channel") != std::string::npos);
    }

    void costsOfGroupsAndTransposedConvolutions() {
        auto grouped = convolution(8, 32, 3, 100);  // 4 groups of 8 inputs and outputs
        grouped.groups = 4;
        QCOMPARE(maxSize(CompressionMethod::SpatialSvd, grouped), 24);
        QCOMPARE(costAtSize(CompressionMethod::SpatialSvd, grouped, 2).parameters, 2.0 * (4 * 8 * 3 + 32 * 3));
        QCOMPARE(costAtSize(CompressionMethod::WeightSvd, grouped, 2).macs, 100 * 2.0 * (4 * 8 + 32 * 9));
        auto transposed = convolution(8, 16, 4, 100, 2);  // 100 inputs, 400 outputs
        transposed.opType = "ConvTranspose";
        QCOMPARE(costAtSize(CompressionMethod::WeightSvd, transposed, 3).macs, 100 * 3.0 * (8 + 16 * 16));
        // The value between is twice as high as the input, and the second layer walks over it.
        QCOMPARE(costAtSize(CompressionMethod::SpatialSvd, transposed, 3).macs, 100 * 3.0 * (8 * 4 + 2 * 16 * 4));
    }

    void whatHasNoWeightsOfItsOwnSaysWhy() {
        ModelBuilder builder;
        builder.input("x", {6, 6})
            .output("y")
            .constant("w", randomTensor({6, 6}, 1))
            .constant("q", Tensor(Shape{6, 6}, std::vector<std::int8_t>(36, 1)))
            .constant("scale", Tensor(Shape{}, {0.5F}))
            .constant("stack", randomTensor({2, 6, 6}, 2))
            .node("MatMul", {"w", "x"}, {"a"})
            .node("DequantizeLinear", {"q", "scale"}, {"d"})
            .node("MatMul", {"a", "d"}, {"b"})
            .node("Transpose", {"w"}, {"t"}, {{"perm", Ints{1, 0}}})
            .node("MatMul", {"b", "t"}, {"c"})
            .node("Gemm", {"c", "w"}, {"e"}, {{"transA", std::int64_t{1}}})
            .node("MatMul", {"e", "stack"}, {"y"});
        const Model model = builder.build();
        const auto facts = inferShapes(model, {.inputShapes = {}, .batch = 1, .evaluate = {}});
        QVERIFY(facts.has_value());
        const auto layers = compressibleLayers(model, *facts);
        QCOMPARE(layers.size(), std::size_t{5});
        const auto reason = [&](const char* name) {
            return QString::fromStdString(layerNamed(layers, name).weightSvdReason);
        };
        QVERIFY(reason("MatMul_0").contains("left operand"));
        QVERIFY(reason("MatMul_2").contains("DequantizeLinear"));
        QVERIFY2(reason("MatMul_4").contains("\"MatMul_0\" reads the same weights"), qPrintable(reason("MatMul_4")));
        QVERIFY(reason("Gemm_5").contains("transposed"));
        QVERIFY(reason("MatMul_6").contains("[2,6,6]") || reason("MatMul_6").contains("shape"));
    }
};

EQUANT_TEST(TestCompressionMethod)
}  // namespace test_compression_method

#include "test_compression_method.moc"
