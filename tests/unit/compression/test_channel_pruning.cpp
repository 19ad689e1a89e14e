// SPDX-License-Identifier: Apache-2.0
// The choice of channels against brute force, and pruned networks against what they were.
#include "../support/model_builder.h"

#include <Eigen/Cholesky>
#include <QtTest>
#include <set>

#include "core/compression/channels/channel_elimination_internal.h"
#include "core/compression/channels/channel_pruning_internal.h"
#include "core/compression/compress.h"
#include "core/graph/constants.h"
#include "core/runtime/exec/executor.h"
#include "tests/support/registry.h"

namespace test_channel_pruning {

using namespace equant;
using namespace equant::test;
using Eigen::Index;
using Eigen::MatrixXd;

namespace {

MatrixXd randomMatrix(Index rows, Index columns, unsigned seed) {
    const Tensor tensor = randomTensor({rows, columns}, seed);
    return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
               tensor.data<float>().data(), rows, columns)
        .cast<double>();
}

/// Six channels of two columns; every second consumer lacks the last channel.
EliminationProblem randomProblem(unsigned seed, bool readsLast) {
    const Index columns = readsLast ? 12 : 10;
    const MatrixXd x = randomMatrix(40, columns, seed) * randomMatrix(columns, columns, seed + 1);
    const MatrixXd y = x * randomMatrix(columns, 3, seed + 2) + randomMatrix(40, 3, seed + 3);
    EliminationProblem problem;
    problem.fit.metric = x.transpose() * x + 0.01 * MatrixXd::Identity(columns, columns);
    problem.fit.target = y.transpose() * x;
    problem.fit.weight = MatrixXd::Zero(3, columns);
    problem.fit.power = y.squaredNorm();
    problem.power = 2 * y.squaredNorm();
    for (Index c = 0; c < 6; ++c)
        problem.columns.push_back(2 * c < columns ? std::vector<Index>{2 * c, 2 * c + 1} : std::vector<Index>{});
    return problem;
}

/// The error with these channels, from scratch.
double errorWith(const EliminationProblem& problem, const std::set<std::size_t>& kept) {
    std::vector<Index> columns;
    for (const std::size_t channel : kept)
        columns.insert(columns.end(), problem.columns[channel].begin(), problem.columns[channel].end());
    const MatrixXd metric = problem.fit.metric(columns, columns), target = problem.fit.target(Eigen::all, columns);
    const MatrixXd best = metric.llt().solve(target.transpose());
    return (problem.fit.power - (target * best).trace()) / problem.power;
}

/// x -> a (4 channels, the last a copy of the first) -> relu -> b -> relu -> c, with r of b added to c's result.
Model network() {
    Tensor weight = randomTensor({4, 2, 3, 3}, 1);
    std::copy_n(weight.data<float>().begin(), 18, weight.mutableData<float>().begin() + 54);
    const std::vector<std::int64_t> pads{1, 1, 1, 1};
    return ModelBuilder()
        .input("x", {-1, 2, 6, 6})
        .constant("wa", weight)
        .constant("wb", randomTensor({4, 4, 3, 3}, 2))
        .constant("wc", randomTensor({4, 4, 3, 3}, 3))
        .constant("wd", randomTensor({3, 4, 1, 1}, 4))
        .node("Conv", {"x", "wa"}, {"a"}, {{"pads", pads}})
        .node("Relu", {"a"}, {"ra"})
        .node("Conv", {"ra", "wb"}, {"b"}, {{"pads", pads}})
        .node("Relu", {"b"}, {"rb"})
        .node("Conv", {"rb", "wc"}, {"c"}, {{"pads", pads}})
        .node("Add", {"c", "rb"}, {"s"})
        .node("Conv", {"s", "wd"}, {"y"})
        .output("y", {-1, 3, 6, 6})
        .build();
}

std::vector<std::vector<Tensor>> batches() {
    std::vector<std::vector<Tensor>> result;
    for (unsigned i = 0; i < 4; ++i) result.push_back({randomTensor({3, 2, 6, 6}, 50 + i)});
    return result;
}

/// Power of the difference between two models' outputs over that of the first.
double relativeError(const Model& model, const Model& changed) {
    const auto a = Executor::create(model), b = Executor::create(changed);
    if (!a || !b) qFatal("%s", describe(a ? b.error() : a.error()).c_str());
    double error = 0, power = 0;
    for (const auto& inputs : batches()) {
        const auto expected = (*a)->run(inputs), got = (*b)->run(inputs);
        if (!expected || !got) qFatal("the model cannot run");
        for (std::size_t i = 0; i < expected->front().data<float>().size(); ++i) {
            const double value = expected->front().data<float>()[i], other = got->front().data<float>()[i];
            error += (value - other) * (value - other);
            power += value * value;
        }
    }
    return error / power;
}

Outcome<CompressionReport> pruned(const std::string& layer, double ratio, bool isPlain, bool hasData = true) {
    CompressionPlan plan;
    plan.choices.push_back({layer, CompressionMethod::ChannelPruning, ratio});
    const auto data = batches();
    const BatchSource source = batchesOf(std::span<const std::vector<Tensor>>(data));
    CompressOptions options;
    options.isPlain = isPlain;
    options.threads = 1;
    auto outcome = compress(network(), plan, hasData ? &source : nullptr, options);
    if (!outcome) qFatal("%s", describe(outcome.error()).c_str());
    return std::move(*outcome);
}

}  // namespace

