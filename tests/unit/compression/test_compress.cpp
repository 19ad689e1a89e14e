// SPDX-License-Identifier: Apache-2.0
// Factorized models: the same outputs at full rank, the error that was announced, better with data than without.
#include <QtTest>
#include <cmath>

#include "core/compression/compress.h"
#include "core/compression/factorization/layer_split_internal.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/scores.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_compress {

using namespace equant;
using namespace equant::test;

namespace {

using Ints = std::vector<std::int64_t>;
using Batches = std::vector<std::vector<Tensor>>;

/// Inputs whose elements are correlated, as those of images are: runs of equal sign with different powers.
Batches correlatedInputs(const Shape& sample, unsigned count, unsigned seed) {
    Batches batches;
    for (unsigned i = 0; i < count; ++i) {
        Tensor tensor = randomTensor(sample, seed + i);
        auto values = tensor.mutableData<float>();
        for (std::size_t k = 1; k < values.size(); ++k) values[k] = 0.9F * values[k - 1] + 0.3F * values[k];
        batches.push_back({std::move(tensor)});
    }
    return batches;
}

std::vector<Tensor> outputsOf(const Model& model, const Batches& batches) {
    const auto executor = Executor::create(model);
    std::vector<Tensor> outputs;
    if (!executor) return outputs;
    for (const auto& batch : batches)
        if (auto result = (*executor)->run(batch)) outputs.push_back(result->front());
    return outputs;
}

double sqnr(const Model& reference, const Model& changed, const Batches& batches) {
    const auto a = outputsOf(reference, batches), b = outputsOf(changed, batches);
    SqnrAccumulator sum;
    if (a.empty() || a.size() != b.size()) return -1000;
    for (std::size_t i = 0; i < a.size(); ++i) sum.add(a[i].data<float>(), b[i].data<float>());
    return sum.db().value_or(-1000);
}

Model convolution(const Shape& input, const Shape& weight,
                  std::vector<std::pair<std::string, AttributeValue>> attributes, bool hasBias = true) {
    ModelBuilder builder;
    builder.input("x", input).output("y").constant("w", randomTensor(weight, 3));
    if (hasBias) builder.constant("b", randomTensor({weight[0]}, 4));
    builder.node("Conv", hasBias ? std::vector<std::string>{"x", "w", "b"} : std::vector<std::string>{"x", "w"}, {"y"},
                 std::move(attributes));
    return builder.build();
}

/// conv -> relu -> conv -> + skip -> relu -> gemm, wide enough that half the cost is something to lose.
Model network() {
    ModelBuilder builder;
    builder.input("x", {-1, 8, 6, 6})
        .output("y")
        .constant("w0", randomTensor({12, 8, 3, 3}, 1, -0.3F, 0.3F))
        .constant("b0", randomTensor({12}, 2))
        .constant("w1", randomTensor({12, 12, 3, 3}, 3, -0.3F, 0.3F))
        .constant("w2", randomTensor({5, 12}, 4))
        .constant("b2", randomTensor({5}, 5))
        .node("Conv", {"x", "w0", "b0"}, {"a"}, {{"pads", Ints{1, 1, 1, 1}}})
        .node("Relu", {"a"}, {"r"})
        .node("Conv", {"r", "w1"}, {"c"}, {{"pads", Ints{1, 1, 1, 1}}})
        .node("Add", {"c", "r"}, {"s"})
        .node("Relu", {"s"}, {"t"})
        .node("GlobalAveragePool", {"t"}, {"p"})
        .node("Flatten", {"p"}, {"f"})
        .node("Gemm", {"f", "w2", "b2"}, {"y"}, {{"transB", std::int64_t{1}}});
    return builder.build();
}

CompressionPlan planOf(std::vector<std::string> layers, CompressionMethod method, double ratio, std::int64_t size = 0) {
    CompressionPlan plan;
    for (auto& layer : layers) plan.choices.push_back({std::move(layer), method, ratio, size, false});
    return plan;
}

double parametersOf(const Model& model) {
    double count = 0;
    for (const auto& initializer : model.graph.initializers) count += static_cast<double>(initializer.tensor.count());
    return count;
}

}  // namespace

