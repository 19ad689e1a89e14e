// SPDX-License-Identifier: Apache-2.0
// The non-destructive recipe: an ordered list of steps, each a plain value. The model file is never edited; undo,
// replay and "copy as command" are edits of this one value.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/passes/equalize.h"
#include "core/quantization/settings.h"

namespace equant {

struct EqualizeStep {
    EqualizeOptions options;
    friend bool operator==(const EqualizeStep&, const EqualizeStep&) = default;
};

struct QuantizeStep {
    QuantizationSettings settings;
    friend bool operator==(const QuantizeStep&, const QuantizeStep&) = default;
};

using Step = std::variant<EqualizeStep, QuantizeStep>;

struct Recipe {
    std::vector<Step> steps;

    [[nodiscard]] const EqualizeStep* equalizeStep() const;
    [[nodiscard]] const QuantizeStep* quantizeStep() const;
    friend bool operator==(const Recipe&, const Recipe&) = default;
};

[[nodiscard]] std::string toJson(const Recipe& recipe);
/// InvalidArgument names the step and field that is wrong; unknown steps of newer versions are refused by name.
Result<Recipe> parseRecipe(std::string_view json);
/// The step as a line of equant-cli, MODEL and DATA standing for the files.
[[nodiscard]] std::string asCommand(const Step& step, const std::string& modelPath, const std::string& dataPath);

}  // namespace equant
