// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "app/console/quantization_options.h"
#include "app/console/quantize_report.h"
#include "app/console/step_options.h"
#include "app/console/step_report.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/interop/encodings_json.h"
#include "core/interop/qdq_export.h"

namespace equant::console {

namespace {

struct QuantizeCommand {
    std::string model;
    DataOptions data;
    Step step = QuantizeStep{};
    bool shouldEqualize = false;
    std::string output;
    std::string encodings;
    EncodingsVersion version = EncodingsVersion::V1_0_0;
};

using Clock = std::chrono::steady_clock;

SimulationStep stepSince(const char* name, Clock::time_point start) {
    return {name, std::chrono::duration<double>(Clock::now() - start).count()};
}

Result<std::string> describeSamples(const DataOptions& data, const Model& model, const std::string& modelFile) {
    const auto calibration = openData(data.calibration(), model, modelFile);
    if (!calibration) return fail(calibration.error());
    const auto evaluation = openData(data.evaluation(), model, modelFile);
    if (!evaluation) return fail(evaluation.error());
    std::string text = fmt::format("Calibration    {}\nEvaluation     {}{}\n", calibration->dataset->describe(),
                                   evaluation->dataset->describe(),
                                   data.evaluationPath.empty() ? " (of the same data: no --eval-data)" : "");
    const auto& [preprocessing, reason] = evaluation->preprocessing;
    // Arrays are taken as they are.
    if (!reason.empty()) text += fmt::format("Preprocessing  {} ({})\n", describe(preprocessing), reason);
    return text;
}

std::string describeFolding(const SimulationReport& report) {
    if (report.fold.folded.empty()) return {};
    return fmt::format(", {} batch norms folded", report.fold.folded.size());
}

/// Both files, or none: everything that may fail besides writing is done first.
Status writeFiles(const QuantizeCommand& command, const SimulationReport& report, CommandResult& result) {
    result.json["export"] = nullptr;
    if (!command.output.empty()) {
        const auto exported = exportQdq(report.model, overlay(report.sim));
        if (!exported) return fail(exported.error());
        if (auto written = writeDerived(exported->model, command.output, command.model, command.data.preprocess);
            !written)
            return written;
        std::error_code ignored;
        const auto before = std::filesystem::file_size(command.model, ignored);
        const auto after = std::filesystem::file_size(command.output, ignored);
        const auto& facts = exported->report;
        result.json["export"] = {{"file", command.output},           {"bytes", after},
                                 {"bytes_before", before},           {"opset", facts.opset},
                                 {"integer_weights", facts.weights}, {"activation_pairs", facts.activations}};
        result.text += fmt::format("Wrote {}: {} ({:.0f} % of {}), {} integer weights, {} quantized activations\n",
                                   command.output, shortBytes(static_cast<std::int64_t>(after)),
                                   100.0 * double(after) / double(std::max<std::uintmax_t>(before, 1)),
                                   shortBytes(static_cast<std::int64_t>(before)), facts.weights, facts.activations);
    }
    if (!command.encodings.empty()) {
        if (auto written = writeFileAtomic(command.encodings, writeEncodings(report.sim, command.version)); !written)
            return written;
        result.text += fmt::format("Wrote {}: {} encodings\n", command.encodings, report.sim.quantizers.size());
    }
    return {};
}

Result<CommandResult> runQuantize(const QuantizeCommand& command, const CommandContext& context) {
    for (const auto& target : {command.output, command.encodings})
        if (const auto status = checkTarget(target); !status) return fail(status.error());
    auto step = std::get<QuantizeStep>(command.step);
    if (!step.settings.rules.empty()) {
        auto rules = readRules(step.settings.rules);
        if (!rules) return fail(rules.error());
        step.settings.rules = std::move(*rules);
    }
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    Recipe recipe;
    if (command.shouldEqualize) {
        EqualizeStep equalizing;
        equalizing.options.isAimetCompatible = step.settings.isAimetCompatible;
        recipe.steps.emplace_back(equalizing);
    }
    recipe.steps.emplace_back(step);
    const auto done = carryOut(recipe, *model, command.model, command.data, true, context);
    if (!done) return fail(done.error());
    SimulationReport report = *done->run.simulation();
    if (command.shouldEqualize)
        report.steps.insert(report.steps.begin(), {"equalize", done->run.steps.front().seconds});
    const auto samples = describeSamples(command.data, *model, command.model);
    if (!samples) return fail(samples.error());

    CommandResult result;
    result.text = fmt::format("Quantization   {}{}{}\n", describe(step.settings),
                              command.shouldEqualize ? ", equalized" : "", describeFolding(report)) +
                  *samples + simulationText(report);
    const std::string next = advice(report, command.shouldEqualize);
    const auto start = Clock::now();
    if (const auto written = writeFiles(command, report, result); !written) return fail(written.error());
    if (!command.output.empty() || !command.encodings.empty()) report.steps.push_back(stepSince("export", start));
    const auto exported = result.json["export"];
    result.json = simulationJson(report);
    result.json["export"] = exported;
    result.json["advice"] = next;
    result.text += next + "\n";
    return result;
}

}  // namespace

void addQuantize(CommandRegistry& registry) {
    auto options = std::make_shared<QuantizeCommand>();
    auto* command = registry.add("quantize", "Calibrate, simulate and export a quantized model",
                                 [options](const CommandContext& context) { return runQuantize(*options, context); });
    addModelOption(*command, options->model);
    addDataOptions(*command, options->data, "Calibration data: image folder, .npy/.npz, ONNX test data");
    command->get_option("--data")->required();
    addEvaluationOptions(*command, options->data);
    addStepOptions(*command, quantizeKind(), options->step);
    command->add_flag("--equalize", options->shouldEqualize, "Equalize across layers first");
    command->add_option("-o,--output", options->output, "ONNX file to write, with integer weights (QDQ)")
        ->type_name("OUT");
    command->add_option("--encodings", options->encodings, "Encodings file to write (JSON)")->type_name("ENC");
    addChoice<EncodingsVersion>(
        *command, "--encodings-version", options->version,
        {{"0.6.1", EncodingsVersion::V0_6_1}, {"1.0.0", EncodingsVersion::V1_0_0}, {"2.0.0", EncodingsVersion::V2_0_0}},
        "0.6.1, 1.0.0 (default) or 2.0.0")
        ->type_name("V");
}

}  // namespace equant::console
