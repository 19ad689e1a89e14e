// SPDX-License-Identifier: Apache-2.0
// Rules files and where quantizers go.
#include <QTest>

#include "core/quantization/placement.h"
#include "tests/support/registry.h"

namespace test_placement {

using namespace equant;

namespace {

Node makeNode(std::string type, std::string name, std::vector<std::string> inputs, std::vector<std::string> outputs) {
    Node node;
    node.opType = std::move(type);
    node.name = std::move(name);
    node.inputs = std::move(inputs);
    node.outputs = std::move(outputs);
    return node;
}

void addWeight(Model& model, const std::string& name, Shape shape) {
    model.graph.initializers.push_back({name, Tensor(DType::Float, std::move(shape)), {}});
}

/// x -> conv -> relu -> maxpool -> flatten -> matmul -> add(bias) -> relu -> y, and the shape of x on the side.
Model smallModel() {
    Model model;
    model.opsets[""] = 13;
    Graph& graph = model.graph;
    graph.inputs = {{"x", DType::Float, {}, {}}};
    graph.outputs = {{"y", DType::Float, {}, {}}, {"s", DType::Int64, {}, {}}};
    addWeight(model, "w", {4, 3, 3, 3});
    addWeight(model, "b", {4});
    addWeight(model, "m", {16, 5});
    addWeight(model, "mb", {5});
    graph.nodes = {makeNode("Conv", "conv", {"x", "w", "b"}, {"c"}), makeNode("Relu", "relu", {"c"}, {"r"}),
                   makeNode("MaxPool", "pool", {"r"}, {"p"}),        makeNode("Flatten", "flat", {"p"}, {"f"}),
                   makeNode("MatMul", "fc", {"f", "m"}, {"q"}),      makeNode("Add", "bias", {"q", "mb"}, {"a"}),
                   makeNode("Relu", "relu2", {"a"}, {"y"}),          makeNode("Shape", "shape", {"x"}, {"s"})};
    return model;
}

QuantizerPlan plan(const Model& model, const QuantizationSettings& settings) {
    return placeQuantizers(model, rulesOf(settings).value(), settings).value();
}

QStringList values(const QuantizerPlan& plan) {
    QStringList names;
    for (const auto& spec : plan.quantizers) names << QString::fromStdString(spec.value);
    return names;
}

const QuantizerSpec& specOf(const QuantizerPlan& plan, const std::string& value) {
    for (const auto& spec : plan.quantizers) {
        if (spec.value == value) return spec;
    }
    qFatal("no quantizer at %s", value.c_str());
}

QString reason(const QuantizerPlan& plan, const std::string& value) {
    for (const auto& skipped : plan.skipped) {
        if (skipped.value == value) return QString::fromStdString(skipped.reason);
    }
    return {};
}

const char* const kRules = R"({
 "defaults": {"ops": {"is_output_quantized": "True", "is_symmetric": "False"},
              "params": {"is_quantized": "True", "is_symmetric": "True"},
              "strict_symmetric": "True", "per_channel_quantization": "True"},
 "params": {"bias": {"is_quantized": "False"}},
 "op_type": {"MatMul": {"per_channel_quantization": "False", "params": {"weight": {"is_symmetric": "False"}}},
             "Conv": {"is_output_quantized": "True", "encoding_constraints": {"min": -1.0, "max": 3.0}},
             "MaxPool": {"is_output_quantized": "False", "is_input_quantized": "True"}},
 "supergroups": [{"op_list": ["Add", "Relu"]}],
 "model_input": {"is_input_quantized": "True"},
 "model_output": {"is_output_quantized": "False"}})";

}  // namespace

class TestPlacement : public QObject {
    Q_OBJECT

private slots:
    void builtInRulesOnASmallModel();
    void compatibleRules();
    void branchesBreakSupergroups();
    void capsPerChannelAreOneWithTheirLayer();
    void perChannelAxes();
    void rulesFile();
    void badRules_data();
    void badRules();
    void badBits();
};

void TestPlacement::builtInRulesOnASmallModel() {
    const QuantizerPlan found = plan(smallModel(), {});
    QCOMPARE(values(found), (QStringList{"x", "w", "r", "m", "y"}));
    QVERIFY(specOf(found, "x").role == QuantizedRole::ModelInput);
    QVERIFY(specOf(found, "w").grid.isSymmetric && !specOf(found, "r").grid.isSymmetric);
    QCOMPARE(specOf(found, "w").axis, -1);
    QVERIFY(reason(found, "c").contains("relu"));
    QVERIFY(reason(found, "q").contains("bias"));
    QVERIFY(reason(found, "b").contains("bias"));
    QVERIFY(reason(found, "mb").contains("bias"));
    QVERIFY(reason(found, "f").contains("grid they have"));
    QVERIFY(reason(found, "p").contains("MaxPool"));
    QVERIFY(reason(found, "s").contains("not a float"));
}

