// SPDX-License-Identifier: Apache-2.0
// Sensitivities predicted from statistics and measured cell by cell, on a small chain whose answers can be checked.
#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "core/compression/compress.h"
#include "core/compression/plan/sensitivity.h"
#include "core/compression/plan/solver.h"
#include "core/data/dataset.h"
#include "core/metrics/evaluate.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_sensitivity {

using namespace equant;
using namespace equant::test;

namespace {

using Ints = std::vector<std::int64_t>;
constexpr std::size_t kSamples = 24;

/// Four convolutions and a classifier; the second one is depthwise.
Model chain() {
    ModelBuilder builder;
    builder.input("x", {-1, 6, 8, 8}).output("y", {-1, 5});
    std::string value = "x";
    const std::vector<Shape> weights{{10, 6, 3, 3}, {10, 1, 3, 3}, {12, 10, 3, 3}, {8, 12, 3, 3}};
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const std::string n = std::to_string(i);
        builder.constant("w" + n, randomTensor(weights[i], unsigned(i + 1), -0.4F, 0.4F))
            .constant("b" + n, randomTensor({weights[i][0]}, unsigned(i + 20)))
            .node("Conv", {value, "w" + n, "b" + n}, {"c" + n},
                  {{"pads", Ints{1, 1, 1, 1}}, {"group", std::int64_t{i == 1 ? 10 : 1}}})
            .node("Relu", {"c" + n}, {"r" + n});
        value = "r" + n;
    }
    return builder.constant("w", randomTensor({5, 8}, 9))
        .node("GlobalAveragePool", {value}, {"p"})
        .node("Flatten", {"p"}, {"f"})
        .node("Gemm", {"f", "w"}, {"y"}, {{"transB", std::int64_t{1}}})
        .build();
}

class RandomData final : public Dataset {
public:
    explicit RandomData(bool hasLabels) : m_hasLabels(hasLabels) {}
    std::size_t size() const override { return kSamples; }
    Result<Sample> load(std::size_t index) const override {
        return Sample{{randomTensor({6, 8, 8}, unsigned(100 + index))}, label(index), {}};
    }
    std::string sampleName(std::size_t index) const override { return std::to_string(index); }
    bool hasLabels() const override { return m_hasLabels; }
    std::optional<std::int64_t> label(std::size_t index) const override {
        return m_hasLabels ? std::optional(std::int64_t(index % 5)) : std::nullopt;
    }
    std::string describe() const override { return "random"; }
    std::string fingerprint() const override { return m_hasLabels ? "labelled" : "random"; }

private:
    bool m_hasLabels;
};

SensitivityOptions optionsFor(std::vector<CompressionMethod> methods) {
    SensitivityOptions options;
    options.methods = std::move(methods);
    options.ratios = {0.25, 0.5, 0.75};
    options.metric = SensitivityMetric::SqnrDb;
    options.compress.threads = 2;
    return options;
}

const std::vector<CompressionMethod> kAllMethods{CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd,
                                                 CompressionMethod::ChannelPruning};

std::size_t measuredCells(const SensitivityTable& table) {
    std::size_t count = 0;
    for (const auto& layer : table.layers)
        for (const auto& cell : layer.cells) count += cell.score.has_value();
    return count;
}

std::size_t allCells(const SensitivityTable& table) {
    std::size_t count = 0;
    for (const auto& layer : table.layers) count += layer.cells.size();
    return count;
}

}  // namespace

class TestSensitivity : public QObject {
    Q_OBJECT

private slots:
    void predictedErrorsFall();
    void noiseArrivesAsPredicted();
    void orderOfRatiosDoesNotMatter();
    void pruningSavesUpstreamToo();
    void measuresEveryCell();
    void scoreIsThatOfTheCompressedNetwork();
    void goesOnWhereItStopped();
    void refusesOtherDataAndModels();
    void metricFollowsTheData();
    void solverTakesTheTable();
    void multiples();
};

void TestSensitivity::predictedErrorsFall() {
    const auto table = predictSensitivity(chain(), RandomData(false), optionsFor(kAllMethods));
    QVERIFY2(table, table ? "" : describe(table.error()).c_str());
    QCOMPARE(table->layers.size(), std::size_t(5 * 3));
    std::size_t rows = 0;
    for (const LayerSensitivity& layer : table->layers) {
        QCOMPARE(layer.cells.empty(), !layer.skipped.empty());
        rows += !layer.cells.empty();
        for (std::size_t i = 0; i < layer.cells.size(); ++i) {
            const SensitivityCell& cell = layer.cells[i];
            QVERIFY(cell.predictedError && *cell.predictedError > -1e-9 && *cell.predictedError < 1.5);
            QVERIFY((cell.actualRatio <= cell.ratio + 1e-9 || cell.size == 1) && cell.saved.macs > 0);
            if (i > 0) QVERIFY(*cell.predictedError <= *layer.cells[i - 1].predictedError + 1e-9);
        }
    }
    QVERIFY(rows >= 8);
    QVERIFY(table->forwardEquivalents == 0 && measuredCells(*table) == 0);
}

