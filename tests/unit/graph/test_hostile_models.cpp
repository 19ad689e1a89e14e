// SPDX-License-Identifier: Apache-2.0
// Damaged and contradictory files through everything that happens when a user opens one: each step may refuse, with an
// error, but must not crash, throw, hang or ask for more memory than the machine has.
#include <QtTest>
#include <algorithm>
#include <functional>
#include <random>
#include <sys/resource.h>

#include "core/base/file.h"
#include "core/data/npy.h"
#include "core/data/preprocess.h"
#include "core/graph/constants.h"
#include "core/graph/onnx_io.h"
#include "core/inspection/inspection.h"
#include "core/interop/encodings_json.h"
#include "core/passes/equalize.h"
#include "core/passes/weight_ranges.h"
#include "core/quantization/placement.h"
#include "core/recipe/recipe_format.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_hostile_models {

using namespace equant;
using test::ModelBuilder;
using test::randomTensor;

namespace {

using Ints = std::vector<std::int64_t>;

constexpr std::int64_t kMaxFedElements = 1 << 16;

/// What the steps did, so that a test can see that its mutants reach them.
struct Reached {
    int parsed = 0;
    int inspected = 0;
    int equalized = 0;
    int run = 0;
};

void runOnce(const Model& model, Reached& reached) {
    auto executor = Executor::create(model);
    if (!executor) return;
    std::vector<Tensor> inputs;
    for (const auto& input : (*executor)->inputs()) {
        Shape shape;
        for (const auto& dim : input.shape.value_or(std::vector<Dim>{})) shape.push_back(dim.value < 0 ? 1 : dim.value);
        const auto count = checkedElementCount(shape, input.dtype);
        if (!count || *count > kMaxFedElements || bitWidth(input.dtype) == 0) return;
        inputs.emplace_back(input.dtype, shape);
    }
    if ((*executor)->run(inputs)) ++reached.run;
}

void openModel(const Model& model, bool shouldRun, Reached& reached) {
    if (inspect(model)) ++reached.inspected;
    (void)weightRanges(model);
    if (equalize(model, {})) ++reached.equalized;
    if (shouldRun) runOnce(model, reached);
}

void openBytes(const std::string& bytes, bool shouldRun, Reached& reached) {
    const auto model = parseOnnx(bytes);
    if (!model) return;
    ++reached.parsed;
    openModel(*model, shouldRun, reached);
}

/// One to three small damages: a changed byte or bit, bytes lost, inserted or repeated.
std::string mutated(std::string bytes, std::minstd_rand& random) {
    const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
    for (auto left = 1 + below(3); left > 0 && !bytes.empty(); --left) {
        const auto at = below(bytes.size());
        const auto length = std::min(1 + below(6), bytes.size() - at);
        switch (below(5)) {
            case 0:
                bytes[at] = static_cast<char>(below(256));
                break;
            case 1:
                bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << below(8)));
                break;
            case 2:
                bytes.erase(at, length);
                break;
            case 3:
                bytes.insert(at, length, static_cast<char>(below(256)));
                break;
            default:
                bytes.insert(at, bytes.substr(at, length));
                break;
        }
    }
    return bytes;
}

Model classifier() {
    return ModelBuilder()
        .input("x", {-1, 2, 6, 6})
        .output("y")
        .constant("w1", randomTensor({4, 2, 3, 3}, 1))
        .constant("b1", randomTensor({4}, 2))
        .constant("g", randomTensor({4}, 3, 0.5F, 1.5F))
        .constant("v", randomTensor({4}, 4, 0.5F, 1.5F))
        .constant("zero", Tensor(Shape{}, {0.F}))
        .constant("six", Tensor(Shape{}, {6.F}))
        .constant("w2", randomTensor({4, 1, 3, 3}, 5))
        .constant("w3", randomTensor({3, 36}, 6))
        .constant("b3", randomTensor({3}, 7))
        .node("Conv", {"x", "w1", "b1"}, {"c1"}, {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}})
        .node("BatchNormalization", {"c1", "g", "b1", "b1", "v"}, {"n1"}, {{"epsilon", 1e-5F}})
        .node("Clip", {"n1", "zero", "six"}, {"r1"})
        .node("Conv", {"r1", "w2"}, {"c2"}, {{"group", std::int64_t{4}}, {"pads", Ints{1, 1, 1, 1}}})
        .node("Relu", {"c2"}, {"r2"})
        .node("Flatten", {"r2"}, {"f"}, {{"axis", std::int64_t{1}}})
        .node("Gemm", {"f", "w3", "b3"}, {"y"}, {{"transB", std::int64_t{1}}})
        .build();
}

