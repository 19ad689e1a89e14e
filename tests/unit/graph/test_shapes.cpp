// SPDX-License-Identifier: Apache-2.0
// Shape inference node by node (expected shapes worked out by hand from the operator definitions), over whole graphs,
// and with nonsense for inputs.
#include <QTest>
#include <fmt/format.h>
#include <limits>
#include <random>

#include "core/graph/shapes/shapes.h"
#include "tests/support/registry.h"

namespace test_shapes {

using namespace equant;

namespace {

ValueFacts fact(Shape shape, DType type = DType::Float) {
    return {type, std::move(shape), std::nullopt};
}

template <typename T>
ValueFacts vec(std::vector<T> values) {
    Tensor tensor({static_cast<std::int64_t>(values.size())}, values);
    return {tensor.dtype(), tensor.shape(), tensor};
}

ValueFacts ints(std::vector<std::int64_t> values) {
    return vec(std::move(values));
}

ValueFacts scalar(std::int64_t value) {
    Tensor tensor(Shape{}, {value});
    return {tensor.dtype(), tensor.shape(), tensor};
}

ValueFacts omitted() {
    return {};
}

using Ints = std::vector<std::int64_t>;
using Attributes = std::vector<Attribute>;

Node makeNode(std::string type, std::size_t inputs, std::size_t outputs, Attributes attributes) {
    Node node;
    node.name = std::string(1, 'n');
    node.opType = std::move(type);
    for (std::size_t i = 0; i < inputs; ++i) node.inputs.push_back(fmt::format("i{}", i));
    for (std::size_t i = 0; i < outputs; ++i) node.outputs.push_back(fmt::format("o{}", i));
    node.attributes = std::move(attributes);
    return node;
}

struct Case {
    const char* name;
    const char* op;
    std::vector<ValueFacts> inputs;
    Attributes attributes;
    std::vector<Shape> outputs;  ///< empty: the node must be refused
    std::int64_t opset = 17;
};

const std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

std::vector<Case> windowCases() {
    const auto x = fact({1, 3, 7, 10});
    const auto w = fact({8, 3, 3, 3});
    return {
        {"conv plain", "Conv", {x, w}, {}, {{1, 8, 5, 8}}},
        {"conv stride pad",
         "Conv",
         {x, w},
         {{"strides", Ints{2, 2}, {}}, {"pads", Ints{1, 0, 1, 1}, {}}},
         {{1, 8, 4, 5}}},
        {"conv dilation", "Conv", {x, w}, {{"dilations", Ints{2, 3}, {}}}, {{1, 8, 3, 4}}},
        {"conv same",
         "Conv",
         {x, w},
         {{"auto_pad", std::string("SAME_UPPER"), {}}, {"strides", Ints{2, 3}, {}}},
         {{1, 8, 4, 4}}},
        {"conv valid", "Conv", {x, w}, {{"auto_pad", std::string("VALID"), {}}}, {{1, 8, 5, 8}}},
        {"conv depthwise",
         "Conv",
         {fact({2, 6, 5, 5}), fact({6, 1, 3, 3})},
         {{"group", std::int64_t{6}, {}}},
         {{2, 6, 3, 3}}},
        {"conv 1-d", "Conv", {fact({1, 2, 9}), fact({4, 2, 3})}, {}, {{1, 4, 7}}},
        {"conv 3-d", "Conv", {fact({1, 2, 9, 8, 7}), fact({4, 2, 3, 2, 1})}, {}, {{1, 4, 7, 7, 7}}},
        {"conv unknown", "Conv", {fact({-1, 3, -1, 10}), w}, {}, {{-1, 8, -1, 8}}},
        {"conv channels", "Conv", {fact({1, 4, 7, 7}), w}, {}, {}},
        {"conv group", "Conv", {fact({1, 6, 7, 7}), w}, {{"group", std::int64_t{2}, {}}}, {{1, 8, 5, 5}}},
        {"conv group uneven", "Conv", {fact({1, 9, 7, 7}), w}, {{"group", std::int64_t{3}, {}}}, {}},
        {"conv bias", "Conv", {x, w, fact({7})}, {}, {}},
        {"conv too small", "Conv", {fact({1, 3, 2, 9}), w}, {}, {}},
        {"conv rank", "Conv", {fact({1, 3, 9}), w}, {}, {}},
        {"conv overflow", "Conv", {fact({1, 3, kMax, 9}), w}, {{"pads", Ints{9, 9, 9, 9}, {}}}, {}},
        {"transposed",
         "ConvTranspose",
         {fact({1, 4, 5, 5}), fact({4, 2, 3, 3})},
         {{"strides", Ints{2, 2}, {}}},
         {{1, 2, 11, 11}}},
        {"transposed padding",
         "ConvTranspose",
         {fact({1, 4, 5, 5}), fact({4, 2, 3, 3})},
         {{"strides", Ints{2, 2}, {}},
          {"pads", Ints{1, 1, 1, 1}, {}},
          {"output_padding", Ints{1, 0}, {}},
          {"group", std::int64_t{2}, {}}},
         {{1, 4, 10, 9}}},
        {"transposed output_shape",
         "ConvTranspose",
         {fact({1, 4, 5, 5}), fact({4, 2, 3, 3})},
         {{"output_shape", Ints{10, 12}, {}}, {"strides", Ints{2, 2}, {}}},
         {{1, 2, 10, 12}}},
        {"transposed same",
         "ConvTranspose",
         {fact({1, 4, 5, 5}), fact({4, 2, 3, 3})},
         {{"auto_pad", std::string("SAME_LOWER"), {}}, {"strides", Ints{3, 2}, {}}},
         {{1, 2, 15, 10}}},
        {"pool floor",
         "MaxPool",
         {fact({1, 3, 6, 7})},
         {{"kernel_shape", Ints{3, 3}, {}}, {"strides", Ints{2, 2}, {}}},
         {{1, 3, 2, 3}, {1, 3, 2, 3}}},
        {"pool ceil",
         "MaxPool",
         {fact({1, 3, 6, 7})},
         {{"kernel_shape", Ints{3, 3}, {}}, {"strides", Ints{2, 2}, {}}, {"ceil_mode", std::int64_t{1}, {}}},
         {{1, 3, 3, 3}}},
        // 5 elements, kernel 2, stride 2, one pad behind: rounding up counts a window at 6, outside the input.
        {"pool ceil drops",
         "AveragePool",
         {fact({1, 1, 5})},
         {{"kernel_shape", Ints{1}, {}},
          {"strides", Ints{3}, {}},
          {"pads", Ints{0, 1}, {}},
          {"ceil_mode", std::int64_t{1}, {}}},
         {{1, 1, 2}}},
        {"global pool", "GlobalAveragePool", {fact({2, 3, -1, 7})}, {}, {{2, 3, 1, 1}}},
        {"roi align",
         "RoiAlign",
         {fact({1, 5, 9, 9}), fact({4, 4}), fact({4}, DType::Int64)},
         {{"output_height", std::int64_t{2}, {}}, {"output_width", std::int64_t{3}, {}}},
         {{4, 5, 2, 3}}},
    };
}

std::vector<Case> matrixCases() {
    const auto equation = [](const char* text) { return Attributes{{"equation", std::string(text), {}}}; };
    return {
        {"add broadcast", "Add", {fact({2, 1, 4}), fact({3, 1})}, {}, {{2, 3, 4}}},
        {"add unknown", "Add", {fact({-1, 4}), fact({3, 1})}, {}, {{3, 4}}},
        {"add both unknown", "Add", {fact({-1, 4}), fact({1, 4})}, {}, {{-1, 4}}},
        {"add refused", "Add", {fact({2, 3}), fact({2, 4})}, {}, {}},
        {"where", "Where", {fact({3, 1}, DType::Bool), fact({4}), fact({})}, {}, {{3, 4}}},
        {"prelu refused", "PRelu", {fact({3}), fact({2, 3})}, {}, {}},
        {"gemm", "Gemm", {fact({2, 5}), fact({7, 5}), fact({7})}, {{"transB", std::int64_t{1}, {}}}, {{2, 7}}},
        {"gemm transA", "Gemm", {fact({5, 2}), fact({5, 7})}, {{"transA", std::int64_t{1}, {}}}, {{2, 7}}},
        {"gemm refused", "Gemm", {fact({2, 5}), fact({7, 5})}, {}, {}},
        {"gemm bias", "Gemm", {fact({2, 5}), fact({5, 7}), fact({3, 7})}, {}, {}},
        {"matmul", "MatMul", {fact({2, 1, 3, 4}), fact({5, 4, 6})}, {}, {{2, 5, 3, 6}}},
        {"matmul vectors", "MatMul", {fact({4}), fact({4})}, {}, {{}}},
        {"matmul row", "MatMul", {fact({4}), fact({2, 4, 6})}, {}, {{2, 6}}},
        {"matmul column", "MatMul", {fact({2, 3, 4}), fact({4})}, {}, {{2, 3}}},
        {"matmul refused", "MatMul", {fact({2, 3}), fact({4, 2})}, {}, {}},
        {"einsum", "Einsum", {fact({2, 3, 4}), fact({2, 4, 5})}, equation("bij, bjk -> bik"), {{2, 3, 5}}},
        {"einsum implicit", "Einsum", {fact({3, 4}), fact({4, 5})}, equation("ij,jk"), {{3, 5}}},
        {"einsum ellipsis", "Einsum", {fact({7, 2, 3, 4})}, equation("...ij->...ji"), {{7, 2, 4, 3}}},
        {"einsum refused", "Einsum", {fact({3, 4})}, equation("i->i"), {}},
        {"reduce", "ReduceMean", {fact({2, 3, 4})}, {{"axes", Ints{-1}, {}}}, {{2, 3, 1}}},
        {"reduce dropped",
         "ReduceMax",
         {fact({2, 3, 4})},
         {{"axes", Ints{0, 2}, {}}, {"keepdims", std::int64_t{0}, {}}},
         {{3}}},
        {"reduce input", "ReduceMean", {fact({2, 3, 4}), ints({1})}, {{"keepdims", std::int64_t{0}, {}}}, {{2, 4}}, 18},
        {"reduce noop", "ReduceSum", {fact({2, 3})}, {{"noop_with_empty_axes", std::int64_t{1}, {}}}, {{2, 3}}},
        {"reduce twice", "ReduceSum", {fact({2, 3}), ints({1, -1})}, {}, {}},
        {"argmax", "ArgMax", {fact({2, 3})}, {{"axis", std::int64_t{1}, {}}, {"keepdims", std::int64_t{0}, {}}}, {{2}}},
        {"topk", "TopK", {fact({2, 9}), ints({4})}, {}, {{2, 4}, {2, 4}}},
        {"topk refused", "TopK", {fact({2, 3}), ints({4})}, {}, {}},
        {"batch norm",
         "BatchNormalization",
         {fact({2, 3, 4}), fact({3}), fact({3}), fact({3}), fact({3})},
         {},
         {{2, 3, 4}}},
        {"batch norm refused",
         "BatchNormalization",
         {fact({2, 3, 4}), fact({2}), fact({3}), fact({3}), fact({3})},
         {},
         {}},
        {"lstm",
         "LSTM",
         {fact({5, 2, 3}), fact({2, 16, 3}), fact({2, 16, 4})},
         {{"direction", std::string("bidirectional"), {}}},
         {{5, 2, 2, 4}, {2, 2, 4}, {2, 2, 4}}},
        {"gru refused", "GRU", {fact({5, 2, 3}), fact({1, 16, 3}), fact({1, 12, 4})}, {}, {}},
        {"qlinear conv",
         "QLinearConv",
         {fact({1, 3, 5, 5}, DType::Uint8), fact({}), fact({}, DType::Uint8), fact({2, 3, 3, 3}, DType::Int8), fact({}),
          fact({}, DType::Int8), fact({}), fact({}, DType::Uint8)},
         {},
         {{1, 2, 3, 3}}},
    };
}

std::vector<Case> movementCases() {
    const auto axis = [](std::int64_t value) { return Attributes{{"axis", value, {}}}; };
    const auto x = fact({2, 3, 4});
    const auto none = omitted();
    return {
        {"reshape", "Reshape", {x, ints({0, -1})}, {}, {{2, 12}}},
        {"reshape unknown batch", "Reshape", {fact({-1, 3, 4}), ints({0, -1})}, {}, {{-1, 12}}},
        {"reshape flatten batch", "Reshape", {fact({-1, 3, 4}), ints({-1, 12})}, {}, {{-1, 12}}},
        {"reshape allowzero", "Reshape", {fact({0, 3}), ints({0, 5})}, {{"allowzero", std::int64_t{1}, {}}}, {{0, 5}}},
        {"reshape refused", "Reshape", {x, ints({5, -1})}, {}, {}},
        {"reshape count", "Reshape", {x, ints({5, 5})}, {}, {}},
        {"reshape two", "Reshape", {x, ints({-1, -1})}, {}, {}},
        {"flatten", "Flatten", {fact({2, 3, 4, 5})}, axis(2), {{6, 20}}},
        {"flatten negative", "Flatten", {fact({2, 3, 4, 5})}, axis(-1), {{24, 5}}},
        {"squeeze attribute", "Squeeze", {fact({1, 3, 1})}, {{"axes", Ints{0}, {}}}, {{3, 1}}, 11},
        {"squeeze input", "Squeeze", {fact({1, 3, 1}), ints({-1})}, {}, {{1, 3}}},
        {"squeeze all", "Squeeze", {fact({1, 3, 1})}, {}, {{3}}},
        {"squeeze refused", "Squeeze", {x, ints({1})}, {}, {}},
        {"unsqueeze", "Unsqueeze", {fact({3, 4}), ints({0, -1})}, {}, {{1, 3, 4, 1}}},
        {"transpose", "Transpose", {x}, {{"perm", Ints{1, 2, 0}, {}}}, {{3, 4, 2}}},
        {"transpose default", "Transpose", {x}, {}, {{4, 3, 2}}},
        {"transpose refused", "Transpose", {x}, {{"perm", Ints{1, 1, 0}, {}}}, {}},
        {"concat", "Concat", {x, fact({2, 5, 4})}, axis(1), {{2, 8, 4}}},
        {"concat refused", "Concat", {x, fact({2, 5, 3})}, axis(1), {}},
        {"split equal", "Split", {fact({6, 2})}, {}, {{3, 2}, {3, 2}}},
        {"split sizes", "Split", {fact({6, 2}), ints({1, 5})}, {}, {{1, 2}, {5, 2}}},
        {"split old sizes", "Split", {fact({6, 2})}, {{"split", Ints{2, 4}, {}}}, {{2, 2}, {4, 2}}, 11},
        {"split uneven", "Split", {fact({7})}, {{"num_outputs", std::int64_t{3}, {}}}, {{3}, {3}, {1}}, 18},
        {"split refused", "Split", {fact({6, 2}), ints({1, 4})}, {}, {}},
        {"slice", "Slice", {fact({10, 20}), ints({1, -5}), ints({kMax, -1}), ints({0, 1}), ints({3, 1})}, {}, {{3, 4}}},
        {"slice reversed",
         "Slice",
         {fact({10}), ints({-1}), ints({std::numeric_limits<std::int64_t>::min()}), ints({0}), ints({-1})},
         {},
         {{10}}},
        {"slice backwards", "Slice", {fact({10}), ints({7}), ints({2}), ints({0}), ints({-2})}, {}, {{3}}},
        {"slice attributes",
         "Slice",
         {fact({10, 20})},
         {{"starts", Ints{0}, {}}, {"ends", Ints{-1}, {}}, {"axes", Ints{1}, {}}},
         {{10, 19}},
         9},
        {"slice empty", "Slice", {fact({10}), ints({5}), ints({2})}, {}, {{0}}},
        {"slice step", "Slice", {fact({10}), ints({0}), ints({9}), ints({0}), ints({0})}, {}, {}},
        {"pad", "Pad", {x, ints({0, 1, 2, 0, 1, -1})}, {}, {{2, 5, 5}}},
        {"pad attribute", "Pad", {fact({2, 3})}, {{"pads", Ints{0, 1, 0, 2}, {}}}, {{2, 6}}, 10},
        {"pad axes", "Pad", {x, ints({1, 2}), none, ints({-1})}, {}, {{2, 3, 7}}, 18},
        {"pad refused", "Pad", {fact({2}), ints({-2, -1})}, {}, {}},
        {"tile", "Tile", {x, ints({2, 1, 3})}, {}, {{4, 3, 12}}},
        {"expand", "Expand", {fact({3, 1}), ints({2, 1, 4})}, {}, {{2, 3, 4}}},
        {"gather", "Gather", {x, fact({5, 6}, DType::Int64)}, axis(1), {{2, 5, 6, 4}}},
        {"gather scalar", "Gather", {x, scalar(0)}, axis(-1), {{2, 3}}},
        {"gather nd",
         "GatherND",
         {x, fact({2, 5, 1}, DType::Int64)},
         {{"batch_dims", std::int64_t{1}, {}}},
         {{2, 5, 4}}},
        {"depth to space", "DepthToSpace", {fact({1, 8, 2, 3})}, {{"blocksize", std::int64_t{2}, {}}}, {{1, 2, 4, 6}}},
        {"space to depth", "SpaceToDepth", {fact({1, 2, 4, 6})}, {{"blocksize", std::int64_t{2}, {}}}, {{1, 8, 2, 3}}},
        {"resize scales", "Resize", {fact({1, 3, 5, 5}), none, vec<float>({1, 1, 2, 0.5F})}, {}, {{1, 3, 10, 2}}},
        {"resize old", "Resize", {fact({1, 3, 5, 5}), vec<float>({1, 1, 2, 2})}, {}, {{1, 3, 10, 10}}, 10},
        {"resize sizes", "Resize", {fact({1, 3, 5, 5}), none, none, ints({1, 3, 7, 9})}, {}, {{1, 3, 7, 9}}},
        {"resize not larger",
         "Resize",
         {fact({1, 3, 4, 8}), none, none, ints({6, 8})},
         {{"axes", Ints{2, 3}, {}}, {"keep_aspect_ratio_policy", std::string("not_larger"), {}}},
         {{1, 3, 4, 8}},
         18},
        {"upsample",
         "Upsample",
         {fact({1, 3, 5, 5})},
         {{"scales", std::vector<float>{1, 1, 3, 2}, {}}},
         {{1, 3, 15, 10}},
         7},
        {"one hot", "OneHot", {fact({2, 3}, DType::Int64), scalar(10), fact({2})}, {}, {{2, 3, 10}}},
        {"range", "Range", {scalar(3), scalar(-4), scalar(-2)}, {}, {{4}}},
        {"non zero", "NonZero", {x}, {}, {{3, -1}}},
        {"grid sample", "GridSample", {fact({2, 3, 9, 9}), fact({2, 4, 5, 2})}, {}, {{2, 3, 4, 5}}},
        {"unknown operator", "NoSuchThing", {x}, {}, {}},
    };
}

/// Facts without any type or shape must not be mistaken for refusal.
bool isUnknownOperator(const Case& c) {
    return std::string_view(c.op) == "NoSuchThing";
}

void check(const Case& c) {
    const Node node = makeNode(c.op, c.inputs.size(), std::max<std::size_t>(c.outputs.size(), 1), c.attributes);
    Node given = node;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        if (!c.inputs[i].shape) given.inputs[i].clear();
    }
    const auto facts = inferNode(given, c.inputs, c.opset);
    if (isUnknownOperator(c)) {
        QVERIFY(facts && facts->size() == 1 && !facts->front().shape);
    } else if (c.outputs.empty()) {
        QVERIFY2(!facts, "should have been refused");
        QVERIFY(facts.error().code == ErrorCode::InvalidArgument);
        QVERIFY(facts.error().message.find("'n'") != std::string::npos);
    } else {
        QVERIFY2(facts.has_value(), facts ? "" : facts.error().message.c_str());
        for (std::size_t k = 0; k < c.outputs.size(); ++k) {
            QVERIFY((*facts)[k].shape.has_value());
            QCOMPARE(toString(*(*facts)[k].shape), toString(c.outputs[k]));
        }
    }
}

void addRows(const std::vector<Case>& cases) {
    QTest::addColumn<int>("index");
    for (std::size_t i = 0; i < cases.size(); ++i) QTest::newRow(cases[i].name) << static_cast<int>(i);
}

const Case& current(const std::vector<Case>& cases) {
    QFETCH(int, index);
    return cases[static_cast<std::size_t>(index)];
}

ValueInfo declared(std::string name, std::vector<Dim> dims) {
    return {std::move(name), DType::Float, std::move(dims), {}};
}

Model emptyModel() {
    Model model;
    model.opsets[""] = 17;
    return model;
}

}  // namespace

