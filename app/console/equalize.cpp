// SPDX-License-Identifier: Apache-2.0
#include "core/passes/equalize.h"

#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/equalize_report.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/evaluate.h"
#include "core/runtime/plan.h"

namespace equant::console {

namespace {

constexpr std::size_t kEquivalenceSamples = 8;

struct EqualizeCommand {
    std::string model;
    std::string output;
    DataOptions data;
    EqualizeOptions options;
    bool shouldNotAbsorb = false;
};

Result<CommandResult> runEqualize(const EqualizeCommand& command, const CommandContext& context) {
    if (const auto status = checkTarget(command.output); !status) return fail(status.error());
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    EqualizeOptions options = command.options;
    options.shouldAbsorbBias = !command.shouldNotAbsorb;
    auto outcome = equalize(*model, options, context.job);
    if (!outcome) return fail(outcome.error());
    CommandResult result{asJson(outcome->report), asText(outcome->report)};

    result.json["equivalence"] = nullptr;
    if (const auto unsupported = unsupportedNodes(*model); !unsupported.empty()) {
        result.text += fmt::format("The outputs were not compared: {} cannot run here.\n", unsupported.front().opType);
    } else {
        std::shared_ptr<const Dataset> dataset;
        if (!command.data.path.empty()) {
            const auto data = openData(command.data.path, *model, command.model, command.data.dataset);
            if (!data) return fail(data.error());
            dataset = data->dataset;
            result.text += describeData(*data);
        }
        const std::size_t samples = dataset ? std::min(dataset->size(), std::size_t{100}) : kEquivalenceSamples;
        const auto equivalence =
            compareOutputs(*model, outcome->model, dataset.get(), samples, context.options.seed, context.job);
        if (!equivalence) return fail(equivalence.error());
        result.json["equivalence"] = asJson(*equivalence);
        result.text += "Float outputs: " + asText(*equivalence) + "\n";
    }
    if (const auto written =
            writeDerived(outcome->model, command.output, command.model, command.data.dataset.preprocess);
        !written)
        return fail(written.error());
    result.text += fmt::format("Wrote {}\n", command.output);
    return result;
}

}  // namespace

void addEqualize(CommandRegistry& registry) {
    auto options = std::make_shared<EqualizeCommand>();
    auto* command = registry.add("equalize", "Fold batch norms, equalize ranges across layers, absorb high biases",
                                 [options](const CommandContext& context) { return runEqualize(*options, context); });
    addModelOption(*command, options->model);
    command->add_option("-o,--output", options->output, "File to write")->required()->type_name("OUT");
    addChoice<CapMode>(*command, "--relu6", options->options.relu6,
                       {{"exact", CapMode::Exact}, {"replace", CapMode::Replace}, {"skip", CapMode::Skip}},
                       "exact: a cap per channel (default); replace: by ReLU; skip")
        ->type_name("MODE");
    command->add_flag("--no-bias-absorption", options->shouldNotAbsorb, "Leave high biases where they are");
    command->add_option("--iterations", options->options.iterations, "Most sweeps over all pairs (default 20)")
        ->check(CLI::Range(1, 1000).description(""))
        ->type_name("N");
    command->add_flag("--keep-constant-channels{false}", options->options.shouldSilenceConstantChannels,
                      "Leave the weights that read channels which never change");
    command->add_option("--exclude", options->options.excluded, "Leave the pair that begins with this layer alone")
        ->allow_extra_args(false)
        ->type_name("LAYER");
    command->add_flag("--keep-batch-norms{false}", options->options.shouldFoldBatchNorms, "Do not fold batch norms");
    command->add_flag("--aimet-compatible", options->options.isAimetCompatible,
                      "One sweep with AIMET's own rules, ReLU6 replaced");
    options->data.addTo(*command, "--data", "Samples to compare the outputs on (default: random inputs)", false);
}

}  // namespace equant::console
