// SPDX-License-Identifier: Apache-2.0
// What `quantize` prints: scores side by side, the layers that suffer most, and what to try next.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/quantization/simulate.h"

namespace equant::console {

[[nodiscard]] nlohmann::json simulationJson(const SimulationReport& report);
/// `prepared`: what to call the float scores after the steps before.
[[nodiscard]] std::string simulationText(const SimulationReport& report,
                                         const std::string& prepared = "float, equalized");

/// One sentence: where the loss comes from and what to try that was not tried yet.
[[nodiscard]] std::string advice(const SimulationReport& report, bool isEqualized);

}  // namespace equant::console
