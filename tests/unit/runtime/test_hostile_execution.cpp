// SPDX-License-Identifier: Apache-2.0
// Models of many operators, spoiled in one place, up to their execution; and sizes that no machine has. They may be
// refused; they may not crash, hang or ask for absurd amounts of memory: the sanitizers and the memory limit are the
// judges. The steps before execution are the subject of test_hostile_models.
#include <QTest>
#include <sys/resource.h>

#include "core/graph/onnx_io.h"
#include "core/inspection/inspection.h"
#include "core/passes/equalize.h"
#include "core/passes/weight_ranges.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"
#include "tests/unit/support/mutation.h"

namespace test_hostile_execution {

using namespace equant;
using namespace equant::test;

#if defined(__SANITIZE_ADDRESS__)
extern "C" const char* __asan_default_options() {
    return "max_allocation_size_mb=1024";
}
#endif

namespace {

using Ints = std::vector<std::int64_t>;

Tensor ints(const Ints& values) {
    return Tensor({static_cast<std::int64_t>(values.size())}, values);
}

/// What a mobile network is made of.
Model mobileNet() {
    const auto vector = [](std::int64_t count, unsigned seed) { return randomTensor({count}, seed, 0.5F, 1.5F); };
    ModelBuilder builder;
    builder.input("x", {-1, 2, 6, 6}).output("y");
    builder.constant("w1", randomTensor({4, 2, 3, 3}, 1)).constant("b1", randomTensor({4}, 2));
    builder.constant("w2", randomTensor({4, 1, 3, 3}, 3)).constant("w3", randomTensor({6, 4, 1, 1}, 4));
    builder.constant("w4", randomTensor({3, 6}, 5)).constant("b4", randomTensor({3}, 6));
    builder.constant("zero", Tensor(Shape{}, {0.F})).constant("six", Tensor(Shape{}, {6.F}));
    for (unsigned i = 0; i < 4; ++i) builder.constant("n" + std::to_string(i), vector(4, 10 + i));
    const Ints pads{1, 1, 1, 1};
    builder.node("Conv", {"x", "w1", "b1"}, {"c1"}, {{"pads", pads}, {"strides", Ints{1, 1}}});
    builder.node("BatchNormalization", {"c1", "n0", "n1", "n2", "n3"}, {"m1"});
    builder.node("Clip", {"m1", "zero", "six"}, {"r1"});
    builder.node("Conv", {"r1", "w2"}, {"c2"}, {{"group", std::int64_t{4}}, {"pads", pads}, {"strides", Ints{2, 2}}});
    builder.node("BatchNormalization", {"c2", "n3", "n2", "n1", "n0"}, {"m2"});
    builder.node("Relu", {"m2"}, {"r2"});
    builder.node("Conv", {"r2", "w3"}, {"c3"}, {{"kernel_shape", Ints{1, 1}}, {"dilations", Ints{1, 1}}});
    builder.node("Add", {"c3", "c3"}, {"a3"});
    builder.node("GlobalAveragePool", {"a3"}, {"g"});
    builder.node("Flatten", {"g"}, {"f"}, {{"axis", std::int64_t{1}}});
    builder.node("Gemm", {"f", "w4", "b4"}, {"y"}, {{"transB", std::int64_t{1}}, {"alpha", 1.F}});
    return builder.build();
}

/// Pooling, resizing, padding and other moving about.
Model mixedOperators() {
    ModelBuilder builder;
    builder.input("x", {1, 2, 6, 6}).output("y").output("z");
    builder.constant("w", randomTensor({2, 3, 2, 2}, 1)).constant("p", ints({0, 0, 1, 1, 0, 0, 1, 1}));
    builder.constant("scales", Tensor(Shape{4}, {1.F, 1.F, 2.F, 0.5F})).constant("k", ints({2}));
    builder.constant("starts", ints({0, 1})).constant("ends", ints({2, 6})).constant("axes", ints({1, 2}));
    builder.constant("steps", ints({1, 2})).constant("index", ints({1, 0})).constant("tiles", ints({1, 2, 1, 1}));
    builder.constant("open", ints({0, -1})).constant("parts", ints({1, 1})).constant("m", randomTensor({6, 3}, 2));
    builder.node("ConvTranspose", {"x", "w"}, {"t"}, {{"strides", Ints{2, 2}}, {"output_padding", Ints{1, 1}}});
    builder.node("MaxPool", {"t"}, {"mp"}, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}});
    builder.node("AveragePool", {"mp"}, {"ap"}, {{"kernel_shape", Ints{2, 2}}, {"ceil_mode", std::int64_t{1}}});
    builder.node("Resize", {"ap", "", "scales"}, {"rs"}, {{"mode", std::string("linear")}});
    builder.node("Pad", {"rs", "p"}, {"pd"});
    builder.node("Slice", {"pd", "starts", "ends", "axes", "steps"}, {"sl"});
    builder.node("Transpose", {"sl"}, {"tr"}, {{"perm", Ints{0, 2, 3, 1}}});
    builder.node("Gather", {"tr", "index"}, {"ga"}, {{"axis", std::int64_t{3}}});
    builder.node("Tile", {"ga", "tiles"}, {"ti"});
    builder.node("Shape", {"ti"}, {"sh"});
    builder.node("Gather", {"sh", "index"}, {"g2"});
    builder.node("ConstantOfShape", {"g2"}, {"cs"});
    builder.node("Softmax", {"cs"}, {"sm"}, {{"axis", std::int64_t{-1}}});
    builder.node("ReduceMean", {"ti"}, {"re"}, {{"axes", Ints{1, 2}}, {"keepdims", std::int64_t{0}}});
    builder.node("TopK", {"re", "k"}, {"tv", "tidx"}, {{"axis", std::int64_t{1}}});
    builder.node("Split", {"x", "parts"}, {"s1", "s2"}, {{"axis", std::int64_t{1}}});
    builder.node("Concat", {"s1", "s2", "s1"}, {"cc"}, {{"axis", std::int64_t{1}}});
    builder.node("MatMul", {"cc", "m"}, {"mm"});
    builder.node("Reshape", {"mm", "open"}, {"y"});
    builder.node("Cast", {"tv"}, {"z"}, {{"to", std::int64_t{1}}});
    return builder.build();
}

