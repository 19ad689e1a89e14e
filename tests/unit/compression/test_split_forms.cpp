// SPDX-License-Identifier: Apache-2.0
// Every form of a pair for every kind of layer: at full rank the pair computes what the layer computed; below, it makes
// the error and has the cost that were announced. Layers that stay whole are refitted in every kind, too.
#include <QtTest>
#include <cmath>

#include "core/compression/compress.h"
#include "core/compression/factorization/layer_split_internal.h"
#include "core/compression/model_facts_internal.h"
#include "core/metrics/scores.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_split_forms {

using namespace equant;
using namespace equant::test;

namespace {

using Ints = std::vector<std::int64_t>;
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;
using Batches = std::vector<std::vector<Tensor>>;

constexpr auto kSpatial = CompressionMethod::SpatialSvd;
constexpr auto kWeight = CompressionMethod::WeightSvd;

struct Case {
    const char* name;
    Model model;
    Shape input;
};

Case layer(const char* name, const char* opType, const Shape& input, const Shape& weight, Attributes attributes = {},
           std::int64_t groups = 1) {
    const bool isConv = std::string(opType) == "Conv";
    if (groups > 1) attributes.push_back({"group", groups});
    Shape open = input;
    open[0] = -1;
    ModelBuilder builder;
    builder.input("x", open)
        .output("y")
        .constant("w", randomTensor(weight, 3))
        .constant("b", randomTensor({isConv ? weight[0] : weight[1] * groups}, 4))
        .node(opType, {"x", "w", "b"}, {"y"}, std::move(attributes));
    return {name, builder.build(), input};
}

AttributeValue same(const char* side) {
    return std::string("SAME_") + side;
}

std::vector<Case> convolutions() {
    const Shape x{2, 6, 9, 8};
    return {layer("strides, one-sided pads", "Conv", x, {8, 6, 3, 3},
                  {{"strides", Ints{2, 1}}, {"pads", Ints{2, 0, 1, 2}}}),
            layer("same upper", "Conv", x, {8, 6, 3, 4}, {{"strides", Ints{2, 3}}, {"auto_pad", same("UPPER")}}),
            layer("same lower", "Conv", x, {8, 6, 2, 3}, {{"strides", Ints{1, 2}}, {"auto_pad", same("LOWER")}}),
            layer("valid", "Conv", x, {8, 6, 3, 3}, {{"auto_pad", std::string("VALID")}}),
            layer("dilated", "Conv", x, {8, 6, 3, 3}, {{"dilations", Ints{2, 1}}, {"pads", Ints{1, 1, 1, 0}}}),
            layer("one dimension", "Conv", {2, 6, 12}, {8, 6, 5}, {{"strides", Ints{2}}, {"pads", Ints{2, 1}}}),
            layer("three dimensions", "Conv", {2, 4, 5, 4, 6}, {5, 4, 3, 2, 3}, {{"strides", Ints{2, 1, 1}}}),
            layer("2 groups", "Conv", x, {8, 3, 3, 3}, {{"strides", Ints{1, 2}}, {"pads", Ints{1, 1, 1, 1}}}, 2),
            layer("4 groups", "Conv", {2, 8, 6, 6}, {12, 2, 5, 3}, {{"dilations", Ints{1, 2}}}, 4),
            layer("depthwise", "Conv", {2, 4, 9, 9}, {4, 1, 5, 5}, {{"pads", Ints{2, 2, 2, 2}}}, 4),
            layer("two outputs per channel", "Conv", {2, 3, 9, 9}, {6, 1, 5, 5}, {{"strides", Ints{2, 2}}}, 3)};
}

std::vector<Case> transposedConvolutions() {
    const Shape x{2, 6, 4, 5};
    const std::pair<std::string, AttributeValue> strides{"strides", Ints{2, 2}};
    return {
        layer("transposed", "ConvTranspose", x, {6, 5, 3, 3}),
        layer("transposed, longer output", "ConvTranspose", x, {6, 5, 3, 4},
              {strides, {"pads", Ints{1, 0, 0, 2}}, {"output_padding", Ints{1, 0}}}),
        layer("transposed, dilated", "ConvTranspose", x, {6, 5, 3, 3}, {strides, {"dilations", Ints{2, 3}}}),
        layer("transposed, same upper", "ConvTranspose", x, {6, 5, 3, 3}, {strides, {"auto_pad", same("UPPER")}}),
        layer("transposed, output shape", "ConvTranspose", x, {6, 5, 4, 4}, {strides, {"output_shape", Ints{9, 10}}}),
        layer("transposed, groups", "ConvTranspose", x, {6, 3, 3, 2}, {strides}, 2),
        layer("transposed, depthwise", "ConvTranspose", x, {6, 1, 4, 5}, {strides}, 6),
        layer("transposed, one dimension", "ConvTranspose", {2, 6, 7}, {6, 5, 4}, {{"strides", Ints{3}}}),
        layer("transposed, three dimensions", "ConvTranspose", {2, 3, 3, 2, 4}, {3, 4, 2, 3, 3},
              {{"strides", Ints{1, 2, 2}}})};
}

std::vector<Case> cases() {
    auto all = convolutions();
    for (auto& entry : transposedConvolutions()) all.push_back(std::move(entry));
    return all;
}

CompressibleLayer siteOf(const Model& model) {
    return compressibleLayers(model, *factsOf(model)).front();
}

Batches inputsOf(const Shape& shape, unsigned count) {
    Batches batches;
    for (unsigned i = 0; i < count; ++i) {
        Tensor tensor = randomTensor(shape, i + 1);
        auto values = tensor.mutableData<float>();
        for (std::size_t k = 1; k < values.size(); ++k) values[k] = 0.9F * values[k - 1] + 0.3F * values[k];
        batches.push_back({std::move(tensor)});
    }
    return batches;
}

/// -1000 where one of them cannot run or shapes differ.
double sqnr(const Model& reference, const Model& changed, const Batches& batches) {
    const auto a = Executor::create(reference), b = Executor::create(changed);
    if (!a || !b) return -1000;
    SqnrAccumulator sum;
    for (const auto& batch : batches) {
        const auto y = (*a)->run(batch), other = (*b)->run(batch);
        if (!y || !other || y->front().shape() != other->front().shape()) return -1000;
        sum.add(y->front().data<float>(), other->front().data<float>());
    }
    return sum.db().value_or(-1000);
}

QByteArray told(const char* name, double value) {
    return QStringLiteral("%1: %2").arg(name).arg(value).toUtf8();
}

}  // namespace

