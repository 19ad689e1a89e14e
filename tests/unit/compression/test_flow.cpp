// SPDX-License-Identifier: Apache-2.0
// The recommended flow and what it rests on: budgets that hold on the model, weights of depth, streams that stay whole.
#include <QTest>
#include <algorithm>
#include <cmath>

#include "core/compression/plan/flow.h"
#include "core/compression/plan/plan_cost.h"
#include "core/data/dataset.h"
#include "core/layers/layers.h"
#include "core/metrics/evaluate.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_flow {

using namespace equant;
using namespace equant::test;

namespace {

using Ints = std::vector<std::int64_t>;

// Names of its layers: the first ones of the blocks read the stream, the second ones what is between.
constexpr const char* kStreamA = "Conv_1";
constexpr const char* kInnerA = "Conv_3";
constexpr const char* kStreamB = "Conv_6";
constexpr const char* kInnerB = "Conv_8";
constexpr const char* kClassifier = "Gemm_13";

/// x -> stem, then two residual blocks of two convolutions, then a classifier.
Model residualNetwork() {
    ModelBuilder builder;
    builder.input("x", {-1, 4, 8, 8}).output("y", {-1, 5});
    unsigned seed = 1;
    const auto conv = [&](const std::string& name, const std::string& from, std::int64_t in, std::int64_t out) {
        ++seed;
        const float bound = 1.0F / std::sqrt(static_cast<float>(9 * in)) * 1.7F;
        builder.constant("w_" + name, randomTensor({out, in, 3, 3}, seed, -bound, bound))
            .constant("b_" + name, randomTensor({out}, seed + 50, -0.1F, 0.1F))
            .node("Conv", {from, "w_" + name, "b_" + name}, {name}, {{"pads", Ints{1, 1, 1, 1}}});
        return name;
    };
    std::string stream = conv("stem", "x", 4, 8);
    for (const std::string block : {"a", "b"}) {
        builder.node("Relu", {conv(block + "1", stream, 8, 12)}, {block + "r"});
        builder.node("Add", {conv(block + "2", block + "r", 12, 8), stream}, {block + "s"})
            .node("Relu", {block + "s"}, {block + "o"});
        stream = block + "o";
    }
    return builder.constant("w", randomTensor({5, 8}, 77))
        .node("GlobalAveragePool", {stream}, {"p"})
        .node("Flatten", {"p"}, {"f"})
        .node("Gemm", {"f", "w"}, {"y"}, {{"transB", std::int64_t{1}}})
        .build();
}

/// A stream of 8 channels that goes on as one of 12: the shortcut pads it with zeros, two on either side.
Model paddedNetwork() {
    ModelBuilder builder;
    builder.input("x", {-1, 4, 8, 8}).output("y", {-1, 5});
    unsigned seed = 300;
    const auto conv = [&](const std::string& name, const std::string& from, std::int64_t in, std::int64_t out) {
        builder.constant("w_" + name, randomTensor({out, in, 3, 3}, ++seed, -0.3F, 0.3F))
            .node("Conv", {from, "w_" + name}, {name}, {{"pads", Ints{1, 1, 1, 1}}});
        return name;
    };
    conv("stem", "x", 4, 8);
    builder.node("Relu", {conv("a1", "stem", 8, 10)}, {"ar"}).node("Add", {conv("a2", "ar", 10, 8), "stem"}, {"as"});
    Tensor pads(DType::Int64, {8});
    std::ranges::copy(Ints{0, 2, 0, 0, 0, 2, 0, 0}, pads.mutableData<std::int64_t>().begin());
    builder.constant("pads", pads).node("Pad", {"as", "pads"}, {"padded"});
    builder.node("Relu", {conv("b1", "as", 8, 14)}, {"br"}).node("Add", {conv("b2", "br", 14, 12), "padded"}, {"bs"});
    builder.node("Relu", {conv("c1", "bs", 12, 14)}, {"cr"}).node("Add", {conv("c2", "cr", 14, 12), "bs"}, {"cs"});
    return builder.constant("w", randomTensor({5, 12}, 77))
        .node("GlobalAveragePool", {"cs"}, {"p"})
        .node("Flatten", {"p"}, {"f"})
        .node("Gemm", {"f", "w"}, {"y"}, {{"transB", std::int64_t{1}}})
        .build();
}

class RandomData final : public Dataset {
public:
    std::size_t size() const override { return 16; }
    Result<Sample> load(std::size_t index) const override {
        return Sample{{randomTensor({4, 8, 8}, unsigned(100 + index))}, {}, {}};
    }
    std::string sampleName(std::size_t index) const override { return std::to_string(index); }
    bool hasLabels() const override { return false; }
    std::optional<std::int64_t> label(std::size_t) const override { return std::nullopt; }
    std::string describe() const override { return "random"; }
    std::string fingerprint() const override { return "random"; }
};

double macsOf(const Model& model) {
    const auto topology = Topology::of(model.graph);
    const auto facts = inferShapes(model, {.inputShapes = {}, .batch = 1, .evaluate = {}});
    return static_cast<double>(totalCost(model.graph, describeLayers(model.graph, *topology, *facts)).macs);
}

SensitivityTable tableOf(const Model& model, CompressionMethod method, bool isPlain = false) {
    SensitivityOptions options;
    options.methods = {method};
    options.ratios = {0.25, 0.5, 0.75};
    options.compress.isPlain = isPlain;
    const auto table = predictSensitivity(model, RandomData(), options);
    return table ? *table : SensitivityTable{};
}

FlowOptions flowOptions() {
    FlowOptions options;
    options.macsRatio = 0.6;
    options.divisions = 3;
    options.ratios = {0.25, 0.5, 0.75};
    options.compress.threads = 2;
    options.shouldTime = false;
    return options;
}

}  // namespace

