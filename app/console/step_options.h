// SPDX-License-Identifier: Apache-2.0
// Turns the option table of a step, and the data options that all steps share, into options of a command.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "core/recipe/step.h"

namespace equant::console {

/// One option for every row with a flag. `step` is of this kind and must outlive the parsing.
void addStepOptions(CLI::App& command, const StepKind& kind, Step& step);

/// --data, --limit, --offset, --preprocess.
void addDataOptions(CLI::App& command, DataOptions& data, const std::string& help);
/// --eval-data, --eval-limit.
void addEvaluationOptions(CLI::App& command, DataOptions& data);

}  // namespace equant::console
