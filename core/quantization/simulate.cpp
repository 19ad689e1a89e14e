// SPDX-License-Identifier: Apache-2.0
#include "core/quantization/simulate.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "core/data/subset.h"
#include "core/metrics/evaluate.h"
#include "core/metrics/non_finite_findings.h"
#include "core/runtime/exec/executor.h"

namespace equant {

namespace {

/// Notes how long the step took when it ends.
class StepClock {
public:
    StepClock(std::vector<SimulationStep>& steps, const char* step)
        : m_steps(steps), m_step(step), m_start(std::chrono::steady_clock::now()) {}
    StepClock(const StepClock&) = delete;
    StepClock& operator=(const StepClock&) = delete;
    ~StepClock() {
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - m_start;
        m_steps.push_back({m_step, taken.count()});
    }

private:
    std::vector<SimulationStep>& m_steps;
    const char* m_step;
    std::chrono::steady_clock::time_point m_start;
};

Result<std::shared_ptr<Executor>> executorFor(const Model& model, const QuantSim& sim, QuantScope scope) {
    CompileOptions options;
    options.overlay = overlay(sim, scope);
    return Executor::create(model, std::move(options));
}

Status scoreAll(SimulationReport& report, const Model& model, const Dataset& evaluation,
                const SimulationOptions& options, const JobContext& job) {
    const StepClock clock(report.steps, "evaluate");
    const auto reference = Executor::create(options.reference ? *options.reference : model);
    if (!reference) return fail(reference.error());
    std::vector<std::shared_ptr<Executor>> candidates{*reference};
    std::vector<Score*> scores{&report.floating};
    for (const auto& [scope, score] : {std::pair{QuantScope::WeightsOnly, &report.weightsOnly},
                                       std::pair{QuantScope::ActivationsOnly, &report.activationsOnly},
                                       std::pair{QuantScope::Both, &report.quantized}}) {
        auto executor = executorFor(report.model, report.sim, scope);
        if (!executor) return fail(executor.error());
        candidates.push_back(std::move(*executor));
        scores.push_back(score);
    }
    if (options.reference) {
        auto executor = Executor::create(report.model);
        if (!executor) return fail(executor.error());
        candidates.push_back(std::move(*executor));
        scores.push_back(&report.prepared.emplace());
    }
    const auto measured = evaluateAll(candidates, *reference, evaluation, {options.threads, options.batch}, job);
    if (!measured) return fail(measured.error());
    for (std::size_t i = 0; i < scores.size(); ++i) *scores[i] = (*measured)[i];
    return {};
}

/// What is wrong in float is wrong when quantized too: it is told once.
Status explainScores(SimulationReport& report, const Model& model, const Dataset& evaluation,
                     const SimulationOptions& options, const JobContext& job) {
    if (report.sim.notFinite) report.findings.push_back(asFinding(*report.sim.notFinite));
    const bool isFloat = report.floating.notFinite > 0;
    auto found =
        isFloat ? explainScore(report.floating, options.reference ? *options.reference : model, evaluation, {}, job)
                : explainScore(report.quantized, report.model, evaluation, overlay(report.sim), job);
    if (!found) return fail(found.error());
    for (Finding& finding : *found) report.findings.push_back(std::move(finding));
    return {};
}

}  // namespace

Result<SimulationReport> simulate(const Model& model, const Dataset& calibration, const Dataset& evaluation,
                                  const QuantizationSettings& settings, const SimulationOptions& options,
                                  const JobContext& job) {
    SimulationReport report;
    report.model = model;
    if (options.shouldFoldBatchNorms) {
        const StepClock clock(report.steps, "fold");
        auto folded = foldBatchNorms(model);
        if (!folded) return fail(folded.error());
        report.model = std::move(folded->model);
        report.fold = std::move(folded->report);
    }
    {
        const StepClock clock(report.steps, "calibrate");
        auto sim = calibrate(report.model, calibration, settings, {options.threads, options.batch}, job);
        if (!sim) return fail(sim.error());
        report.sim = std::move(*sim);
    }
    if (const auto scored = scoreAll(report, model, evaluation, options, job); !scored) return fail(scored.error());
    if (auto status = explainScores(report, model, evaluation, options, job); !status) return fail(status.error());
    if (options.layerSamples > 0) {
        const StepClock clock(report.steps, "layers");
        const SpreadSubset subset(evaluation, options.layerSamples);
        auto layers = measureLayers(report.model, report.sim, subset, {options.threads, 2}, job);
        if (!layers) return fail(layers.error());
        report.layers = std::move(*layers);
        report.layerSamples = subset.size();
    }
    return report;
}

}  // namespace equant
