// SPDX-License-Identifier: Apache-2.0
// Replays a recipe or a workspace: all its steps, one command, one file.
#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/compression_options.h"
#include "app/console/options.h"
#include "app/console/step_report.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/interop/encodings_json.h"
#include "core/interop/qdq_export.h"
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

CommandResult describeRun(const RecipeRun& run) {
    CommandResult result{{{"steps", nlohmann::json::array()}}, {}};
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
        const StepRun& done = run.steps[i];
        CommandResult part = describeStep(done, Detail::Summary);
        result.text += fmt::format("{}Step {} of {}: {} ({:.1f} s)\n{}", i > 0 ? "\n" : "", i + 1, run.steps.size(),
                                   name(done.step), done.seconds, part.text);
        part.json["step"] = name(done.step);
        part.json["seconds"] = done.seconds;
        result.json["steps"].push_back(std::move(part.json));
    }
    return result;
}

/// Everything that may fail besides writing is done before.
Status writeFiles(const ApplyCommand& command, const RecipeRun& run, const std::string& preprocess,
                  CommandResult& result) {
    const SimulationReport* simulated = run.simulation();
    Model optimized = run.model;
    if (simulated) {
        auto exported = exportQdq(simulated->model, overlay(simulated->sim));
        if (!exported) return fail(exported.error());
        optimized = std::move(exported->model);
    }
    if (auto written = writeOnnx(withPreprocessing(optimized, preprocess), command.output); !written) return written;
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
    const Recipe recipe = workspace->whole();
    if (!command.encodings.empty() && !recipe.quantizeStep())
        return fail(ErrorCode::InvalidArgument, "The recipe does not quantize: there are no encodings to write.",
                    "Leave --encodings out, or add a step \"quantize\".", command.recipe);
    const auto model = readOnnx(workspace->model);
    if (!model) return fail(model.error());
    const auto done = carryOut(recipe, *model, workspace->model, workspace->data, command.shouldTime, context);
    if (!done) return fail(done.error());
    CommandResult result = describeRun(done->run);
    const bool isOutdated = workspace->isOutdated(*model);
    result.json["model_changed"] = isOutdated;
    if (isOutdated) result.text += "The model changed since the workspace was saved.\n";
    addScores(done->scores, result);
    if (const auto written = writeFiles(command, done->run, done->prepared.data.preprocess, result); !written)
        return fail(written.error());
    return result;
}

}  // namespace

void addApply(CommandRegistry& registry) {
    auto options = std::make_shared<ApplyCommand>();
    auto* command = registry.add("apply", "Replay a recipe or workspace: compress, equalize, quantize",
                                 [options](const CommandContext& context) { return runApply(*options, context); });
    command->add_option("RECIPE", options->recipe, "Recipe (JSON, file or text) or workspace (*.equant)")
        ->required()
        ->type_name("");
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
    addLimit("--offset", options->inputs.offset, "Skip the first N of them");
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