class TestSplitForms : public QObject {
    Q_OBJECT

private slots:
    void fullRankIsTheSameFunction() {
        int count = 0;
        for (const auto& [name, model, input] : cases()) {
            const CompressibleLayer site = siteOf(model);
            const auto matrix = LayerMatrix::of(model.graph, 0);
            QVERIFY2(matrix.has_value(), name);
            std::vector<SplitForm> forms;
            if (site.can(kSpatial)) forms = {SplitForm::VerticalFirst, SplitForm::HorizontalFirst};
            if (site.can(kWeight)) forms.insert(forms.end(), {SplitForm::PointwiseFirst, SplitForm::PointwiseLast});
            QVERIFY2(!forms.empty(), name);
            for (const SplitForm form : forms) {
                const auto outputs = site.geometry.outputs / site.geometry.groups;
                const auto rank = splitShape(form, site.geometry).maxRank(outputs);
                Model split = model;
                writeSplit(split.graph, "y", site.geometry, truncateLayer(form, rank, site.geometry, *matrix));
                QCOMPARE(split.graph.nodes.size(), std::size_t{2});
                const double db = sqnr(model, split, inputsOf(input, 2));
                QVERIFY2(db > 90, told(name, db));
                const auto& node = model.graph.nodes[0];
                const auto facts = factsOf(model);
                const auto cost =
                    pairCost(form, site.geometry, rank,
                             realExtents(site.geometry, &*facts->at(node.inputs[0]).shape, &*facts->at("y").shape));
                QVERIFY2(cost.macs == static_cast<double>(costOf(split)->macs), told(name, cost.macs));
                ++count;
            }
        }
        QCOMPARE(count, 64);
    }

    void errorsAndCostsAreThoseAnnounced() {
        for (const auto& [name, model, input] : cases())
            for (const auto method : {kSpatial, kWeight}) {
                const CompressibleLayer site = siteOf(model);
                if (!site.can(method)) continue;
                const auto batches = inputsOf(input, 20);
                const auto source = batchesOf(batches);
                CompressionPlan plan;
                plan.choices.push_back({"", method, 0.8, 0, false});
                plan.choices[0].layer = site.geometry.name;
                const auto result = compress(model, plan, &source, {.positionsPerSample = 1000});
                QVERIFY2(result.has_value(), name);
                const CompressedLayer& report = result->report.layers[0];
                if (!report.skipped.empty()) {
                    QVERIFY2(report.skipped.find("cheaper") != std::string::npos ||
                                 report.skipped.find("cost more") != std::string::npos,
                             name);
                    QCOMPARE(result->report.macsAfter, result->report.macsBefore);
                    continue;
                }
                QVERIFY2(result->report.macsAfter < result->report.macsBefore, name);
                QVERIFY2(report.after.macs == static_cast<double>(result->report.macsAfter), name);
                const double real = sqnr(model, result->model, batches);
                QVERIFY2(std::fabs(*report.sqnrDb - real) < 0.01, told(name, real));
                const auto plain = compress(model, plan, nullptr, {});
                QVERIFY2(real > sqnr(model, plain->model, batches), name);
            }
    }

