// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/data/npy.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/non_finite_findings.h"

namespace equant::console {

namespace {

struct RunCommand {
    std::string model;
    std::vector<std::string> inputs;
    std::string outputDir;
    std::string encodings;
};

std::string expectedInputs(const Executor& executor) {
    std::string text = "The model reads";
    for (const auto& info : executor.inputs()) {
        text += fmt::format(" {} ({}", info.name, name(info.dtype));
        for (std::size_t i = 0; info.shape && i < info.shape->size(); ++i) {
            const Dim& dim = (*info.shape)[i];
            text += (i ? "x" : " ") + (dim.value >= 0       ? std::to_string(dim.value)
                                       : dim.symbol.empty() ? std::string("?")
                                                            : dim.symbol);
        }
        text += ")";
    }
    return text + ".";
}

Result<std::vector<Tensor>> readInputs(const RunCommand& command, const Executor& executor) {
    std::vector<Tensor> tensors(executor.inputs().size());
    for (const auto& given : command.inputs) {
        const auto equals = given.find('=');
        const std::string key = given.substr(0, equals);
        std::size_t slot = 0;
        while (slot < tensors.size() && executor.inputs()[slot].name != key) ++slot;
        if (equals == std::string::npos || slot == tensors.size())
            return fail(ErrorCode::InvalidArgument, "This is not NAME=FILE.npy with the name of an input.",
                        expectedInputs(executor), given);
        auto tensor = readNpy(given.substr(equals + 1));
        if (!tensor) return fail(tensor.error());
        tensors[slot] = std::move(*tensor);
    }
    for (std::size_t slot = 0; slot < tensors.size(); ++slot)
        if (tensors[slot].isEmpty())
            return fail(ErrorCode::InvalidArgument, "This input was not given.", expectedInputs(executor),
                        executor.inputs()[slot].name);
    return tensors;
}

/// Output names may hold slashes and colons.
std::string fileNameFor(const std::string& output) {
    std::string file = "output_";
    for (const char c : output) file += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return file + ".npy";
}

Result<CommandResult> runRun(const RunCommand& command, const CommandContext& context) {
    const auto model = readOnnx(command.model);
    if (!model) return fail(model.error());
    const auto ready = createExecutor(*model, command.encodings);
    if (!ready) return fail(ready.error());
    Executor& executor = *ready->executor;
    const auto inputs = readInputs(command, executor);
    if (!inputs) return fail(inputs.error());
    const auto outputs = executor.run(*inputs);
    if (!outputs) return fail(outputs.error());
    const auto findings = explainOutputs(*outputs, *model, *inputs, ready->overlay, context.job);
    if (!findings) return fail(findings.error());

    std::error_code failed;
    std::filesystem::create_directories(command.outputDir, failed);
    if (failed)
        return fail(ErrorCode::Io, "The folder could not be made.", "Choose another --output-dir.", command.outputDir);
    CommandResult result{{{"outputs", nlohmann::json::object()}, {"findings", asJson(*findings)}}, {}};
    for (std::size_t i = 0; i < outputs->size(); ++i) {
        const std::string& output = executor.outputs()[i];
        const auto file = std::filesystem::path(command.outputDir) / fileNameFor(output);
        if (auto written = writeNpy((*outputs)[i], file); !written) return fail(written.error());
        result.json["outputs"][output] = file.string();
        result.text += fmt::format("{} {} {} -> {}\n", output, name((*outputs)[i].dtype()),
                                   toString((*outputs)[i].shape()), file.string());
    }
    result.text += asText(*findings);
    return result;
}

}  // namespace

void addRun(CommandRegistry& registry) {
    auto options = std::make_shared<RunCommand>();
    auto* command = registry.add("run", "Execute once on given arrays",
                                 [options](const CommandContext& context) { return runRun(*options, context); });
    addModelOption(*command, options->model);
    command->add_option("--input", options->inputs, "NAME=FILE.npy, once per input")
        ->required()
        ->type_name("NAME=FILE")
        ->expected(1, 1000);
    command->add_option("--output-dir", options->outputDir, "Folder for output_NAME.npy")->required()->type_name("DIR");
    command->add_option("--quant,--encodings", options->encodings, "Simulate quantization with these encodings")
        ->type_name("FILE");
}

}  // namespace equant::console
