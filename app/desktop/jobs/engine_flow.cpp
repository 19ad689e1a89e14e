// SPDX-License-Identifier: GPL-3.0-or-later
// The recommended flow's part of engine_calls.h.
#include <algorithm>

#include "app/desktop/jobs/engine_calls.h"
#include "core/compression/plan/flow.h"
#include "core/metrics/evaluate.h"

namespace equant::ui {

namespace {

Result<std::shared_ptr<const Dataset>> openSamples(const FlowRequest& request, int limit) {
    return equant::openSamples(request.sweep.key.data, *request.compress.original->model, request.sweep.key.preprocess,
                               static_cast<std::size_t>(std::max(0, limit)));
}

/// Of the network as it is, so that the first candidate can be shown against it.
Result<Score> scoreOriginal(const FlowRequest& request, const Dataset& evaluation, const JobContext& job) {
    const auto executor = Executor::create(*request.compress.original->model);
    if (!executor) return fail(executor.error());
    job.begin("scoring the uncompressed network", 0);
    auto score = evaluate(*executor, *executor, evaluation, {request.compress.step.options.threads, 8}, job);
    if (score && request.sweep.setup.metric == SensitivityMetric::Top1 && !score->top1)
        return fail(ErrorCode::InvalidArgument, "Top-1 accuracy needs labels, and the data have none.",
                    "Choose another score, or data with one folder per class.");
    return score;
}

PlanMeasurement measurementOf(const FlowCandidate& candidate, const FlowRequest& request, const Score& floating) {
    CompressStep step = request.compress.step;
    step.plan = effectivePlan(candidate.plan);
    PlanMeasurement result = planMeasurement(step, candidate.report, {floating, candidate.score},
                                             request.sweep.setup.evaluationSamples, candidate.seconds);
    result.label = divisionText(step.plan, candidate.factorizedRatio, candidate.depthWeight);
    return result;
}

}  // namespace

Result<FlowOutcome> runFlow(const FlowRequest& request, const std::function<void(const FlowNews&)>& onNews,
                            const JobContext& job) {
    const CompressionSetup& setup = request.sweep.setup;
    const Model& model = *request.compress.original->model;
    const auto calibration = openSamples(request, setup.calibrationSamples);
    if (!calibration) return fail(calibration.error());
    const auto evaluation = openSamples(request, setup.evaluationSamples);
    if (!evaluation) return fail(evaluation.error());
    if (!request.sweep.known) {
        const auto sweep = sweepSensitivity(
            request.sweep,
            [&](const Sweep& table) {
                onNews({{table}, {}});
            },
            job);
        if (!sweep) return fail(sweep.error());
    }
    const auto floating = scoreOriginal(request, **evaluation, job);
    if (!floating) return fail(floating.error());
    FlowOptions options;
    options.macsRatio = setup.share;
    options.methods = setup.methods;
    options.excluded = request.excluded;
    options.locks = request.locks;
    options.multiple = setup.multiple;
    options.calibrationSamples = static_cast<std::size_t>(setup.calibrationSamples);
    options.compress = request.compress.step.options;
    options.metric = setup.metric;
    auto flow = recommendedFlow(
        model, **calibration, **evaluation, options,
        [&](const FlowCandidate& candidate) {
            onNews({{}, {measurementOf(candidate, request, *floating)}});
        },
        job);
    if (!flow) return fail(flow.error());
    const FlowCandidate& best = flow->candidates[flow->best];
    const PlanMeasurement measured = measurementOf(best, request, *floating);
    FlowOutcome outcome;
    outcome.summary = {measured.step, measured.label, static_cast<int>(flow->candidates.size()), flow->metric,
                       best.limitedBy};
    auto compressed = prepareCompressed(*request.compress.original, measured.step,
                                        {std::move(flow->model), std::move(flow->candidates[flow->best].report)}, job);
    if (!compressed) return fail(compressed.error());
    outcome.model = std::move(*compressed);
    return outcome;
}

}  // namespace equant::ui
