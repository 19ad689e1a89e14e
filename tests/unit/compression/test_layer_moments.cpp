// SPDX-License-Identifier: Apache-2.0
// Second moments of unfolded inputs: the map [weight, bias] of a layer must explain its own output exactly, whatever
// its kernel, strides, padding and form, because E|y - A x|^2 is computed from the moments alone.
#include <QtTest>
#include <cmath>

#include "core/compression/factorization/layer_split_internal.h"
#include "core/graph/shapes/shapes.h"
#include "core/runtime/exec/executor.h"
#include "core/statistics/collect_moments.h"
#include "core/statistics/unfold.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_layer_moments {

using namespace equant;
using namespace equant::test;

namespace {

using Ints = std::vector<std::int64_t>;

struct Case {
    const char* name;
    Model model;
    Shape input;  ///< of one batch
};

Model convolution(const Shape& input, const Shape& weight,
                  std::vector<std::pair<std::string, AttributeValue>> attributes) {
    ModelBuilder builder;
    builder.input("x", input)
        .output("y")
        .constant("w", randomTensor(weight, 3))
        .constant("b", randomTensor({weight[0]}, 4))
        .node("Conv", {"x", "w", "b"}, {"y"}, std::move(attributes));
    return builder.build();
}

Case transposed(const char* name, const Shape& input, const Shape& weight,
                std::vector<std::pair<std::string, AttributeValue>> attributes, std::int64_t groups = 1) {
    ModelBuilder builder;
    Shape open = input;
    open[0] = -1;
    attributes.push_back({"group", groups});
    builder.input("x", open)
        .output("y")
        .constant("w", randomTensor(weight, 3))
        .constant("b", randomTensor({weight[1] * groups}, 4))
        .node("ConvTranspose", {"x", "w", "b"}, {"y"}, std::move(attributes));
    return {name, builder.build(), input};
}

/// Strides larger than the kernel leave outputs that no input reaches.
std::vector<Case> transposedCases() {
    const std::pair<std::string, AttributeValue> strides{"strides", Ints{2, 3}};
    return {
        transposed("transposed", {2, 3, 4, 5}, {3, 4, 3, 3}, {}),
        transposed("transposed, strided, padded, longer output", {2, 3, 4, 5}, {3, 4, 3, 2},
                   {strides, {"pads", Ints{1, 0, 0, 1}}, {"output_padding", Ints{1, 2}}}),
        transposed("transposed, dilated", {2, 3, 4, 5}, {3, 4, 3, 3}, {strides, {"dilations", Ints{2, 3}}}),
        transposed("transposed, same upper", {2, 3, 4, 5}, {3, 4, 4, 3},
                   {strides, {"auto_pad", std::string("SAME_UPPER")}}),
        transposed("transposed, same lower", {2, 3, 4, 5}, {3, 4, 5, 4},
                   {strides, {"auto_pad", std::string("SAME_LOWER")}}),
        transposed("transposed, output shape", {2, 3, 4, 5}, {3, 4, 4, 4}, {strides, {"output_shape", Ints{7, 13}}}),
        transposed("transposed, groups", {2, 6, 4, 5}, {6, 2, 3, 3}, {strides}, 3),
        transposed("transposed, one dimension", {2, 3, 6}, {3, 4, 4}, {{"strides", Ints{2}}}),
        transposed("transposed, three dimensions", {2, 2, 3, 2, 4}, {2, 3, 2, 3, 3}, {{"strides", Ints{1, 2, 2}}})};
}

std::vector<Case> cases() {
    std::vector<Case> all;
    all.push_back({"plain", convolution({-1, 3, 6, 7}, {4, 3, 3, 3}, {}), {2, 3, 6, 7}});
    all.push_back({"strided, padded on both sides differently",
                   convolution({-1, 3, 7, 8}, {4, 3, 3, 2}, {{"strides", Ints{2, 3}}, {"pads", Ints{1, 0, 2, 1}}}),
                   {2, 3, 7, 8}});
    all.push_back({"dilated",
                   convolution({-1, 2, 9, 9}, {3, 2, 3, 3}, {{"dilations", Ints{2, 3}}, {"pads", Ints{2, 1, 2, 1}}}),
                   {2, 2, 9, 9}});
    all.push_back(
        {"same upper",
         convolution({-1, 2, 7, 6}, {3, 2, 2, 3}, {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}),
         {2, 2, 7, 6}});
    all.push_back({"same lower",
                   convolution({-1, 2, 7, 6}, {3, 2, 2, 4}, {{"auto_pad", std::string("SAME_LOWER")}}),
                   {2, 2, 7, 6}});
    all.push_back({"one dimension",
                   convolution({-1, 3, 11}, {5, 3, 4}, {{"strides", Ints{2}}, {"pads", Ints{1, 2}}}),
                   {2, 3, 11}});
    all.push_back(
        {"three dimensions",
         convolution({-1, 2, 4, 5, 6}, {3, 2, 3, 2, 3}, {{"strides", Ints{2, 1, 2}}, {"pads", Ints{1, 0, 1, 0, 1, 2}}}),
         {2, 2, 4, 5, 6}});
    all.push_back({"groups",
                   convolution({-1, 6, 7, 6}, {4, 3, 3, 3}, {{"group", std::int64_t{2}}, {"pads", Ints{1, 1, 1, 1}}}),
                   {2, 6, 7, 6}});
    all.push_back({"depthwise", convolution({-1, 3, 7, 6}, {6, 1, 3, 3}, {{"group", std::int64_t{3}}}), {2, 3, 7, 6}});
    for (auto& entry : transposedCases()) all.push_back(std::move(entry));
    ModelBuilder gemm;
    gemm.input("x", {-1, 6}).output("y").constant("w", randomTensor({4, 6}, 5)).constant("b", randomTensor({4}, 6));
    gemm.node("Gemm", {"x", "w", "b"}, {"y"}, {{"transB", std::int64_t{1}}, {"alpha", 0.5F}, {"beta", 2.0F}});
    all.push_back({"gemm", gemm.build(), {3, 6}});
    ModelBuilder matMul;
    matMul.input("x", {-1, 5, 6}).output("y").constant("w", randomTensor({6, 4}, 5)).node("MatMul", {"x", "w"}, {"y"});
    all.push_back({"matmul", matMul.build(), {2, 5, 6}});
    return all;
}

LayerGeometry geometryOf(const Model& model) {
    const auto facts = inferShapes(model, {.inputShapes = {}, .batch = 1, .evaluate = {}});
    return compressibleLayers(model, *facts).front().geometry;
}

Eigen::MatrixXd mapOf(const Model& model) {
    const auto matrix = LayerMatrix::of(model.graph, 0);
    Eigen::MatrixXd map(matrix->weight.rows(), matrix->weight.cols() + 1);
    map.leftCols(matrix->weight.cols()) = matrix->weight;
    map.rightCols<1>() = matrix->bias.value_or(Eigen::VectorXd::Zero(matrix->weight.rows()));
    return map;
}

Result<LayerMoments> momentsOf(const Model& model, const std::vector<std::vector<Tensor>>& batches,
                               const MomentOptions& options, const JobContext& job = {}) {
    auto all = collectMoments(model, model, {{geometryOf(model), "y", {}}}, batchesOf(batches), options, job);
    if (!all) return fail(all.error());
    return all->front();
}

}  // namespace