Model shapeGymnast() {
    return ModelBuilder()
        .input("x", {1, 2, 4, 4})
        .output("y")
        .constant("to", Tensor(Shape{3}, {std::int64_t{1}, std::int64_t{-1}, std::int64_t{4}}))
        .constant("start", Tensor(Shape{2}, {std::int64_t{0}, std::int64_t{0}}))
        .constant("end", Tensor(Shape{2}, {std::int64_t{6}, std::int64_t{3}}))
        .constant("axes", Tensor(Shape{2}, {std::int64_t{1}, std::int64_t{2}}))
        .constant("pads", Tensor(Shape{6}, Ints{0, 1, 0, 0, 0, 1}))
        .constant("pick", Tensor(Shape{2}, {std::int64_t{1}, std::int64_t{-1}}))
        .constant("many", Tensor(Shape{3}, {std::int64_t{1}, std::int64_t{2}, std::int64_t{1}}))
        .node("MaxPool", {"x"}, {"p"}, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 1, 0, 0}}})
        .node("Reshape", {"p", "to"}, {"r"})
        .node("Slice", {"r", "start", "end", "axes"}, {"s"})
        .node("Pad", {"s", "pads"}, {"q"})
        .node("Transpose", {"q"}, {"t"}, {{"perm", Ints{0, 2, 1}}})
        .node("Gather", {"t", "pick"}, {"g"}, {{"axis", std::int64_t{1}}})
        .node("Tile", {"g", "many"}, {"m"})
        .node("Concat", {"m", "g"}, {"c"}, {{"axis", std::int64_t{1}}})
        .node("Softmax", {"c"}, {"y"}, {{"axis", std::int64_t{-1}}})
        .build();
}

Model computedShapes() {
    return ModelBuilder()
        .input("x", {-1, 3, 4})
        .output("y")
        .constant("one", Tensor(Shape{1}, {std::int64_t{1}}))
        .constant("first", Tensor(Shape{}, {std::int64_t{0}}))
        .constant("w", randomTensor({4, 5}, 8))
        .node("Shape", {"x"}, {"shape"})
        .node("Gather", {"shape", "first"}, {"n"}, {{"axis", std::int64_t{0}}})
        .node("Unsqueeze", {"n", "first1"}, {"n1"})
        .constant("first1", Tensor(Shape{1}, {std::int64_t{0}}))
        .constant("rest", Tensor(Shape{2}, {std::int64_t{3}, std::int64_t{5}}))
        .node("Concat", {"n1", "rest"}, {"wanted"}, {{"axis", std::int64_t{0}}})
        .node("ConstantOfShape", {"wanted"}, {"filled"}, {{"value", Tensor(Shape{1}, {2.F})}})
        .node("MatMul", {"x", "w"}, {"p"})
        .node("Add", {"p", "filled"}, {"a"})
        .node("ReduceMean", {"a"}, {"y"}, {{"axes", Ints{1}}, {"keepdims", std::int64_t{0}}})
        .build();
}

Model convolution(std::vector<std::pair<std::string, AttributeValue>> attributes, const Shape& weight = {4, 4, 3, 3}) {
    return ModelBuilder()
        .input("x", {1, 4, 5, 5})
        .output("y")
        .constant("w", randomTensor(weight, 9))
        .node("Conv", {"x", "w"}, {"c"}, std::move(attributes))
        .node("Relu", {"c"}, {"y"})
        .build();
}