void TestSensitivity::noiseArrivesAsPredicted() {
    const RandomData data(false);
    SensitivityOptions options = optionsFor(kAllMethods);
    auto table = predictSensitivity(chain(), data, options);
    QVERIFY(table);
    QVERIFY(table->metric == SensitivityMetric::SqnrDb);
    for (const LayerSensitivity& layer : table->layers)
        for (const SensitivityCell& cell : layer.cells) {
            QVERIFY(cell.predictedNoise && *cell.predictedNoise > 0);
            // What the classifier does wrong is wrong at the output.
            if (layer.name == "Gemm_10") QVERIFY(std::abs(*cell.predictedNoise / *cell.predictedError - 1) < 1e-3);
        }
    table = measureSensitivity(chain(), data, data, *table, options, {});
    QVERIFY(table && *table->rankCorrelation > 0.75);
    for (const LayerSensitivity& layer : table->layers)
        for (const SensitivityCell& cell : layer.cells) {
            const double predicted = -10 * std::log10(*cell.predictedNoise);
            if (predicted < 20) QVERIFY2(std::abs(predicted - *cell.score) < 6, layer.name.c_str());
        }
    options.probeSamples = 0;
    table = predictSensitivity(chain(), data, options);
    QVERIFY(table);
    for (const LayerSensitivity& layer : table->layers)
        for (const SensitivityCell& cell : layer.cells) QVERIFY(cell.predictedError && !cell.predictedNoise);
}

void TestSensitivity::orderOfRatiosDoesNotMatter() {
    SensitivityOptions options = optionsFor(kAllMethods);
    auto sorted = predictSensitivity(chain(), RandomData(false), options);
    std::ranges::reverse(options.ratios);
    auto reversed = predictSensitivity(chain(), RandomData(false), options);
    QVERIFY(sorted && reversed);
    sorted->seconds = reversed->seconds = 0;
    QCOMPARE(toJson(*reversed), toJson(*sorted));
}

void TestSensitivity::pruningSavesUpstreamToo() {
    const auto table = predictSensitivity(chain(), RandomData(false), optionsFor({CompressionMethod::ChannelPruning}));
    QVERIFY(table);
    const auto last = std::ranges::find(table->layers, std::string("Conv_6"), &LayerSensitivity::name);
    QVERIFY(last != table->layers.end() && last->skipped.empty());
    // Half of the channels: half of this layer and half of the layer that makes them.
    const auto cell = std::ranges::find(last->cells, 0.5, &SensitivityCell::ratio);
    QCOMPARE(cell->size, std::int64_t(6));
    QCOMPARE(cell->saved.macs, 0.5 * last->cost.macs + 0.5 * (12 * 10 * 9 * 64));
    QVERIFY(!table->layers[0].skipped.empty());  // the input's channels
}

void TestSensitivity::measuresEveryCell() {
    const RandomData data(false);
    const SensitivityOptions options = optionsFor(kAllMethods);
    auto table = predictSensitivity(chain(), data, options);
    QVERIFY(table);
    std::vector<double> seenRatios;
    const auto measured = measureSensitivity(chain(), data, data, *table, options,
                                             [&](const SensitivityTable& now, std::size_t layer, std::size_t cell) {
                                                 QVERIFY(now.layers[layer].cells[cell].score);
                                                 seenRatios.push_back(now.layers[layer].cells[cell].ratio);
                                             });
    QVERIFY2(measured, measured ? "" : describe(measured.error()).c_str());
    QCOMPARE(measuredCells(*measured), allCells(*measured));
    QCOMPARE(seenRatios.size(), allCells(*measured));
    // The middle ratio of every layer comes before any other.
    QVERIFY(std::ranges::is_sorted(seenRatios, {}, [](double ratio) { return ratio != 0.5; }));
    QVERIFY(measured->forwardEquivalents < 0.75 * double(allCells(*measured)));
    QVERIFY(*measured->rankCorrelation > 0.75);
    for (const auto& layer : measured->layers)
        for (const auto& cell : layer.cells) QCOMPARE(cell.samples, kSamples);
}

void TestSensitivity::scoreIsThatOfTheCompressedNetwork() {
    const RandomData data(false);
    SensitivityOptions options = optionsFor({CompressionMethod::SpatialSvd});
    options.compress.shouldRefit = false;
    auto table = predictSensitivity(chain(), data, options);
    QVERIFY(table);
    const auto measured = measureSensitivity(chain(), data, data, *table, options, {});
    QVERIFY(measured);
    const auto& row = *std::ranges::find(measured->layers, std::string("Conv_4"), &LayerSensitivity::name);
    CompressionPlan plan;
    plan.choices = {{row.name, row.method, row.cells[1].ratio, row.cells[1].size, false}};
    const auto source = batchesOf(data, 8);
    const auto compressed = compress(chain(), plan, &source, options.compress);
    QVERIFY(compressed);
    const auto reference = Executor::create(chain()), candidate = Executor::create(compressed->model);
    const auto score = evaluate(*candidate, *reference, data, {});
    QVERIFY(score && std::abs(*score->sqnrDb - *row.cells[1].score) < 0.5);
}

