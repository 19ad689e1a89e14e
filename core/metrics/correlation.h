// SPDX-License-Identifier: Apache-2.0
// How well two rankings agree.
#pragma once

#include <optional>
#include <span>

namespace equant {

/// Spearman's rank correlation, ties sharing their mean rank; -1 to 1. Absent for fewer than three pairs or when one
/// side is constant. Source: Spearman, 1904.
[[nodiscard]] std::optional<double> rankCorrelation(std::span<const double> a, std::span<const double> b);

}  // namespace equant
