// SPDX-License-Identifier: Apache-2.0
// How the console writes numbers, tables and scores: once for JSON, once for people.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/tensor.h"
#include "core/inspection/inspection.h"
#include "core/metrics/evaluate.h"
#include "core/metrics/scores.h"

namespace equant::console {

/// Absent and non-finite numbers become null.
[[nodiscard]] nlohmann::json number(std::optional<double> value);
[[nodiscard]] nlohmann::json numbers(const std::vector<float>& values);
[[nodiscard]] nlohmann::json asJson(const Score& score);
/// {before, after}
[[nodiscard]] nlohmann::json asJson(const ScoredChange& change);
[[nodiscard]] nlohmann::json asJson(const Equivalence& equivalence);
[[nodiscard]] nlohmann::json asJson(const std::vector<Finding>& findings);

/// "3.49 M", "300.8 M", "13.4 k".
[[nodiscard]] std::string shortCount(std::int64_t count);
/// "13.3 MB".
[[nodiscard]] std::string shortBytes(std::int64_t bytes);
/// "top-1 86.60 % (83.3 to 89.3), SQNR 23.1 dB, ..." with what applies.
[[nodiscard]] std::string asText(const Score& score);
/// "Before: top-1 ...", "After: ...", two lines.
[[nodiscard]] std::string asText(const ScoredChange& change);
/// "max |difference| 3.1e-06, mean 4e-07, standard deviation of the outputs 1.2 (8 random inputs)"
[[nodiscard]] std::string asText(const Equivalence& equivalence);

/// "warning: LAYER: what is wrong. What to try.", one per line.
[[nodiscard]] std::string asText(const std::vector<Finding>& findings);

/// Left-aligned first column, right-aligned others, widths fitted, long first cells shortened in the middle.
[[nodiscard]] std::string table(const std::vector<std::string>& header,
                                const std::vector<std::vector<std::string>>& rows);

}  // namespace equant::console