    /// Weights far from those that made the targets are found again, group by group.
    void wholeLayersAreRefitted() {
        for (const auto& [name, model, input] : cases()) {
            Model wrong = model;
            Tensor& weight = wrong.graph.initializers[0].tensor;
            weight = randomTensor(weight.shape(), 77);
            const auto batches = inputsOf(input, 60);
            const auto rows = collectRows(wrong, model, {siteOf(model).geometry, "y"}, batchesOf(batches),
                                          {.positionsPerSample = 40, .seed = 1, .threads = 2}, std::size_t{1} << 24);
            QVERIFY2(rows.has_value(), name);
            const auto matrix = LayerMatrix::of(wrong.graph, 0);
            const auto better = refitLayer(*matrix, momentsOf(*rows, 2));
            QVERIFY2(better.has_value(), name);
            writeMatrix(wrong.graph, "y", *better);
            const double db = sqnr(model, wrong, batches);
            QVERIFY2(db > 30, told(name, db));
        }
    }

    /// Behind a compressed layer and its activation: a whole layer of every kind makes up for some of what was lost.
    void wholeLayersMakeUpForWhatWasLost() {
        for (const auto& [name, single, input] : cases()) {
            Model model = single;
            const std::int64_t channels = input[1];
            ModelBuilder front;
            front.constant("w0", randomTensor({channels, channels, 1, 1}, 5))
                .node("Conv", {"x", "w0"}, {"c"})
                .node("Relu", {"c"}, {"z"});
            Model before = front.build();
            Shape kernel(input.size(), 1);
            kernel[0] = kernel[1] = channels;
            before.graph.initializers[0].tensor = before.graph.initializers[0].tensor.reshaped(kernel);
            before.graph.nodes[0].name = "front";
            model.graph.nodes[0].inputs[0] = "z";
            model.graph.nodes.insert(model.graph.nodes.begin(), before.graph.nodes.begin(), before.graph.nodes.end());
            model.graph.initializers.push_back(before.graph.initializers[0]);
            const auto batches = inputsOf(input, 60);
            const auto source = batchesOf(batches);
            CompressionPlan plan;
            plan.choices.push_back({"front", kWeight, 1, channels / 3, false});
            const auto kept = compress(model, plan, &source, {.shouldRefit = false, .positionsPerSample = 1000});
            const auto refitted = compress(model, plan, &source, {.positionsPerSample = 1000});
            QVERIFY2(kept && refitted && refitted->report.layers[0].skipped.empty(), name);
            const double a = sqnr(model, kept->model, batches), b = sqnr(model, refitted->model, batches);
            QVERIFY2(b > a + 0.005, told(name, b - a));
        }
    }

    void sharedWeightsStayShared() {
        ModelBuilder builder;
        builder.input("x", {-1, 6, 8, 8})
            .output("y")
            .constant("w0", randomTensor({6, 6, 3, 3}, 1))
            .constant("w1", randomTensor({6, 6, 3, 3}, 2, -0.3F, 0.3F))
            .node("Conv", {"x", "w0"}, {"a"})
            .node("Conv", {"a", "w1"}, {"b"})
            .node("Identity", {"w1"}, {"copy"})
            .node("Conv", {"b", "copy"}, {"y"});
        const Model model = builder.build();
        const auto batches = inputsOf({2, 6, 8, 8}, 10);
        const auto source = batchesOf(batches);
        CompressionPlan plan;
        for (const char* name : {"Conv_0", "Conv_1"}) plan.choices.push_back({name, kWeight, 0.5, 0, false});
        const auto refused = compress(model, plan, &source, {});
        QVERIFY(!refused && refused.error().message.find("\"Conv_3\" reads the same weights") != std::string::npos);
        plan.choices.pop_back();
        const auto result = compress(model, plan, &source, {});
        QVERIFY(result.has_value());
        QVERIFY(result->report.parametersAfter < result->report.parametersBefore);
        QVERIFY(result->model.graph.initializer("w1")->tensor == model.graph.initializer("w1")->tensor);
    }
};

EQUANT_TEST(TestSplitForms)
}  // namespace test_split_forms

#include "test_split_forms.moc"
