// SPDX-License-Identifier: Apache-2.0
// What somebody works on, as a file (*.equant): which model, which samples, and the recipe. Nothing computed is in it;
// the model and the samples stay where they are. A plain value; every function is thread-safe.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/recipe/run.h"

namespace equant {

/// Paths are absolute in memory, and relative to the file's folder in the file: both can be moved together.
struct Workspace {
    std::string model;      ///< ONNX file; empty: not named (a recipe)
    std::string modelHash;  ///< contentHash() of the model when it was saved; empty: any
    DataOptions data;
    Recipe recipe;                      ///< what is applied
    std::optional<CompressStep> draft;  ///< a compression that is chosen but not applied

    /// What carrying it out does: the recipe, and the draft where it has no compression.
    [[nodiscard]] Recipe whole() const;
    /// Whether the model changed since the workspace was saved.
    [[nodiscard]] bool isOutdated(const Model& current) const;
};

/// What a command line gives besides the file; empty or absent: nothing.
struct WorkspaceInputs {
    std::string model = {}, data = {}, evaluationData = {}, preprocess = {};
    std::optional<std::size_t> calibrationSamples = {}, evaluationSamples = {}, offset = {};
};
/// With the overrides in place of its own values. Samples given here replace those that steps name, too.
/// InvalidArgument: nobody names a model.
Result<Workspace> withInputs(Workspace workspace, const WorkspaceInputs& overrides);

/// `folder`: of the file it will be written to.
[[nodiscard]] std::string toJson(const Workspace& workspace, const std::filesystem::path& folder);
/// `folder`: of the file it was read from. InvalidArgument names the field that is wrong. Unsupported: a newer version.
Result<Workspace> parseWorkspace(std::string_view json, const std::filesystem::path& folder);

/// A workspace, or a recipe as a workspace without model and data. What begins with a brace is the JSON itself, anything
/// else a file. Errors name the file; those of readFile.
Result<Workspace> readWorkspaceOrRecipe(const std::filesystem::path& path);

}  // namespace equant
