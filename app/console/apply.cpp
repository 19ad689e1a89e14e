// SPDX-License-Identifier: Apache-2.0
// Replays a recipe or a workspace: all its steps, one command, one file.
#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/compression_options.h"
#include "app/console/equalize_report.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "app/console/quantization_options.h"
#include "app/console/quantize_report.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/interop/encodings_json.h"
#include "core/recipe/workspace.h"

namespace equant::console {

namespace {

struct ApplyCommand {
    std::string recipe;
    WorkspaceInputs inputs;
    std::string output;
    std::string encodings;
    bool shouldTime = true;
};

CommandResult describeReport(const Step& step, const CompressionReport& report) {
    const auto& compressing = std::get<CompressStep>(step);
    std::string text = asText(report);
    if (report.samples > 0)
        text += fmt::format("Fitted to {} samples of {}\n", report.samples, compressing.data);
    else
        text +=
            compressing.options.isPlain ? "Plain: no samples were used.\n" : "No samples: the weights alone decided.\n";
    return {asJson(report), std::move(text)};
}

CommandResult describeReport(const Step&, const EqualizationProof& proof) {
    CommandResult result{asJson(proof.report), summaryOf(proof.report)};
    result.json["equivalence"] = proof.equivalence ? asJson(*proof.equivalence) : nlohmann::json(nullptr);
    if (proof.equivalence) result.text += "Float outputs: " + asText(*proof.equivalence) + "\n";
    if (proof.problem) result.text += "The outputs were not compared: " + describe(*proof.problem) + "\n";
    return result;
}

CommandResult describeReport(const Step& step, const SimulationReport& report) {
    return {simulationJson(report),
            describe(std::get<QuantizeStep>(step).settings) + "\n" + simulationText(report, "float, as prepared")};
}

CommandResult describeRun(const RecipeRun& run) {
    CommandResult result{{{"steps", nlohmann::json::array()}}, {}};
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
        const StepRun& done = run.steps[i];
        CommandResult part =
            std::visit([&](const auto& report) { return describeReport(done.step, report); }, done.report);
        result.text += fmt::format("{}Step {} of {}: {} ({:.1f} s)\n{}", i > 0 ? "\n" : "", i + 1, run.steps.size(),
                                   name(done.step), done.seconds, part.text);
        part.json["step"] = name(done.step);
        part.json["seconds"] = done.seconds;
        result.json["steps"].push_back(std::move(part.json));
    }
    return result;
}

/// The optimized network beside the one that was opened; a simulation has scored both already.
Status addScores(const PreparedRecipe& prepared, const Model& model, const RecipeRun& run,
                 const CommandContext& context, CommandResult& result) {
    result.json["evaluation"] = nullptr;
    const RecipeData& data = prepared.data;
    if (data.evaluationPath.empty() || prepared.recipe.quantizeStep()) return {};
    const auto samples = openSamples(data.evaluationPath, model, data.preprocess, data.evaluationSamples);
    if (!samples) return fail(samples.error());
    EvaluateOptions options;
    options.threads = context.options.threads;
    const auto scores = scoreChange(model, run.model, **samples, options, context.job);
    if (!scores) return fail(scores.error());
    result.json["evaluation"] = asJson(*scores);
    result.text += asText(*scores);
    return {};
}

/// Everything that may fail besides writing is done before.
Status writeFiles(const ApplyCommand& command, const RecipeRun& run, const std::string& preprocess,
                  CommandResult& result) {
    const SimulationReport* simulated = nullptr;
    if (!run.steps.empty()) simulated = std::get_if<SimulationReport>(&run.steps.back().report);
    if (auto written = writeOnnx(withPreprocessing(run.model, preprocess), command.output); !written) return written;
    result.text += fmt::format("Wrote {}\n", command.output);
    result.json["output"] = command.output;
    if (command.encodings.empty() || !simulated) return {};
    if (auto written = writeFileAtomic(command.encodings, writeEncodings(simulated->sim, EncodingsVersion::V1_0_0));
        !written)
        return written;
    result.text += fmt::format("Wrote {}: {} encodings\n", command.encodings, simulated->sim.quantizers.size());
    return {};
}

Result<CommandResult> runApply(const ApplyCommand& command, const CommandContext& context) {
    for (const auto& target : {command.output, command.encodings})
        if (const auto status = checkTarget(target); !status) return fail(status.error());
    const auto saved = readWorkspaceOrRecipe(command.recipe);
    if (!saved) return fail(saved.error());
    auto workspace = withInputs(*saved, command.inputs);
    if (!workspace) return fail(workspace.error());
    workspace->data.shouldTime = command.shouldTime;
    const Recipe recipe = workspace->whole();
    if (!command.encodings.empty() && !recipe.quantizeStep())
        return fail(ErrorCode::InvalidArgument, "The recipe does not quantize: there are no encodings to write.",
                    "Leave --encodings out, or add a step \"quantize\".", command.recipe);
    const auto model = readOnnx(workspace->model);
    if (!model) return fail(model.error());
    const auto prepared = prepareRecipe(recipe, *model, workspace->model, workspace->data);
    if (!prepared) return fail(prepared.error());
    const auto run = runRecipe(*prepared, *model, context.options.threads, context.job);
    if (!run) return fail(run.error());
    CommandResult result = describeRun(*run);
    const bool isOutdated = workspace->isOutdated(*model);
    result.json["model_changed"] = isOutdated;
    if (isOutdated) result.text += "The model changed since the workspace was saved.\n";
    if (const auto scored = addScores(*prepared, *model, *run, context, result); !scored) return fail(scored.error());
    if (const auto written = writeFiles(command, *run, prepared->data.preprocess, result); !written)
        return fail(written.error());
    return result;
}

}  // namespace

void addApply(CommandRegistry& registry) {
    auto options = std::make_shared<ApplyCommand>();
    auto* command = registry.add("apply", "Replay a recipe or workspace: compress, equalize, quantize",
                                 [options](const CommandContext& context) { return runApply(*options, context); });
    command->add_option("RECIPE", options->recipe, "Recipe (JSON) or workspace (*.equant)")->required()->type_name("");
    command->add_option("--model", options->inputs.model, "ONNX file; a recipe names none, a workspace does")
        ->type_name("MODEL");
    command->parse_complete_callback([options] {
        if (options->inputs.model.empty() && !options->recipe.ends_with(".equant"))
            throw CLI::ValidationError("--model is missing", "a recipe names none.");
    });
    command->add_option("--data", options->inputs.data, "Samples to fit to and to calibrate on")->type_name("PATH");
    command->add_option("--eval-data", options->inputs.evaluationData, "Samples to score on (default: those of --data)")
        ->type_name("PATH");
    const auto addLimit = [&](const char* flag, std::optional<std::size_t>& value, const char* help) {
        command->add_option(flag, value, help)->check(CLI::NonNegativeNumber.description(""))->type_name("N");
    };
    addLimit("--limit", options->inputs.calibrationSamples, "At most N samples to calibrate on (default 100, 0: all)");
    addLimit("--eval-limit", options->inputs.evaluationSamples, "At most N samples to score on (default 500, 0: all)");
    command->add_option("--preprocess", options->inputs.preprocess, "imagenet, unit, signed, none, or a JSON file")
        ->type_name("P");
    addLatencyOption(*command, options->shouldTime);
    command->add_option("-o,--output", options->output, "ONNX file to write (QDQ where the recipe quantizes)")
        ->required()
        ->type_name("OUT");
    command->add_option("--encodings", options->encodings, "Encodings file to write as well (JSON)")->type_name("ENC");
}

}  // namespace equant::console