class TestFlow : public QObject {
    Q_OBJECT

private slots:
    void keepsTheBestCandidate();
    void planOfACandidateGivesItsNetwork();
    void streamsStayWholeUnlessAsked();
    void stopsAndRefuses();
    void readersOfTheSameChannelsAreOneRow();
    void pruningBudgetsHoldOnTheModel();
    void costsFollowTheChannelsThatGo_data();
    void costsFollowTheChannelsThatGo();
    void noiseAndDepthDecideBetweenEqualErrors_data();
    void noiseAndDepthDecideBetweenEqualErrors();
};

void TestFlow::keepsTheBestCandidate() {
    const Model model = residualNetwork();
    std::size_t told = 0;
    const auto flow =
        recommendedFlow(model, RandomData(), RandomData(), flowOptions(),
                        [&](const FlowCandidate& candidate) { told += candidate.report.layers.size() > 0; });
    QVERIFY2(flow, flow ? "" : flow.error().message.c_str());
    QCOMPARE(told, flow->candidates.size());
    // Factorizing alone and pruning alone with at least two weights each, and what lies between.
    QVERIFY(flow->candidates.size() >= 5);
    const FlowCandidate& best = flow->candidates[flow->best];
    QVERIFY(best.limitedBy.empty());
    for (const FlowCandidate& candidate : flow->candidates) {
        QVERIFY(candidate.report.macsRatio <= 0.605 || !candidate.limitedBy.empty());
        QVERIFY(candidate.factorizedRatio >= candidate.report.macsRatio - 1e-9);
        QVERIFY(!candidate.limitedBy.empty() || *candidate.score.sqnrDb <= *best.score.sqnrDb);
    }
    QCOMPARE(macsOf(flow->model) / macsOf(model), best.report.macsRatio);
    QVERIFY(std::ranges::any_of(flow->candidates, [](const auto& c) { return c.factorizedRatio == 1; }));
    QVERIFY(std::ranges::any_of(flow->candidates, [](const auto& c) {
        return c.factorizedRatio < 0.95 && c.factorizedRatio > c.report.macsRatio + 0.02;
    }));
}