class TestShapes : public QObject {
    Q_OBJECT
private slots:
    void windows_data() { addRows(windowCases()); }
    void windows() { check(current(windowCases())); }
    void matrices_data() { addRows(matrixCases()); }
    void matrices() { check(current(matrixCases())); }
    void movements_data() { addRows(movementCases()); }
    void movements() { check(current(movementCases())); }
    void types();
    void shapeChainWithUnknownBatch();
    void graphPolicy();
    void graphContradiction();
    void nonsenseNeverCrashes();
};

void TestShapes::types() {
    const auto typeOf = [](const char* op, std::vector<ValueFacts> inputs, Attributes attributes = {}) {
        const auto facts = inferNode(makeNode(op, inputs.size(), 1, std::move(attributes)), inputs, 17);
        return facts ? facts->front().dtype : DType::Undefined;
    };
    QCOMPARE(typeOf("Less", {fact({2}), fact({2})}), DType::Bool);
    QCOMPARE(typeOf("Cast", {fact({2})}, {{"to", std::int64_t{7}, {}}}), DType::Int64);
    QCOMPARE(typeOf("QuantizeLinear", {fact({2}), fact({})}), DType::Uint8);
    QCOMPARE(typeOf("QuantizeLinear", {fact({2}), fact({}), fact({}, DType::Int8)}), DType::Int8);
    QCOMPARE(typeOf("DequantizeLinear", {fact({2}, DType::Int8), fact({})}), DType::Float);
    QCOMPARE(typeOf("ConvInteger", {fact({1, 1, 3}, DType::Uint8), fact({1, 1, 3}, DType::Uint8)}), DType::Int32);
    QCOMPARE(typeOf("Where", {fact({2}, DType::Bool), fact({2}, DType::Int32), fact({2}, DType::Int32)}), DType::Int32);
    const auto size = inferNode(makeNode("Size", 1, 1, {}), std::vector{fact({3, 4})}, 17);
    QVERIFY(size && size->front().constant);
    QCOMPARE(size->front().constant->data<std::int64_t>()[0], 12);
}

