// SPDX-License-Identifier: Apache-2.0
// What the steps of a recipe did, for scripts and for people: the same for `apply` and for the commands of one step.
#pragma once

#include "app/console/command.h"
#include "core/recipe/run.h"

namespace equant::console {

enum class Detail { Summary, Full };

[[nodiscard]] CommandResult describeStep(const StepRun& done, Detail detail);
/// {before, after} and two lines of text, or null.
void addScores(const std::optional<ScoredChange>& scores, CommandResult& result);

/// Prepares the recipe for the model, carries it out and scores it.
struct FinishedRun {
    PreparedRecipe prepared;
    RecipeRun run;
    std::optional<ScoredChange> scores;
};
Result<FinishedRun> carryOut(const Recipe& recipe, const Model& model, const std::string& modelFile,
                             const DataOptions& data, bool shouldTime, const CommandContext& context);

}  // namespace equant::console
