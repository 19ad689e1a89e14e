// SPDX-License-Identifier: Apache-2.0
#include "core/compression/compress.h"

#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/compression_options.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/evaluate.h"

namespace equant::console {

namespace {

struct CompressCommand {
    std::string model;
    std::string plan;
    std::string output;
    std::string evaluationPath;
    DataOptions data;
    CompressOptions options;
};

Result<CommandResult> runCompress(const CompressCommand& command, const CommandContext& context) {
    if (const auto status = checkTarget(command.output); !status) return fail(status.error());
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    const auto text = readFile(command.plan);
    if (!text) return fail(text.error());
    const auto plan = parsePlan(*text);
    if (!plan) return fail(plan.error());
    CommandResult result;
    CompressOptions options = command.options;
    options.threads = context.options.threads;
    options.seed = context.options.seed;
    std::optional<OpenedDataset> calibration;
    if (!command.data.path.empty()) {
        auto data = openData(command.data.path, *model, command.model, command.data.dataset);
        if (!data) return fail(data.error());
        calibration = std::move(*data);
        result.text += describeData(*calibration);
    }
    std::optional<BatchSource> source;
    if (calibration) source = batchesOf(*calibration->dataset, 8);
    auto outcome = compress(*model, *plan, source ? &*source : nullptr, options, context.job);
    if (!outcome) return fail(outcome.error());
    result.json = asJson(outcome->report);
    result.text += asText(outcome->report);
    if (!calibration && !options.isPlain)
        result.text += "Without --data the weights alone decided; give data for a far better result.\n";
    result.json["evaluation"] = nullptr;
    if (!command.evaluationPath.empty()) {
        DatasetOptions whole = command.data.dataset;
        whole.limit = whole.offset = 0;
        const auto data = openData(command.evaluationPath, *model, command.model, whole);
        if (!data) return fail(data.error());
        EvaluateOptions scoring;
        scoring.threads = context.options.threads;
        const auto scores = scoreChange(*model, outcome->model, *data->dataset, scoring, context.job);
        if (!scores) return fail(scores.error());
        result.json["evaluation"] = asJson(*scores);
        result.text += asText(*scores);
    }
    if (const auto written = writeOnnx(outcome->model, command.output); !written) return fail(written.error());
    result.text += fmt::format("Wrote {}\n", command.output);
    return result;
}

}  // namespace

void addCompress(CommandRegistry& registry) {
    auto options = std::make_shared<CompressCommand>();
    auto* command = registry.add("compress", "Carry out a compression plan and fit what is left to the data",
                                 [options](const CommandContext& context) { return runCompress(*options, context); });
    addModelOption(*command, options->model);
    command->add_option("--plan", options->plan, "Plan written by `plan`, or by hand")->required()->type_name("PLAN");
    options->data.addTo(*command, "--data", "Samples to fit the compressed layers to (no labels needed)", false);
    command->add_option("--eval-data", options->evaluationPath, "Samples to score both networks on")->type_name("PATH");
    command->add_option("-o,--output", options->output, "File to write")->required()->type_name("OUT");
    addCompressOptions(*command, options->options);
}

}  // namespace equant::console
