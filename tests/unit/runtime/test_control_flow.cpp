// SPDX-License-Identifier: Apache-2.0
// If, Loop and Scan inside compiled models: captured values, shapes that change, branches decided while compiling; and
// functions a model brings along.
#include "core/graph/inlining.h"
#include "core/graph/onnx_io.h"
#include "core/runtime/exec/executor.h"
#include "core/runtime/kernels/evaluate.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_control_flow {

using namespace equant;
using namespace equant::test;

namespace {

using Ints = std::vector<std::int64_t>;

std::shared_ptr<const Graph> body(const ModelBuilder& builder) {
    return std::make_shared<const Graph>(builder.build().graph);
}

Tensor flag(bool value) {
    Tensor tensor(DType::Bool, {});
    tensor.mutableData<bool>()[0] = value;
    return tensor;
}

Tensor whole(std::int64_t value) {
    return Tensor(Shape{}, {value});
}

Tensor floats(Shape shape, std::vector<float> values) {
    return Tensor(std::move(shape), values);
}

/// then: relu(x) of the outer graph; else: the first row of x. Afterwards everything is doubled.
ModelBuilder branching() {
    ModelBuilder then;
    then.node("Relu", {"x"}, {"then_y"}).output("then_y");
    ModelBuilder otherwise;
    otherwise.constant("row", Tensor(Shape{1}, {std::int64_t{0}}))
        .node("Gather", {"x", "row"}, {"else_y"})
        .output("else_y");
    ModelBuilder builder;
    builder.input("x", {2, 3}).constant("two", floats({}, {2.0F}));
    builder.node("If", {"cond"}, {"chosen"}, {{"then_branch", body(then)}, {"else_branch", body(otherwise)}});
    builder.node("Mul", {"chosen", "two"}, {"y"}).output("y");
    return builder;
}

const Tensor kMatrix(Shape{2, 3}, {1.0F, -2.0F, 3.0F, -4.0F, 5.0F, -6.0F});

/// carried = carried + x * iteration, stacks the carried value; goes on while it is below `limit`.
Model summing(std::optional<std::int64_t> trips) {
    ModelBuilder step;
    step.input("i", {}, DType::Int64).input("go", {}, DType::Bool).input("sum", {2});
    step.node("Cast", {"i"}, {"f"}, {{"to", std::int64_t{1}}})
        .node("Mul", {"x", "f"}, {"part"})
        .node("Add", {"sum", "part"}, {"next"})
        .node("ReduceMax", {"next"}, {"largest"}, {{"keepdims", std::int64_t{0}}})
        .node("Less", {"largest", "limit"}, {"go_on"})
        .node("Identity", {"next"}, {"row"});
    step.output("go_on", {}, DType::Bool).output("next", {2}).output("row", {2});
    ModelBuilder builder;
    builder.input("x", {2}).input("limit", {}).constant("zero", floats({2}, {0.0F, 0.0F}));
    if (trips) builder.constant("trips", whole(*trips));
    builder.node("Loop", {trips ? "trips" : "", "", "zero"}, {"final", "rows"}, {{"body", body(step)}});
    builder.node("Neg", {"rows"}, {"y"}).output("final").output("y");
    return builder.build();
}

}  // namespace

class TestControlFlow : public QObject {
    Q_OBJECT

private slots:
    void branchChosenWhileRunning();
    void branchDecidedByConstant();
    void branchDecidedByShape();
    void nestedBranches();
    void loopCounts();
    void loopStopsByCondition();
    void loopThatNeverEnds();
    void scanForwardsAndBackwards();
    void bodiesThatCannotRun();
    void functionsAreInlined();
    void functionsThatCallThemselves();
};

void TestControlFlow::branchChosenWhileRunning() {
    const Model model = branching().input("cond", {}, DType::Bool).build();
    const auto executor = Executor::create(model);
    QVERIFY2(executor.has_value(), executor ? "" : describe(executor.error()).c_str());
    for (int round = 0; round < 2; ++round) {  // one plan, shapes that change from run to run
        const auto then = (*executor)->run(std::vector{kMatrix, flag(true)});
        QVERIFY2(then.has_value(), then ? "" : describe(then.error()).c_str());
        QVERIFY((*then)[0] == floats({2, 3}, {2, 0, 6, 0, 10, 0}));
        const auto otherwise = (*executor)->run(std::vector{kMatrix, flag(false)});
        QVERIFY(otherwise.has_value());
        QVERIFY((*otherwise)[0] == floats({1, 3}, {2, -4, 6}));
    }
}

