// SPDX-License-Identifier: Apache-2.0
// What compressing a layer costs, in one additive unit: measured score losses made monotone and steadied by the
// predictions, or the predictions alone. Used by the solver and by whoever shows a table;
// docs/algorithms/compression.md has the formulas.
#pragma once

#include <optional>
#include <vector>

#include "core/compression/plan/sensitivity_table.h"

namespace equant {

/// Additive losses of a table's cells. Unit: points (top-1, agreement), noise power relative to the signal (SQNR, and
/// where nothing was measured), or relative errors of the layers where not even the noise is predicted.
struct CellLosses {
    std::vector<std::vector<double>> loss;  ///< [layer][cell], >= 0, non-increasing over the ratios of a layer
    bool isMeasured = false;                ///< false: predictions
    bool isNoise = false;                   ///< noise power at the network's outputs
};

[[nodiscard]] CellLosses lossesOf(const SensitivityTable& table);

/// The network's score at a total loss, by the table's metric; absent where losses do not say.
[[nodiscard]] std::optional<double> scoreAt(const SensitivityTable& table, const CellLosses& losses, double total);

/// Least squares fit that never increases, by pooling neighbours (Ayer et al., 1955). Weights > 0.
[[nodiscard]] std::vector<double> nonIncreasing(std::vector<double> values, std::vector<double> weights);

}  // namespace equant
