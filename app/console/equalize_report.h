// SPDX-License-Identifier: Apache-2.0
// What an equalization did, for scripts and for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/passes/equalize.h"

namespace equant::console {

[[nodiscard]] nlohmann::json asJson(const EqualizeReport& report);
/// One sentence.
[[nodiscard]] std::string summaryOf(const EqualizeReport& report);
/// The sentence, then a line for everything kept, equalized and skipped.
[[nodiscard]] std::string asText(const EqualizeReport& report);

}  // namespace equant::console