void TestControlFlow::branchDecidedByConstant() {
    const Model model = branching().constant("cond", flag(true)).build();
    const RunResult result = compileAndRun(model, {kMatrix});
    QVERIFY2(result.error.empty(), result.error.c_str());
    QVERIFY(result.outputs[0] == floats({2, 3}, {2, 0, 6, 0, 10, 0}));
    QVERIFY(!hasStep(result, "If If_"));
    QVERIFY(!hasStep(result, "[plain]"));  // the branch takes part in the fusions
}

void TestControlFlow::branchDecidedByShape() {
    ModelBuilder builder = branching();
    Model model = builder.constant("one", Tensor(Shape{}, {std::int64_t{3}}))
                      .constant("axis", whole(1))
                      .node("Shape", {"x"}, {"shape"})
                      .node("Gather", {"shape", "axis"}, {"columns"})
                      .node("Equal", {"columns", "one"}, {"cond"})
                      .build();
    const RunResult result = compileAndRun(model, {kMatrix});
    QVERIFY2(result.error.empty(), result.error.c_str());
    QVERIFY(result.outputs[0] == floats({2, 3}, {2, 0, 6, 0, 10, 0}));
    QVERIFY(!hasStep(result, "If If_"));
}

void TestControlFlow::nestedBranches() {
    // The inner If reads a value of the outermost graph and one of the branch around it.
    ModelBuilder add;
    add.node("Add", {"middle", "x"}, {"sum"}).output("sum");
    ModelBuilder subtract;
    subtract.node("Sub", {"middle", "x"}, {"difference"}).output("difference");
    ModelBuilder outer;
    outer.node("Mul", {"x", "x"}, {"middle"});
    outer.node("If", {"inner"}, {"result"}, {{"then_branch", body(add)}, {"else_branch", body(subtract)}});
    outer.output("result");
    ModelBuilder identity;
    identity.node("Identity", {"x"}, {"same"}).output("same");
    ModelBuilder builder;
    builder.input("x", {2}).input("cond", {}, DType::Bool).input("inner", {}, DType::Bool);
    builder.node("If", {"cond"}, {"y"}, {{"then_branch", body(outer)}, {"else_branch", body(identity)}}).output("y");
    const Tensor x = floats({2}, {3, -2});
    const auto run = [&](bool cond, bool inner) {
        const RunResult result = compileAndRun(builder.build(), {x, flag(cond), flag(inner)});
        return result.error.empty() ? result.outputs[0] : Tensor();
    };
    QVERIFY(run(true, true) == floats({2}, {12, 2}));
    QVERIFY(run(true, false) == floats({2}, {6, 6}));
    QVERIFY(run(false, true) == x);
    // Decided while compiling: both levels disappear.
    Model decided = builder.build();
    decided.graph.inputs.resize(1);
    decided.graph.initializers = {{"cond", flag(true), {}}, {"inner", flag(false), {}}};
    const RunResult result = compileAndRun(decided, {x});
    QVERIFY2(result.error.empty(), result.error.c_str());
    QVERIFY(result.outputs[0] == floats({2}, {6, 6}));
    QVERIFY(!hasStep(result, "If If_"));
}

void TestControlFlow::loopCounts() {
    const RunResult three = compileAndRun(summing(3), {floats({2}, {1, 2}), floats({}, {1000})}, {}, 2);
    QVERIFY2(three.error.empty(), three.error.c_str());
    QVERIFY(three.outputs[0] == floats({2}, {3, 6}));
    QVERIFY(three.outputs[1] == floats({3, 2}, {-0.0F, -0.0F, -1, -2, -3, -6}));
    const RunResult none = compileAndRun(summing(0), {floats({2}, {1, 2}), floats({}, {1000})});
    QVERIFY2(none.error.empty(), none.error.c_str());
    QVERIFY(none.outputs[0] == floats({2}, {0, 0}));
    QCOMPARE(none.outputs[1].shape(), (Shape{0, 2}));
}