/// Reshape(x, Concat(Gather(Shape(x), 0), [-1])) keeps the unknown batch and infers the rest; with Shape - 1 in between
/// what is known stays known.
void TestShapes::shapeChainWithUnknownBatch() {
    Model model = emptyModel();
    Graph& graph = model.graph;
    graph.inputs = {declared("x", {{-1, "N"}, {3, ""}, {4, ""}})};
    graph.outputs = {{"y", DType::Float, std::nullopt, {}}, {"z", DType::Float, std::nullopt, {}}};
    graph.initializers = {{"zero", Tensor({1}, {std::int64_t{0}}), {}},
                          {"one", Tensor({1}, {std::int64_t{1}}), {}},
                          {"two", Tensor({1}, {std::int64_t{2}}), {}}};
    const auto add = [&](const char* type, std::vector<std::string> inputs, const char* output,
                         Attributes attributes = {}) {
        Node node = makeNode(type, 0, 0, std::move(attributes));
        node.inputs = std::move(inputs);
        node.outputs = {output};
        graph.nodes.push_back(node);
    };
    add("Shape", {"x"}, "s");
    add("Gather", {"s", "zero"}, "n");
    add("Gather", {"s", "one"}, "c");
    add("Gather", {"s", "two"}, "w");
    add("Mul", {"c", "w"}, "cw");
    add("Concat", {"n", "cw"}, "t", {{"axis", std::int64_t{0}, {}}});
    add("Reshape", {"x", "t"}, "y");
    add("Expand", {"x", "s"}, "z");
    const auto open = inferShapes(model, {});
    QVERIFY2(open.has_value(), open ? "" : open.error().message.c_str());
    QCOMPARE(toString(*open->at("y").shape), std::string("?x12"));
    QCOMPARE(toString(*open->at("z").shape), std::string("?x3x4"));
    ShapeOptions options;
    options.batch = 5;
    const auto closed = inferShapes(model, options);
    QVERIFY(closed.has_value());
    QCOMPARE(toString(*closed->at("y").shape), std::string("5x12"));
    QVERIFY(closed->at("t").constant.has_value());
}

