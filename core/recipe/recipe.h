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

}  // namespace equant
