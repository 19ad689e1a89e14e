// SPDX-License-Identifier: Apache-2.0
// Every operator that has a fast way against its plain kernel, on seeded random shapes.
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_plan_operators {

using namespace equant;
using namespace equant::test;
using Ints = std::vector<std::int64_t>;

class TestPlanOperators : public QObject {
    Q_OBJECT

private slots:
    void convolutions();
    void convolutionsInOneAndThreeDimensions();
    void pools();
    void binaries();
    void activations();
    void matrices();
    void rearrangements();
    void normalizations();
};

namespace {

struct Dice {
    std::minstd_rand random;
    std::int64_t between(std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(random()) % (high - low + 1);
    }
    bool coin() { return between(0, 1) == 1; }
};

std::string runSingle(const std::string& op, const std::vector<Tensor>& variable, const std::vector<Tensor>& constants,
                      std::vector<std::pair<std::string, AttributeValue>> attributes, std::int64_t opset = 13,
                      double tolerance = 2e-5) {
    ModelBuilder builder(opset);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < variable.size(); ++i) {
        names.push_back("x" + std::to_string(i));
        builder.input(names.back(), variable[i].shape());
    }
    for (std::size_t i = 0; i < constants.size(); ++i) {
        names.push_back("c" + std::to_string(i));
        builder.constant(names.back(), constants[i]);
    }
    builder.node(op, names, {"y"}, std::move(attributes)).output("y");
    return compareWithUnfused(builder.build(), variable, {}, tolerance);
}

}  // namespace

void TestPlanOperators::convolutions() {
    Dice dice{std::minstd_rand(7)};
    for (int round = 0; round < 40; ++round) {
        const std::int64_t groups = dice.coin() ? 1 : dice.between(2, 5);
        const bool isDepthwise = groups > 1 && dice.coin();
        const std::int64_t perGroup = isDepthwise ? 1 : dice.between(1, 7);
        const std::int64_t outPerGroup = isDepthwise ? 1 : dice.between(1, 9);
        const std::int64_t width = isDepthwise ? groups * dice.between(1, 9) : groups;
        const Ints kernel{dice.between(1, 3), dice.between(1, 3)};
        const Tensor x = randomTensor({dice.between(1, 3), width * perGroup, dice.between(6, 11), dice.between(6, 11)},
                                      static_cast<unsigned>(round));
        const Tensor w =
            randomTensor({width * outPerGroup, perGroup, kernel[0], kernel[1]}, 100U + static_cast<unsigned>(round));
        std::vector<Tensor> constants{w};
        if (dice.coin()) constants.push_back(randomTensor({width * outPerGroup}, 200U + static_cast<unsigned>(round)));
        std::vector<std::pair<std::string, AttributeValue>> attributes{
            {"group", width}, {"strides", Ints{dice.between(1, 2), dice.between(1, 2)}}};
        const std::int64_t padding = dice.between(0, 4);
        if (padding == 0) attributes.push_back({"auto_pad", std::string("SAME_UPPER")});
        if (padding == 1) attributes.push_back({"auto_pad", std::string("SAME_LOWER")});
        if (padding == 2) attributes.push_back({"auto_pad", std::string("VALID")});
        if (padding > 2) {
            attributes.push_back(
                {"pads", Ints{dice.between(0, 2), dice.between(0, 2), dice.between(0, 2), dice.between(0, 2)}});
            attributes.push_back({"dilations", Ints{dice.between(1, 2), dice.between(1, 2)}});
        }
        const std::string problem = runSingle("Conv", {x}, constants, attributes);
        QVERIFY2(problem.empty(), (std::to_string(round) + ": " + problem).c_str());
    }
}