void TestShapes::graphPolicy() {
    Model model = emptyModel();
    model.graph.inputs = {declared("x", {{-1, "N"}, {3, ""}})};
    Node node = makeNode("Mystery", 0, 0, {});
    node.domain = "com.example";
    node.inputs = {"x"};
    node.outputs = {"m"};
    model.graph.nodes = {node};
    model.graph.outputs = {declared("m", {{-1, "N"}, {8, ""}})};
    ShapeOptions options;
    options.batch = 2;
    QCOMPARE(toString(*inferShapes(model, options)->at("m").shape), std::string("2x8"));
    QVERIFY(inferShapes(model, options)->at("m").isFullyKnown());
    QCOMPARE(toString(*inferShapes(model, {})->at("m").shape), std::string("?x8"));
    options.inputShapes["x"] = {4, 3};
    QCOMPARE(toString(*inferShapes(model, options)->at("m").shape), std::string("4x8"));
    options.inputShapes["x"] = {4, 9};  // what the file declares no longer holds
    QVERIFY(!inferShapes(model, options)->at("m").shape.has_value());
    options.inputShapes["nobody"] = {1};
    QVERIFY(inferShapes(model, options).error().code == ErrorCode::InvalidArgument);
}

void TestShapes::graphContradiction() {
    Model model = emptyModel();
    model.graph.inputs = {declared("x", {{1, ""}, {4, ""}, {8, ""}, {8, ""}})};
    model.graph.initializers = {{"w", Tensor(DType::Float, {2, 3, 3, 3}), {}}};
    Node node = makeNode("Conv", 0, 0, {});
    node.name = "first";
    node.inputs = {"x", "w"};
    node.outputs = {"y"};
    model.graph.nodes = {node};
    const auto facts = inferShapes(model, {});
    QVERIFY(!facts);
    QCOMPARE(facts.error().subject, std::string("first"));
    for (const char* part : {"first", "1x4x8x8", "2x3x3x3"}) {
        QVERIFY2(facts.error().message.find(part) != std::string::npos, facts.error().message.c_str());
    }
}

