// SPDX-License-Identifier: Apache-2.0
// Parameters, MACs and bytes per layer, worked out by hand.
#include <QTest>

#include "core/layers/layers.h"
#include "tests/support/registry.h"

namespace test_layers {

using namespace equant;

namespace {

Node makeNode(std::string type, std::vector<std::string> inputs, std::string output,
              std::vector<Attribute> attributes = {}) {
    Node node;
    node.name = output;
    node.opType = std::move(type);
    node.inputs = std::move(inputs);
    node.outputs = {std::move(output)};
    node.attributes = std::move(attributes);
    return node;
}

/// x 1x4x8x8 -> depthwise -> transposed convolution -> flatten -> Gemm (weight behind a Transpose) -> MatMul twice with
/// one shared weight.
Model makeModel() {
    Model model;
    model.opsets[""] = 17;
    Graph& graph = model.graph;
    graph.inputs = {{"x", DType::Float, std::vector<Dim>{{-1, "N"}, {4, ""}, {8, ""}, {8, ""}}, {}}};
    graph.outputs = {{"m2", DType::Float, std::nullopt, {}}};
    graph.initializers = {{"wd", Tensor(DType::Float, {4, 1, 3, 3}), {}},
                          {"bd", Tensor(DType::Float, {4}), {}},
                          {"wt", Tensor(DType::Float, {4, 2, 2, 2}), {}},
                          {"wg", Tensor(DType::Float, {288, 5}), {}},
                          {"wm", Tensor(DType::Float, {5, 5}), {}}};
    graph.nodes = {makeNode("Conv", {"x", "wd", "bd"}, "d", {{"group", std::int64_t{4}, {}}}),
                   makeNode("ConvTranspose", {"d", "wt"}, "t", {{"strides", std::vector<std::int64_t>{2, 2}, {}}}),
                   makeNode("Flatten", {"t"}, "f"),
                   makeNode("Transpose", {"wg"}, "wgt"),
                   makeNode("Gemm", {"f", "wgt"}, "g", {{"transB", std::int64_t{1}, {}}}),
                   makeNode("MatMul", {"g", "wm"}, "m1"),
                   makeNode("MatMul", {"m1", "wm"}, "m2")};
    return model;
}

std::vector<LayerInfo> layersOf(const Model& model) {
    ShapeOptions options;
    options.batch = 1;
    const auto facts = inferShapes(model, options);
    const auto topology = Topology::of(model.graph);
    return facts && topology ? describeLayers(model.graph, *topology, *facts) : std::vector<LayerInfo>{};
}

}  // namespace

class TestLayers : public QObject {
    Q_OBJECT
private slots:
    void costs();
    void axesAndSlots();
    void quantizedWeightsCount();
};

void TestLayers::costs() {
    const Model model = makeModel();
    const auto layers = layersOf(model);
    QCOMPARE(layers.size(), std::size_t{6});  // the Transpose of a weight is no layer
    QCOMPARE(layers[0].parameters, 4 * 9 + 4);
    QCOMPARE(layers[0].macs, 4 * 6 * 6 * 9);
    QCOMPARE(layers[0].activationBytes, 4 * 6 * 6 * 4);
    QCOMPARE(layers[0].weightBytes, 40 * 4);
    QCOMPARE(layers[1].macs, 4 * 6 * 6 * 2 * 2 * 2);
    QCOMPARE(toString(layers[1].outputShape), std::string("1x2x12x12"));
    QCOMPARE(layers[2].macs, 0);
    QCOMPARE(layers[3].parameters, 288 * 5);
    QCOMPARE(layers[3].macs, 288 * 5);
    QCOMPARE(toString(layers[3].weightShape), std::string("5x288"));
    QCOMPARE(layers[4].parameters, 25);
    QCOMPARE(layers[5].parameters, 0);  // counted with the layer before
    QCOMPARE(layers[5].macs, 25);
    const auto cost = totalCost(model.graph, layers);
    QCOMPARE(cost.parameters, 40 + 32 + 1440 + 25);
    QCOMPARE(cost.bytes, 4 * (40 + 32 + 1440 + 25));
    QCOMPARE(cost.macs, 1296 + 1152 + 1440 + 50);
}

void TestLayers::axesAndSlots() {
    const Model model = makeModel();
    const auto& nodes = model.graph.nodes;
    QVERIFY(isDepthwise(model.graph, nodes[0]));
    QVERIFY(!isDepthwise(model.graph, nodes[1]));
    QVERIFY(isWeightedOp(nodes[1]) && !isWeightedOp(nodes[2]));
    QCOMPARE(weightAxes(nodes[1], 4).output, 1);
    QCOMPARE(weightAxes(nodes[4], 2).output, 0);
    QCOMPARE(weightAxes(nodes[5], 3).output, 2);
    QCOMPARE(weightAxes(nodes[5], 3).input, 1);
    QCOMPARE(weightAxes(nodes[5], 3, 0).output, 1);
    QCOMPARE(weightSlot(model.graph, nodes[5]), std::optional<std::size_t>(1));
    QCOMPARE(weightSlot(model.graph, makeNode("MatMul", {"wm", "g"}, "y")), std::optional<std::size_t>(0));
    QCOMPARE(weightSlot(model.graph, makeNode("MatMul", {"m1", "g"}, "y")), std::optional<std::size_t>());
    QCOMPARE(weightSlot(model.graph, nodes[2]), std::optional<std::size_t>());
}

/// Weights stored as integers behind DequantizeLinear are parameters; their scales are not.
void TestLayers::quantizedWeightsCount() {
    Model model = makeModel();
    model.graph.initializers[4] = {"wq", Tensor(DType::Int8, {5, 5}), {}};
    model.graph.initializers.push_back({"scale", Tensor({}, std::vector<float>{0.5F}), {}});
    model.graph.nodes.insert(model.graph.nodes.begin(), makeNode("DequantizeLinear", {"wq", "scale"}, "wm"));
    const auto layers = layersOf(model);
    QCOMPARE(layers.size(), std::size_t{6});
    QCOMPARE(layers[4].parameters, 25);
    QCOMPARE(layers[4].weightBytes, 25);
    QCOMPARE(weightSlot(model.graph, model.graph.nodes[6]), std::optional<std::size_t>(1));
}

EQUANT_TEST(TestLayers)
}  // namespace test_layers

#include "test_layers.moc"