void TestControlFlow::loopThatNeverEnds() {
    ModelBuilder step;
    step.input("i", {}, DType::Int64).input("go", {}, DType::Bool).output("go", {}, DType::Bool);
    ModelBuilder builder;
    builder.node("Loop", {"trips", ""}, {}, {{"body", body(step)}});
    const Model model = builder.build();
    const std::vector<Tensor> endless{whole(std::numeric_limits<std::int64_t>::max()), Tensor()};
    const auto result = evaluateNode(model.graph.nodes[0], endless, 13);
    QVERIFY(!result.has_value());
    QCOMPARE(result.error().code, ErrorCode::OutOfRange);
    QVERIFY2(result.error().message.find("1000000 iterations") != std::string::npos, result.error().message.c_str());
    QVERIFY(!result.error().subject.empty() && !result.error().hint.empty());
    QVERIFY(evaluateNode(model.graph.nodes[0], std::vector<Tensor>{whole(1000), Tensor()}, 13).has_value());
}

void TestControlFlow::loopStopsByCondition() {
    const auto executor = Executor::create(summing(std::nullopt));
    QVERIFY2(executor.has_value(), executor ? "" : describe(executor.error()).c_str());
    for (const auto& [limit, rows] : std::vector<std::pair<float, std::int64_t>>{{1.0F, 2}, {11.0F, 4}, {4.0F, 3}}) {
        const auto result = (*executor)->run(std::vector{floats({2}, {1, 2}), floats({}, {limit})});
        QVERIFY2(result.has_value(), result ? "" : describe(result.error()).c_str());
        QCOMPARE((*result)[1].shape(), (Shape{rows, 2}));
        const auto steps = static_cast<float>(rows * (rows - 1) / 2);
        QVERIFY((*result)[0] == floats({2}, {steps, 2 * steps}));
    }
}

void TestControlFlow::scanForwardsAndBackwards() {
    // Cumulative sums along axis 1; backwards, and stacked as columns.
    ModelBuilder step;
    step.input("state", {2}).input("slice", {2});
    step.node("Add", {"state", "slice"}, {"next"}).node("Mul", {"next", "factor"}, {"out"});
    step.output("next", {2}).output("out", {2});
    for (const bool isBackward : {false, true}) {
        ModelBuilder builder;
        builder.input("x", {2, 3}).constant("start", floats({2}, {0, 0})).constant("factor", floats({}, {10}));
        const std::int64_t direction = isBackward ? 1 : 0;
        builder.node("Scan", {"start", "x"}, {"last", "y"},
                     {{"body", body(step)},
                      {"num_scan_inputs", std::int64_t{1}},
                      {"scan_input_axes", Ints{1}},
                      {"scan_input_directions", Ints{direction}},
                      {"scan_output_axes", Ints{1}},
                      {"scan_output_directions", Ints{direction}}});
        const Model model = builder.output("last").output("y").build();
        const RunResult result = compileAndRun(model, {floats({2, 3}, {1, 2, 3, 4, 5, 6})}, {}, 2);
        QVERIFY2(result.error.empty(), result.error.c_str());
        QVERIFY(result.outputs[0] == floats({2}, {6, 15}));
        QVERIFY(result.outputs[1] ==
                (isBackward ? floats({2, 3}, {60, 50, 30, 150, 110, 60}) : floats({2, 3}, {10, 30, 60, 40, 90, 150})));
    }
}

void TestControlFlow::bodiesThatCannotRun() {
    ModelBuilder bad;
    bad.node("NoSuchOperator", {"x"}, {"r"}).output("r");
    ModelBuilder good;
    good.node("Relu", {"x"}, {"r"}).output("r");
    ModelBuilder open;
    open.node("Relu", {"nowhere"}, {"r"}).output("r");
    ModelBuilder builder;
    builder.input("x", {2}).input("cond", {}, DType::Bool);
    builder.node("If", {"cond"}, {"y"}, {{"then_branch", body(bad)}, {"else_branch", body(good)}}).output("y");
    const auto missing = unsupportedNodes(builder.build());
    QCOMPARE(missing.size(), std::size_t{1});
    QVERIFY(missing[0].reason.find("NoSuchOperator") != std::string::npos);
    const auto plan = compile(builder.build(), {});
    QVERIFY(!plan.has_value());
    QCOMPARE(plan.error().code, ErrorCode::Unsupported);
    // Bodies that do not fit their node, or read what nobody computes.
    for (const Model& model :
         {ModelBuilder().input("x", {2}).node("Loop", {"", ""}, {"y"}, {{"body", body(good)}}).output("y").build(),
          ModelBuilder().input("x", {2}).node("Loop", {"", "", "x"}, {"y"}).output("y").build(),
          ModelBuilder().input("x", {2}).node("Scan", {"x"}, {"y"}, {{"body", body(good)}}).output("y").build(),
          ModelBuilder()
              .input("x", {2})
              .input("cond", {}, DType::Bool)
              .node("If", {"cond"}, {"y"}, {{"then_branch", body(open)}, {"else_branch", body(good)}})
              .output("y")
              .build()}) {
        QVERIFY(!compile(model, {}).has_value());
    }
    // A condition of several elements.
    ModelBuilder wide;
    wide.input("x", {2}).input("cond", {2}, DType::Bool);
    wide.node("If", {"cond"}, {"y"}, {{"then_branch", body(good)}, {"else_branch", body(good)}}).output("y");
    const RunResult result = compileAndRun(wide.build(), {floats({2}, {1, 2}), Tensor(DType::Bool, {2})});
    QVERIFY(result.error.find("condition") != std::string::npos);
}