class TestChannelPruning : public QObject {
    Q_OBJECT
private slots:
    void eliminationIsBackwardSelection() {
        for (unsigned seed = 0; seed < 5; ++seed) {
            const std::vector<EliminationProblem> problems{randomProblem(seed * 10, true),
                                                           randomProblem(seed * 10 + 5, false)};
            std::set<std::size_t> kept{0, 1, 2, 3, 4, 5};
            const auto steps = eliminate(
                problems, [&](std::size_t) { return kept.size() > 1; },
                [&](std::size_t channel) {
                    std::size_t best = 0;
                    double lowest = 1e300;
                    for (const std::size_t candidate : kept) {
                        auto rest = kept;
                        rest.erase(candidate);
                        const double error = errorWith(problems[0], rest) + errorWith(problems[1], rest);
                        if (error < lowest) std::tie(lowest, best) = std::pair(error, candidate);
                    }
                    QCOMPARE(channel, best);
                    kept.erase(channel);
                });
            QCOMPARE(steps.size(), std::size_t(5));
            const double last = errorWith(problems[0], kept) + errorWith(problems[1], kept);
            QVERIFY(std::abs(steps.back().error - last) < 1e-9);
            for (std::size_t i = 1; i < steps.size(); ++i) QVERIFY(steps[i].error >= steps[i - 1].error);
        }
    }

    /// The copy carries nothing of its own: its reader can take the first channel instead.
    void redundantChannelsAreFree() {
        const auto outcome = pruned("Conv_2", 0.75, false);
        const auto& layer = outcome.report.layers.front();
        QCOMPARE(layer.size, std::int64_t(3));
        QCOMPARE(layer.fullSize, std::int64_t(4));
        QVERIFY(layer.skipped.empty());
        QVERIFY(relativeError(network(), outcome.model) < 1e-4);
        const std::int64_t removed = 36 * (9 * 2 + 9 * 4);  // one output of a, one input of b
        QCOMPARE(outcome.report.macsBefore - outcome.report.macsAfter, removed);
    }

    void plainKeepsLargeWeights() {
        const auto outcome = pruned("Conv_2", 0.5, true, false);
        const Tensor weight = network().graph.initializer("wb")->tensor;
        QCOMPARE(outcome.report.layers.front().size, std::int64_t(2));
        std::vector<std::pair<double, std::int64_t>> power(4);
        for (std::size_t i = 0; i < weight.data<float>().size(); ++i) {
            power[i / 9 % 4].first += double(weight.data<float>()[i]) * weight.data<float>()[i];
            power[i / 9 % 4].second = static_cast<std::int64_t>(i / 9 % 4);
        }
        std::ranges::sort(power);
        const auto kept = std::minmax(power[2].second, power[3].second);
        const Graph& graph = outcome.model.graph;
        const Tensor left = *constantInput(graph, graph.nodes[0], 1);
        const Tensor whole = network().graph.initializer("wa")->tensor;
        QCOMPARE(left.shape(), (Shape{2, 2, 3, 3}));
        for (std::size_t i = 0; i < 18; ++i) {
            QCOMPARE(left.data<float>()[i], whole.data<float>()[i + 18 * static_cast<std::size_t>(kept.first)]);
            QCOMPARE(left.data<float>()[i + 18], whole.data<float>()[i + 18 * static_cast<std::size_t>(kept.second)]);
        }
    }

    void sharedStreamsAreReported() {
        const auto outcome = pruned("Conv_6", 0.5, false);
        const auto& layer = outcome.report.layers.front();
        QCOMPARE(layer.sharedWith, std::vector<std::string>{"Conv_4"});
        QCOMPARE(layer.size, std::int64_t(2));
        QVERIFY(layer.ratio < 0.51);
        const double aware = relativeError(network(), outcome.model);
        const double plain = relativeError(network(), pruned("Conv_6", 0.5, true, false).model);
        QVERIFY2(aware < 0.7 * plain, qPrintable(QString("%1 %2").arg(aware).arg(plain)));
    }

    void refusalsNameTheReason() {
        Model model = network();
        const auto analysis = analyzeChannels(model);
        QVERIFY(analysis);
        const auto refused = pruneChannels(model, *analysis, 0, 1, {}, {});
        QVERIFY(!refused);
        QCOMPARE(refused.error().code, ErrorCode::Unsupported);
        QVERIFY(refused.error().message.find("network's input \"x\"") != std::string::npos);
    }
};

EQUANT_TEST(TestChannelPruning)
}  // namespace test_channel_pruning

#include "test_channel_pruning.moc"