/// Control flow, recurrence, quantization, and constants computed from constants.
Model bodiesAndConstants() {
    const auto branch = [](const std::string& opType) {
        ModelBuilder body;
        body.output("r").node(opType, {"x", "x"}, {"r"});
        return std::make_shared<const Graph>(body.build().graph);
    };
    ModelBuilder builder;
    builder.input("x", {1, 2, 4}).output("y").output("h");
    builder.constant("yes", Tensor(Shape{}, {true})).constant("scale", Tensor(Shape{}, {0.1F}));
    builder.constant("zp", Tensor(Shape{}, {std::uint8_t{3}})).constant("shape", ints({2, 8}));
    builder.constant("w", randomTensor({1, 12, 4}, 1)).constant("r", randomTensor({1, 12, 3}, 2));
    builder.constant("from", Tensor(Shape{}, {std::int64_t{0}})).constant("to", Tensor(Shape{}, {std::int64_t{8}}));
    builder.constant("by", Tensor(Shape{}, {std::int64_t{2}}));
    builder.node("If", {"yes"}, {"i"}, {{"then_branch", branch("Add")}, {"else_branch", branch("Mul")}});
    builder.node("QuantizeLinear", {"i", "scale", "zp"}, {"q"});
    builder.node("DequantizeLinear", {"q", "scale", "zp"}, {"d"});
    builder.node("LSTM", {"d", "w", "r"}, {"seq", "h"}, {{"hidden_size", std::int64_t{3}}});
    builder.node("Range", {"from", "to", "by"}, {"range"});
    builder.node("Expand", {"from", "range"}, {"expanded"});
    builder.node("OneHot", {"range", "to", "floats"}, {"hot"});
    builder.node("Constant", {}, {"floats"}, {{"value_floats", std::vector<float>{0.F, 1.F}}});
    builder.node("Einsum", {"hot", "hot"}, {"e"}, {{"equation", std::string("ij,kj->ik")}});
    builder.node("Identity", {"e"}, {"y"});
    return builder.build();
}