void TestFlow::planOfACandidateGivesItsNetwork() {
    const Model model = residualNetwork();
    const RandomData data;
    FlowOptions options = flowOptions();
    options.shouldTime = true;
    const auto flow = recommendedFlow(model, data, data, options);
    QVERIFY(flow);
    const auto reference = Executor::create(model);
    const auto source = batchesOf(data, 8);
    for (const FlowCandidate& candidate : flow->candidates) {
        const auto plan = parsePlan(toJson(candidate.plan));
        QVERIFY(plan);
        const auto again = compress(model, *plan, &source, flowOptions().compress);
        QVERIFY2(again, again ? "" : again.error().message.c_str());
        const auto executor = Executor::create(again->model);
        QVERIFY(executor);
        const auto score = evaluate(*executor, *reference, data, {});
        QVERIFY(score);
        QCOMPARE(*score->sqnrDb, *candidate.score.sqnrDb);
        QCOMPARE(again->report.macsAfter, candidate.report.macsAfter);
        QVERIFY(!again->report.latency && candidate.report.latency && candidate.report.latency->after > 0);
        QVERIFY(again->report.activationsAfter == candidate.report.activationsAfter);
    }
}

void TestFlow::streamsStayWholeUnlessAsked() {
    const Model model = residualNetwork();
    FlowOptions options = flowOptions();
    options.divisions = 2;
    const auto readsStream = [](const LayerChoice& choice) {
        return choice.method == CompressionMethod::ChannelPruning && choice.layer != kInnerA && choice.layer != kInnerB;
    };
    const auto whole = recommendedFlow(model, RandomData(), RandomData(), options);
    QVERIFY(whole);
    for (const FlowCandidate& candidate : whole->candidates)
        QVERIFY(std::ranges::none_of(candidate.plan.choices, readsStream));
    options.macsRatio = 0.3;
    options.shouldPruneStreams = true;
    const auto pruned = recommendedFlow(model, RandomData(), RandomData(), options);
    QVERIFY(pruned);
    QVERIFY(std::ranges::any_of(pruned->candidates, [&](const FlowCandidate& candidate) {
        return std::ranges::any_of(candidate.plan.choices, readsStream);
    }));
}

void TestFlow::stopsAndRefuses() {
    const Model model = residualNetwork();
    FlowOptions options = flowOptions();
    for (const double ratio : {0.0, 1.0, -1.0}) {
        options.macsRatio = ratio;
        const auto refused = recommendedFlow(model, RandomData(), RandomData(), options);
        QVERIFY(!refused && refused.error().code == ErrorCode::InvalidArgument);
    }
    options.macsRatio = 0.6;
    std::stop_source stop;
    const auto stopped =
        recommendedFlow(model, RandomData(), RandomData(), options, [&](const FlowCandidate&) { stop.request_stop(); },
                        {stop.get_token(), nullptr});
    QVERIFY(!stopped && stopped.error().code == ErrorCode::Cancelled);
}

void TestFlow::readersOfTheSameChannelsAreOneRow() {
    const SensitivityTable table = tableOf(residualNetwork(), CompressionMethod::ChannelPruning);
    const auto row = [&](const char* name) { return *std::ranges::find(table.layers, name, &LayerSensitivity::name); };
    QVERIFY(!row(kStreamA).cells.empty() && !row(kInnerA).cells.empty() && !row(kInnerB).cells.empty());
    for (const char* other : {kStreamB, kClassifier}) {
        QVERIFY(row(other).cells.empty());
        QVERIFY2(row(other).skipped.find(kStreamA) != std::string::npos, row(other).skipped.c_str());
    }
}

void TestFlow::pruningBudgetsHoldOnTheModel() {
    const Model model = residualNetwork();
    const SensitivityTable table = tableOf(model, CompressionMethod::ChannelPruning);
    for (const double target : {0.7, 0.5, 0.35}) {
        SolverOptions options;
        options.target.macsRatio = target;
        const auto solved = solvePlanFor(model, table, options);
        QVERIFY(solved && solved->isTargetMet);
        const auto cost = plannedCost(model, solved->plan, table);
        QVERIFY(cost);
        QVERIFY(cost->macs <= target * macsOf(model) * (1 + 1e-9));
        QCOMPARE(solved->plan.predicted->macsRatio, cost->macs / macsOf(model));
        const auto compressed = compress(model, solved->plan, nullptr, {.isPlain = true});
        QVERIFY(compressed);
        QCOMPARE(double(compressed->report.macsAfter), cost->macs);
    }
}

