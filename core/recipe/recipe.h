// SPDX-License-Identifier: Apache-2.0
// The non-destructive recipe: an ordered list of steps, each a plain value. The model file is never edited; undo,
// replay and "copy as command" are edits of this one value. What a step means is in its StepKind (step.h).
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/compression/compress.h"
#include "core/passes/equalize.h"
#include "core/quantization/settings.h"

namespace equant {

struct DataOptions;

/// Where the samples of a step come from.
enum class DataSource {
    Named,      ///< the step names them; an empty path is none
    GivenAtRun  ///< those that are given when the recipe is carried out (prepareRecipe())
};

struct CompressStep {
    static constexpr std::string_view kName = "compress";
    CompressionPlan plan;
    CompressOptions options;
    std::string data;        ///< path of the samples that weights are fitted to; empty: none (plain methods)
    std::string preprocess;  ///< preset name or file; empty: chosen from the model
    int samples = 100;       ///< at most; 0: all
    DataSource source = DataSource::Named;
    friend bool operator==(const CompressStep&, const CompressStep&) = default;
};

struct EqualizeStep {
    static constexpr std::string_view kName = "equalize";
    EqualizeOptions options;
    friend bool operator==(const EqualizeStep&, const EqualizeStep&) = default;
};

struct QuantizeStep {
    static constexpr std::string_view kName = "quantize";
    QuantizationSettings settings;
    friend bool operator==(const QuantizeStep&, const QuantizeStep&) = default;
};

using Step = std::variant<EqualizeStep, QuantizeStep, CompressStep>;

struct Recipe {
    std::vector<Step> steps;

    /// The first of its kind; null without one.
    [[nodiscard]] const CompressStep* compressStep() const;
    [[nodiscard]] const EqualizeStep* equalizeStep() const;
    [[nodiscard]] const QuantizeStep* quantizeStep() const;
    friend bool operator==(const Recipe&, const Recipe&) = default;
};

[[nodiscard]] std::string toJson(const Recipe& recipe);
/// InvalidArgument names the step and field that is wrong; unknown steps of newer versions are refused by name. Whether
/// the steps may stand in this order is checked by prepareRecipe().
Result<Recipe> parseRecipe(std::string_view json);
/// The step as one command of equant-cli. A compression reads its plan from "plan.json" (toJson of the step's plan).
[[nodiscard]] std::string asCommand(const Step& step, const std::string& modelPath, const DataOptions& data);
/// One command that carries out the whole recipe and gives the same numbers: that of the step where there is one that
/// needs no further file, else `equant-cli apply` with the recipe on the command line.
[[nodiscard]] std::string asCommand(const Recipe& recipe, const std::string& modelPath, const DataOptions& data);

}  // namespace equant