void TestSensitivity::goesOnWhereItStopped() {
    const RandomData data(false);
    const SensitivityOptions options = optionsFor({CompressionMethod::SpatialSvd});
    const auto table = predictSensitivity(chain(), data, options);
    QVERIFY(table);
    const auto whole = measureSensitivity(chain(), data, data, *table, options, {});
    QVERIFY(whole);
    std::stop_source stop;
    int cells = 0;
    const auto part = measureSensitivity(chain(), data, data, *table, options,
                                         [&](const SensitivityTable&, std::size_t, std::size_t) {
                                             if (++cells == 3) stop.request_stop();
                                         },
                                         {stop.get_token(), nullptr});
    QVERIFY(part);
    QCOMPARE(measuredCells(*part), std::size_t(3));
    const auto read = parseSensitivity(toJson(*part));
    QVERIFY(read);
    int more = 0;
    const auto rest = measureSensitivity(chain(), data, data, *read, options,
                                         [&](const SensitivityTable&, std::size_t, std::size_t) { ++more; });
    QVERIFY(rest);
    QCOMPARE(std::size_t(more), allCells(*whole) - 3);
    for (std::size_t layer = 0; layer < whole->layers.size(); ++layer)
        for (std::size_t cell = 0; cell < whole->layers[layer].cells.size(); ++cell)
            QCOMPARE(rest->layers[layer].cells[cell].score, whole->layers[layer].cells[cell].score);
}

void TestSensitivity::refusesOtherDataAndModels() {
    const RandomData data(false), other(true);
    SensitivityOptions options = optionsFor({CompressionMethod::SpatialSvd});
    const auto table = predictSensitivity(chain(), data, options);
    const auto part = measureSensitivity(chain(), data, data, *table, options, {});
    QVERIFY(part);
    QVERIFY(!measureSensitivity(chain(), data, other, *part, options, {}));
    Model changed = chain();
    changed.graph.initializers[0].tensor = randomTensor({10, 6, 3, 3}, 77);
    QVERIFY(!measureSensitivity(changed, data, data, *part, options, {}));
    options.ratios = {1.5};
    QVERIFY(!predictSensitivity(chain(), data, options));
}

void TestSensitivity::metricFollowsTheData() {
    SensitivityOptions options = optionsFor({CompressionMethod::SpatialSvd});
    options.ratios = {0.5};
    options.metric.reset();
    for (const bool hasLabels : {true, false}) {
        const RandomData data(hasLabels);
        const auto table = predictSensitivity(chain(), data, options);
        const auto measured = measureSensitivity(chain(), data, data, *table, options, {});
        QVERIFY(measured);
        QCOMPARE(measured->metric, hasLabels ? SensitivityMetric::Top1 : SensitivityMetric::Agreement);
        QVERIFY(measured->baseline && measured->baselineInterval);
        QVERIFY(!measured->metricReason.empty());
        if (!hasLabels) QCOMPARE(*measured->baseline, 100.0);
    }
    options.metric = SensitivityMetric::Top1;
    const RandomData data(false);
    const auto fallback =
        measureSensitivity(chain(), data, data, *predictSensitivity(chain(), data, options), options, {});
    QVERIFY(fallback);
    QCOMPARE(fallback->metric, SensitivityMetric::Agreement);
    QVERIFY(fallback->metricReason.find("no labels") != std::string::npos);
}

void TestSensitivity::solverTakesTheTable() {
    const RandomData data(false);
    const SensitivityOptions options = optionsFor({CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd});
    const auto table = predictSensitivity(chain(), data, options);
    SolverOptions solver;
    solver.target.macsRatio = 0.6;
    const auto solved = solvePlan(*table, solver);
    QVERIFY(solved && solved->isTargetMet);
    const auto source = batchesOf(data, 8);
    const auto compressed = compress(chain(), solved->plan, &source, options.compress);
    QVERIFY(compressed);
    QVERIFY(compressed->report.macsRatio <= 0.6 + 0.01);
    QVERIFY(std::abs(compressed->report.macsRatio - solved->plan.predicted->macsRatio) < 0.02);
}

void TestSensitivity::multiples() {
    const RandomData data(false);
    const auto table = predictSensitivity(chain(), data, optionsFor({CompressionMethod::SpatialSvd}));
    QVERIFY(table);
    const auto rounded = fitToModel(*table, chain(), 4);
    QVERIFY(rounded);
    for (const auto& layer : rounded->layers)
        for (const auto& cell : layer.cells) QVERIFY(cell.size % 4 == 0 && cell.actualRatio < 1);
    Model other = chain();
    other.graph.nodes[0].name = "renamed";
    const auto refused = fitToModel(*table, other);
    QVERIFY(!refused && refused.error().message.find("Conv_0") != std::string::npos);
}

EQUANT_TEST(TestSensitivity)
}  // namespace test_sensitivity

#include "test_sensitivity.moc"