void TestPlacement::compatibleRules() {
    QuantizationSettings settings;
    settings.isAimetCompatible = true;
    settings.isPerChannel = true;
    const QuantizerPlan found = plan(smallModel(), settings);
    QCOMPARE(values(found), (QStringList{"x", "w", "r", "p", "m", "q", "y"}));
    QCOMPARE(specOf(found, "w").axis, 0);
    QCOMPARE(specOf(found, "m").axis, -1);
}

void TestPlacement::capsPerChannelAreOneWithTheirLayer() {
    for (const char* lower : {"Relu", "Max"}) {
        Model model;
        model.opsets[""] = 13;
        model.graph.inputs = {{"x", DType::Float, {}, {}}};
        model.graph.outputs = {{"y", DType::Float, {}, {}}};
        addWeight(model, "w", {4, 3, 1, 1});
        addWeight(model, "floor", {1, 4, 1, 1});
        addWeight(model, "caps", {1, 4, 1, 1});
        Node clipped = makeNode(lower, "lower", {"c"}, {"l"});
        if (clipped.is("Max")) clipped.inputs.emplace_back("floor");
        model.graph.nodes = {makeNode("Conv", "conv", {"x", "w"}, {"c"}), clipped,
                             makeNode("Min", "upper", {"l", "caps"}, {"y"})};
        QCOMPARE(values(plan(model, {})), (QStringList{"x", "w", "y"}));
    }
}

void TestPlacement::branchesBreakSupergroups() {
    Model model = smallModel();
    model.graph.nodes.push_back(makeNode("Sigmoid", "side", {"c"}, {"t"}));
    model.graph.outputs.push_back({"t", DType::Float, {}, {}});
    const QuantizerPlan found = plan(model, {});
    QVERIFY(values(found).contains("c"));
    QVERIFY(values(found).contains("r"));
    QVERIFY(values(found).contains("t"));
}

void TestPlacement::perChannelAxes() {
    Model model = smallModel();
    Node transposed = makeNode("ConvTranspose", "up", {"x", "u"}, {"v"});
    Node grouped = makeNode("ConvTranspose", "grouped", {"x", "g"}, {"h"});
    grouped.setAttribute("group", std::int64_t{3});
    addWeight(model, "u", {3, 6, 2, 2});
    addWeight(model, "g", {3, 2, 2, 2});
    model.graph.nodes.push_back(transposed);
    model.graph.nodes.push_back(grouped);
    QuantizationSettings settings;
    settings.isPerChannel = true;
    const QuantizerPlan found = plan(model, settings);
    QCOMPARE(specOf(found, "w").axis, 0);
    QCOMPARE(specOf(found, "m").axis, 1);
    QCOMPARE(specOf(found, "u").axis, 1);
    QCOMPARE(specOf(found, "g").axis, -1);
}

void TestPlacement::rulesFile() {
    QuantizationSettings settings;
    settings.rules = kRules;
    const QuantizerPlan found = plan(smallModel(), settings);
    // Convolution and activation are no group here; the pooling asks for a quantized input.
    QCOMPARE(values(found), (QStringList{"x", "w", "c", "r", "m"}));
    QVERIFY(specOf(found, "w").grid.isStrict);
    QCOMPARE(specOf(found, "w").axis, 0);
    QCOMPARE(specOf(found, "m").axis, -1);
    QVERIFY(!specOf(found, "m").grid.isSymmetric);
    QCOMPARE(specOf(found, "c").fixedRange->max, 3.0);
    QVERIFY(reason(found, "y").contains("model outputs"));
}

void TestPlacement::badRules_data() {
    QTest::addColumn<QString>("from");
    QTest::addColumn<QString>("to");
    QTest::addColumn<QString>("subject");
    QTest::newRow("missing section") << "\"model_input\""
                                     << "\"other\""
                                     << "model_input";
    QTest::newRow("not a boolean") << "\"strict_symmetric\": \"True\""
                                   << "\"strict_symmetric\": \"yes\""
                                   << "strict_symmetric";
    QTest::newRow("short group") << "[\"Add\", \"Relu\"]"
                                 << "[\"Add\"]"
                                 << "supergroups";
    QTest::newRow("range") << "\"max\": 3.0"
                           << "\"max\": -3.0"
                           << "encoding_constraints";
    QTest::newRow("false input") << "\"is_input_quantized\": \"True\"}}"
                                 << "\"is_input_quantized\": \"False\"}}"
                                 << "is_input_quantized";
    QTest::newRow("not json") << "{"
                              << "["
                              << "";
}

void TestPlacement::badRules() {
    QFETCH(QString, from);
    QFETCH(QString, to);
    QFETCH(QString, subject);
    QString text = kRules;
    QVERIFY(text.contains(from));
    const auto rules = parseRules(text.replace(from, to).toStdString());
    QVERIFY(!rules.has_value());
    QVERIFY(QString::fromStdString(rules.error().subject).contains(subject));
}

void TestPlacement::badBits() {
    QuantizationSettings settings;
    settings.weightBits = 17;
    QVERIFY(!placeQuantizers(smallModel(), builtInRules(false, false), settings).has_value());
}

EQUANT_TEST(TestPlacement)
}  // namespace test_placement

#include "test_placement.moc"