void TestPlanOperators::convolutionsInOneAndThreeDimensions() {
    const Ints pads{1, 2};
    const Ints stride{2};
    std::string problem =
        runSingle("Conv", {randomTensor({2, 5, 13}, 1)}, {randomTensor({7, 5, 3}, 2), randomTensor({7}, 3)},
                  {{"pads", pads}, {"strides", stride}});
    QVERIFY2(problem.empty(), problem.c_str());
    problem = runSingle("Conv", {randomTensor({1, 3, 5, 6, 7}, 1)}, {randomTensor({4, 3, 2, 3, 3}, 2)},
                        {{"pads", Ints{0, 1, 1, 1, 1, 0}}});
    QVERIFY2(problem.empty(), problem.c_str());
    problem = runSingle("Conv", {randomTensor({1, 5, 8, 8}, 1)}, {randomTensor({7, 5, 3, 3}, 2)},
                        {{"pads", Ints{4, 5, 4, 5}}});
    QVERIFY2(problem.empty(), problem.c_str());
    // What oneDNN refuses goes to the plain kernel, which says why it cannot be.
    problem = runSingle("Conv", {randomTensor({1, 5, 8, 8}, 1)}, {randomTensor({7, 5, 3, 3}, 2)},
                        {{"pads", Ints{-1, 0, -1, 0}}});
    QVERIFY2(problem.starts_with("fused") && problem.find("padding out of range") != std::string::npos,
             problem.c_str());
    // Weights that are only known while running.
    problem = runSingle("Conv", {randomTensor({1, 3, 6, 6}, 1), randomTensor({4, 3, 3, 3}, 2)}, {}, {});
    QVERIFY2(problem.empty(), problem.c_str());
    problem = runSingle("ConvTranspose", {randomTensor({1, 6, 5, 5}, 1)}, {randomTensor({6, 4, 3, 3}, 2)},
                        {{"strides", Ints{2, 2}}, {"pads", Ints{0, 1, 1, 0}}});
    QVERIFY2(problem.empty(), problem.c_str());
}

void TestPlanOperators::pools() {
    Dice dice{std::minstd_rand(11)};
    for (int round = 0; round < 40; ++round) {
        const bool isMax = dice.coin();
        const Ints kernel{dice.between(1, 3), dice.between(1, 3)};
        const Tensor x =
            randomTensor({dice.between(1, 2), dice.between(1, 35), dice.between(5, 12), dice.between(5, 12)},
                         static_cast<unsigned>(round));
        std::vector<std::pair<std::string, AttributeValue>> attributes{
            {"kernel_shape", kernel}, {"strides", Ints{dice.between(1, 3), dice.between(1, 3)}}};
        if (dice.between(0, 2) == 0) {
            attributes.push_back({"auto_pad", std::string(dice.coin() ? "SAME_UPPER" : "SAME_LOWER")});
        } else {
            attributes.push_back({"pads", Ints{dice.between(0, kernel[0] - 1), dice.between(0, kernel[1] - 1),
                                               dice.between(0, kernel[0] - 1), dice.between(0, kernel[1] - 1)}});
            attributes.push_back({"ceil_mode", dice.between(0, 1)});
        }
        if (isMax && dice.coin()) attributes.push_back({"dilations", Ints{dice.between(1, 2), dice.between(1, 2)}});
        if (!isMax) attributes.push_back({"count_include_pad", dice.between(0, 1)});
        const std::string problem = runSingle(isMax ? "MaxPool" : "AveragePool", {x}, {}, attributes);
        QVERIFY2(problem.empty(), (std::to_string(round) + ": " + problem).c_str());
    }
    for (const std::int64_t keep : {0, 1}) {
        const std::string problem =
            runSingle("ReduceMean", {randomTensor({2, 19, 5, 7}, 3)}, {}, {{"axes", Ints{2, -1}}, {"keepdims", keep}});
        QVERIFY2(problem.empty(), problem.c_str());
        // In the layout and with the neighbours it has at the end of a network.
        ModelBuilder builder;
        builder.input("x", {2, 5, 8, 9})
            .constant("w", randomTensor({19, 5, 3, 3}, 1))
            .constant("k", randomTensor(keep ? Shape{19, 1, 1} : Shape{19}, 2));
        builder.node("Conv", {"x", "w"}, {"c"})
            .node("ReduceMean", {"c"}, {"m"}, {{"axes", Ints{2, 3}}, {"keepdims", keep}});
        builder.node("Mul", {"m", "k"}, {"y"}).output("y");
        const std::string inNetwork = compareWithUnfused(builder.build(), {randomTensor({2, 5, 8, 9}, 3)});
        QVERIFY2(inNetwork.empty(), inNetwork.c_str());
    }
    for (const char* op : {"GlobalAveragePool", "GlobalMaxPool"}) {
        const std::string problem = runSingle(op, {randomTensor({2, 19, 5, 7}, 3)}, {}, {});
        QVERIFY2(problem.empty(), problem.c_str());
    }
}

