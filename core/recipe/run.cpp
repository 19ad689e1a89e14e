// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/run.h"

#include <chrono>
#include <fmt/format.h>

namespace equant {

namespace {

Error inStep(Error error, const Step& step) {
    error.message = fmt::format("Step \"{}\" cannot read its samples. {}", name(step), error.message);
    return error;
}

Status checkSamples(const Step& step, const Model& model, const DataOptions& data) {
    const StepSamples samples = kindOf(step).samples(step, data);
    for (const SampleChoice& choice : {samples.calibration, samples.evaluation}) {
        const auto opened = openSamples(choice, model);
        if (opened) continue;
        Error error = inStep(opened.error(), step);
        if (choice.path != data.path && choice.path != data.evaluationPath) error.hint = "Name others with --data.";
        return fail(std::move(error));
    }
    return {};
}

}  // namespace

Result<PreparedRecipe> prepareRecipe(const Recipe& recipe, const Model& model, const std::filesystem::path& modelFile,
                                     const DataOptions& data) {
    PreparedRecipe prepared{recipe, data};
    const std::string beside = preprocessingBeside(model, modelFile).string();
    if (prepared.data.preprocess.empty()) prepared.data.preprocess = beside;
    auto& steps = prepared.recipe.steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const StepKind& kind = kindOf(steps[i]);
        if (const std::string reason = kind.refusal(std::span(steps).first(i)); !reason.empty())
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("Step {} \"{}\" cannot stand here. {}", i + 1, kind.name, reason),
                        "Change the order of the steps, or make two recipes.");
        if (kind.prepare)
            if (auto status = kind.prepare(steps[i], model, beside, data); !status) return fail(status.error());
        if (auto status = checkSamples(steps[i], model, prepared.data); !status) return fail(status.error());
    }
    return prepared;
}

Result<Outcome<StepReport>> runStep(const Step& step, const Model& model, const Model* reference,
                                    const DataOptions& data, const RunOptions& options, const JobContext& job) {
    const StepKind& kind = kindOf(step);
    const StepSamples samples = kind.samples(step, data);
    const auto calibration = openSamples(samples.calibration, model);
    if (!calibration) return fail(inStep(calibration.error(), step));
    const auto evaluation = openSamples(samples.evaluation, model);
    if (!evaluation) return fail(inStep(evaluation.error(), step));
    return kind.run(model, step,
                    {reference, calibration->get(), evaluation->get(), options.threads, options.shouldTime, job});
}

const SimulationReport* RecipeRun::simulation() const {
    return steps.empty() ? nullptr : std::get_if<SimulationReport>(&steps.back().report);
}

Result<RecipeRun> runRecipe(const PreparedRecipe& prepared, const Model& model, const RunOptions& options,
                            const JobContext& job) {
    RecipeRun run{model, {}};
    for (const Step& step : prepared.recipe.steps) {
        if (job.stopped()) return cancelled();
        const auto start = std::chrono::steady_clock::now();
        auto outcome = runStep(step, run.model, run.steps.empty() ? nullptr : &model, prepared.data, options, job);
        if (!outcome) return fail(outcome.error());
        run.model = std::move(outcome->model);
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        run.steps.push_back({step, std::move(outcome->report), taken.count()});
    }
    return run;
}

Result<std::optional<ScoredChange>> scoreRun(const PreparedRecipe& prepared, const Model& model, const RecipeRun& run,
                                             const RunOptions& options, const JobContext& job) {
    if (run.simulation() || prepared.data.evaluationPath.empty()) return std::nullopt;
    const auto samples = openSamples(prepared.data.evaluation(), model);
    if (!samples) return fail(samples.error());
    EvaluateOptions scoring;
    scoring.threads = options.threads;
    auto scores = scoreChange(model, run.model, **samples, scoring, job);
    if (!scores) return fail(scores.error());
    return std::optional(std::move(*scores));
}

}  // namespace equant
