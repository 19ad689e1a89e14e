// SPDX-License-Identifier: Apache-2.0
#include "core/metrics/evaluate.h"

#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/non_finite_findings.h"

namespace equant::console {

namespace {

struct EvaluateCommand {
    std::string model;
    std::string reference;
    std::string encodings;
    SampleOptions data;
    EvaluateOptions options;
};

Result<CommandResult> runEvaluate(const EvaluateCommand& command, const CommandContext& context) {
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    const auto candidate = createExecutor(*model, command.encodings);
    if (!candidate) return fail(candidate.error());

    // Without a reference, simulated runs are compared with the float model itself.
    std::shared_ptr<Executor> reference;
    if (!command.reference.empty() || !command.encodings.empty()) {
        const auto other = command.reference.empty() ? model : readOnnx(command.reference);
        if (!other) return fail(other.error());
        auto executor = Executor::create(*other);
        if (!executor) return fail(executor.error());
        reference = std::move(*executor);
    }
    const auto data = openData(command.data.path, *model, command.model, command.data.dataset);
    if (!data) return fail(data.error());
    EvaluateOptions options = command.options;
    options.threads = context.options.threads;
    const auto score = evaluate(candidate->executor, reference, *data->dataset, options, context.job);
    if (!score) return fail(score.error());
    const auto findings = explainScore(*score, *model, *data->dataset, candidate->overlay, context.job);
    if (!findings) return fail(findings.error());
    CommandResult result{asJson(*score),
                         describeData(*data) + fmt::format("{} samples: {} ({:.2f} ms a sample)\n", score->samples,
                                                           asText(*score), score->msPerSample)};
    result.json["findings"] = asJson(*findings);
    result.text += asText(*findings);
    return result;
}

}  // namespace

void addEvaluate(CommandRegistry& registry) {
    auto options = std::make_shared<EvaluateCommand>();
    auto* command = registry.add("evaluate", "Score a model on data, in float or with given encodings",
                                 [options](const CommandContext& context) { return runEvaluate(*options, context); });
    addModelOption(*command, options->model);
    options->data.addTo(*command, "--data", "Image folder, .npy/.npz, or folder of ONNX test_data_set_*", true);
    command->add_option("--reference", options->reference, "Model to compare the outputs with")->type_name("MODEL");
    command->add_option("--encodings", options->encodings, "Simulate quantization with these encodings")
        ->type_name("FILE");
    command->add_option("--batch", options->options.batch, "Samples in one forward pass (default 8)")
        ->check(CLI::Range(1, 4096).description(""))
        ->type_name("N");
}

}  // namespace equant::console
