// SPDX-License-Identifier: Apache-2.0
// Recipes as files (JSON) and as commands of equant-cli. Both come from the option tables of the steps. Thread-safe.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/recipe/data_options.h"
#include "core/recipe/recipe.h"

namespace equant {

[[nodiscard]] std::string toJson(const Recipe& recipe);
/// InvalidArgument names the step and field that is wrong; unknown steps of newer versions are refused by name. Whether
/// the steps may stand in this order is checked by prepareRecipe().
Result<Recipe> parseRecipe(std::string_view json);
/// The step as one command of equant-cli. A compression reads its plan from "plan.json" (toJson of the step's plan).
[[nodiscard]] std::string asCommand(const Step& step, const std::string& modelPath, const DataOptions& data);
/// One command that carries out the whole recipe and gives the same numbers: that of the step where there is one that
/// needs no further file, else `equant-cli apply` with the recipe on the command line.
[[nodiscard]] std::string asCommand(const Recipe& recipe, const std::string& modelPath, const DataOptions& data);

/// The same as JSON values: workspaces are made of them.
[[nodiscard]] nlohmann::json toJsonValue(const Step& step);
[[nodiscard]] nlohmann::json toJsonValue(const Recipe& recipe);
Result<Step> parseStepValue(const nlohmann::json& object);
Result<Recipe> parseRecipeValue(const nlohmann::json& root);

}  // namespace equant
