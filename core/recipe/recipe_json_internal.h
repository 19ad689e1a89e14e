// SPDX-License-Identifier: Apache-2.0
// Recipes as JSON values: files and workspaces are made of them. Thread-safe.
#pragma once

#include <nlohmann/json.hpp>

#include "core/recipe/recipe.h"

namespace equant {

[[nodiscard]] nlohmann::json toJsonValue(const Step& step);
[[nodiscard]] nlohmann::json toJsonValue(const Recipe& recipe);
Result<Step> parseStep(const nlohmann::json& object);
Result<Recipe> parseRecipe(const nlohmann::json& root);

}  // namespace equant
