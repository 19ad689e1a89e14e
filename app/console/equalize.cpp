// SPDX-License-Identifier: Apache-2.0
// `equalize`: a recipe of one step.
#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/options.h"
#include "app/console/step_options.h"
#include "app/console/step_report.h"
#include "core/graph/onnx_io.h"

namespace equant::console {

namespace {

struct EqualizeCommand {
    std::string model;
    std::string output;
    DataOptions data;
    Step step = EqualizeStep{};
};

Result<CommandResult> runEqualize(const EqualizeCommand& command, const CommandContext& context) {
    if (const auto status = checkTarget(command.output); !status) return fail(status.error());
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    const auto done = carryOut({{command.step}}, *model, command.model, command.data, true, context);
    if (!done) return fail(done.error());
    // Operators that cannot run here are no reason to refuse; anything else is, and nothing is written.
    const StepRun& step = done->run.steps.front();
    const auto& proof = std::get<EqualizationProof>(step.report);
    if (proof.problem && unsupportedNodes(*model).empty()) return fail(*proof.problem);
    CommandResult result = describeStep(step, Detail::Full);
    if (!command.data.path.empty()) {
        const auto data = openData(command.data.calibration(), *model, command.model);
        if (!data) return fail(data.error());
        result.text += describeData(*data);
    }
    if (const auto written = writeDerived(done->run.model, command.output, command.model, command.data.preprocess);
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
    addStepOptions(*command, equalizeKind(), options->step);
    addDataOptions(*command, options->data, "Samples to compare the outputs on (default: random inputs)");
}

}  // namespace equant::console
