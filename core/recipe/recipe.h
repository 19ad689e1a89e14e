// SPDX-License-Identifier: Apache-2.0
// The non-destructive recipe: an ordered list of steps, each a plain value. The model file is never edited; undo,
// replay and "copy as command" are edits of this one value.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/compression/compress.h"
#include "core/passes/equalize.h"
#include "core/quantization/settings.h"

namespace equant {

/// Compresses first of all; what follows works on the compressed network.
struct CompressStep {
    CompressionPlan plan;
    CompressOptions options;
    std::string data;        ///< path of the samples that weights are fitted to; empty: none (plain methods)
    std::string preprocess;  ///< preset name or file; empty: chosen from the model
    int samples = 100;       ///< at most; 0: all
    /// The file names no samples: those that are given when the recipe is carried out (prepareRecipe()).
    bool takesGivenData = false;
    friend bool operator==(const CompressStep&, const CompressStep&) = default;
};

struct EqualizeStep {
    EqualizeOptions options;
    friend bool operator==(const EqualizeStep&, const EqualizeStep&) = default;
};

struct QuantizeStep {
    QuantizationSettings settings;
    friend bool operator==(const QuantizeStep&, const QuantizeStep&) = default;
};

using Step = std::variant<EqualizeStep, QuantizeStep, CompressStep>;

struct Recipe {
    std::vector<Step> steps;

    [[nodiscard]] const CompressStep* compressStep() const;
    [[nodiscard]] const EqualizeStep* equalizeStep() const;
    [[nodiscard]] const QuantizeStep* quantizeStep() const;
    friend bool operator==(const Recipe&, const Recipe&) = default;
};

[[nodiscard]] std::string toJson(const Recipe& recipe);
/// InvalidArgument names the step and field that is wrong; unknown steps of newer versions are refused by name.
Result<Recipe> parseRecipe(std::string_view json);
/// The step as a line of equant-cli, MODEL and DATA standing for the files. A compression reads its plan from
/// "plan.json" (toJson of the step's plan); its line says everything, also how many samples to take.
[[nodiscard]] std::string asCommand(const Step& step, const std::string& modelPath, const std::string& dataPath);

}  // namespace equant
