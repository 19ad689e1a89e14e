// SPDX-License-Identifier: Apache-2.0
// What compressing a layer costs, in one additive unit: measured score losses made monotone and steadied by the
// predicted errors, or the predicted errors alone. Used by the solver and by whoever shows a table;
// docs/algorithms/compression.md has the formulas.
#pragma once

#include <optional>
#include <vector>

#include "core/compression/sensitivity.h"

namespace equant {

/// Additive losses of a table's cells. Unit: points (top-1, agreement), noise power relative to the signal (SQNR), or
/// relative output error where nothing was measured.
struct CellLosses {
    std::vector<std::vector<double>> loss;  ///< [layer][cell], >= 0, non-increasing over the ratios of a layer
    bool isMeasured = false;                ///< false: predicted errors; no score follows from them
};

[[nodiscard]] CellLosses lossesOf(const SensitivityTable& table);

/// The network's score at a total loss; absent when the losses are not measured.
[[nodiscard]] std::optional<double> scoreAt(const SensitivityTable& table, const CellLosses& losses, double total);

/// Least squares fit that never increases, by pooling neighbours (Ayer et al., 1955). Weights > 0.
[[nodiscard]] std::vector<double> nonIncreasing(std::vector<double> values, std::vector<double> weights);

}  // namespace equant
