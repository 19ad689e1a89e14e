// SPDX-License-Identifier: Apache-2.0
// Sweeps with prefix reuse: every result has the bits of the whole candidate's own run, for every kind of change,
// order, budget and number of threads; and the work is what it should be.
#include <QtTest>
#include <algorithm>
#include <atomic>
#include <random>

#include "core/runtime/exec/executor.h"
#include "core/runtime/sweep/prefix_reuse.h"
#include "tests/support/registry.h"
#include "tests/unit/runtime/plan_testing.h"

namespace test_prefix_reuse {

using namespace equant;
using namespace equant::test;

namespace {

using Batches = std::vector<std::vector<Tensor>>;

struct Candidate {
    Model model;
    QuantOverlay overlay;
};

Tensor convWeight(std::int64_t outputs, std::int64_t inputs, std::int64_t size, unsigned seed) {
    const float reach = 1.7F / std::sqrt(static_cast<float>(inputs * size * size));
    return randomTensor({outputs, inputs, size, size}, seed, -reach, reach);
}

ModelBuilder& conv(ModelBuilder& builder, const std::string& from, const std::string& to, std::int64_t outputs,
                   std::int64_t inputs, unsigned seed) {
    builder.constant(to + ".w", convWeight(outputs, inputs, 3, seed));
    builder.constant(to + ".b", randomTensor({outputs}, seed + 500, -0.1F, 0.1F));
    return builder.node("Conv", {from, to + ".w", to + ".b"}, {to}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
}

/// `length` equal convolutions with Relu.
Model chainModel(int length, std::int64_t batch = -1, std::int64_t size = 6) {
    ModelBuilder builder;
    builder.input("x", {batch, 16, size, size}).output("y");
    std::string from = "x";
    for (int i = 0; i < length; ++i) {
        const std::string name = "c" + std::to_string(i);
        conv(builder, from, name, 16, 16, unsigned(i));
        from = i + 1 == length ? "y" : "r" + std::to_string(i);
        builder.node("Relu", {name}, {from});
    }
    return builder.build();
}

/// Residual blocks, a projection, global pooling and a classifier.
Model residualModel() {
    ModelBuilder builder;
    builder.input("x", {-1, 16, 8, 8}).output("y");
    std::string from = "x";
    for (int block = 0; block < 3; ++block) {
        const std::string prefix = "b" + std::to_string(block);
        conv(builder, from, prefix + "c1", 16, 16, unsigned(10 * block));
        builder.node("Relu", {prefix + "c1"}, {prefix + "r1"});
        conv(builder, prefix + "r1", prefix + "c2", 16, 16, unsigned(10 * block + 1));
        std::string shortcut = from;
        if (block == 2) {
            conv(builder, from, prefix + "p", 16, 16, unsigned(10 * block + 2));
            shortcut = prefix + "p";
        }
        builder.node("Add", {prefix + "c2", shortcut}, {prefix + "s"}).node("Relu", {prefix + "s"}, {prefix + "o"});
        from = prefix + "o";
    }
    builder.constant("fc.w", randomTensor({10, 16}, 900)).constant("fc.b", randomTensor({10}, 901));
    builder.node("GlobalAveragePool", {from}, {"pooled"}).node("Flatten", {"pooled"}, {"flat"});
    builder.node("Gemm", {"flat", "fc.w", "fc.b"}, {"logits"}, {{"transB", std::int64_t{1}}});
    return builder.node("Softmax", {"logits"}, {"y"}).build();
}

/// Branches that are joined by Concat, a long skip connection, two outputs and operators without a primitive.
Model branchModel() {
    ModelBuilder builder;
    builder.input("x", {-1, 8, 8, 8}).output("y").output("side");
    conv(builder, "x", "stem", 16, 8, 1).node("Relu", {"stem"}, {"s"});
    conv(builder, "s", "left", 8, 16, 2).node("Sigmoid", {"left"}, {"l"});
    conv(builder, "s", "right", 24, 16, 3).node("HardSwish", {"right"}, {"r"});
    builder.node("MaxPool", {"s"}, {"pooled"},
                 {{"kernel_shape", std::vector<std::int64_t>{3, 3}}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
    builder.node("Concat", {"l", "pooled", "r"}, {"joined"}, {{"axis", std::int64_t{1}}});
    conv(builder, "joined", "mixed", 16, 48, 4).node("Softplus", {"mixed"}, {"m"});
    builder.node("Sin", {"l"}, {"side"});
    conv(builder, "m", "deep", 16, 16, 5).node("Add", {"deep", "s"}, {"summed"});
    return conv(builder, "summed", "y", 8, 16, 6).build();
}

/// Convolutions, then boxes and scores for NonMaxSuppression, whose result has as many rows as the data say.
Model detectionModel() {
    ModelBuilder builder;
    builder.input("x", {1, 8, 4, 4}).output("boxes").output("kept", {}, DType::Int64);
    conv(builder, "x", "a", 8, 8, 1).node("Relu", {"a"}, {"ar"});
    conv(builder, "ar", "b", 8, 8, 2).node("Relu", {"b"}, {"br"});
    conv(builder, "br", "c", 5, 8, 3);
    builder.constant("shape", Tensor({3}, std::vector<std::int64_t>{1, 5, 16}));
    builder.constant("split", Tensor({2}, std::vector<std::int64_t>{4, 1}));
    builder.constant("most", Tensor({1}, std::vector<std::int64_t>{5}));
    builder.constant("iou", Tensor({1}, std::vector<float>{0.6F}));
    builder.constant("score", Tensor({1}, std::vector<float>{0.0F}));
    builder.node("Reshape", {"c", "shape"}, {"rows"});
    builder.node("Split", {"rows", "split"}, {"corners", "scores"}, {{"axis", std::int64_t{1}}});
    builder.node("Transpose", {"corners"}, {"boxes"}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}});
    return builder.node("NonMaxSuppression", {"boxes", "scores", "most", "iou", "score"}, {"kept"}).build();
}

Batches randomBatches(std::size_t batches, const Shape& shape) {
    Batches result;
    for (std::size_t i = 0; i < batches; ++i) result.push_back({randomTensor(shape, unsigned(7000 + i))});
    return result;
}

BatchLoader loaderOf(const Batches& batches, std::atomic<int>* loads = nullptr) {
    return [&batches, loads](std::size_t batch) -> Result<std::vector<Tensor>> {
        if (loads) ++*loads;
        return batches[batch];
    };
}

/// One candidate per convolution, its weights a little smaller.
std::vector<Candidate> weightSweep(const Model& base, const QuantOverlay& overlay = {}) {
    std::vector<Candidate> candidates;
    for (const Node& node : base.graph.nodes) {
        if (!node.is("Conv") && !node.is("Gemm")) continue;
        Candidate candidate{base, overlay};
        for (float& value : candidate.model.graph.initializer(node.inputs[1])->tensor.mutableData<float>())
            value *= 0.9F;
        candidates.push_back(std::move(candidate));
    }
    return candidates;
}

QuantOverlay simulation(const Model& model, bool withWeights) {
    QuantOverlay overlay;
    for (const Node& node : model.graph.nodes) {
        if (node.is("NonMaxSuppression") || node.is("Split") || node.is("Reshape")) continue;
        overlay[node.outputs[0]] = asymmetricGrid(-2.0F, 2.0F);
        if (withWeights && node.is("Conv")) {
            Encoding grid = asymmetricGrid(-0.5F, 0.5F, 4);
            overlay[node.inputs[1]] = grid;
        }
    }
    return overlay;
}

/// Each quantizer of the overlay by itself off (disable-one), or by itself on (enable-one).
std::vector<Candidate> quantizerSweep(const Model& base, const QuantOverlay& overlay, bool enableOne) {
    std::vector<std::string> names;
    for (const auto& [name, encoding] : overlay) names.push_back(name);
    std::sort(names.begin(), names.end());
    std::vector<Candidate> candidates;
    for (const std::string& name : names) {
        QuantOverlay changed = enableOne ? QuantOverlay{{name, overlay.at(name)}} : overlay;
        if (!enableOne) changed.erase(name);
        candidates.push_back({base, std::move(changed)});
    }
    return candidates;
}

/// Convolution `label` as two: 3x3 to fewer channels, then 1x1.
Candidate splitConv(const Model& base, const std::string& output, QuantOverlay overlay) {
    Candidate candidate{base, std::move(overlay)};
    Graph& graph = candidate.model.graph;
    const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                    [&](const Node& node) { return node.outputs[0] == output; });
    const Shape shape = graph.initializer(found->inputs[1])->tensor.shape();
    Node first = *found, second = *found;
    first.name += ".first";
    first.inputs = {found->inputs[0], output + ".v"};
    first.outputs = {output + ".narrow"};
    second.inputs = {output + ".narrow", output + ".u", found->inputs[2]};
    second.removeAttribute("pads");
    graph.initializers.push_back({output + ".v", convWeight(5, shape[1], 3, 77), {}});
    graph.initializers.push_back({output + ".u", convWeight(shape[0], 5, 1, 78), {}});
    const auto at = graph.nodes.erase(found);
    graph.nodes.insert(graph.nodes.insert(at, second), first);
    return candidate;
}

/// Full runs of every candidate.
std::vector<Batches> fullRuns(const std::vector<Candidate>& candidates, const Batches& batches) {
    std::vector<Batches> results;
    for (const Candidate& candidate : candidates) {
        CompileOptions options;
        options.overlay = candidate.overlay;
        auto executor = Executor::create(candidate.model, options);
        Batches outputs;
        for (const auto& batch : batches) {
            auto result = executor ? (*executor)->run(batch) : Result<std::vector<Tensor>>(fail(executor.error()));
            if (!result) qWarning("full run: %s", describe(result.error()).c_str());
            outputs.push_back(result ? std::move(*result) : std::vector<Tensor>());
        }
        results.push_back(std::move(outputs));
    }
    return results;
}

struct SweepTotals {
    double forwardEquivalents = 0;
    std::size_t wholeBatches = 0;
    std::size_t mostHeld = 0;
    std::string error;
};

/// Runs the candidates in this order; `error` tells the first result that is not to the bit the full run's.
SweepTotals sweep(const Model& base, const std::vector<Candidate>& candidates, const std::vector<std::size_t>& order,
                  const std::vector<Batches>& expected, const Batches& batches, PrefixReuseOptions options) {
    SweepTotals totals;
    auto reuse = PrefixReuse::create(base, batches.size(), loaderOf(batches), std::move(options));
    if (!reuse) return {0, 0, 0, describe(reuse.error())};
    for (const std::size_t index : order) {
        Batches outputs(batches.size());
        const auto run = (*reuse)->run(candidates[index].model, candidates[index].overlay,
                                       [&](std::size_t batch, const std::vector<Tensor>& values) -> Status {
                                           outputs[batch] = values;
                                           return {};
                                       });
        if (!run) return {0, 0, 0, describe(run.error())};
        totals.forwardEquivalents += run->forwardEquivalents;
        totals.wholeBatches += run->wholeBatches;
        totals.mostHeld = std::max(totals.mostHeld, run->heldBytes);
        if (outputs != expected[index] && totals.error.empty())
            totals.error = "candidate " + std::to_string(index) + " differs; first change: " + run->firstChange;
    }
    return totals;
}

std::vector<std::size_t> inOrder(std::size_t count) {
    std::vector<std::size_t> order(count);
    for (std::size_t i = 0; i < count; ++i) order[i] = i;
    return order;
}

std::vector<std::size_t> shuffled(std::size_t count) {
    auto order = inOrder(count);
    std::minstd_rand random(5);
    for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
    return order;
}

/// All budgets, thread counts and orders; an empty text when every bit is right.
std::string checkAll(const Model& base, const QuantOverlay& baseOverlay, const std::vector<Candidate>& candidates,
                     const Batches& batches, std::size_t expectedWhole = 0) {
    const auto expected = fullRuns(candidates, batches);
    std::size_t input = 0;
    for (const auto& batch : batches) input += batch[0].sizeBytes();
    for (const std::size_t budget : {std::size_t{0}, std::size_t{4} * input, std::size_t{1} << 28}) {
        for (const bool isShuffled : {false, true}) {
            double workOfOneThread = 0;
            for (const unsigned threads : {1U, 2U}) {
                PrefixReuseOptions options;
                options.budgetBytes = budget;
                options.threads = threads;
                options.compile.overlay = baseOverlay;
                const auto order = isShuffled ? shuffled(candidates.size()) : inOrder(candidates.size());
                const auto totals = sweep(base, candidates, order, expected, batches, options);
                const std::string where = " (budget " + std::to_string(budget) + ", threads " +
                                          std::to_string(threads) + (isShuffled ? ", shuffled)" : ")");
                if (!totals.error.empty()) return totals.error + where;
                if (totals.mostHeld > budget) return "too much is held" + where;
                if (totals.wholeBatches != expectedWhole)
                    return std::to_string(totals.wholeBatches) + " batches ran without reuse" + where;
                if (threads == 1) workOfOneThread = totals.forwardEquivalents;
                if (totals.forwardEquivalents != workOfOneThread) return "the work depends on threads" + where;
            }
        }
    }
    return {};
}

}  // namespace

class TestPrefixReuse : public QObject {
    Q_OBJECT

private slots:
    void halfTheWorkOfAChain();
    void anyOrderIsRight_data();
    void anyOrderIsRight();
    void quantizersOfActivations_data();
    void quantizersOfActivations();
    void oneConvAsTwo();
    void candidateReadsWhatTheBaseForgot();
    void fixedBatchRunsInParts();
    void sizesOnlyTheRunKnows();
    void samplesThatDependOnOneAnother();
    void baseItselfCostsNothingTheSecondTime();
    void inputsAreLoadedOnce();
    void rangesShareTheBudget();
    void errors();
};

void TestPrefixReuse::halfTheWorkOfAChain() {
    const int length = 40;
    const Model base = chainModel(length);
    const auto candidates = weightSweep(base);
    const Batches batches = randomBatches(2, {2, 16, 6, 6});
    const auto expected = fullRuns(candidates, batches);
    PrefixReuseOptions options;
    options.threads = 1;
    const auto totals = sweep(base, candidates, inOrder(candidates.size()), expected, batches, options);
    QCOMPARE(totals.error, std::string());
    QVERIFY2(totals.forwardEquivalents <= 0.55 * length, qPrintable(QString::number(totals.forwardEquivalents)));
    QVERIFY(totals.forwardEquivalents > 0.5 * length);

    // Room for a single snapshot a batch is enough from front to back.
    options.budgetBytes = batches.size() * batches[0][0].sizeBytes();
    const auto tight = sweep(base, candidates, inOrder(candidates.size()), expected, batches, options);
    QCOMPARE(tight.error, std::string());
    QCOMPARE(tight.forwardEquivalents, totals.forwardEquivalents);
    QVERIFY(tight.mostHeld <= options.budgetBytes);

    // Nothing kept: every candidate computes its prefix again.
    options.budgetBytes = 0;
    const auto none = sweep(base, candidates, inOrder(candidates.size()), expected, batches, options);
    QCOMPARE(none.error, std::string());
    QVERIFY(std::fabs(none.forwardEquivalents - length) < 0.01);
    QCOMPARE(none.mostHeld, std::size_t{0});
}

void TestPrefixReuse::anyOrderIsRight_data() {
    QTest::addColumn<int>("network");
    QTest::addColumn<int>("quantized");
    const char* names[] = {"chain", "residual", "branches"};
    for (int network = 0; network < 3; ++network) {
        for (int quantized = 0; quantized < 2; ++quantized)
            QTest::addRow("%s%s", names[network], quantized ? ", simulated" : "") << network << quantized;
    }
}

void TestPrefixReuse::anyOrderIsRight() {
    QFETCH(int, network);
    QFETCH(int, quantized);
    const Model base = network == 0 ? chainModel(6) : network == 1 ? residualModel() : branchModel();
    const QuantOverlay overlay = quantized ? simulation(base, true) : QuantOverlay{};
    const std::int64_t size = network == 0 ? 6 : 8, channels = network == 2 ? 8 : 16;
    auto candidates = weightSweep(base, overlay);
    candidates.push_back({base, overlay});
    QCOMPARE(checkAll(base, overlay, candidates, randomBatches(3, {2, channels, size, size})), std::string());
}

void TestPrefixReuse::quantizersOfActivations_data() {
    QTest::addColumn<bool>("isResidual");
    QTest::addColumn<bool>("enableOne");
    QTest::addRow("residual, one off") << true << false;
    QTest::addRow("residual, one on") << true << true;
    QTest::addRow("branches, one off") << false << false;
    QTest::addRow("branches, one on") << false << true;
}

void TestPrefixReuse::quantizersOfActivations() {
    QFETCH(bool, isResidual);
    QFETCH(bool, enableOne);
    const Model base = isResidual ? residualModel() : branchModel();
    const QuantOverlay overlay = simulation(base, true);
    const QuantOverlay baseOverlay = enableOne ? QuantOverlay{} : overlay;
    auto candidates = quantizerSweep(base, overlay, enableOne);
    if (candidates.size() > 5) candidates.resize(5);
    // Other grids instead of none, too.
    Candidate other{base, overlay};
    other.overlay[isResidual ? "b1r1" : "r"] = asymmetricGrid(-1.0F, 3.0F, 4);
    candidates.push_back(other);
    QCOMPARE(checkAll(base, baseOverlay, candidates, randomBatches(2, {1, isResidual ? 16 : 8, 8, 8})), std::string());
}

void TestPrefixReuse::oneConvAsTwo() {
    const Model residual = residualModel();
    std::vector<Candidate> candidates;
    for (const std::string name : {"b0c1", "b1c2", "b2p", "b2c2"})
        candidates.push_back(splitConv(residual, name, simulation(residual, false)));
    QCOMPARE(checkAll(residual, simulation(residual, false), candidates, randomBatches(2, {2, 16, 8, 8})),
             std::string());
    const Model branches = branchModel();
    candidates.clear();
    for (const std::string name : {"stem", "right", "mixed", "y"}) candidates.push_back(splitConv(branches, name, {}));
    QCOMPARE(checkAll(branches, {}, candidates, randomBatches(2, {2, 8, 8, 8})), std::string());
}

/// A new connection from an early value to a late layer: the base has overwritten that value by then.
void TestPrefixReuse::candidateReadsWhatTheBaseForgot() {
    const Model base = chainModel(8);
    Candidate candidate{base, {}};
    for (Node& node : candidate.model.graph.nodes) {
        if (node.outputs[0] != "y") continue;
        node.outputs[0] = "last";
    }
    Node add;
    add.name = "skip";
    add.opType = "Add";
    add.inputs = {"last", "r1"};
    add.outputs = {"y"};
    candidate.model.graph.nodes.push_back(add);
    Candidate twice = candidate;  // and the input itself
    twice.model.graph.nodes.back().inputs[1] = "x";
    QCOMPARE(checkAll(base, {}, {candidate, twice, {base, {}}}, randomBatches(2, {2, 16, 6, 6})), std::string());
}

void TestPrefixReuse::fixedBatchRunsInParts() {
    const Model base = chainModel(5, 2);
    QCOMPARE(checkAll(base, {}, weightSweep(base), randomBatches(2, {6, 16, 6, 6})), std::string());
    // Arenas of this size make the executor run batches in parts by itself; the last batch is a smaller one.
    const Model large = chainModel(3, -1, 48);
    Batches batches = randomBatches(1, {24, 16, 48, 48});
    batches.push_back({randomTensor({7, 16, 48, 48}, 3)});
    const auto candidates = weightSweep(large);
    PrefixReuseOptions options;
    options.threads = 2;
    const auto totals = sweep(large, candidates, inOrder(3), fullRuns(candidates, batches), batches, options);
    QCOMPARE(totals.error, std::string());
    QCOMPARE(totals.wholeBatches, std::size_t{0});
    QVERIFY(totals.forwardEquivalents < 2.7);
}

void TestPrefixReuse::sizesOnlyTheRunKnows() {
    const Model base = detectionModel();
    auto candidates = weightSweep(base);
    candidates.push_back({base, {}});
    const Batches batches = randomBatches(3, {1, 8, 4, 4});
    QCOMPARE(checkAll(base, {}, candidates, batches), std::string());
    const auto totals = sweep(base, candidates, inOrder(4), fullRuns(candidates, batches), batches, {});
    QVERIFY(totals.forwardEquivalents < 3.1);  // 1 + 2/3 + 1/3 and the base once
}

/// The candidate mixes the samples of a batch (a softmax over axis 0): it must not be run in the base's parts.
void TestPrefixReuse::samplesThatDependOnOneAnother() {
    const Model base = chainModel(3, -1, 48);
    Candidate candidate{base, {}};
    for (Node& node : candidate.model.graph.nodes) {
        if (node.outputs[0] == "y") node.outputs[0] = "last";
    }
    Node softmax;
    softmax.name = "mix";
    softmax.opType = "Softmax";
    softmax.inputs = {"last"};
    softmax.outputs = {"y"};
    softmax.setAttribute("axis", std::int64_t{0});
    candidate.model.graph.nodes.push_back(softmax);
    const Batches batches = randomBatches(1, {24, 16, 48, 48});
    const auto totals = sweep(base, {candidate}, {0}, fullRuns({candidate}, batches), batches, {});
    QCOMPARE(totals.error, std::string());
    QCOMPARE(totals.wholeBatches, std::size_t{1});
}

void TestPrefixReuse::baseItselfCostsNothingTheSecondTime() {
    const Model base = residualModel();
    const Batches batches = randomBatches(2, {2, 16, 8, 8});
    const auto reuse = PrefixReuse::create(base, batches.size(), loaderOf(batches));
    QVERIFY(reuse);
    const auto ignore = [](std::size_t, const std::vector<Tensor>&) -> Status { return {}; };
    const auto first = (*reuse)->run(base, {}, ignore);
    QVERIFY(first);
    QCOMPARE(first->forwardEquivalents, 1.0);
    QCOMPARE(first->firstChange, std::string());
    QCOMPARE((*reuse)->run(base, {}, ignore)->forwardEquivalents, 0.0);
    QCOMPARE((*reuse)->heldBytes(), first->heldBytes);
}

void TestPrefixReuse::inputsAreLoadedOnce() {
    const Model base = chainModel(5);
    const Batches batches = randomBatches(3, {2, 16, 6, 6});
    const auto candidates = weightSweep(base);
    for (const std::size_t budget : {std::size_t{1} << 28, std::size_t{0}}) {
        std::atomic<int> loads = 0;
        PrefixReuseOptions options;
        options.budgetBytes = budget;
        const auto reuse = PrefixReuse::create(base, batches.size(), loaderOf(batches, &loads), options);
        QVERIFY(reuse);
        for (const std::size_t index : shuffled(candidates.size())) {
            const auto run = (*reuse)->run(candidates[index].model, {},
                                           [](std::size_t, const std::vector<Tensor>&) -> Status { return {}; });
            QVERIFY(run);
            QVERIFY(run->firstChange.find("Conv_" + std::to_string(2 * index)) != std::string::npos);
        }
        QCOMPARE(loads.load(), budget > 0 ? 3 : 15);
    }
}

void TestPrefixReuse::rangesShareTheBudget() {
    const Model base = chainModel(6);
    const Batches batches = randomBatches(6, {2, 16, 6, 6});
    const auto candidates = weightSweep(base);
    const auto expected = fullRuns(candidates, batches);
    PrefixReuseOptions options;
    options.budgetBytes = 6 * batches[0][0].sizeBytes();
    const auto reuse = PrefixReuse::create(base, batches.size(), loaderOf(batches), options);
    QVERIFY(reuse);
    const std::pair<std::size_t, std::size_t> ranges[] = {{0, 2}, {2, 6}, {1, 3}, {0, 100}, {6, 9}, {4, 4}};
    for (const auto& [first, last] : ranges) {
        for (std::size_t c = 0; c < candidates.size(); ++c) {
            Batches outputs(batches.size());
            const auto run = (*reuse)->run(candidates[c].model, {},
                                           [&](std::size_t batch, const std::vector<Tensor>& values) -> Status {
                                               outputs[batch] = values;
                                               return {};
                                           },
                                           {first, last});
            QVERIFY(run);
            const std::size_t end = std::min(last, batches.size()), begin = std::min(first, end);
            QCOMPARE(run->batches, end - begin);
            QVERIFY(run->heldBytes <= options.budgetBytes);
            for (std::size_t b = 0; b < batches.size(); ++b) {
                if (b >= begin && b < end)
                    QVERIFY(outputs[b] == expected[c][b]);
                else
                    QVERIFY(outputs[b].empty());
            }
        }
    }
}

void TestPrefixReuse::errors() {
    const Model base = chainModel(3);
    const Batches batches = randomBatches(4, {1, 16, 6, 6});
    const auto ignore = [](std::size_t, const std::vector<Tensor>&) -> Status { return {}; };
    const auto reuse = PrefixReuse::create(base, batches.size(), loaderOf(batches));
    QVERIFY(reuse);

    const auto refused = (*reuse)->run(base, {}, [](std::size_t batch, const std::vector<Tensor>&) -> Status {
        if (batch < 2) return {};
        return fail(ErrorCode::InvalidArgument, "Batch " + std::to_string(batch) + ".");
    });
    QVERIFY(!refused);
    QCOMPARE(refused.error().message, std::string("Batch 2."));

    std::stop_source stop;
    JobContext job{stop.get_token(), nullptr};
    const auto stopped = (*reuse)->run(
        base, {},
        [&](std::size_t, const std::vector<Tensor>&) -> Status {
            stop.request_stop();
            return {};
        },
        {}, job);
    QVERIFY(!stopped);
    QCOMPARE(stopped.error().code, ErrorCode::Cancelled);

    Model broken = base;
    broken.graph.nodes[2].opType = "NoSuchOperator";
    const auto unknown = (*reuse)->run(broken, {}, ignore);
    QVERIFY(!unknown);
    QCOMPARE(unknown.error().code, ErrorCode::Unsupported);

    const Batches wrong = randomBatches(1, {1, 15, 6, 6});
    const auto mismatch = PrefixReuse::create(base, wrong.size(), loaderOf(wrong));
    QVERIFY(mismatch);
    QVERIFY(!(*mismatch)->run(base, {}, ignore));
    QVERIFY((*reuse)->run(base, {}, ignore));  // still usable
}

EQUANT_TEST(TestPrefixReuse)
}  // namespace test_prefix_reuse

#include "test_prefix_reuse.moc"
