// SPDX-License-Identifier: Apache-2.0
// Residuals whose operand is the convolution's own input, x + conv(x): fused and single operators must agree.
#include <QTest>
#include <cmath>
#include <random>

#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"

namespace test_plan_residual {

using namespace equant;

namespace {

Tensor randomTensor(Shape shape, unsigned seed) {
    Tensor tensor(DType::Float, std::move(shape));
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0F, 0.5F);
    for (float& value : tensor.mutableData<float>()) value = normal(random);
    return tensor;
}

Node makeNode(const std::string& type, const std::vector<std::string>& inputs, const std::string& output) {
    Node node;
    node.opType = type;
    node.name = type + "_" + output;
    node.inputs = inputs;
    node.outputs = {output};
    return node;
}

Model residualModel(std::int64_t channels, bool hasRelu) {
    Model model;
    model.opsets[""] = 13;
    Graph& graph = model.graph;
    const std::vector<Dim> shape{{-1, "N"}, {channels, ""}, {6, ""}, {6, ""}};
    graph.inputs = {{"x", DType::Float, shape, {}}};
    graph.outputs = {{"y", DType::Float, {}, {}}};
    graph.initializers = {{"w", randomTensor({channels, channels, 3, 3}, 1), {}}};
    Node conv = makeNode("Conv", {"x", "w"}, "c");
    conv.setAttribute("pads", std::vector<std::int64_t>{1, 1, 1, 1});
    graph.nodes.push_back(conv);
    if (hasRelu) graph.nodes.push_back(makeNode("Relu", {"c"}, "r"));
    graph.nodes.push_back(makeNode("Add", {"x", hasRelu ? "r" : "c"}, "y"));
    return model;
}

}  // namespace

class TestPlanResidual : public QObject {
    Q_OBJECT

private slots:
    void ownInput_data();
    void ownInput();
};

void TestPlanResidual::ownInput_data() {
    QTest::addColumn<int>("channels");
    QTest::addColumn<bool>("hasRelu");
    for (const int channels : {4, 16, 32}) {
        QTest::addRow("%d channels", channels) << channels << false;
        QTest::addRow("%d channels, relu", channels) << channels << true;
    }
}

void TestPlanResidual::ownInput() {
    QFETCH(int, channels);
    QFETCH(bool, hasRelu);
    const Model model = residualModel(channels, hasRelu);
    const std::vector<Tensor> input{randomTensor({2, channels, 6, 6}, 2)};
    CompileOptions single;
    single.fuse = false;
    const auto fused = (*Executor::create(model))->run(input);
    const auto expected = (*Executor::create(model, single))->run(input);
    QVERIFY(fused.has_value() && expected.has_value());
    const auto a = fused->front().data<float>();
    const auto b = expected->front().data<float>();
    for (std::size_t i = 0; i < a.size(); ++i) QVERIFY(std::abs(a[i] - b[i]) < 1e-4F);
}

EQUANT_TEST(TestPlanResidual)
}  // namespace test_plan_residual

#include "test_plan_residual.moc"
