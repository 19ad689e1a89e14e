// SPDX-License-Identifier: Apache-2.0
// Options that several commands take: the model, the data, preprocessing.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check_target.h"
#include "core/data/dataset.h"
#include "core/graph/model.h"
#include "core/recipe/data_options.h"
#include "core/runtime/exec/executor.h"

namespace equant::console {

/// The samples of a command that runs no step: all of them unless --limit says otherwise.
struct SampleOptions {
    std::string path;
    DatasetOptions dataset;

    /// Adds `flag` (such as --data), --limit, --offset and --preprocess.
    void addTo(CLI::App& command, const std::string& flag, const std::string& help, bool isRequired);
};

/// Opens data for the model read from `modelFile`; a file of preprocessing beside it counts as if it had been asked
/// for.
Result<OpenedDataset> openData(const std::string& path, const Model& model, const std::string& modelFile,
                               DatasetOptions options);

/// The samples of a step.
Result<OpenedDataset> openData(const SampleChoice& choice, const Model& model, const std::string& modelFile);

/// Writes a model made of the one in `modelFile`; its metadata say how the input is made, if that was asked for or a file
/// beside the original says it.
Status writeDerived(const Model& model, const std::string& output, const std::string& modelFile,
                    const std::string& preprocess);

/// Reads an encodings file of any version for the model.
Result<QuantOverlay> readOverlay(const std::string& path, const Model& model);

/// A model ready to run, and what it simulates.
struct ReadyModel {
    std::shared_ptr<Executor> executor;
    QuantOverlay overlay;
};

/// In float, or simulated with the encodings of a file if its path is not empty.
Result<ReadyModel> createExecutor(const Model& model, const std::string& encodingsPath);

/// Accepts the names in `choices` only; a wrong one is a usage error that lists them.
template <typename T>
CLI::Option* addChoice(CLI::App& command, const std::string& flag, T& value,
                       const std::vector<std::pair<std::string, T>>& choices, const std::string& help) {
    const auto find = [choices](const std::string& text) -> std::optional<T> {
        for (const auto& [name, choice] : choices)
            if (name == text) return choice;
        return std::nullopt;
    };
    std::string names;
    for (const auto& choice : choices) names += (names.empty() ? "" : ", ") + choice.first;
    const auto complain = [find, names](const std::string& text) {
        return find(text) ? std::string() : "\"" + text + "\" is none of " + names;
    };
    return command
        .add_option_function<std::string>(
            flag, [&value, find](const std::string& text) { value = *find(text); }, help)
        ->check(CLI::Validator(complain, ""));
}

void addModelOption(CLI::App& command, std::string& path);

/// "Preprocessing: ... (chosen because ...)" for the human text.
[[nodiscard]] std::string describeData(const OpenedDataset& data);

}  // namespace equant::console
