// SPDX-License-Identifier: Apache-2.0
#include "app/console/step_report.h"

#include <fmt/format.h>

#include "app/console/compression_options.h"
#include "app/console/equalize_report.h"
#include "app/console/format.h"
#include "app/console/quantization_options.h"
#include "app/console/quantize_report.h"

namespace equant::console {

namespace {

CommandResult describeReport(const Step& step, const CompressionReport& report, Detail) {
    const auto& compressing = std::get<CompressStep>(step);
    std::string text = asText(report);
    if (report.samples > 0)
        text += fmt::format("Fitted to {} samples of {}\n", report.samples, compressing.data);
    else
        text += compressing.options.isPlain ? "Plain: no samples were used.\n"
                                            : "Without --data the weights alone decided; give data for a far better "
                                              "result.\n";
    return {asJson(report), std::move(text)};
}

CommandResult describeReport(const Step&, const EqualizationProof& proof, Detail detail) {
    CommandResult result{asJson(proof.report), detail == Detail::Full ? asText(proof.report) : summaryOf(proof.report)};
    result.json["equivalence"] = proof.equivalence ? asJson(*proof.equivalence) : nlohmann::json(nullptr);
    if (proof.equivalence) result.text += "Float outputs: " + asText(*proof.equivalence) + "\n";
    if (proof.problem) result.text += "The outputs were not compared: " + describe(*proof.problem) + "\n";
    return result;
}

CommandResult describeReport(const Step& step, const SimulationReport& report, Detail) {
    return {simulationJson(report),
            describe(std::get<QuantizeStep>(step).settings) + "\n" + simulationText(report, "float, as prepared")};
}

}  // namespace

CommandResult describeStep(const StepRun& done, Detail detail) {
    return std::visit([&](const auto& report) { return describeReport(done.step, report, detail); }, done.report);
}

void addScores(const std::optional<ScoredChange>& scores, CommandResult& result) {
    result.json["evaluation"] = scores ? asJson(*scores) : nlohmann::json(nullptr);
    if (scores) result.text += asText(*scores);
}

Result<FinishedRun> carryOut(const Recipe& recipe, const Model& model, const std::string& modelFile,
                             const DataOptions& data, bool shouldTime, const CommandContext& context) {
    const RunOptions options{context.options.threads, shouldTime};
    auto prepared = prepareRecipe(recipe, model, modelFile, data);
    if (!prepared) return fail(prepared.error());
    auto run = runRecipe(*prepared, model, options, context.job);
    if (!run) return fail(run.error());
    auto scores = scoreRun(*prepared, model, *run, options, context.job);
    if (!scores) return fail(scores.error());
    return FinishedRun{std::move(*prepared), std::move(*run), std::move(*scores)};
}

}  // namespace equant::console
