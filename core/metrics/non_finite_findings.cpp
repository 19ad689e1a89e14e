// SPDX-License-Identifier: Apache-2.0
#include "core/metrics/non_finite_findings.h"

#include <algorithm>
#include <fmt/format.h>

namespace equant {

namespace {

constexpr const char* kId = "non-finite-values";

/// When no operator can be named, for example because there is not enough memory to watch all of them.
Finding unexplained(std::string subject, std::string message) {
    return {kId, Severity::Warning, std::move(subject), std::move(message), "Check the data and their preprocessing."};
}

}  // namespace

Finding asFinding(const NonFiniteOrigin& origin) {
    return {kId, Severity::Warning, origin.layer.empty() ? origin.value : origin.layer, describe(origin),
            hintFor(origin)};
}

Finding asFinding(const NonFiniteSample& sample) {
    Finding finding = asFinding(sample.origin);
    finding.message = describe(sample);
    return finding;
}

Result<std::vector<Finding>> explainOutputs(std::span<const Tensor> outputs, const Model& model,
                                            std::span<const Tensor> inputs, const QuantOverlay& overlay,
                                            const JobContext& job) {
    if (std::ranges::all_of(outputs, [](const Tensor& output) { return isAllFinite(output); }))
        return std::vector<Finding>();
    const auto origin = findNonFinite(model, inputs, overlay, job);
    if (!origin && origin.error().code == ErrorCode::Cancelled) return fail(origin.error());
    if (origin && *origin) return std::vector{asFinding(**origin)};
    return std::vector{unexplained({}, "The outputs hold NaN or infinity.")};
}

Result<std::vector<Finding>> explainScore(const Score& score, const Model& model, const Dataset& dataset,
                                          const QuantOverlay& overlay, const JobContext& job) {
    if (!score.firstNotFinite) return std::vector<Finding>();
    const auto found = findNonFinite(model, dataset, *score.firstNotFinite, overlay, job);
    if (!found && found.error().code == ErrorCode::Cancelled) return fail(found.error());
    Finding finding = found && *found ? asFinding(**found)
                                      : unexplained({}, fmt::format("Sample \"{}\": the outputs hold NaN or infinity.",
                                                                    dataset.sampleName(*score.firstNotFinite)));
    if (score.notFinite > 1)
        finding.message += fmt::format(" {} of {} samples have such results.", score.notFinite, score.samples);
    return std::vector{std::move(finding)};
}

}  // namespace equant