Model pool(const std::string& kind, std::vector<std::pair<std::string, AttributeValue>> attributes) {
    return ModelBuilder().input("x", {1, 4, 5, 5}).output("y").node(kind, {"x"}, {"y"}, std::move(attributes)).build();
}

/// The operator in the middle of a network, with whatever inputs and outputs.
Model surrounded(const std::string& kind, std::vector<std::string> inputs, std::vector<std::string> outputs,
                 std::vector<std::pair<std::string, AttributeValue>> attributes = {}) {
    return ModelBuilder()
        .input("x", {1, 4, 5, 5})
        .output("y")
        .constant("w", randomTensor({4, 4, 1, 1}, 10))
        .constant("v", randomTensor({4}, 11))
        .constant("none", Tensor(DType::Float, {0}))
        .node("Conv", {"x", "w"}, {"a"})
        .node(kind, std::move(inputs), std::move(outputs), std::move(attributes))
        .node("Conv", {"a", "w"}, {"y"})
        .build();
}

Model identityChain(int length, const std::string& start, bool isConvolved) {
    ModelBuilder builder;
    builder.input("x", {1, 4, 5, 5}).output("y").constant("w", randomTensor({4, 4, 1, 1}, 12));
    std::string value = start;
    for (int i = 0; i < length; ++i) {
        std::string next = "v" + std::to_string(i);
        builder.node("Identity", {value}, {next});
        value = std::move(next);
    }
    if (isConvolved)
        builder.node("Conv", {"x", value}, {"y"});
    else
        builder.node("Conv", {value, "w"}, {"y"});
    return builder.build();
}

using Parse = std::function<bool(const std::string&)>;

}  // namespace

class TestHostileModels : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // those reserve terabytes themselves
        const rlimit limit{rlim_t{4} << 30, rlim_t{4} << 30};
        QCOMPARE(setrlimit(RLIMIT_AS, &limit), 0);
