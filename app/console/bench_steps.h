// SPDX-License-Identifier: Apache-2.0
// The part of `bench` that says where the time of a model goes, step by step.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/runtime/exec/executor.h"

namespace equant::console {

struct StepTime {
    std::string step;
    double milliseconds = 0;
};

/// Every step of the plan for these inputs, the slowest first; fastest of `runs`.
Result<std::vector<StepTime>> stepTimes(const Model& model, const CompileOptions& given, const Executor& executor,
                                        const std::vector<Tensor>& inputs, int runs);

[[nodiscard]] nlohmann::json stepsJson(const std::vector<StepTime>& times);
[[nodiscard]] std::string stepsText(const std::string& title, const std::vector<StepTime>& times);

}  // namespace equant::console
