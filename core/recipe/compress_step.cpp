// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/compress_step.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace equant {

namespace {

/// Samples of one forward pass while statistics are collected.
constexpr std::size_t kFitBatch = 8;

const std::vector<StepOption>& compressOptions() {
    using S = CompressStep;
    static const std::vector<StepOption> table = [] {
        StepOption seed =
            stepOption<S>(
                "seed", "--seed", "Of the choice of positions", "N", [](auto& s) -> auto& { return s.options.seed; })
                .in(0, 9e18);
        seed.isGlobal = true;
        return std::vector<StepOption>{
            stepOption<S>(
                "plain", "--plain", "AIMET's own methods: the data do not steer the compression", "",
                [](auto& s) -> auto& { return s.options.isPlain; }),
            stepOption<S>(
                "refit", "--no-refit", "No least-squares fit behind compressed layers", "",
                [](auto& s) -> auto& { return s.options.shouldRefit; }),
            stepOption<S>(
                "positions", "--positions", "Output positions of a sample to learn from (64)", "N",
                [](auto& s) -> auto& { return s.options.positionsPerSample; })
                .in(1, 1'000'000),
            std::move(seed),
            stepOption<S>(
                "preprocess", "", "Of the samples that it is fitted to", "",
                [](auto& s) -> auto& { return s.preprocess; }),
            stepOption<S>(
                "samples", "", "Samples that it is fitted to, at most", "", [](auto& s) -> auto& { return s.samples; })
                .in(0, 1'000'000'000),
        };
    }();
    return table;
}

std::string compressRefusal(std::span<const Step> before) {
    if (contains<QuantizeStep>(before))
        return "A quantized network cannot be compressed: put compress before quantize.";
    if (contains<CompressStep>(before)) return "A network is compressed once: put all layers into one plan.";
    return {};
}

Status compressReadFields(const nlohmann::json& object, Step& step) {
    auto& compressing = std::get<CompressStep>(step);
    const auto data = object.find("data");
    compressing.source = data == object.end() ? DataSource::GivenAtRun : DataSource::Named;
    if (data != object.end()) {
        if (!data->is_string())
            return fail(ErrorCode::InvalidArgument, "Field \"data\" of step \"compress\" has the wrong type.",
                        "Correct the recipe, or write it anew with this version.");
        compressing.data = data->get<std::string>();
    }
    auto plan = parsePlanValue(object.value("plan", nlohmann::json()));
    if (!plan) {
        Error error = plan.error();
        error.message = "Field \"plan\" of step \"compress\": " + error.message;
        return fail(std::move(error));
    }
    compressing.plan = std::move(*plan);
    return {};
}

void compressWriteFields(const Step& step, nlohmann::json& object) {
    const auto& compressing = std::get<CompressStep>(step);
    object["plan"] = toJsonValue(compressing.plan);
    if (compressing.source == DataSource::Named) object["data"] = compressing.data;
}

Status compressPrepare(Step& any, const Model& model, const std::string& beside, const DataOptions& data) {
    auto& step = std::get<CompressStep>(any);
    if (auto fits = checkPlan(step.plan, model); !fits) {
        Error error = fits.error();
        error.message = fmt::format("Step \"compress\": {}", error.message);
        return fail(std::move(error));
    }
    const bool takesGiven = step.source == DataSource::GivenAtRun;
    const bool isGiven = !data.path.empty() && (takesGiven || (data.replacesNamed && !step.data.empty()));
    if (isGiven) step.data = data.path;
    if (takesGiven && step.data.empty() && !step.options.isPlain)
        return fail(ErrorCode::InvalidArgument, "Step \"compress\" fits layers to samples, and none are given.",
                    "Add --data, or \"plain\": true to the step.");
    step.source = DataSource::Named;
    if (step.data.empty()) return {};
    if (!data.preprocess.empty() && (isGiven || data.replacesNamed)) step.preprocess = data.preprocess;
    if (step.preprocess.empty()) step.preprocess = beside;
    return {};
}

StepSamples compressSamplesOf(const Step& any, const DataOptions& data) {
    const auto& step = std::get<CompressStep>(any);
    return {{step.data, step.preprocess, static_cast<std::size_t>(step.samples), data.offset}, {}};
}

std::string compressFileArguments(const Step& any, const DataOptions& data) {
    const auto& step = std::get<CompressStep>(any);
    DataOptions own = data.withoutEvaluation();
    own.calibrationSamples = static_cast<std::size_t>(step.samples);
    own.preprocess = step.preprocess.empty() ? data.preprocess : step.preprocess;
    if (step.source == DataSource::Named && step.data.empty()) own = {};
    return " --plan plan.json" + dataArguments(own);
}

}  // namespace

const StepKind& compressKind() {
    static const StepKind kind{
        "compress",        "compressed.onnx",     compressOptions(),   [] { return Step(CompressStep{}); },
        compressRefusal,   compressReadFields,    compressWriteFields, compressPrepare,
        compressSamplesOf, compressFileArguments, runAs<CompressStep>};
    return kind;
}

Result<Outcome<CompressionReport>> runStep(const CompressStep& step, const Model& model, const StepContext& context) {
    BatchSource source;
    if (context.calibration) source = batchesOf(*context.calibration, kFitBatch);
    CompressOptions options = step.options;
    options.threads = context.threads;
    auto outcome = compress(model, step.plan, context.calibration ? &source : nullptr, options, context.job);
    if (outcome && context.shouldTime)
        if (const auto timed = addLatency(model, *outcome, context.job); !timed) return fail(timed.error());
    return outcome;
}

}  // namespace equant