void TestPlanOperators::binaries() {
    const std::vector<std::pair<Shape, Shape>> shapes{{{2, 19, 4, 5}, {2, 19, 4, 5}},
                                                      {{2, 19, 4, 5}, {19, 1, 1}},
                                                      {{2, 19, 4, 5}, {1, 19, 1, 1}},
                                                      {{2, 19, 4, 5}, {5}},
                                                      {{2, 19, 4, 5}, {}},
                                                      {{2, 1, 4, 1}, {19, 1, 5}},
                                                      {{2, 19, 4, 5}, {2, 1, 4, 5}},
                                                      {{3, 7}, {7}},
                                                      {{3, 7}, {3, 1}},
                                                      {{2, 19, 4, 5}, {2, 19, 1, 1}},
                                                      {{1, 19, 4, 5}, {1, 19, 1, 1}}};
    for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min"}) {
        for (std::size_t i = 0; i < shapes.size(); ++i) {
            const Tensor a = randomTensor(shapes[i].first, 5, 0.5F, 2.0F);
            const Tensor b = randomTensor(shapes[i].second, 6, 0.5F, 2.0F);
            for (const auto& [variable, constants] : std::vector<std::pair<std::vector<Tensor>, std::vector<Tensor>>>{
                     {{a, b}, {}}, {{b, a}, {}}, {{a}, {b}}, {{b}, {a}}}) {
                const std::string problem = runSingle(op, variable, constants, {});
                QVERIFY2(problem.empty(), (std::string(op) + std::to_string(i) + ": " + problem).c_str());
            }
        }
    }
}

void TestPlanOperators::activations() {
    const Tensor x = randomTensor({2, 19, 3, 5}, 9, -4.0F, 4.0F);
    for (const char* op : {"Relu", "Sigmoid", "Tanh", "Exp", "Abs", "Neg", "LeakyRelu", "Elu", "HardSigmoid"}) {
        const std::string problem = runSingle(op, {x}, {}, {}, 13, 1e-4);
        QVERIFY2(problem.empty(), (std::string(op) + ": " + problem).c_str());
    }
    for (const char* op : {"HardSwish"}) {
        const std::string problem = runSingle(op, {x}, {}, {}, 14, 1e-5);
        QVERIFY2(problem.empty(), (std::string(op) + ": " + problem).c_str());
    }
    std::string problem = runSingle("Clip", {x}, {Tensor(Shape{}, {-1.0F}), Tensor(Shape{}, {2.5F})}, {});
    QVERIFY2(problem.empty(), problem.c_str());
    problem = runSingle("Clip", {x}, {Tensor(Shape{}, {-1.0F})}, {});
    QVERIFY2(problem.empty(), problem.c_str());
    problem = runSingle("Clip", {x}, {}, {{"min", -0.5F}, {"max", 1.0F}}, 7);
    QVERIFY2(problem.empty(), problem.c_str());
}

