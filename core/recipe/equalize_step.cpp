// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/equalize_step.h"

namespace equant {

namespace {

/// A rewrite that changes the function shows on any input; 16 take a fraction of a second.
constexpr std::size_t kProofSamples = 16;
constexpr std::uint64_t kProofSeed = 1;

const std::vector<StepOption>& equalizeOptions() {
    using S = EqualizeStep;
    static const std::vector<StepOption> table{
        stepChoice<S>(
            "relu6", "--relu6", "exact: a cap per channel (default); replace: by ReLU; skip", "MODE",
            {"exact", "replace", "skip"}, [](auto& s) -> auto& { return s.options.relu6; }),
        stepOption<S>(
            "absorb_bias", "--no-bias-absorption", "Leave high biases where they are", "",
            [](auto& s) -> auto& { return s.options.shouldAbsorbBias; }),
        stepOption<S>(
            "iterations", "--iterations", "Most sweeps over all pairs (default 20)", "N",
            [](auto& s) -> auto& { return s.options.iterations; })
            .in(1, 1000),
        stepOption<S>(
            "fold_batch_norms", "--keep-batch-norms", "Do not fold batch norms", "",
            [](auto& s) -> auto& { return s.options.shouldFoldBatchNorms; }),
        stepOption<S>(
            "silence_constant_channels", "--keep-constant-channels",
            "Leave the weights that read channels which never change", "",
            [](auto& s) -> auto& { return s.options.shouldSilenceConstantChannels; }),
        stepOption<S>(
            "excluded", "--exclude", "Leave the pair that begins with this layer alone", "LAYER",
            [](auto& s) -> auto& { return s.options.excluded; }),
        stepOption<S>(
            "aimet_compatible", "--aimet-compatible", "One sweep with AIMET's own rules, ReLU6 replaced", "",
            [](auto& s) -> auto& { return s.options.isAimetCompatible; }),
    };
    return table;
}

std::string equalizeRefusal(std::span<const Step> before) {
    if (contains<QuantizeStep>(before)) return "A quantized network cannot be equalized: put equalize before quantize.";
    return {};
}

StepSamples equalizeSamplesOf(const Step&, const DataOptions& data) {
    return {data.calibration(), {}};
}

std::string equalizeFileArguments(const Step&, const DataOptions& data) {
    return dataArguments(data.withoutEvaluation());
}

}  // namespace

const StepKind& equalizeKind() {
    static const StepKind kind{"equalize",
                               "equalized.onnx",
                               equalizeOptions(),
                               [] { return Step(EqualizeStep{}); },
                               equalizeRefusal,
                               nullptr,
                               nullptr,
                               nullptr,
                               equalizeSamplesOf,
                               equalizeFileArguments,
                               runAs<EqualizeStep>};
    return kind;
}

Result<Outcome<EqualizationProof>> runStep(const EqualizeStep& step, const Model& model, const StepContext& context) {
    auto outcome = equalize(model, step.options, context.job);
    if (!outcome) return fail(outcome.error());
    EqualizationProof proof;
    proof.report = std::move(outcome->report);
    auto compared = compareOutputs(model, outcome->model, context.calibration, kProofSamples, kProofSeed, context.job);
    if (compared)
        proof.equivalence = *compared;
    else if (compared.error().code == ErrorCode::Cancelled)
        return fail(compared.error());
    else
        proof.problem = compared.error();
    return Outcome<EqualizationProof>{std::move(outcome->model), std::move(proof)};
}

}  // namespace equant