/// Random operators with random ranks, dimensions, contents and attributes: an answer or an error, never a crash, and
/// never a dimension below -1.
void TestShapes::nonsenseNeverCrashes() {
    std::mt19937 random(20240517);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
    const std::vector<std::int64_t> numbers{-1, 0, 1, 1, 2, 3, 4, 5, 7, 64, -2, -3, kMax, -kMax - 1, 1LL << 40};
    const auto number = [&] { return numbers[below(numbers.size())]; };
    const auto list = [&] {
        Ints values(below(5));
        for (auto& value : values) value = number();
        return values;
    };
    std::vector<std::string> operators;
    for (const auto& cases : {windowCases(), matrixCases(), movementCases()}) {
        for (const auto& c : cases) operators.emplace_back(c.op);
    }
    for (const char* op : {"Shape",
                           "Size",
                           "ConstantOfShape",
                           "Compress",
                           "Unique",
                           "MaxUnpool",
                           "MaxRoiPool",
                           "Col2Im",
                           "AffineGrid",
                           "CenterCropPad",
                           "LayerNormalization",
                           "Multinomial",
                           "HannWindow",
                           "Det",
                           "Dropout",
                           "QuantizeLinear",
                           "Sub",
                           "Mul",
                           "Div",
                           "Neg",
                           "ReduceProd",
                           "Equal"}) {
        operators.emplace_back(op);
    }
    const char* keys[] = {"axes",       "axis",        "kernel_shape",   "strides",      "pads",       "dilations",
                          "group",      "perm",        "split",          "starts",       "ends",       "blocksize",
                          "keepdims",   "k",           "output_padding", "output_shape", "batch_dims", "shape",
                          "ceil_mode",  "hidden_size", "start",          "end",          "allowzero",  "pooled_shape",
                          "num_outputs"};
    int accepted = 0;
    for (int i = 0; i < 20000; ++i) {
        Attributes attributes;
        for (auto count = below(5); count > 0; --count) {
            const char* key = keys[below(std::size(keys))];
            if (below(2) == 0) {
                attributes.push_back({key, list(), {}});
            } else {
                attributes.push_back({key, number(), {}});
            }
        }
        std::vector<ValueFacts> inputs(below(6));
        for (auto& input : inputs) {
            const auto kind = below(4);
            if (kind == 0) input = ints(list());
            if (kind == 1) input = scalar(number());
            if (kind == 2) input = fact(list());
        }
        const auto node = makeNode(operators[below(operators.size())], inputs.size(), below(4), std::move(attributes));
        const auto facts = inferNode(node, inputs, static_cast<std::int64_t>(7 + below(15)));
        if (!facts) continue;
        ++accepted;
        QCOMPARE(facts->size(), node.outputs.size());
        for (const auto& output : *facts) {
            for (const auto dim : output.shape.value_or(Shape{})) QVERIFY(dim >= -1);
        }
    }
    QVERIFY(accepted > 1000 && accepted < 19000);
}

EQUANT_TEST(TestShapes)
}  // namespace test_shapes

#include "test_shapes.moc"
