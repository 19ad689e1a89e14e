// SPDX-License-Identifier: Apache-2.0
// The one runner: carries out the steps of a recipe in their order. The console's commands, `apply`, the report and
// the window all go through prepareRecipe() and runStep(). Safe from any thread; results do not depend on the number of
// threads. Fixed for everybody: an equalization compares outputs on 16 samples, layers are measured on 16 samples,
// quantization calibrates on 100 samples and scores on 500 unless told otherwise (DataOptions).
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "core/recipe/compress_step.h"
#include "core/recipe/equalize_step.h"
#include "core/recipe/quantize_step.h"
#include "core/recipe/recipe_format.h"
#include "core/recipe/step_kinds.h"

namespace equant {

struct RunOptions {
    unsigned threads = 0;    ///< 0: all cores
    bool shouldTime = true;  ///< StepContext::shouldTime
};

/// A recipe that can be carried out: every step says which samples it will read.
struct PreparedRecipe {
    Recipe recipe;
    DataOptions data;
};

/// Everything that can be refused before the work begins. `modelFile`: beside it preprocessing is looked for.
/// InvalidArgument: a step that may not stand where it does (with its own reason), a plan for another model (with its
/// layers), a step without the samples that it needs (with its name). Samples that cannot be opened fail as
/// openDataset() does, with the step's name.
Result<PreparedRecipe> prepareRecipe(const Recipe& recipe, const Model& model, const std::filesystem::path& modelFile,
                                     const DataOptions& data);

/// Opens the samples that the step reads and carries it out. `reference`: the model as opened, null where the model
/// given is that.
Result<Outcome<StepReport>> runStep(const Step& step, const Model& model, const Model* reference,
                                    const DataOptions& data, const RunOptions& options, const JobContext& job = {});

struct StepRun {
    Step step;
    StepReport report;
    double seconds = 0;
};

struct RecipeRun {
    Model model;  ///< after all steps, in float
    std::vector<StepRun> steps;

    /// Of the last step; null where the recipe does not end with a quantization.
    [[nodiscard]] const SimulationReport* simulation() const;
};

/// Carries out all steps. Errors as of the steps themselves; Cancelled.
Result<RecipeRun> runRecipe(const PreparedRecipe& prepared, const Model& model, const RunOptions& options,
                            const JobContext& job = {});

/// The result beside the model as opened, on the samples to score on. Absent where a simulation has scored both already.
Result<std::optional<ScoredChange>> scoreRun(const PreparedRecipe& prepared, const Model& model, const RecipeRun& run,
                                             const RunOptions& options, const JobContext& job = {});

}  // namespace equant
