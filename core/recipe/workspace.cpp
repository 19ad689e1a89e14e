// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/workspace.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/graph/onnx_io.h"

namespace equant {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int kWorkspaceVersion = 1;

std::string relativeTo(const fs::path& folder, const std::string& path) {
    if (path.empty()) return {};
    const fs::path relative = fs::path(path).lexically_normal().lexically_relative(folder.lexically_normal());
    return relative.empty() ? path : relative.generic_string();  // empty: on another drive
}

std::string absoluteIn(const fs::path& folder, const std::string& path) {
    return path.empty() ? path : (folder / path).lexically_normal().string();
}

/// Presets are names, not files.
bool isFile(const std::string& preprocess) {
    return preprocess.ends_with(".json");
}

using Change = std::string (*)(const fs::path& folder, const std::string& path);

CompressStep withPaths(CompressStep step, const fs::path& folder, Change change) {
    step.data = change(folder, step.data);
    if (isFile(step.preprocess)) step.preprocess = change(folder, step.preprocess);
    return step;
}

Recipe withPaths(Recipe recipe, const fs::path& folder, Change change) {
    for (Step& step : recipe.steps)
        if (auto* compressing = std::get_if<CompressStep>(&step))
            *compressing = withPaths(*compressing, folder, change);
    return recipe;
}

DataOptions withPaths(DataOptions data, const fs::path& folder, Change change) {
    data.path = change(folder, data.path);
    data.evaluationPath = change(folder, data.evaluationPath);
    if (isFile(data.preprocess)) data.preprocess = change(folder, data.preprocess);
    return data;
}

Result<Workspace> readFields(const json& root) {
    Workspace workspace;
    const json model = root.value("model", json::object()), data = root.value("data", json::object());
    workspace.model = model.at("path").get<std::string>();
    workspace.modelHash = model.value("hash", std::string());
    DataOptions& samples = workspace.data;
    samples.path = data.value("path", std::string());
    samples.evaluationPath = data.value("evaluation_path", std::string());
    samples.preprocess = data.value("preprocess", std::string());
    samples.calibrationSamples = data.value("calibration_samples", samples.calibrationSamples);
    samples.evaluationSamples = data.value("evaluation_samples", samples.evaluationSamples);
    samples.offset = data.value("offset", samples.offset);
    auto recipe = parseRecipeValue(root.at("recipe"));
    if (!recipe) return fail(recipe.error());
    workspace.recipe = std::move(*recipe);
    if (!root.contains("draft")) return workspace;
    const auto draft = parseStepValue(root["draft"]);
    if (!draft) return fail(draft.error());
    if (const auto* step = std::get_if<CompressStep>(&*draft)) workspace.draft = *step;
    return workspace;
}

}  // namespace

Recipe Workspace::whole() const {
    Recipe result = recipe;
    if (draft && !result.compressStep()) result.steps.insert(result.steps.begin(), *draft);
    return result;
}

bool Workspace::isOutdated(const Model& current) const {
    return !modelHash.empty() && modelHash != contentHash(current);
}

Result<Workspace> withInputs(Workspace workspace, const WorkspaceInputs& overrides) {
    if (!overrides.model.empty()) workspace.model = overrides.model;
    if (workspace.model.empty())
        return fail(ErrorCode::InvalidArgument, "A recipe names no model.", "Add --model with the ONNX file.");
    DataOptions& data = workspace.data;
    data.replacesNamed = !overrides.data.empty() || data.path.empty();
    if (!overrides.data.empty()) {
        data.path = overrides.data;
        data.evaluationPath.clear();
    }
    if (!overrides.evaluationData.empty()) data.evaluationPath = overrides.evaluationData;
    if (!overrides.preprocess.empty()) data.preprocess = overrides.preprocess;
    data.offset = overrides.offset.value_or(data.offset);
    data.calibrationSamples = overrides.calibrationSamples.value_or(data.calibrationSamples);
    data.evaluationSamples = overrides.evaluationSamples.value_or(data.evaluationSamples);
    return workspace;
}

std::string toJson(const Workspace& workspace, const fs::path& folder) {
    const DataOptions data = withPaths(workspace.data, folder, relativeTo);
    json root{{"equant_workspace", kWorkspaceVersion},
              {"model", {{"path", relativeTo(folder, workspace.model)}, {"hash", workspace.modelHash}}},
              {"data",
               {{"path", data.path},
                {"evaluation_path", data.evaluationPath},
                {"preprocess", data.preprocess},
                {"calibration_samples", data.calibrationSamples},
                {"evaluation_samples", data.evaluationSamples},
                {"offset", data.offset}}},
              {"recipe", toJsonValue(withPaths(workspace.recipe, folder, relativeTo))}};
    if (workspace.draft) root["draft"] = toJsonValue(Step(withPaths(*workspace.draft, folder, relativeTo)));
    return root.dump(2, ' ', false, json::error_handler_t::replace);
}

Result<Workspace> parseWorkspace(std::string_view text, const fs::path& folder) {
    const json root = json::parse(text, nullptr, false);
    if (root.is_discarded() || !root.is_object() || !root.contains("equant_workspace"))
        return fail(ErrorCode::InvalidArgument, "This is not a workspace: the field \"equant_workspace\" is missing.",
                    "Give a file that Equant saved.");
    const json& version = root["equant_workspace"];
    if (!version.is_number_integer() || version.get<int>() > kWorkspaceVersion)
        return fail(ErrorCode::Unsupported, "The workspace was written by a newer version of Equant.",
                    "Update Equant.");
    try {
        auto workspace = readFields(root);
        if (!workspace) return workspace;
        workspace->model = absoluteIn(folder, workspace->model);
        workspace->data = withPaths(workspace->data, folder, absoluteIn);
        workspace->recipe = withPaths(workspace->recipe, folder, absoluteIn);
        if (workspace->draft) *workspace->draft = withPaths(*workspace->draft, folder, absoluteIn);
        return workspace;
    } catch (const json::exception& error) {
        return fail(ErrorCode::InvalidArgument, fmt::format("The workspace has a wrong field: {}.", error.what()),
                    "Save it anew from the window.");
    }
}

Result<Workspace> readWorkspaceOrRecipe(const fs::path& path) {
    const bool isText = path.string().starts_with('{');
    const auto text = isText ? Result<std::string>(path.string()) : readFile(path);
    if (!text) return fail(text.error());
    const json root = json::parse(*text, nullptr, false);
    const bool isWorkspace = root.is_object() && root.contains("equant_workspace");
    Result<Workspace> result = [&]() -> Result<Workspace> {
        if (isWorkspace) return parseWorkspace(*text, isText ? fs::current_path() : fs::absolute(path).parent_path());
        auto recipe = parseRecipeValue(root);
        if (!recipe) return fail(recipe.error());
        Workspace bare;
        bare.recipe = std::move(*recipe);
        return bare;
    }();
    if (result) return result;
    Error error = result.error();
    if (error.subject.empty() && !isText) error.subject = path.string();
    return fail(std::move(error));
}

}  // namespace equant