class TestLayerMoments : public QObject {
    Q_OBJECT

private slots:
    void theLayersOwnMapHasNoError() {
        for (const auto& [name, model, input] : cases()) {
            const std::vector<std::vector<Tensor>> batches{{randomTensor(input, 1)}, {randomTensor(input, 2)}};
            const auto moments = momentsOf(model, batches, {.positionsPerSample = 7, .seed = 5, .threads = 2});
            QVERIFY2(moments.has_value(), name);
            const double power = moments->outputPower.sum();
            const auto map = mapOf(model);
            QVERIFY2(power > 0 && moments->error(map) < 1e-6 * power, name);
            // A wrong map has the error that its difference makes: A different bias b + 1 is off by 1 per output.
            Eigen::MatrixXd shifted = map;
            shifted.rightCols<1>().array() += 1.0;
            QVERIFY2(std::fabs(moments->error(shifted) - static_cast<double>(map.rows())) < 1e-4, name);
        }
    }

    void errorIsThatOfTheOutputs() {
        const Model model = cases()[1].model;
        Model changed = model;
        changed.graph.initializers[0].tensor = randomTensor({4, 3, 3, 2}, 9);
        const std::vector<std::vector<Tensor>> batches{{randomTensor({3, 3, 7, 8}, 1)},
                                                       {randomTensor({1, 3, 7, 8}, 2)}};
        const auto moments = momentsOf(model, batches, {.positionsPerSample = 1000, .seed = 0, .threads = 1});
        QVERIFY(moments.has_value());
        double sum = 0;
        std::size_t positions = 0;
        const auto before = Executor::create(model), after = Executor::create(changed);
        for (const auto& batch : batches) {
            const auto y = (*before)->run(batch), other = (*after)->run(batch);
            const auto a = y->front().data<float>(), b = other->front().data<float>();
            for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double(a[i]) - double(b[i]), 2);
            positions += a.size() / 4;
        }
        QCOMPARE(moments->count, positions);
        const double error = sum / static_cast<double>(positions);
        QVERIFY(std::fabs(moments->error(mapOf(changed)) - error) < 1e-5 * error);
    }

    void resultsDoNotDependOnThreads() {
        const Model model = cases()[0].model;
        std::vector<std::vector<Tensor>> batches;
        for (unsigned i = 0; i < 7; ++i) batches.push_back({randomTensor({3, 3, 6, 7}, i)});
        const auto one = momentsOf(model, batches, {.positionsPerSample = 5, .seed = 3, .threads = 1});
        const auto four = momentsOf(model, batches, {.positionsPerSample = 5, .seed = 3, .threads = 4});
        const auto other = momentsOf(model, batches, {.positionsPerSample = 5, .seed = 4, .threads = 4});
        QVERIFY(one && four && other);
        QVERIFY(one->gram == four->gram && one->cross == four->cross && one->outputPower == four->outputPower);
        QCOMPARE(one->count, std::size_t{7 * 3 * 5});
        QVERIFY(one->gram != other->gram);
    }

    /// y = conv(x) + x: what is asked of the layer is the sum less the other branch.
    void theOtherBranchIsTakenOff() {
        ModelBuilder builder;
        builder.input("x", {-1, 3, 5, 5}).output("z").constant("w", randomTensor({3, 3, 3, 3}, 1));
        builder.node("Conv", {"x", "w"}, {"y"}, {{"pads", Ints{1, 1, 1, 1}}}).node("Add", {"y", "x"}, {"z"});
        const Model model = builder.build();
        const std::vector<std::vector<Tensor>> batches{{randomTensor({2, 3, 5, 5}, 1)}};
        const auto moments = collectMoments(model, model, {{geometryOf(model), "z", "x"}}, batchesOf(batches), {});
        QVERIFY(moments.has_value());
        QVERIFY(moments->front().error(mapOf(model)) < 1e-6 * moments->front().outputPower.sum());
    }

    void failuresAndCancelling() {
        const Model model = cases()[0].model;
        const std::vector<std::vector<Tensor>> wrong{{randomTensor({2, 4, 6, 7}, 1)}};
        const auto refused = momentsOf(model, wrong, {});
        QVERIFY(!refused && refused.error().code == ErrorCode::InvalidArgument);
        std::stop_source stop;
        stop.request_stop();
        const std::vector<std::vector<Tensor>> right{{randomTensor({2, 3, 6, 7}, 1)}};
        const auto stopped = momentsOf(model, right, {}, {stop.get_token(), nullptr});
        QVERIFY(!stopped && stopped.error().code == ErrorCode::Cancelled);
    }
};

EQUANT_TEST(TestLayerMoments)
}  // namespace test_layer_moments

#include "test_layer_moments.moc"
