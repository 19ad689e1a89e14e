// SPDX-License-Identifier: Apache-2.0
#include "app/console/options.h"

#include <fmt/format.h>

#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/interop/encodings_json.h"

namespace equant::console {

void SampleOptions::addTo(CLI::App& command, const std::string& flag, const std::string& help, bool isRequired) {
    auto* option = command.add_option(flag, path, help)->type_name("PATH");
    if (isRequired) option->required();
    command.add_option("--limit", dataset.limit, "Use at most N samples, spread over the set")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N");
    command.add_option("--offset", dataset.offset, "Skip the first N samples")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N");
    command.add_option("--preprocess", dataset.preprocess, "imagenet, unit, signed, none, or a JSON file")
        ->type_name("P");
}

void addModelOption(CLI::App& command, std::string& path) {
    command.add_option("MODEL", path, "ONNX file")->required()->type_name("");
}

namespace {

/// What was asked for, else the file beside the model.
std::string preprocessingFor(const Model& model, const std::string& modelFile, const std::string& asked) {
    return asked.empty() ? preprocessingBeside(model, modelFile).string() : asked;
}

}  // namespace

Result<OpenedDataset> openData(const std::string& path, const Model& model, const std::string& modelFile,
                               DatasetOptions options) {
    options.preprocess = preprocessingFor(model, modelFile, options.preprocess);
    return openDataset(path, model, options);
}

Result<OpenedDataset> openData(const SampleChoice& choice, const Model& model, const std::string& modelFile) {
    DatasetOptions options;
    options.preprocess = choice.preprocess;
    options.limit = choice.limit;
    options.offset = choice.offset;
    return openData(choice.path, model, modelFile, options);
}

Status writeDerived(const Model& model, const std::string& output, const std::string& modelFile,
                    const std::string& preprocess) {
    return writeOnnx(withPreprocessing(model, preprocessingFor(model, modelFile, preprocess)), output);
}

Result<QuantOverlay> readOverlay(const std::string& path, const Model& model) {
    const auto text = readFile(path);
    if (!text) return fail(text.error());
    const auto encodings = parseEncodings(*text, model);
    if (encodings) return encodings->all();
    Error error = encodings.error();
    error.subject = error.subject.empty() ? path : fmt::format("{} ({})", path, error.subject);
    return fail(std::move(error));
}

Result<ReadyModel> createExecutor(const Model& model, const std::string& encodingsPath) {
    CompileOptions compile;
    if (!encodingsPath.empty()) {
        auto overlay = readOverlay(encodingsPath, model);
        if (!overlay) return fail(overlay.error());
        compile.overlay = std::move(*overlay);
    }
    auto executor = Executor::create(model, compile);
    if (!executor) return fail(executor.error());
    return ReadyModel{std::move(*executor), std::move(compile.overlay)};
}

std::string describeData(const OpenedDataset& data) {
    // Arrays are taken as they are.
    if (data.preprocessing.reason.empty()) return fmt::format("Data: {}\n", data.dataset->describe());
    return fmt::format("Data: {}\nPreprocessing: {} ({})\n", data.dataset->describe(),
                       describe(data.preprocessing.preprocessing), data.preprocessing.reason);
}

}  // namespace equant::console
