// SPDX-License-Identifier: Apache-2.0
#include "core/compression/plan/flow.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>

#include "core/compression/channels/channel_groups_internal.h"
#include "core/compression/fit/compressor_internal.h"
#include "core/compression/model_facts_internal.h"
#include "core/compression/plan/plan_cost.h"
#include "core/data/subset.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/evaluate.h"
#include "core/statistics/batch_cache.h"

namespace equant {

namespace {

constexpr std::size_t kFlowBatch = 8;
constexpr double kWeightStep = 1.5;
constexpr double kMostWeight = 4.5;
constexpr double kMissedTarget = 1000;  ///< dB or points
constexpr double kTolerance = 5e-3;     ///< of the model's cost, beyond which a target counts as missed

std::vector<double> ratiosOf(const FlowOptions& options) {
    if (!options.ratios.empty()) return options.ratios;
    std::vector<double> ratios;
    for (int percent = 10; percent <= 95; percent += 5) ratios.push_back(0.01 * percent);
    return ratios;
}

double scoreBy(SensitivityMetric metric, const Score& score) {
    const auto value = metric == SensitivityMetric::Top1        ? score.top1
                       : metric == SensitivityMetric::Agreement ? score.agreement
                                                                : score.sqnrDb;
    return value.value_or(-std::numeric_limits<double>::infinity());
}

class Flow {
public:
    Flow(const Model& model, const Dataset& calibration, const Dataset& evaluation, const FlowOptions& options,
         const JobContext& job)
        : m_model(model),
          m_samples(calibration, options.calibrationSamples),
          m_evaluation(evaluation),
          m_options(options),
          m_job(job),
          m_source(batchesOf(m_samples, kFlowBatch)),
          m_cache(m_source) {}

    Result<FlowResult> run(const std::function<void(const FlowCandidate&)>& onCandidate) {
        const auto cost = costOf(m_model);
        if (!cost) return fail(cost.error());
        m_macs = static_cast<double>(cost->macs);
        auto reference = Executor::create(m_model);
        if (!reference) return fail(reference.error());
        m_reference = std::move(*reference);
        std::vector<CompressionMethod> factorizations = m_options.methods;
        const bool isPruning = std::erase(factorizations, CompressionMethod::ChannelPruning) > 0;
        if (!factorizations.empty()) {
            auto table = predict(m_model, factorizations);
            if (!table) return fail(table.error());
            m_factorizing = std::move(*table);
        }
        m_result.metric = m_options.metric.value_or(SensitivityMetric::SqnrDb);
        const std::size_t last = std::max<std::size_t>(m_options.divisions, 2) - 1;
        const auto shareOf = [&](std::size_t k) {
            return std::pow(m_options.macsRatio, 1 - static_cast<double>(k) / static_cast<double>(last));
        };
        const Attempt attempt = [&](double share, const Way& way) {
            return evaluateCandidate(share, way, onCandidate);
        };
        Way way{factorizations};
        // One way that does not work here (nothing to factorize, nothing to prune) leaves the others.
        std::optional<Error> failure;
        const auto canContinue = [&](const Status& done) {
            if (!done) failure = done.error();
            return done || done.error().code != ErrorCode::Cancelled;
        };
        if (!factorizations.empty() && !canContinue(searchFactorization(way, shareOf(0), attempt)))
            return fail(*failure);
        if (isPruning && !canContinue(searchWeight(way.pruning, [&] { return attempt(1, way); })))
            return fail(*failure);
        for (std::size_t k = 1; k < last && isPruning && !factorizations.empty(); ++k) {
            const auto score = attempt(shareOf(k), way);
            if (!canContinue(score ? Status{} : fail(score.error()))) return fail(*failure);
        }
        if (m_result.candidates.empty() && failure) return fail(*failure);
        if (m_result.candidates.empty())
            return fail(ErrorCode::InvalidArgument, "There are no methods to try.", "Allow at least one.");
        return std::move(m_result);
    }

private:
    /// What distinguishes candidates of one division.
    struct Way {
        std::vector<CompressionMethod> factorizations;  ///< that compete in every layer
        double factorizing = kDepthWeight;              ///< SolverOptions::depthWeight of the two halves
        double pruning = kDepthWeight;
    };
    using Attempt = std::function<Result<double>(double share, const Way& way)>;