std::vector<Model> corpus() {
    return {mobileNet(), mixedOperators(), bodiesAndConstants()};
}

std::string bytesOf(const Model& model) {
    const auto bytes = serializeOnnx(model);
    return bytes ? *bytes : std::string();
}

/// Small enough to be run thousands of times.
bool isCheap(const Inspection& inspection) {
    constexpr std::int64_t kMostElements = 1 << 16;
    if (inspection.cost.macs > (1 << 22)) return false;
    std::int64_t total = 0;
    for (const auto& [name, facts] : inspection.facts) {
        if (!facts.isFullyKnown()) continue;
        const auto count = checkedElementCount(*facts.shape, facts.dtype);
        if (!count || *count > kMostElements) return false;
        total += *count;
    }
    return total <= kMostElements;
}

void execute(const Model& model) {
    const auto executor = Executor::create(model);
    if (!executor) return;
    std::vector<Tensor> inputs;
    for (const ValueInfo& input : (*executor)->inputs()) {
        Shape shape;
        if (input.shape)
            for (const Dim& dim : *input.shape) shape.push_back(dim.value >= 0 ? dim.value : 1);
        const auto count = checkedElementCount(shape, input.dtype);
        if (!count || *count > (1 << 16)) return;
        inputs.emplace_back(input.dtype, shape);
    }
    static_cast<void>((*executor)->run(inputs));
}

/// All that opening a model may run.
void open(const Model& model, bool shouldRun = true) {
    const auto inspection = inspect(model);
    static_cast<void>(weightRanges(model));
    static_cast<void>(equalize(model, {}));
    static_cast<void>(contentHash(model));
    if (shouldRun && inspection && isCheap(*inspection)) execute(model);
}

bool openBytes(const std::string& bytes) {
    const auto model = parseOnnx(bytes);
    if (model) open(*model);
    return model.has_value();
}

/// One wrong thing in a model that is otherwise whole; reaches what damaged bytes seldom do.
void spoil(Model& model, Dice& dice) {
    Graph& graph = model.graph;
    if (graph.nodes.empty()) return;
    Node& node = graph.nodes[dice.below(graph.nodes.size())];
    const Node& other = graph.nodes[dice.below(graph.nodes.size())];
    const auto someTensor = [&]() -> Tensor {
        static constexpr std::array kTypes = {DType::Float, DType::Int64, DType::Uint8, DType::Bool, DType::Float16};
        Shape shape(dice.below(6));
        for (auto& dim : shape) dim = static_cast<std::int64_t>(dice.below(5));
        Tensor tensor(kTypes[dice.below(kTypes.size())], shape);
        for (std::byte& byte : tensor.mutableBytes())
            byte = static_cast<std::byte>(tensor.dtype() == DType::Bool ? dice.below(2) : dice.next());
        return tensor;
    };
    switch (dice.below(12)) {
        case 0:
        case 1:
        case 2:
            for (Attribute& attribute : node.attributes) {
                if (auto* number = std::get_if<std::int64_t>(&attribute.value)) *number = dice.nastyInteger();
                if (auto* list = std::get_if<Ints>(&attribute.value)) {
                    if (dice.chance(3)) list->resize(dice.below(10), dice.nastyInteger());
                    if (!list->empty()) (*list)[dice.below(list->size())] = dice.nastyInteger();
                }
                if (auto* real = std::get_if<float>(&attribute.value)) *real = static_cast<float>(dice.nastyInteger());
                if (auto* text = std::get_if<std::string>(&attribute.value)) *text = damaged(*text, dice);
            }
            break;
        case 3:
            node.inputs.resize(dice.below(node.inputs.size() + 2));
            break;
        case 4:
            node.outputs.resize(dice.below(node.outputs.size() + 2));
            break;
        case 5:
            if (!node.inputs.empty() && !other.outputs.empty())
                node.inputs[dice.below(node.inputs.size())] = other.outputs[0];
            break;
        case 6:
            node.opType = other.opType;
            break;
        case 7:
        case 8:
            if (graph.initializers.empty()) break;
            graph.initializers[dice.below(graph.initializers.size())].tensor = someTensor();
            break;
        case 9:
            for (Initializer& initializer : graph.initializers)
                if (initializer.tensor.dtype() == DType::Int64 && dice.chance(2))
                    for (auto& value : initializer.tensor.mutableData<std::int64_t>()) value = dice.nastyInteger();
            break;
        case 10:
            for (ValueInfo& input : graph.inputs)
                if (input.shape && !input.shape->empty())
                    (*input.shape)[dice.below(input.shape->size())].value = dice.nastyInteger();
            break;
        default:
            if (dice.chance(2)) {
                model.opsets[""] = dice.nastyInteger();
            } else if (!graph.initializers.empty() && !node.inputs.empty()) {
                node.inputs[dice.below(node.inputs.size())] =
                    graph.initializers[dice.below(graph.initializers.size())].name;
            }
    }
}

}  // namespace