#endif
    }

    void damagedSmallModels() {
        for (const Model& model : {classifier(), shapeGymnast(), computedShapes()}) {
            const auto bytes = serializeOnnx(model);
            QVERIFY(bytes.has_value());
            Reached intact;
            openBytes(*bytes, true, intact);
            QCOMPARE(intact.run, 1);
            std::minstd_rand random(2026);
            Reached reached;
            for (int i = 0; i < 500; ++i) openBytes(mutated(*bytes, random), true, reached);
            QVERIFY2(reached.parsed > 20 && reached.inspected > 20 && reached.equalized > 20 && reached.run > 10,
                     qPrintable(QString("%1 %2 %3 %4")
                                    .arg(reached.parsed)
                                    .arg(reached.inspected)
                                    .arg(reached.equalized)
                                    .arg(reached.run)));
        }
    }

    /// Damage to attribute values and weights' shapes, which most random bytes miss.
    void damagedAttributes() {
        static const Ints kNasty{0, -1, -2, 3, 5, 1 << 20, std::int64_t{1} << 40, INT64_MAX, INT64_MIN};
        std::minstd_rand random(7);
        const auto nasty = [&] { return kNasty[static_cast<std::size_t>(random()) % kNasty.size()]; };
        Reached reached;
        for (const Model& intact : {classifier(), shapeGymnast(), computedShapes()}) {
            for (int i = 0; i < 60; ++i) {
                Model model = intact;
                Node& node = model.graph.nodes[static_cast<std::size_t>(random()) % model.graph.nodes.size()];
                auto& constants = model.graph.initializers;
                Tensor& constant = constants[static_cast<std::size_t>(random()) % constants.size()].tensor;
                if (constant.dtype() == DType::Int64 && random() % 2 == 0) {
                    const auto values = constant.mutableData<std::int64_t>();
                    values[static_cast<std::size_t>(random()) % values.size()] = nasty();
                } else if (!node.attributes.empty()) {
                    auto& value = node.attributes.front().value;
                    if (auto* one = std::get_if<std::int64_t>(&value)) *one = nasty();
                    if (auto* many = std::get_if<Ints>(&value)) {
                        (*many)[static_cast<std::size_t>(random()) % many->size()] = nasty();
                        if (random() % 4 == 0) many->resize(static_cast<std::size_t>(random()) % 6, nasty());
                    }
                }
                openModel(model, true, reached);
            }
        }
        QVERIFY(reached.inspected > 50);
    }

    void damagedSample() {
        const auto bytes = readFile(std::filesystem::path(EQUANT_SOURCE_DIR) / "resources/sample/equant_sample.onnx");
        QVERIFY(bytes.has_value());
        const std::string text(bytes->begin(), bytes->end());
        std::minstd_rand random(3);
        Reached reached;
        for (int i = 0; i < 12; ++i) openBytes(mutated(text, random), false, reached);
        for (std::size_t share = 1; share < 8; ++share)
            openBytes(text.substr(0, text.size() * share / 8), false, reached);
        QVERIFY(reached.parsed > 0);
    }

    void contradictions_data() {
        using Attributes = std::vector<std::pair<std::string, AttributeValue>>;
        QTest::addColumn<int>("index");
        m_models.clear();
        const auto add = [&](const char* title, Model model) {
            QTest::addRow("%s %d", title, static_cast<int>(m_models.size())) << static_cast<int>(m_models.size());
            m_models.push_back(std::move(model));
        };
        for (const std::int64_t group : {0LL, -1LL, 3LL, 8LL, 1LL << 40}) {
            add("group", convolution({{"group", group}}));
            add("group of a depthwise", convolution({{"group", group}}, {4, 1, 3, 3}));
        }
        for (const Ints& wrong : {Ints{0, 0}, Ints{-1, -1}, Ints{}, Ints{1}, Ints{1, 1, 1}, Ints{INT64_MAX, INT64_MAX},
                                  Ints{INT64_MIN, 1}, Ints{1LL << 31, 1LL << 32}}) {
            for (const char* key : {"strides", "dilations", "kernel_shape", "pads"}) {
                add(key, convolution({{key, wrong}}));
                for (const char* kind : {"MaxPool", "AveragePool", "LpPool"}) {
                    add(kind, pool(kind, Attributes{{"kernel_shape", Ints{2, 2}}, {key, wrong}}));
                    add(kind, pool(kind, Attributes{{key, wrong}}));
                }
            }
        }
        for (const Ints& pads : {Ints{9, 9, 9, 9}, Ints{-9, -9, -9, -9}, Ints{1, 1, 1}, Ints{1 << 20, 0, 1 << 20, 0},
                                 Ints{INT64_MAX, 0, 1, 0}}) {
            add("pads", convolution({{"pads", pads}}));
            add("pads", pool("MaxPool", {{"kernel_shape", Ints{2, 2}}, {"pads", pads}}));
            add("pads", pool("AveragePool", {{"kernel_shape", Ints{2, 2}}, {"pads", pads}}));
        }
        for (const Shape& shape : {Shape{}, Shape{4}, Shape{4, 4}, Shape{0, 4, 3, 3}, Shape{4, 4, 0, 0},
                                   Shape{4, 4, 9, 9}, Shape{4, 4, 3, 3, 3}})
            add("weight's shape", convolution({}, shape));

        static const char* const kKinds[] = {"Conv",
                                             "ConvTranspose",
                                             "Gemm",
                                             "MatMul",
                                             "BatchNormalization",
                                             "Clip",
                                             "Relu",
                                             "PRelu",
                                             "MaxPool",
                                             "Reshape",
                                             "Flatten",
                                             "Squeeze",
                                             "Unsqueeze",
                                             "Transpose",
                                             "Concat",
                                             "Split",
                                             "Slice",
                                             "Gather",
                                             "Pad",
                                             "Resize",
                                             "Add",
                                             "Identity",
                                             "Cast",
                                             "Shape",
                                             "Constant",
                                             "ConstantOfShape",
                                             "Expand",
                                             "Tile",
                                             "Range",
                                             "Where",
                                             "If",
                                             "Loop",
                                             "Scan",
                                             "LSTM",
                                             "Dropout",
                                             "Softmax",
                                             "Einsum",
                                             "TopK",
                                             "OneHot",
                                             "DequantizeLinear",
                                             "Sum",
                                             "QuantizeLinear",
                                             "Nonsense"};
        for (const char* kind : kKinds) {
            add(kind, surrounded(kind, {}, {"b"}));
            add(kind, surrounded(kind, {"a"}, {"b"}));
            add(kind, surrounded(kind, {"a"}, {}));
            add(kind, surrounded(kind, {"", "a"}, {"b"}));
            add(kind, surrounded(kind, {"a", "v"}, {"b"}));
            add(kind, surrounded(kind, {"a", "none"}, {"b", "", "c"}));
            add(kind, surrounded(kind, {"a", "a", "a", "a", "a"}, {""}));
            add(kind, surrounded(kind, {"none", "none", "none", "none", "none"}, {"b"}));
            add(kind, ModelBuilder()
                          .input("x", {1, 4, 5, 5})
                          .output("y")
                          .constant("w", randomTensor({4, 4, 1, 1}, 13))
                          .node("Conv", {"x", "w"}, {"a"})
                          .node(kind, {"a"}, {"b"})
                          .node("Conv", {"b", "w"}, {"y"})
                          .build());
        }
        add("no graph inputs", ModelBuilder().output("y").node("Constant", {}, {"y"}).build());
        add("nothing", ModelBuilder().build());
    }

    void contradictions() {
        QFETCH(int, index);
        const Model& model = m_models[static_cast<std::size_t>(index)];
        Reached reached;
        openModel(model, true, reached);
        if (const auto bytes = serializeOnnx(model)) openBytes(*bytes, false, reached);
    }

    void cyclesOfConstants() {
        for (const char* kind : {"Identity", "Reshape", "Squeeze", "Cast"}) {
            const Model model = ModelBuilder()
                                    .input("x", {1, 4, 5, 5})
                                    .output("y")
                                    .node(kind, {"b", "b"}, {"a"})
                                    .node(kind, {"a", "a"}, {"b"})
                                    .node("Conv", {"x", "a"}, {"y"})
                                    .build();
            QVERIFY(!constantValue(model.graph, "a"));
            QVERIFY(!inspect(model));  // refused by name, like every graph with a cycle
            QVERIFY(!equalize(model, {}));
            QVERIFY(!Executor::create(model));
            QVERIFY(!parseOnnx(serializeOnnx(model).value()));
        }
    }

    void longChains() {
        constexpr int kLength = 100'000;
        const Model asWeights = identityChain(kLength, "w", true);
        (void)constantValue(asWeights.graph, "v" + std::to_string(kLength - 1));
        QVERIFY(inspect(asWeights));
        QVERIFY(equalize(identityChain(kLength, "x", false), {}));
    }

    /// Every node reads the value before it twice: 2^60 paths from the end to the start.
    void doublingChains() {
        for (const char* kind : {"Reshape", "Add", "Concat"}) {
            ModelBuilder builder;
            builder.input("x", {1, 4}).output("y").constant("v0", Tensor(Shape{1}, {std::int64_t{1}}));
            for (int i = 0; i < 60; ++i) {
                const std::string value = "v" + std::to_string(i);
                builder.node(kind, {value, value}, {"v" + std::to_string(i + 1)}, {{"axis", std::int64_t{0}}});
            }
            builder.node("Reshape", {"x", "v60"}, {"y"});
            const Model model = builder.build();
            (void)constantValue(model.graph, "v60");
            Reached reached;
            openModel(model, std::string_view(kind) != "Concat", reached);  // 2^60 elements are an honest request
        }
    }

    void damagedTexts() {
        const Model model = classifier();
        QuantizationSettings settings;
        settings.rules = R"({"defaults":{"ops":{"is_output_quantized":"True","is_symmetric":"False"},
            "params":{"is_quantized":"True","is_symmetric":"True"},"per_channel_quantization":"True"},
            "params":{"bias":{"is_quantized":"False"}},"op_type":{"Conv":{"is_input_quantized":"True"}},
            "supergroups":[{"op_list":["Conv","Relu"]}],"model_input":{"is_input_quantized":"True"},
            "model_output":{}})";
        QVERIFY(rulesOf(settings));
        const std::string encodings =
            R"({"activation_encodings":{"y":[{"bitwidth":8,"dtype":"int","is_symmetric":"False",
            "max":1.5,"min":-0.5,"offset":-64,"scale":0.0078431372}]},"param_encodings":{"w1":[{"bitwidth":8,
            "dtype":"int","is_symmetric":"True","max":1.0,"min":-1.0,"offset":-128,"scale":0.0078}]},
            "quantizer_args":{},"version":"0.6.1"})";
        QVERIFY(parseEncodings(encodings, model));
        const std::string preprocessing = R"({"resize":"shorter","shorter":256,"crop":[224,224],"channels":"RGB",
            "scale":0.0039,"mean":[0.5,0.5,0.5],"std":[0.25,0.25,0.25],"layout":"NCHW"})";
        const std::string recipe = toJson(Recipe{{EqualizeStep{}, QuantizeStep{{.rules = settings.rules}}}});
        QVERIFY(parseRecipe(recipe));
        std::string npy("\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 69);
        npy.resize(10 + 0x75, ' ');
        npy += '\n' + std::string(24, 'x');
        QVERIFY(parseNpy(npy, "x"));
        QVERIFY(parsePreprocessing(toJson(Preprocessing{})));

        const std::vector<std::pair<std::string, Parse>> parsers{
            {settings.rules,
             [&](const std::string& text) {
                 QuantizationSettings changed;
                 changed.rules = text;
                 const auto rules = rulesOf(changed);
                 return rules && placeQuantizers(model, *rules, changed);
             }},
            {encodings, [&](const std::string& text) { return parseEncodings(text, model).has_value(); }},
            {preprocessing, [](const std::string& text) { return parsePreprocessing(text).has_value(); }},
            {toJson(Preprocessing{}), [](const std::string& text) { return parsePreprocessing(text).has_value(); }},
            {recipe, [](const std::string& text) { return parseRecipe(text).has_value(); }},
            {npy, [](const std::string& text) { return parseNpy(text, "x").has_value(); }}};
        static const char* const kValues[] = {"null", "-1",  "1e400", "\"\"",  "[]", "{}", "99999999999999999999",
                                              "true", "0.5", "[[1]]", "[null]"};
        for (const auto& [text, parse] : parsers) {
            std::minstd_rand random(11);
            int refused = 0;
            for (int i = 0; i < 400; ++i) refused += !parse(mutated(text, random));
            for (int i = 0; i < 400; ++i) {  // a value of another kind in place of what follows a colon
                std::string changed = text;
                const auto colon = changed.find(':', static_cast<std::size_t>(random()) % changed.size());
                if (colon == std::string::npos) continue;
                const auto end = changed.find_first_of(",}", colon);
                if (end == std::string::npos) continue;
                changed.replace(colon + 1, end - colon - 1, kValues[static_cast<std::size_t>(random()) % 11]);
                refused += !parse(changed);
            }
            QVERIFY(refused > 100);
            QVERIFY(!parse(std::string(200'000, '[')));  // must not exhaust the stack
        }
    }

private:
    std::vector<Model> m_models;
};

EQUANT_TEST(TestHostileModels)
}  // namespace test_hostile_models

#include "test_hostile_models.moc"