    /// Compresses and scores one candidate, keeps it if it is ahead, and returns its score.
    Result<double> evaluateCandidate(double share, const Way& way,
                                     const std::function<void(const FlowCandidate&)>& onCandidate) {
        auto outcome = tryDivision(share, way);
        if (!outcome) return fail(outcome.error());
        if (onCandidate) onCandidate(outcome->report);
        // What misses the target has an easy score: it stays behind all that meet it.
        const double score =
            scoreBy(m_result.metric, outcome->report.score) - (outcome->report.limitedBy.empty() ? 0 : kMissedTarget);
        const bool isBetter = m_result.candidates.empty() || isAhead(outcome->report, m_result);
        m_result.candidates.push_back(std::move(outcome->report));
        if (isBetter) {
            m_result.best = m_result.candidates.size() - 1;
            m_result.model = std::move(outcome->model);
        }
        return score;
    }

    /// All methods together or one of them alone, whichever is best; then the weight for it.
    static Status searchFactorization(Way& way, double share, const Attempt& attempt) {
        std::vector<std::vector<CompressionMethod>> sets{way.factorizations};
        if (way.factorizations.size() > 1)
            for (const CompressionMethod method : way.factorizations) sets.push_back({method});
        std::optional<double> highest;
        for (const auto& set : sets) {
            Way with = way;
            with.factorizations = set;
            const auto score = attempt(share, with);
            // Alone, a method may apply to no layer at all.
            if (!score && (set == sets.front() || score.error().code == ErrorCode::Cancelled))
                return fail(score.error());
            if (!score || (highest && *score <= *highest)) continue;
            highest = *score;
            way.factorizations = set;
        }
        return searchWeight(
            way.factorizing, [&] { return attempt(share, way); }, highest);
    }

    /// Climbs from the weight as it is, in the direction that helps, and leaves it at the best one. `here`: the score
    /// where it begins, if that is known.
    static Status searchWeight(double& weight, const std::function<Result<double>()>& attempt,
                               std::optional<double> here = {}) {
        if (!here) {
            const auto first = attempt();
            if (!first) return fail(first.error());
            here = *first;
        }
        const double start = weight;
        double best = start;
        for (const double step : {kWeightStep, -kWeightStep}) {
            for (weight = start + step; weight >= 0 && weight <= kMostWeight; weight += step) {
                const auto score = attempt();
                if (!score) return fail(score.error());
                if (!(*score > *here)) break;
                here = *score;
                best = weight;
            }
            if (best != start) break;
        }
        weight = best;
        return {};
    }

    [[nodiscard]] static bool isAhead(const FlowCandidate& candidate, const FlowResult& result) {
        const FlowCandidate& best = result.candidates[result.best];
        if (candidate.limitedBy.empty() != best.limitedBy.empty()) return candidate.limitedBy.empty();
        return scoreBy(result.metric, candidate.score) > scoreBy(result.metric, best.score);
    }

    Result<SensitivityTable> predict(const Model& model, const std::vector<CompressionMethod>& methods) const {
        SensitivityOptions options;
        options.methods = methods;
        options.ratios = ratiosOf(m_options);
        options.compress = m_options.compress;
        options.multiple = m_options.multiple;
        options.calibrationSamples = m_samples.size();
        return predictSensitivity(model, m_samples, options, m_job);
    }

    /// Factorized down to `share` of the MACs, then pruned down to the target.
    Result<Outcome<FlowCandidate>> tryDivision(double share, const Way& way) {
        const auto start = std::chrono::steady_clock::now();
        FlowCandidate candidate;
        const auto compressor = Compressor::create(m_model, &m_cache.view(), m_options.compress);
        if (!compressor) return fail(compressor.error());
        candidate.plan.model = contentHash(m_model);
        candidate.plan.multiple = m_options.multiple;
        candidate.depthWeight = share < 1 ? way.factorizing : way.pruning;
        if (share < 1) {
            candidate.methods = way.factorizations;
            SensitivityTable table = m_factorizing;
            for (LayerSensitivity& row : table.layers)
                if (std::ranges::find(way.factorizations, row.method) == way.factorizations.end()) row.cells.clear();
            const SolverOptions solver{{share, {}, {}}, m_options.locks, m_options.excluded, way.factorizing, false};
            auto solved = solvePlan(table, solver);
            if (!solved) return fail(solved.error());
            candidate.limitedBy = solved->limitedBy;
            candidate.plan.choices = std::move(solved->plan.choices);
            if (const auto done = (*compressor)->factorize(candidate.plan, m_job); !done) return fail(done.error());
        }
        const auto now = costOf((*compressor)->model());
        if (!now) return fail(now.error());
        candidate.factorizedRatio = m_macs > 0 ? static_cast<double>(now->macs) / m_macs : 1;
        if (share > m_options.macsRatio * 1.0001) {
            candidate.methods.push_back(CompressionMethod::ChannelPruning);
            const auto planned = choosePruning(**compressor, way.pruning, candidate);
            if (!planned) return fail(planned.error());
            if (const auto done = (*compressor)->prune(candidate.plan, m_job); !done) return fail(done.error());
        }
        auto outcome = (*compressor)->finish();
        if (!outcome) return fail(outcome.error());
        candidate.report = std::move(outcome->report);
        candidate.report.samples = m_samples.size();
        if (candidate.limitedBy.empty() && candidate.report.macsRatio > m_options.macsRatio + kTolerance)
            candidate.limitedBy = "Layers that share channels saved less together than predicted.";
        const auto executor = Executor::create(outcome->model);
        if (!executor) return fail(executor.error());
        m_job.begin("measuring", 0);
        auto scores = evaluateAll({m_reference, *executor}, m_reference, m_evaluation,
                                  {m_options.compress.threads, kFlowBatch}, {m_job.stop, nullptr});
        if (!scores) return fail(scores.error());
        m_result.baseline = (*scores)[0];
        candidate.score = (*scores)[1];
        if (m_options.shouldTime) {
            const auto latency = measureLatency(*m_reference, **executor, {m_job.stop, nullptr});
            if (!latency) return fail(latency.error());
            candidate.report.latency = *latency;
        }
        candidate.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        return Outcome<FlowCandidate>{std::move(outcome->model), std::move(candidate)};
    }