class TestCompress : public QObject {
    Q_OBJECT

private slots:
    /// Weights of low rank lose nothing when cut to that rank, in every form and with every way of walking.
    void lowRankWeightsAreSplitExactly() {
        struct Case {
            const char* name;
            Shape input, weight;
            std::vector<std::pair<std::string, AttributeValue>> attributes;
            CompressionMethod method;
        };
        const auto spatial = CompressionMethod::SpatialSvd, weight = CompressionMethod::WeightSvd;
        const std::vector<Case> cases{
            {"spatial", {1, 6, 9, 9}, {8, 6, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, spatial},
            {"spatial, strides and one-sided pads",
             {1, 6, 9, 8},
             {8, 6, 3, 3},
             {{"strides", Ints{2, 1}}, {"pads", Ints{2, 0, 1, 2}}},
             spatial},
            {"spatial, automatic padding",
             {1, 6, 9, 8},
             {8, 6, 3, 5},
             {{"strides", Ints{2, 2}}, {"auto_pad", std::string("SAME_LOWER")}},
             spatial},
            {"weight", {1, 6, 9, 9}, {8, 6, 3, 3}, {{"pads", Ints{1, 0, 0, 1}}}, weight},
            {"weight, dilated and strided",
             {1, 6, 12, 12},
             {8, 6, 3, 3},
             {{"dilations", Ints{2, 1}}, {"strides", Ints{1, 2}}},
             weight},
            {"weight, one dimension", {1, 6, 12}, {8, 6, 5}, {{"pads", Ints{2, 2}}}, weight},
        };
        for (const auto& entry : cases) {
            Model model = convolution(entry.input, entry.weight, entry.attributes);
            // Rank 2: every kernel is a combination of two.
            Tensor tensor = model.graph.initializers[0].tensor;
            auto values = tensor.mutableData<float>();
            const auto m = std::size_t(entry.weight[1]), kernel = values.size() / m / std::size_t(entry.weight[0]);
            const Tensor outer = randomTensor({entry.weight[0], 2}, 7), inner = randomTensor({2, entry.weight[1]}, 8);
            const Tensor taps = randomTensor({2, std::int64_t(kernel)}, 9);
            const std::size_t columns = std::size_t(entry.weight.back());
            for (std::size_t i = 0; i < values.size(); ++i) {
                const std::size_t o = i / (m * kernel), c = i / kernel % m, k = i % kernel;
                values[i] = 0;
                for (std::size_t r = 0; r < 2; ++r) {
                    const float tap = entry.method == spatial ? taps.data<float>()[r * kernel + k % columns] *
                                                                    taps.data<float>()[r * kernel + k / columns]
                                                              : taps.data<float>()[r * kernel + k];
                    values[i] += outer.data<float>()[o * 2 + r] * inner.data<float>()[r * m + c] * tap;
                }
            }
            model.graph.initializers[0].tensor = tensor;
            const auto batches = correlatedInputs(entry.input, 12, 1);
            const auto source = batchesOf(batches);
            for (const BatchSource* data : {static_cast<const BatchSource*>(nullptr), &source}) {
                const auto result = compress(model, planOf({"Conv_0"}, entry.method, 1, 2), data, {});
                QVERIFY2(result.has_value(), entry.name);
                QVERIFY2(result->report.layers[0].skipped.empty(), result->report.layers[0].skipped.c_str());
                QCOMPARE(result->model.graph.nodes.size(), std::size_t{2});
                const double db = sqnr(model, result->model, batches);
                QVERIFY2(db > 80, qPrintable(QString("%1: %2 dB").arg(entry.name).arg(db)));
                QVERIFY2(parametersOf(result->model) < parametersOf(model), entry.name);
            }
        }
    }

    void matricesOfGemmAndMatMul() {
        for (const bool isGemm : {true, false}) {
            for (const bool isTransposed : {true, false}) {
                if (!isGemm && isTransposed) continue;
                ModelBuilder builder(9);  // before Gemm's bias became optional
                builder.input("x", isGemm ? Shape{-1, 20} : Shape{-1, 3, 20}).output("y");
                builder.constant("w", randomTensor(isTransposed ? Shape{16, 20} : Shape{20, 16}, 1));
                builder.constant("b", randomTensor({16}, 2));
                if (isGemm)
                    builder.node("Gemm", {"x", "w", "b"}, {"y"},
                                 {{"transB", std::int64_t{isTransposed}}, {"alpha", 0.5F}, {"beta", 3.0F}});
                else
                    builder.node("MatMul", {"x", "w"}, {"m"}).node("Add", {"m", "b"}, {"y"});
                const Model model = builder.build();
                Batches batches;
                for (unsigned i = 0; i < 3; ++i)
                    batches.push_back({randomTensor(isGemm ? Shape{40, 20} : Shape{40, 3, 20}, i, 0.0F, 1.0F)});
                const auto source = batchesOf(batches);
                const std::string label = isGemm ? "Gemm_0" : "MatMul_0";
                const auto plan = planOf({label}, CompressionMethod::WeightSvd, 0.7);
                const auto plain = compress(model, plan, nullptr, {});
                const auto fitted = compress(model, plan, &source, {});
                QVERIFY(plain && fitted);
                QCOMPARE(fitted->report.layers[0].size, 6);
                QCOMPARE(fitted->report.layers[0].nodes.size(), std::size_t{2});
                QVERIFY(sqnr(model, fitted->model, batches) > sqnr(model, plain->model, batches));
                // The bias of a MatMul lives in the Add that was there already.
                QCOMPARE(fitted->model.graph.nodes.size(), isGemm ? std::size_t{2} : std::size_t{3});
                // What was announced is what the outputs show (the Gemm's output is the model's).
                if (isGemm)
                    QVERIFY(std::fabs(*fitted->report.layers[0].sqnrDb - sqnr(model, fitted->model, batches)) < 0.01);
            }
        }
    }

    void aMatMulWithoutAddGetsItsBias() {
        ModelBuilder builder;
        builder.input("x", {-1, 3, 20}).output("y").constant("w", randomTensor({20, 16}, 1));
        builder.node("MatMul", {"x", "w"}, {"y"});
        const Model model = builder.build();
        const Batches batches{{randomTensor({60, 3, 20}, 1, 2.0F, 3.0F)}};
        const auto source = batchesOf(batches);
        const auto result = compress(model, planOf({"MatMul_0"}, CompressionMethod::WeightSvd, 0.5), &source, {});
        QVERIFY(result.has_value());
        QCOMPARE(result->model.graph.nodes.back().opType, std::string("Add"));
        QVERIFY(std::fabs(*result->report.layers[0].sqnrDb - sqnr(model, result->model, batches)) < 0.01);
    }

    void theErrorAnnouncedIsTheErrorMade() {
        const Model model = convolution({-1, 8, 8, 8}, {10, 8, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, false);
        const auto batches = correlatedInputs({1, 8, 8, 8}, 20, 1);
        const auto source = batchesOf(batches);
        for (const auto method : {CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd}) {
            const auto plan = planOf({"Conv_0"}, method, 0.5);
            const auto result = compress(model, plan, &source, {.positionsPerSample = 64});
            const auto plain = compress(model, plan, &source, {.isPlain = true});
            QVERIFY(result && plain);
            const double real = sqnr(model, result->model, batches);
            QVERIFY2(std::fabs(*result->report.layers[0].sqnrDb - real) < 0.01, qPrintable(QString::number(real)));
            QVERIFY(real > sqnr(model, plain->model, batches) + 1);
            QVERIFY(result->report.layers[0].ratio <= 0.5);
            QCOMPARE(result->report.samples, std::size_t{20});
            QCOMPARE(plain->report.samples, std::size_t{0});
            QVERIFY(!plain->report.layers[0].sqnrDb);
        }
    }

    void refittingHelpsTheNetwork() {
        const Model model = network();
        const auto batches = correlatedInputs({4, 8, 6, 6}, 40, 1);
        const auto unseen = correlatedInputs({4, 8, 6, 6}, 20, 1000);
        const auto source = batchesOf(batches);
        const auto plan = planOf({"Conv_0", "Conv_2"}, CompressionMethod::SpatialSvd, 0.5);
        const auto plain = compress(model, plan, nullptr, {});
        const auto dataAware = compress(model, plan, &source, {.shouldRefit = false});
        const auto refitted = compress(model, plan, &source, {});
        QVERIFY(plain && dataAware && refitted);
        const double a = sqnr(model, plain->model, unseen), b = sqnr(model, dataAware->model, unseen),
                     c = sqnr(model, refitted->model, unseen);
        QVERIFY2(a < b && b < c, qPrintable(QString("%1 %2 %3").arg(a).arg(b).arg(c)));
        QVERIFY(refitted->report.macsRatio < 0.55 && refitted->report.macsAfter < refitted->report.macsBefore);
        QCOMPARE(refitted->report.layers.size(), std::size_t{2});
        const auto bytes = serializeOnnx(refitted->model);
        QVERIFY(bytes && parseOnnx(*bytes));
    }

    void resultsDoNotDependOnThreads() {
        const Model model = network();
        const auto batches = correlatedInputs({2, 8, 6, 6}, 9, 1);
        const auto source = batchesOf(batches);
        const auto plan = planOf({"Conv_0", "Conv_2"}, CompressionMethod::WeightSvd, 0.6);
        const auto one = compress(model, plan, &source, {.threads = 1});
        const auto four = compress(model, plan, &source, {.threads = 4});
        QVERIFY(one && four);
        QCOMPARE(contentHash(one->model), contentHash(four->model));
    }

    /// Fewer samples than input elements, and inputs that are always zero: no worse than cutting the weights alone.
    void fewSamplesAndDeadInputs() {
        const Model model = convolution({-1, 8, 8, 8}, {10, 8, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}});
        auto batches = correlatedInputs({1, 8, 8, 8}, 1, 1);
        auto values = batches[0][0].mutableData<float>();
        std::fill_n(values.begin(), 3 * 64, 0.0F);  // channels 0 to 2
        const auto source = batchesOf(batches);
        const auto plan = planOf({"Conv_0"}, CompressionMethod::SpatialSvd, 0.5);
        const auto fitted = compress(model, plan, &source, {.positionsPerSample = 16});
        const auto plain = compress(model, plan, nullptr, {});
        QVERIFY(fitted && plain);
        const auto unseen = correlatedInputs({1, 8, 8, 8}, 10, 50);
        const double a = sqnr(model, plain->model, unseen), b = sqnr(model, fitted->model, unseen);
        QVERIFY2(b > a - 1, qPrintable(QString("%1 %2").arg(a).arg(b)));
        for (const auto& initializer : fitted->model.graph.initializers)
            for (const float value : initializer.tensor.data<float>()) QVERIFY(std::isfinite(value));
    }

    void whatIsLeftAloneSaysWhy() {
        // The full rank of a single input channel costs more than the layer.
        const Model thin = convolution({1, 2, 9, 9}, {2, 2, 1, 1}, {});
        const auto dear = compress(thin, planOf({"Conv_0"}, CompressionMethod::WeightSvd, 0.5), nullptr, {});
        QVERIFY(dear.has_value());
        QVERIFY(dear->report.layers[0].skipped.find("cheaper") != std::string::npos);
        QCOMPARE(dear->model.graph.nodes.size(), std::size_t{1});
        QCOMPARE(dear->report.macsRatio, 1.0);

        const Model model = network();
        const auto alone = compress(model, planOf({"Conv_0"}, CompressionMethod::SpatialSvd, 1), nullptr, {});
        QVERIFY(alone && !alone->report.layers[0].skipped.empty());

        auto plan = planOf({"Conv_0", "nothing", "Gemm_7"}, CompressionMethod::SpatialSvd, 0.5);
        plan.choices[0].ratio = 1.5;
        const auto refused = compress(model, plan, nullptr, {});
        QVERIFY(!refused && refused.error().code == ErrorCode::InvalidArgument);
        for (const char* part :
             {"\"Conv_0\": ratio 1.5", "\"nothing\": the model has no", "\"Gemm_7\": no spatial-svd: "})
            QVERIFY2(refused.error().message.find(part) != std::string::npos, refused.error().message.c_str());
    }

    void multiplesAndCancelling() {
        const Model model = network();
        auto plan = planOf({"Conv_2"}, CompressionMethod::SpatialSvd, 0.3);
        plan.multiple = 8;
        const auto rounded = compress(model, plan, nullptr, {});
        QVERIFY(rounded.has_value());
        QCOMPARE(rounded->report.layers[0].size, 8);
        const auto batches = correlatedInputs({2, 8, 6, 6}, 4, 1);
        const auto source = batchesOf(batches);
        std::stop_source stop;
        stop.request_stop();
        const auto stopped = compress(model, plan, &source, {}, {stop.get_token(), nullptr});
        QVERIFY(!stopped && stopped.error().code == ErrorCode::Cancelled);
    }
};

EQUANT_TEST(TestCompress)
}  // namespace test_compress

#include "test_compress.moc"
