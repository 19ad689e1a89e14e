// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/quantize_step.h"

namespace equant {

namespace {

/// Signal to noise of a layer changes by less than half a decibel beyond.
constexpr std::size_t kLayerSamples = 16;

const std::vector<StepOption>& quantizeOptions() {
    using S = QuantizeStep;
    static const std::vector<StepOption> table = [] {
        StepOption scheme = stepChoice<S>(
            "scheme", "--scheme", "minmax (tf, default), sqnr (tf-enhanced), percentile, mse, entropy", "S",
            {"minmax", "sqnr", "percentile", "mse", "entropy"}, [](auto& s) -> auto& { return s.settings.scheme; });
        scheme.aliases = {{"tf", "minmax"}, {"tf-enhanced", "sqnr"}};
        StepOption symmetric = stepOption<S>(
            "symmetric_weights", "--asymmetric-weights", "Weights use their range fully (default: --symmetric-weights)",
            "", [](auto& s) -> auto& { return s.settings.hasSymmetricWeights; });
        symmetric.defaultFlag = "--symmetric-weights";
        return std::vector<StepOption>{
            stepOption<S>(
                "weight_bits", "--weight-bits", "2 to 16 (default 8)", "N",
                [](auto& s) -> auto& { return s.settings.weightBits; })
                .in(2, 16),
            stepOption<S>(
                "activation_bits", "--activation-bits", "2 to 16 (default 8)", "N",
                [](auto& s) -> auto& { return s.settings.activationBits; })
                .in(2, 16),
            stepChoice<S>(
                "granularity", "--granularity", "per-tensor (default) or per-channel weights", "G",
                {"per-tensor", "per-channel"}, [](auto& s) -> auto& { return s.settings.isPerChannel; }),
            std::move(scheme),
            stepOption<S>(
                "percentile", "--percentile", "Share of values kept, for --scheme percentile (default 99.99)", "P",
                [](auto& s) -> auto& { return s.settings.percentile; })
                .in(50, 100),
            std::move(symmetric),
            stepOption<S>(
                "rules", "--config", "Rules: what the target quantizes (JSON of six sections)", "RULES",
                [](auto& s) -> auto& { return s.settings.rules; }),
            stepOption<S>(
                "aimet_compatible", "--aimet-compatible", "Exactly as AIMET computes it", "",
                [](auto& s) -> auto& { return s.settings.isAimetCompatible; }),
        };
    }();
    return table;
}

std::string quantizeRefusal(std::span<const Step> before) {
    if (contains<QuantizeStep>(before)) return "A network is quantized once: remove one of the steps.";
    return {};
}

Status quantizePrepare(Step&, const Model&, const std::string&, const DataOptions& data) {
    if (!data.path.empty()) return {};
    return fail(ErrorCode::InvalidArgument, "Step \"quantize\" needs samples to calibrate on, and none are given.",
                "Add --data with an image folder, an .npy file or ONNX test data.");
}

StepSamples quantizeSamplesOf(const Step&, const DataOptions& data) {
    return {data.calibration(), data.evaluation()};
}

std::string quantizeFileArguments(const Step&, const DataOptions& data) {
    return dataArguments(data) + " --encodings encodings.json";
}

}  // namespace

const StepKind& quantizeKind() {
    static const StepKind kind{"quantize",
                               "quantized.onnx",
                               quantizeOptions(),
                               [] { return Step(QuantizeStep{}); },
                               quantizeRefusal,
                               nullptr,
                               nullptr,
                               quantizePrepare,
                               quantizeSamplesOf,
                               quantizeFileArguments,
                               runAs<QuantizeStep>};
    return kind;
}

Result<Outcome<SimulationReport>> runStep(const QuantizeStep& step, const Model& model, const StepContext& context) {
    if (!context.calibration || !context.evaluation)
        return fail(ErrorCode::InvalidArgument, "Step \"quantize\" needs samples to calibrate and to score on.",
                    "Add --data with an image folder, an .npy file or ONNX test data.");
    SimulationOptions options;
    options.threads = context.threads;
    options.layerSamples = kLayerSamples;
    options.reference = context.reference;
    auto report = simulate(model, *context.calibration, *context.evaluation, step.settings, options, context.job);
    if (!report) return fail(report.error());
    Model simulated = report->model;
    return Outcome<SimulationReport>{std::move(simulated), std::move(*report)};
}

}  // namespace equant
