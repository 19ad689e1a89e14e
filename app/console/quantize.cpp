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
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/interop/encodings_json.h"
#include "core/interop/qdq_export.h"
#include "core/passes/equalize.h"
#include "core/quantization/simulate.h"

namespace equant::console {

namespace {

/// More say hardly anything about ranges, and scoring four models takes its time.
constexpr std::size_t kCalibrationSamples = 500;

struct QuantizeCommand {
    std::string model;
    DataOptions data;
    std::string evaluation;
    std::size_t evaluationLimit = 0;
    QuantizationSettings settings;
    std::string config;
    bool shouldEqualize = false;
    std::string output;
    std::string encodings;
    EncodingsVersion version = EncodingsVersion::V1_0_0;
};

using Clock = std::chrono::steady_clock;

SimulationStep stepSince(const char* name, Clock::time_point start) {
    return {name, std::chrono::duration<double>(Clock::now() - start).count()};
}

struct Samples {
    OpenedDataset calibration;
    OpenedDataset evaluation;  ///< the same unless other data were named
};

Result<Samples> openSamples(const QuantizeCommand& command, const Model& model) {
    auto calibration = openData(command.data.path, model, command.model, command.data.dataset);
    if (!calibration) return fail(calibration.error());
    Samples samples{*calibration, *calibration};
    if (command.evaluation.empty()) return samples;
    DatasetOptions options;
    options.preprocess = command.data.dataset.preprocess;
    options.limit = command.evaluationLimit;
    auto evaluation = openData(command.evaluation, model, command.model, options);
    if (!evaluation) return fail(evaluation.error());
    samples.evaluation = std::move(*evaluation);
    return samples;
}

std::string describeSamples(const Samples& samples, bool isSame) {
    std::string text = fmt::format(
        "Calibration    {}\nEvaluation     {}\n", samples.calibration.dataset->describe(),
        isSame ? std::string("the calibration samples (no --eval-data)") : samples.evaluation.dataset->describe());
    const auto& [preprocessing, reason] = samples.evaluation.preprocessing;
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
        if (auto written =
                writeDerived(exported->model, command.output, command.model, command.data.dataset.preprocess);
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
    QuantizationSettings settings = command.settings;
    if (!command.config.empty()) {
        auto rules = readRules(command.config);
        if (!rules) return fail(rules.error());
        settings.rules = std::move(*rules);
    }
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    const auto samples = openSamples(command, *model);
    if (!samples) return fail(samples.error());

    Model prepared = *model;
    std::vector<SimulationStep> steps;
    if (command.shouldEqualize) {
        const auto start = Clock::now();
        EqualizeOptions options;
        options.isAimetCompatible = settings.isAimetCompatible;
        auto equalized = equalize(*model, options, context.job);
        if (!equalized) return fail(equalized.error());
        prepared = std::move(equalized->model);
        steps.push_back(stepSince("equalize", start));
    }
    SimulationOptions options;
    options.threads = context.options.threads;
    if (command.shouldEqualize) options.reference = &*model;
    auto report =
        simulate(prepared, *samples->calibration.dataset, *samples->evaluation.dataset, settings, options, context.job);
    if (!report) return fail(report.error());
    report->steps.insert(report->steps.begin(), steps.begin(), steps.end());

    CommandResult result;
    result.text = fmt::format("Quantization   {}{}{}\n", describe(settings),
                              command.shouldEqualize ? ", equalized" : "", describeFolding(*report)) +
                  describeSamples(*samples, command.evaluation.empty()) + simulationText(*report);
    const std::string next = advice(*report, command.shouldEqualize);
    const auto start = Clock::now();
    if (const auto written = writeFiles(command, *report, result); !written) return fail(written.error());
    if (!command.output.empty() || !command.encodings.empty()) report->steps.push_back(stepSince("export", start));
    const auto exported = result.json["export"];
    result.json = simulationJson(*report);
    result.json["export"] = exported;
    result.json["advice"] = next;
    result.text += next + "\n";
    return result;
}

void addDataOptions(CLI::App& command, QuantizeCommand& options) {
    options.data.dataset.limit = kCalibrationSamples;
    command.add_option("--data", options.data.path, "Calibration data: image folder, .npy/.npz, ONNX test data")
        ->required()
        ->type_name("CALIB");
    command.add_option("--limit", options.data.dataset.limit, "At most N calibration samples (default 500, 0: all)")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N");
    command.add_option("--offset", options.data.dataset.offset, "Skip N calibration samples")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N");
    auto* evaluation =
        command.add_option("--eval-data", options.evaluation, "Data to score on (default: the calibration samples)")
            ->type_name("D");
    command.add_option("--eval-limit", options.evaluationLimit, "At most N samples of it (default: all)")
        ->needs(evaluation)
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N");
    command.add_option("--preprocess", options.data.dataset.preprocess, "imagenet, unit, signed, none, or a JSON file")
        ->type_name("P");
}

void addGridOptions(CLI::App& command, QuantizeCommand& options) {
    addBitOptions(command, options.settings);
    addSchemeOptions(command, options.settings.scheme, options.settings.percentile);
    command.add_flag("--symmetric-weights", options.settings.hasSymmetricWeights, "The default")->group("");
    command.add_flag("--asymmetric-weights{false}", options.settings.hasSymmetricWeights,
                     "Weights use their range fully (default: --symmetric-weights)");
    command.add_option("--config", options.config, "Rules: what the target quantizes (JSON of six sections)")
        ->type_name("RULES");
}

}  // namespace

void addQuantize(CommandRegistry& registry) {
    auto options = std::make_shared<QuantizeCommand>();
    auto* command = registry.add("quantize", "Calibrate, simulate and export a quantized model",
                                 [options](const CommandContext& context) { return runQuantize(*options, context); });
    addModelOption(*command, options->model);
    addDataOptions(*command, *options);
    addGridOptions(*command, *options);
    command->add_flag("--equalize", options->shouldEqualize, "Equalize across layers first");
    command->add_flag("--aimet-compatible", options->settings.isAimetCompatible, "Exactly as AIMET computes it");
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
