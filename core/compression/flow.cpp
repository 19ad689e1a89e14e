// SPDX-License-Identifier: Apache-2.0
#include "core/compression/flow.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>

#include "core/compression/batch_cache.h"
#include "core/compression/compressor.h"
#include "core/compression/model_facts.h"
#include "core/compression/plan_cost.h"
#include "core/data/subset.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/evaluate.h"

namespace equant {

namespace {

constexpr std::size_t kBatch = 8;
constexpr std::size_t kScoredSamples = 128;  ///< behind a measured sensitivity
constexpr std::size_t kRounds = 2;           ///< of halving the ratios: three of them are measured

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
          m_source(batchesOf(m_samples, kBatch)),
          m_cache(m_source) {}

    Result<FlowResult> run(const std::function<void(const FlowCandidate&)>& onCandidate) {
        const auto cost = costOf(m_model);
        if (!cost) return fail(cost.error());
        m_macs = static_cast<double>(cost->macs);
        auto reference = Executor::create(m_model);
        if (!reference) return fail(reference.error());
        m_reference = std::move(*reference);
        auto table = assess(m_model, m_options.factorizations);
        if (!table) return fail(table.error());
        FlowResult result;
        result.metric = m_options.metric.value_or(SensitivityMetric::SqnrDb);
        const auto last = static_cast<double>(std::max<std::size_t>(m_options.divisions, 2) - 1);
        for (std::size_t k = 0; k <= static_cast<std::size_t>(last); ++k) {
            const double share = std::pow(m_options.macsRatio, 1 - static_cast<double>(k) / last);
            auto outcome = tryDivision(*table, share, result.baseline);
            if (!outcome) {
                // One way that does not work here (nothing to factorize, nothing to prune) leaves the others.
                if (outcome.error().code == ErrorCode::Cancelled) return fail(outcome.error());
                m_failure = outcome.error();
                continue;
            }
            if (onCandidate) onCandidate(outcome->report);
            const bool isBetter = result.candidates.empty() || isAhead(outcome->report, result);
            result.candidates.push_back(std::move(outcome->report));
            if (!isBetter) continue;
            result.best = result.candidates.size() - 1;
            result.model = std::move(outcome->model);
        }
        if (result.candidates.empty()) return fail(*m_failure);
        return result;
    }

private:
    [[nodiscard]] static bool isAhead(const FlowCandidate& candidate, const FlowResult& result) {
        const FlowCandidate& best = result.candidates[result.best];
        if (candidate.limitedBy.empty() != best.limitedBy.empty()) return candidate.limitedBy.empty();
        return scoreBy(result.metric, candidate.score) > scoreBy(result.metric, best.score);
    }

    /// Predicted errors of every ratio, steadied by the output noise measured at a few.
    Result<SensitivityTable> assess(const Model& model, const std::vector<CompressionMethod>& methods) const {
        SensitivityOptions options;
        options.methods = methods;
        options.ratios = ratiosOf(m_options);
        options.metric = SensitivityMetric::SqnrDb;
        options.compress = m_options.compress;
        options.multiple = m_options.multiple;
        options.calibrationSamples = m_samples.size();
        options.evaluationSamples = kScoredSamples;
        options.rounds = kRounds;
        const auto study = studyLayers(model, m_samples, options, m_job);
        if (!study) return fail(study.error());
        auto table = predictSensitivity(**study, options, m_job);
        if (!table) return table;
        auto measured = measureSensitivity(**study, m_samples, std::move(*table), options, {}, m_job);
        return m_job.stopped() ? Result<SensitivityTable>(cancelled()) : measured;
    }

    /// Factorized down to `share` of the MACs, then pruned down to the target.
    Result<Outcome<FlowCandidate>> tryDivision(const SensitivityTable& table, double share, Score& baseline) {
        const auto start = std::chrono::steady_clock::now();
        FlowCandidate candidate;
        const auto compressor = Compressor::create(m_model, &m_cache.view(), m_options.compress);
        if (!compressor) return fail(compressor.error());
        candidate.plan.model = contentHash(m_model);
        candidate.plan.multiple = m_options.multiple;
        if (share < 1) {
            SolverOptions solver{{share, {}, {}}, m_options.locks, m_options.excluded, false};
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
            const auto planned = choosePruning(**compressor, candidate);
            if (!planned) return fail(planned.error());
            if (const auto done = (*compressor)->prune(candidate.plan, m_job); !done) return fail(done.error());
        }
        auto outcome = (*compressor)->finish();
        if (!outcome) return fail(outcome.error());
        candidate.report = std::move(outcome->report);
        candidate.report.samples = m_samples.size();
        const auto executor = Executor::create(outcome->model);
        if (!executor) return fail(executor.error());
        m_job.begin("measuring", 0);
        auto scores = evaluateAll({m_reference, *executor}, m_reference, m_evaluation,
                                  {m_options.compress.threads, kBatch}, {m_job.stop, nullptr});
        if (!scores) return fail(scores.error());
        baseline = (*scores)[0];
        candidate.score = (*scores)[1];
        candidate.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        return Outcome<FlowCandidate>{std::move(outcome->model), std::move(candidate)};
    }

    /// Adds to the candidate's plan what is still missing to the target.
    Status choosePruning(const Compressor& compressor, FlowCandidate& candidate) const {
        auto table = assess(compressor.model(), {CompressionMethod::ChannelPruning});
        if (!table) return fail(table.error());
        SolverOptions solver;
        solver.target.macsRatio = std::min(1.0, m_options.macsRatio / candidate.factorizedRatio);
        for (LayerSensitivity& layer : table->layers) {
            const std::string origin = compressor.originOf(layer.name);
            const bool isFixed =
                origin.empty() || m_options.excluded.contains(origin) || m_options.locks.contains(origin);
            if (isFixed) solver.excluded.insert(layer.name);
        }
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
    std::optional<Error> m_failure;
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