void TestFlow::costsFollowTheChannelsThatGo_data() {
    QTest::addColumn<bool>("isPlain");
    QTest::newRow("by magnitude") << true;
    QTest::newRow("by the data") << false;
}

/// Of two streams that share channels in part: what the first gives up, the second need not give up again, and which
/// channels go decides how many the other layers lose.
void TestFlow::costsFollowTheChannelsThatGo() {
    QFETCH(bool, isPlain);
    const Model model = paddedNetwork();
    const SensitivityTable table = tableOf(model, CompressionMethod::ChannelPruning, isPlain);
    const RandomData data;
    const auto source = batchesOf(data, 8);
    std::size_t tried = 0;
    for (const LayerSensitivity& first : table.layers)
        for (const LayerSensitivity& second : table.layers) {
            if (&first >= &second || first.cells.empty() || second.cells.empty()) continue;
            CompressionPlan plan;
            for (const LayerSensitivity* row : {&first, &second})
                plan.choices.push_back(
                    {row->name, row->method, row->cells[0].ratio, row->cells[row == &first ? 1 : 0].size});
            const auto cost = plannedCost(model, plan, table);
            QVERIFY2(cost, cost ? "" : describe(cost.error()).c_str());
            const auto compressed = compress(model, plan, isPlain ? nullptr : &source, {.isPlain = isPlain});
            QVERIFY(compressed);
            QCOMPARE(double(compressed->report.macsAfter), cost->macs);
            ++tried;
        }
    QVERIFY(tried >= 6);
    SensitivityTable foreign = table;
    for (LayerSensitivity& row : foreign.layers)
        if (!row.elimination.empty()) row.elimination.front() = 1000;
    CompressionPlan plan;
    const auto row = std::ranges::find_if(table.layers, [](const auto& r) { return !r.cells.empty(); });
    plan.choices.push_back({row->name, row->method, row->cells[0].ratio, row->cells[0].size});
    const auto refused = plannedCost(model, plan, foreign);
    QVERIFY(!refused && refused.error().code == ErrorCode::InvalidArgument && refused.error().subject == row->name);
}

void TestFlow::noiseAndDepthDecideBetweenEqualErrors_data() {
    QTest::addColumn<double>("weight");
    QTest::addColumn<QString>("compressed");
    QTest::newRow("what arrives") << 0.0 << "last";
    QTest::newRow("a little is made up for") << 1.0 << "last";
    QTest::newRow("much is made up for") << 2.0 << "first";
}

void TestFlow::noiseAndDepthDecideBetweenEqualErrors() {
    QFETCH(double, weight);
    QFETCH(QString, compressed);
    SensitivityTable table;
    table.total = {2, 2};
    for (const char* name : {"first", "last"}) {
        LayerSensitivity layer;
        layer.name = name;
        layer.cost = {1, 1};
        SensitivityCell cell;
        cell.ratio = cell.actualRatio = 0.5;
        cell.saved = {0.5, 0.5};
        cell.predictedError = 0.1;
        cell.predictedNoise = layer.name == "first" ? 0.2 : 0.05;
        layer.cells = {cell};
        table.layers.push_back(layer);
    }
    SolverOptions options;
    options.target.macsRatio = 0.75;
    options.depthWeight = weight;
    const auto solved = solvePlan(table, options);
    QVERIFY(solved && solved->isTargetMet);
    QCOMPARE(solved->plan.choices.size(), std::size_t(1));
    QCOMPARE(QString::fromStdString(solved->plan.choices[0].layer), compressed);
    // What is predicted is not weighed.
    QCOMPARE(solved->plan.predicted->loss, compressed == "first" ? 0.2 : 0.05);
}

EQUANT_TEST(TestFlow)
}  // namespace test_flow

#include "test_flow.moc"