void TestControlFlow::functionsAreInlined() {
    // Made with onnx.helper: out = -Twice(in); Twice = Bend<0.25>(Bend<0.5>(x)); Bend<slope>(a) = LeakyRelu(a) + a.
    const QByteArray bytes = QByteArray::fromBase64(
        "CAgSADpoCiAKAmluEgFtGgV0d2ljZSIFVHdpY2U6CW15LmRvbWFpbgoSCgFtEgNvdXQaA25lZyIDTmVnEgFnWhUKAmluEg8KDQgBEgkKAxIB"
        "TgoCCAJiFgoDb3V0Eg8KDQgBEgkKAxIBTgoCCAJCBAoAEA1CDQoJbXkuZG9tYWluEAHKAWUKBEJlbmQiAWEqAWMyBXNsb3BlOioKAWESAWIa"
        "A2FjdCIJTGVha3lSZWx1KhIKBWFscGhhoAEBqgEFc2xvcGU6EwoBYgoBYRIBYxoDc3VtIgNBZGRKBAoAEA1SCW15LmRvbWFpbsoBkAEKBVR3"
        "aWNlIgF4KgF5Oi8KAXgSAXQaBWZpcnN0IgRCZW5kKg8KBXNsb3BlFQAAAD+gAQE6CW15LmRvbWFpbjowCgF0EgF5GgZzZWNvbmQiBEJlbmQq"
        "DwoFc2xvcGUVAACAPqABAToJbXkuZG9tYWluSgQKABANSg0KCW15LmRvbWFpbhABUglteS5kb21haW4=");
    const auto model = parseOnnx({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    QVERIFY2(model.has_value(), model ? "" : describe(model.error()).c_str());
    QCOMPARE(model->functionIds.size(), std::size_t{2});
    const auto inlined = inlineFunctions(*model);
    QVERIFY(inlined.has_value());
    QCOMPARE(inlined->graph.nodes.size(), std::size_t{5});
    QCOMPARE(inlined->graph.nodes[0].label(), std::string("twice/first/act"));
    QCOMPARE(inlined->graph.nodes[0].floatAttribute("alpha", 0), 0.5F);
    QVERIFY(unsupportedNodes(*model).empty());
    const auto executor = Executor::create(*model);
    QVERIFY2(executor.has_value(), executor ? "" : describe(executor.error()).c_str());
    const auto result = (*executor)->run(std::vector{floats({1, 2}, {-4, 1})});
    QVERIFY2(result.has_value(), result ? "" : describe(result.error()).c_str());
    QVERIFY((*result)[0] == floats({1, 2}, {7.5, -4}));  // -4 -> -2 - 4 -> -1.5 - 6
}

void TestControlFlow::functionsThatCallThemselves() {
    // One function "F" of domain "d" whose only node is a call of "F".
    const QByteArray bytes = QByteArray::fromBase64(
        "CAgSADozCgwKAXgSAXkiAUY6AWQSAWdaDwoBeBIKCggIARIECgIIAmIPCgF5EgoKCAgBEgQKAggCQgQKABANQgUKAWQQAcoBJwoB"
        "RiIBYSoBYjoMCgFhEgFiIgFGOgFkSgQKABANSgUKAWQQAVIBZA==");
    const auto model = parseOnnx({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    QVERIFY2(model.has_value(), model ? "" : describe(model.error()).c_str());
    const auto inlined = inlineFunctions(*model);
    QVERIFY(!inlined.has_value());
    QCOMPARE(inlined.error().code, ErrorCode::Corrupt);
}

EQUANT_TEST(TestControlFlow)
}  // namespace test_control_flow

#include "test_control_flow.moc"
