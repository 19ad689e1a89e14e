// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/run.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>

#include "core/interop/qdq_export.h"

namespace equant {

namespace {

constexpr std::size_t kFitBatch = 8;
constexpr std::size_t kProofSamples = 16;
constexpr std::uint64_t kProofSeed = 1;

/// Place in the order of work.
std::size_t rank(const Step& step) {
    return std::holds_alternative<CompressStep>(step) ? 0 : std::holds_alternative<EqualizeStep>(step) ? 1 : 2;
}

Error inStep(Error error, std::string_view step) {
    error.message = fmt::format("Step \"{}\" cannot read its samples. {}", step, error.message);
    return error;
}

Status resolve(CompressStep& step, const Model& model, const std::string& beside, const RecipeData& data) {
    if (auto fits = checkPlan(step.plan, model); !fits) {
        Error error = fits.error();
        error.message = fmt::format("Step \"compress\": {}", error.message);
        return fail(std::move(error));
    }
    const bool isGiven = !data.path.empty() && (step.takesGivenData || (data.replacesNamed && !step.data.empty()));
    if (isGiven) step.data = data.path;
    if (step.takesGivenData && step.data.empty() && !step.options.isPlain)
        return fail(ErrorCode::InvalidArgument, "Step \"compress\" fits layers to samples, and none are given.",
                    "Add --data, or \"plain\": true to the step.");
    step.takesGivenData = false;
    if (step.data.empty()) return {};
    if (!data.preprocess.empty() && (isGiven || data.replacesNamed)) step.preprocess = data.preprocess;
    if (step.preprocess.empty()) step.preprocess = beside;
    const auto opened = openSamples(step.data, model, step.preprocess, static_cast<std::size_t>(step.samples));
    if (opened) return {};
    Error error = inStep(opened.error(), "compress");
    if (!isGiven) error.hint = "Name others with --data.";
    return fail(std::move(error));
}

Status checkQuantization(const Model& model, const RecipeData& data) {
    if (data.path.empty())
        return fail(ErrorCode::InvalidArgument, "Step \"quantize\" needs samples to calibrate on, and none are given.",
                    "Add --data with an image folder, an .npy file or ONNX test data.");
    for (const auto& [path, limit] :
         {std::pair(data.path, data.calibrationSamples), std::pair(data.evaluationPath, data.evaluationSamples)}) {
        if (path.empty()) continue;
        if (auto opened = openSamples(path, model, data.preprocess, limit); !opened)
            return fail(inStep(opened.error(), "quantize"));
    }
    return {};
}

double secondsSince(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::string_view name(const Step& step) {
    constexpr std::array<std::string_view, 3> names{"compress", "equalize", "quantize"};
    return names[rank(step)];
}

Result<std::shared_ptr<const Dataset>> openSamples(const std::string& path, const Model& model,
                                                   const std::string& preprocess, std::size_t limit) {
    DatasetOptions options;
    options.preprocess = preprocess;
    options.limit = limit;
    auto opened = openDataset(path, model, options);
    if (!opened) return fail(opened.error());
    return opened->dataset;
}

Result<PreparedRecipe> prepareRecipe(const Recipe& recipe, const Model& model, const std::filesystem::path& modelFile,
                                     const RecipeData& data) {
    PreparedRecipe prepared{recipe, data};
    auto& steps = prepared.recipe.steps;
    std::ranges::stable_sort(steps, {}, rank);
    const auto twin = std::ranges::adjacent_find(steps, {}, rank);
    if (twin != steps.end())
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The recipe has two steps \"{}\": one of a kind is carried out.", name(*twin)),
                    "Remove one of them, or make two recipes.");
    const std::string beside = preprocessingBeside(model, modelFile).string();
    for (Step& step : steps)
        if (auto* compressing = std::get_if<CompressStep>(&step))
            if (auto status = resolve(*compressing, model, beside, data); !status) return fail(status.error());
    if (prepared.data.preprocess.empty()) prepared.data.preprocess = beside;
    if (recipe.quantizeStep())
        if (auto status = checkQuantization(model, prepared.data); !status) return fail(status.error());
    return prepared;
}

Result<Outcome<CompressionReport>> runStep(const CompressStep& step, const Model& model, unsigned threads,
                                           const JobContext& job) {
    std::shared_ptr<const Dataset> samples;
    BatchSource source;
    if (!step.data.empty()) {
        auto opened = openSamples(step.data, model, step.preprocess, static_cast<std::size_t>(step.samples));
        if (!opened) return fail(opened.error());
        samples = std::move(*opened);
        source = batchesOf(*samples, kFitBatch);
    }
    CompressOptions options = step.options;
    options.threads = threads;
    return compress(model, step.plan, samples ? &source : nullptr, options, job);
}

Result<Outcome<EqualizationProof>> runStep(const EqualizeStep& step, const Model& model, const Dataset* data,
                                           const JobContext& job) {
    auto outcome = equalize(model, step.options, job);
    if (!outcome) return fail(outcome.error());
    EqualizationProof proof;
    proof.report = std::move(outcome->report);
    auto compared = compareOutputs(model, outcome->model, data, kProofSamples, kProofSeed, job);
    if (compared)
        proof.equivalence = *compared;
    else if (compared.error().code == ErrorCode::Cancelled)
        return fail(compared.error());
    else
        proof.problem = compared.error();
    return Outcome<EqualizationProof>{std::move(outcome->model), std::move(proof)};
}

Result<SimulationReport> runStep(const QuantizeStep& step, const Model& model, const RecipeData& data,
                                 const SimulationOptions& options, const JobContext& job) {
    const auto calibration = openSamples(data.path, model, data.preprocess, data.calibrationSamples);
    if (!calibration) return fail(calibration.error());
    const std::string& scored = data.evaluationPath.empty() ? data.path : data.evaluationPath;
    const auto evaluation = openSamples(scored, model, data.preprocess, data.evaluationSamples);
    if (!evaluation) return fail(evaluation.error());
    return simulate(model, **calibration, **evaluation, step.settings, options, job);
}

Result<RecipeRun> runRecipe(const PreparedRecipe& prepared, const Model& model, unsigned threads,
                            const JobContext& job) {
    RecipeRun run{model, {}};
    for (const Step& step : prepared.recipe.steps) {
        if (job.stopped()) return cancelled();
        const auto start = std::chrono::steady_clock::now();
        if (const auto* compressing = std::get_if<CompressStep>(&step)) {
            auto outcome = runStep(*compressing, run.model, threads, job);
            if (!outcome) return fail(outcome.error());
            const double seconds = secondsSince(start);
            if (prepared.data.shouldTime)
                if (const auto timed = addLatency(run.model, *outcome, job); !timed) return fail(timed.error());
            run.model = std::move(outcome->model);
            run.steps.push_back({step, std::move(outcome->report), seconds});
        } else if (const auto* equalizing = std::get_if<EqualizeStep>(&step)) {
            std::shared_ptr<const Dataset> samples;
            if (!prepared.data.path.empty()) {
                auto opened = openSamples(prepared.data.path, model, prepared.data.preprocess, 0);
                if (!opened) return fail(inStep(opened.error(), "equalize"));
                samples = std::move(*opened);
            }
            auto outcome = runStep(*equalizing, run.model, samples.get(), job);
            if (!outcome) return fail(outcome.error());
            run.model = std::move(outcome->model);
            run.steps.push_back({step, std::move(outcome->report), secondsSince(start)});
        } else {
            SimulationOptions options;
            options.threads = threads;
            options.reference = &model;
            auto report = runStep(std::get<QuantizeStep>(step), run.model, prepared.data, options, job);
            if (!report) return fail(report.error());
            auto exported = exportQdq(report->model, overlay(report->sim));
            if (!exported) return fail(exported.error());
            run.model = std::move(exported->model);
            run.steps.push_back({step, std::move(*report), secondsSince(start)});
        }
    }
    return run;
}

}  // namespace equant