void TestPlanOperators::matrices() {
    std::string problem;
    for (const std::int64_t transA : {0, 1}) {
        for (const std::int64_t transB : {0, 1}) {
            const Tensor a = randomTensor(transA ? Shape{9, 5} : Shape{5, 9}, 1);
            const Tensor b = randomTensor(transB ? Shape{7, 9} : Shape{9, 7}, 2);
            for (const Shape& bias : {Shape{7}, Shape{1, 7}, Shape{}, Shape{5, 7}, Shape{5, 1}}) {
                problem = runSingle("Gemm", {a}, {b, randomTensor(bias, 3)},
                                    {{"transA", transA}, {"transB", transB}, {"alpha", 0.5F}, {"beta", 2.0F}});
                QVERIFY2(problem.empty(), problem.c_str());
            }
            problem = runSingle("Gemm", {a, b}, {}, {{"transA", transA}, {"transB", transB}});
            QVERIFY2(problem.empty(), problem.c_str());
        }
    }
    const std::vector<std::pair<Shape, Shape>> shapes{
        {{3, 4}, {4, 5}}, {{2, 3, 4}, {4, 5}}, {{2, 6, 3, 4}, {2, 6, 4, 5}}, {{2, 6, 3, 4}, {1, 6, 4, 5}},
        {{4}, {4, 5}},    {{3, 4}, {4}},       {{6, 3, 4}, {2, 6, 4, 5}},    {{2, 1, 3, 4}, {1, 6, 4, 5}}};
    for (const auto& [left, right] : shapes) {
        problem = runSingle("MatMul", {randomTensor(left, 4)}, {randomTensor(right, 5)}, {});
        QVERIFY2(problem.empty(), problem.c_str());
        problem = runSingle("MatMul", {randomTensor(left, 4), randomTensor(right, 5)}, {}, {});
        QVERIFY2(problem.empty(), problem.c_str());
    }
}

void TestPlanOperators::rearrangements() {
    // After a convolution the layout is the implementation's own: what follows must not notice.
    for (const std::int64_t channels : {3, 16, 19}) {
        for (int kind = 0; kind < 6; ++kind) {
            ModelBuilder builder;
            builder.input("x", {2, 4, 6, 6})
                .constant("w", randomTensor({channels, 4, 3, 3}, 1))
                .constant("v", randomTensor({5, 4, 3, 3}, 2));
            builder.node("Conv", {"x", "w"}, {"a"}).node("Conv", {"x", "v"}, {"b"});
            if (kind == 0) builder.node("Transpose", {"a"}, {"y"}, {{"perm", Ints{0, 2, 3, 1}}});
            if (kind == 1) builder.node("Concat", {"a", "b"}, {"y"}, {{"axis", std::int64_t{1}}});
            if (kind == 2) builder.node("Flatten", {"a"}, {"y"});
            if (kind == 3) builder.node("Softmax", {"a"}, {"y"}, {{"axis", std::int64_t{1}}});
            if (kind == 4) {
                builder.constant("scales", Tensor(Shape{4}, {1.0F, 1.0F, 2.0F, 3.0F}));
                builder.node("Resize", {"a", "", "scales"}, {"y"},
                             {{"mode", std::string("nearest")},
                              {"coordinate_transformation_mode", std::string("asymmetric")},
                              {"nearest_mode", std::string("floor")}});
            }
            if (kind == 5) builder.node("GlobalAveragePool", {"a"}, {"g"}).node("Flatten", {"g"}, {"y"});
            builder.output("y");
            const std::string problem = compareWithUnfused(builder.build(), {randomTensor({2, 4, 6, 6}, 3)});
            QVERIFY2(problem.empty(), (std::to_string(kind) + "/" + std::to_string(channels) + ": " + problem).c_str());
        }
    }
}

void TestPlanOperators::normalizations() {
    for (const Shape& shape : {Shape{2, 19, 4, 5}, Shape{3, 7}, Shape{2, 5, 6}}) {
        const Shape channels{shape[1]};
        const std::string problem = runSingle("BatchNormalization", {randomTensor(shape, 1)},
                                              {randomTensor(channels, 2), randomTensor(channels, 3),
                                               randomTensor(channels, 4), randomTensor(channels, 5, 0.5F, 2.0F)},
                                              {});
        QVERIFY2(problem.empty(), problem.c_str());
    }
    const std::string problem = runSingle("LRN", {randomTensor({2, 19, 4, 5}, 1)}, {},
                                          {{"size", std::int64_t{5}}, {"alpha", 0.5F}, {"bias", 2.0F}});
    QVERIFY2(problem.empty(), problem.c_str());
}

EQUANT_TEST(TestPlanOperators)
}  // namespace test_plan_operators

#include "test_plan_operators.moc"