class TestHostileExecution : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        // What is asked for beyond this is refused, and an engine that does not expect that ends here.
        const rlimit limit{std::size_t{6} << 30, std::size_t{6} << 30};
        QCOMPARE(setrlimit(RLIMIT_AS, &limit), 0);
#endif
    }

    void whatIsWholeOpens() {
        for (const Model& model : corpus()) {
            const auto read = parseOnnx(bytesOf(model));
            QVERIFY2(read, read ? "" : read.error().message.c_str());
            const auto inspection = inspect(*read);
            QVERIFY(inspection);
            QVERIFY(isCheap(*inspection));
            for (const auto& finding : inspection->findings)
                QVERIFY2(finding.severity != Severity::Error, finding.message.c_str());
            const auto executor = Executor::create(*read);
            QVERIFY2(executor, executor ? "" : executor.error().message.c_str());
        }
    }

    void damagedBytes() {
        int opened = 0;
        Dice dice(1);
        for (const Model& model : corpus()) {
            const std::string bytes = bytesOf(model);
            for (int i = 0; i < 900; ++i) opened += openBytes(damaged(bytes, dice));
        }
        QVERIFY(opened > 100);  // otherwise only the reader was tested
    }

    void spoiledModels() {
        int opened = 0;
        Dice dice(3);
        for (const Model& model : corpus()) {
            for (int i = 0; i < 900; ++i) {
                Model spoiled = model;
                for (std::size_t times = 1 + dice.below(3); times > 0; --times) spoil(spoiled, dice);
                opened += openBytes(bytesOf(spoiled));
            }
        }
        QVERIFY(opened > 500);
    }

    void batchNormsWithoutChannels() {
        ModelBuilder builder;
        builder.input("x", {1, 4, 5, 5}).output("y").constant("none", Tensor(DType::Float, {0}));
        builder.constant("w", randomTensor({4, 4, 1, 1}, 1));
        builder.node("BatchNormalization", {"x", "none", "none", "none", "none"}, {"b"});
        builder.node("Conv", {"b", "w"}, {"y"});
        open(builder.build());
        const auto equalized = equalize(builder.build(), {});
        QVERIFY(equalized);
        QCOMPARE(equalized->report.fold.kept.size(), std::size_t{1});
    }

    void bodiesWithinBodies() {
        ModelBuilder innermost;
        innermost.output("r").node("Relu", {"x"}, {"r"});
        auto body = std::make_shared<const Graph>(innermost.build().graph);
        for (int depth = 0; depth < 30; ++depth) {
            ModelBuilder builder;
            builder.input("x", {1, 2}).output("r").constant("yes", Tensor(Shape{}, {true}));
            builder.node("If", {"yes"}, {"r"}, {{"then_branch", body}, {"else_branch", body}});
            if (depth % 6 == 0) {
                // Two bodies at each of many depths would be 2^depth graphs in the file: nest one of the two.
                openBytes(bytesOf(builder.build()));
            }
            ModelBuilder next;
            next.output("r").constant("yes" + std::to_string(depth), Tensor(Shape{}, {true}));
            next.node("If", {"yes" + std::to_string(depth)}, {"r"}, {{"then_branch", body}});
            body = std::make_shared<const Graph>(next.build().graph);
        }
    }

    void constantsThatWouldFillTheMemory() {
        const auto build = [](const char* opType, std::vector<std::string> inputs) {
            ModelBuilder builder;
            builder.input("x", {1}).output("y");
            builder.constant("huge", ints({1 << 20, 1 << 20})).constant("one", Tensor(Shape{1, 1}, {1.F}));
            builder.constant("zero", Tensor(Shape{}, {0.F})).constant("end", Tensor(Shape{}, {9e14F}));
            builder.constant("step", Tensor(Shape{}, {1.F})).constant("values", Tensor(Shape{2}, {0.F, 1.F}));
            builder.constant("depth", Tensor(Shape{}, {std::int64_t{1} << 40}));
            builder.constant("scales", Tensor(Shape{2}, {1e6F, 1e6F}));
            builder.node(opType, std::move(inputs), {"big"});
            builder.node("Add", {"x", "big"}, {"y"});
            return builder.build();
        };
        for (const Model& model :
             {build("ConstantOfShape", {"huge"}), build("Expand", {"one", "huge"}), build("Tile", {"one", "huge"}),
              build("Range", {"zero", "end", "step"}), build("OneHot", {"huge", "depth", "values"}),
              build("Resize", {"one", "", "scales"}), build("Upsample", {"one", "scales"}),
              build("Pad", {"one", "huge"}), build("HannWindow", {"depth"})}) {
            open(model);
            static_cast<void>(Executor::create(model));
        }
    }

    void hugeInputsCompileOrAreRefused() {
        for (const std::int64_t size : {std::int64_t{1} << 20, std::int64_t{1} << 28, std::int64_t{1} << 40}) {
            Model model = mobileNet();
            (*model.graph.inputs[0].shape)[2].value = size;
            (*model.graph.inputs[0].shape)[3].value = size;
            open(model, false);
            static_cast<void>(Executor::create(model));
        }
    }

    void tensorsThatClaimMoreThanTheyHold() {
        // No bytes at all, yet strides that overflow.
        QVERIFY(!checkedElementCount({0, std::int64_t{1} << 40, std::int64_t{1} << 40}, DType::Float));
        QVERIFY(checkedElementCount({0, 3, 1 << 20}, DType::Float));
        // 08 hex 1: ir version; 3a: graph of one initializer "w", external, 2^40 floats, in a file that is not there.
        const std::string entry("\x0a\x08location\x12\x04none", 16);
        const std::string tensor =
            std::string("\x08\x80\x80\x80\x80\x80\x20\x10\x01\x42\x01w\x6a\x10", 14) + entry + "\x70\x01";
        const std::string output("\x62\x03\x0a\x01w", 5);
        const std::string graph = std::string("\x2a") + static_cast<char>(tensor.size()) + tensor + output;
        const auto model = parseOnnx(std::string("\x08\x08\x3a") + static_cast<char>(graph.size()) + graph);
        QVERIFY(!model);
        QCOMPARE(model.error().code, ErrorCode::NotFound);
    }
};

EQUANT_TEST(TestHostileExecution)
}  // namespace test_hostile_execution

#include "test_hostile_execution.moc"
