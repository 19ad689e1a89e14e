// SPDX-License-Identifier: Apache-2.0
#include "core/compression/plan/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <memory>

#include "app/console/command.h"
#include "app/console/compression_options.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/base/file.h"
#include "core/data/subset.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/kept_cells.h"

namespace equant::console {

namespace {

struct SensitivityCommand {
    std::string model;
    std::string output;
    SampleOptions data;
    MethodOptions methods{{"spatial-svd"}};
    std::string ratios = "0.1:0.9:0.1";
    SensitivityOptions options;
    std::size_t budgetMegabytes = 1024;
    bool isInstant = false;
    bool shouldResume = false;
    std::optional<SensitivityMetric> metric;
};

/// "0.1:0.9:0.1" or "0.25,0.5,0.75".
Result<std::vector<double>> parseRatios(const std::string& text) {
    std::vector<double> numbers;
    const char separator = text.find(':') != std::string::npos ? ':' : ',';
    std::stringstream parts(text);
    bool isOk = !text.empty();
    for (std::string part; std::getline(parts, part, separator);) {
        char* end = nullptr;
        numbers.push_back(std::strtod(part.c_str(), &end));
        isOk = isOk && !part.empty() && *end == '\0';
    }
    std::vector<double> ratios = numbers;
    if (separator == ':') {
        isOk = isOk && numbers.size() == 3 && numbers[2] > 1e-3 && numbers[1] >= numbers[0];
        ratios.clear();
        for (int i = 0; isOk && numbers[0] + i * numbers[2] < numbers[1] + 1e-9; ++i)
            ratios.push_back(std::round((numbers[0] + i * numbers[2]) * 1e9) / 1e9);
    }
    std::ranges::sort(ratios);
    ratios.erase(std::unique(ratios.begin(), ratios.end()), ratios.end());
    isOk = isOk && std::ranges::all_of(ratios, [](double ratio) { return ratio > 0 && ratio < 1; });
    if (isOk && !ratios.empty()) return ratios;
    return fail(ErrorCode::InvalidArgument, fmt::format("\"{}\" are no ratios.", text),
                "Write FIRST:LAST:STEP such as 0.1:0.9:0.1, or a list such as 0.25,0.5,0.75; all between 0 and 1.",
                "--ratios");
}

std::string cellText(const SensitivityCell& cell) {
    if (cell.score) return fmt::format("{:.2f}", *cell.score);
    if (!cell.predictedError) return "";
    if (!cell.predictedNoise) return fmt::format("~{:.3f}", *cell.predictedError);
    return *cell.predictedNoise > 0 ? fmt::format("~{:.1f}", -10 * std::log10(*cell.predictedNoise)) : "~inf";
}

std::string tableText(const SensitivityTable& found, bool isInstant) {
    std::vector<double> ratios;
    for (const auto& layer : found.layers)
        for (const auto& cell : layer.cells) ratios.push_back(cell.ratio);
    std::ranges::sort(ratios);
    ratios.erase(std::unique(ratios.begin(), ratios.end()), ratios.end());
    std::vector<std::string> header{"layer", "share of MACs"};
    for (const double ratio : ratios) header.push_back(fmt::format("{:.3g}", ratio));
    const bool hasMethods = std::ranges::any_of(
        found.layers, [&](const auto& layer) { return layer.method != found.layers.front().method; });
    std::vector<std::vector<std::string>> rows;
    std::map<std::string, std::vector<std::string>> skipped;  // by reason
    for (const auto& layer : found.layers) {
        if (!layer.skipped.empty()) {
            skipped[fmt::format("{}: {}", name(layer.method), layer.skipped)].push_back(layer.name);
            continue;
        }
        auto& row = rows.emplace_back();
        row = {hasMethods ? fmt::format("{} [{}]", layer.name, name(layer.method)) : layer.name,
               fmt::format("{:.1f} %", 100 * layer.cost.macs / std::max(found.total.macs, 1.0))};
        for (const double ratio : ratios) {
            const auto cell = std::ranges::find(layer.cells, ratio, &SensitivityCell::ratio);
            row.push_back(cell == layer.cells.end() ? "" : cellText(*cell));
        }
    }
    std::string text = table(header, rows);
    for (const auto& [reason, names] : skipped) {
        text += fmt::format("  left out {}{} ({})\n", names.front(),
                            names.size() > 1 ? fmt::format(" and {} more", names.size() - 1) : "", reason);
    }
    const bool isNoise = std::ranges::any_of(found.layers, [](const auto& layer) {
        return std::ranges::any_of(layer.cells, [](const auto& cell) { return cell.predictedNoise.has_value(); });
    });
    if (isInstant)
        return text + (isNoise ? "~ SQNR of the outputs in dB, predicted from the layers' statistics and noise gains.\n"
                               : "~ relative squared error of the layer's output, predicted from its statistics.\n");
    text += fmt::format("Score: {} ({})", name(found.metric), found.metricReason);
    if (found.baseline) text += fmt::format(", {:.2f} uncompressed", *found.baseline);
    if (found.baselineInterval)
        text += fmt::format(" ({:.1f} to {:.1f})", found.baselineInterval->low, found.baselineInterval->high);
    text += fmt::format(".\nTook {:.0f} s and {:.1f} forward passes over the data.", found.seconds,
                        found.forwardEquivalents);
    if (found.rankCorrelation)
        text += fmt::format(" Predicted and measured ranks correlate by {:.2f}.", *found.rankCorrelation);
    return text + "\n";
}

Result<SensitivityTable> startTable(const SensitivityCommand& command, const SensitivityOptions& options,
                                    const SensitivityStudy& study, const CommandContext& context) {
    if (command.shouldResume && std::filesystem::exists(command.output)) {
        const auto text = readFile(command.output);
        if (!text) return fail(text.error());
        return parseSensitivity(*text);
    }
    return predictSensitivity(study, options, context.job);
}

Result<CommandResult> runSensitivity(const SensitivityCommand& command, const CommandContext& context) {
    if (const auto status = checkTarget(command.output); !status) return fail(status.error());
    SensitivityOptions options = command.options;
    auto ratios = parseRatios(command.ratios);
    if (!ratios) return fail(ratios.error());
    options.ratios = std::move(*ratios);
    auto methods = command.methods.parsed();
    if (!methods) return fail(methods.error());
    options.methods = std::move(*methods);
    options.metric = command.metric;
    options.budgetBytes = command.budgetMegabytes << 20;
    options.compress.threads = context.options.threads;
    options.compress.seed = context.options.seed;
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    const auto data = openData(command.data.path, *model, command.model, command.data.dataset);
    if (!data) return fail(data.error());
    const Dataset& dataset = *data->dataset;
    const auto study = studyLayers(*model, dataset, options, context.job);
    if (!study) return fail(study.error());
    auto found = startTable(command, options, **study, context);
    if (!found) return fail(found.error());
    const KeptCells kept(context.store, found->model, dataset, dataset, options);
    if (!command.isInstant) kept.fill(*found);
    const auto save = [&](const SensitivityTable& now) {
        return command.output.empty() ? Status{} : writeFileAtomic(command.output, toJson(now));
    };
    if (const auto written = save(*found); !written) return fail(written.error());
    if (!command.isInstant) {
        std::optional<Error> failure;
        auto lastSave = std::chrono::steady_clock::now();
        found = measureSensitivity(
            **study, dataset, std::move(*found), options,
            [&](const SensitivityTable& now, std::size_t layer, std::size_t cell) {
                kept.keep(now, layer, cell);
                // A crash may lose a second's cells, not more.
                const auto time = std::chrono::steady_clock::now();
                if (time - lastSave < std::chrono::seconds(1)) return;
                lastSave = time;
                if (const auto written = save(now); !written) failure = written.error();
            },
            context.job);
        if (!found) return fail(found.error());
        if (failure) return fail(*failure);
        if (const auto written = save(*found); !written) return fail(written.error());
        if (context.job.stopped()) return cancelled();
    }
    CommandResult result{toJsonValue(*found), describeData(*data) + tableText(*found, command.isInstant)};
    if (!command.output.empty()) result.text += fmt::format("Wrote {}\n", command.output);
    return result;
}

}  // namespace

void addSensitivity(CommandRegistry& registry) {
    auto options = std::make_shared<SensitivityCommand>();
    auto* command =
        registry.add("sensitivity", "What compressing each layer costs the whole network",
                     [options](const CommandContext& context) { return runSensitivity(*options, context); });
    addModelOption(*command, options->model);
    options->data.addTo(*command, "--data", "Samples to learn from and to score on", true);
    options->methods.addTo(*command, "spatial-svd (default), weight-svd, channel-pruning; repeatable");
    command->add_option("--ratios", options->ratios, "FIRST:LAST:STEP or a list (default 0.1:0.9:0.1)")->type_name("R");
    addChoice<std::optional<SensitivityMetric>>(*command, "--metric", options->metric,
                                                {{"auto", std::nullopt},
                                                 {"top1", SensitivityMetric::Top1},
                                                 {"agreement", SensitivityMetric::Agreement},
                                                 {"sqnr", SensitivityMetric::SqnrDb}},
                                                "auto (default), top1, agreement, sqnr")
        ->type_name("NAME");
    command->add_option("-o,--output", options->output, "File to write, kept up to date while measuring")
        ->type_name("SENS");
    command->add_flag("--resume", options->shouldResume, "Go on with the file of an interrupted run");
    command->add_flag("--instant", options->isInstant, "Predict only: seconds, without measuring a score");
    command->add_option("--calibration-samples", options->options.calibrationSamples, "To learn from (default 100)")
        ->check(CLI::Range(1, 1000000).description(""))
        ->type_name("N");
    command
        ->add_option("--probe-samples", options->options.probeSamples,
                     "Of these, to follow errors to the outputs with (32; 0: none)")
        ->check(CLI::Range(0, 1000000).description(""))
        ->type_name("N");
    command->add_option("--multiple", options->options.multiple, "Ranks and channels in multiples of N (default 1)")
        ->check(CLI::Range(1, 1024).description(""))
        ->type_name("N");
    command->add_option("--budget", options->budgetMegabytes, "Memory for reused values in MB (default 1024)")
        ->type_name("MB");
    addCompressOptions(*command, options->options.compress);
}

}  // namespace equant::console