    /// What pruning costs, with the layers and channels left out that it must not touch.
    Result<SensitivityTable> pruningTable(const Compressor& compressor, bool isFactorized) const {
        const Model& model = compressor.model();
        auto table = predict(model, {CompressionMethod::ChannelPruning});
        if (!table) return table;
        const auto analysis = analyzeChannels(model);
        if (!analysis) return fail(analysis.error());
        for (LayerSensitivity& row : table->layers) {
            const std::string origin = compressor.originOf(row.name);
            const auto node = std::ranges::find(model.graph.nodes, row.name, &Node::label);
            const bool isStream =
                !m_options.shouldPruneStreams && node != model.graph.nodes.end() &&
                isResidual(*analysis, model.graph,
                           channelGroup(*analysis, static_cast<std::size_t>(node - model.graph.nodes.begin())));
            // Factorized first, a locked layer has got its ratio already.
            const bool isLocked = isFactorized && m_options.locks.contains(origin);
            if (origin.empty() || m_options.excluded.contains(origin) || isLocked || isStream) row.cells.clear();
        }
        return table;
    }

    /// Adds to the candidate's plan what is still missing to the target.
    Status choosePruning(const Compressor& compressor, double depthWeight, FlowCandidate& candidate) {
        const bool isWhole = candidate.plan.choices.empty();
        auto table =
            isWhole && m_wholePruning ? Result<SensitivityTable>(*m_wholePruning) : pruningTable(compressor, !isWhole);
        if (!table) return fail(table.error());
        if (isWhole) m_wholePruning = *table;
        SolverOptions solver;
        solver.depthWeight = depthWeight;
        solver.target.macsRatio = std::min(1.0, m_options.macsRatio / candidate.factorizedRatio);
        if (isWhole) solver.locks = m_options.locks;
        const auto solved = solvePlanFor(compressor.model(), *table, solver);
        if (!solved) return fail(solved.error());
        candidate.limitedBy = solved->isTargetMet ? "" : solved->limitedBy;
        for (LayerChoice choice : solved->plan.choices) {
            choice.layer = compressor.originOf(choice.layer);
            candidate.plan.choices.push_back(std::move(choice));
        }
        return {};
    }

    const Model& m_model;
    const SpreadSubset m_samples;
    const Dataset& m_evaluation;
    const FlowOptions& m_options;
    const JobContext& m_job;
    const BatchSource m_source;
    BatchCache m_cache;
    std::shared_ptr<Executor> m_reference;
    double m_macs = 0;
    SensitivityTable m_factorizing;                  ///< of the network as it came
    std::optional<SensitivityTable> m_wholePruning;  ///< likewise
    FlowResult m_result;
};

}  // namespace

Result<FlowResult> recommendedFlow(const Model& model, const Dataset& calibration, const Dataset& evaluation,
                                   const FlowOptions& options,
                                   const std::function<void(const FlowCandidate&)>& onCandidate,
                                   const JobContext& job) {
    if (!(options.macsRatio > 0 && options.macsRatio < 1))
        return fail(ErrorCode::InvalidArgument, fmt::format("The target {} is outside (0, 1).", options.macsRatio),
                    "0.5 keeps half of the multiply-accumulates.");
    return Flow(model, calibration, evaluation, options, job).run(onCandidate);
}

}  // namespace equant
