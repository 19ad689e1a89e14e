// SPDX-License-Identifier: Apache-2.0
// What of one sensitivity table may be used in another: scores of the same cells after other methods were added, a table
// that an interrupted sweep left behind, and single cells that were measured again. Pure functions of values.
#pragma once

#include <string_view>

#include "core/compression/plan/sensitivity.h"

namespace equant {

[[nodiscard]] bool hasScores(const SensitivityTable& table);

/// Whether a sweep of this model on these samples may continue from the table. `data`: Dataset::fingerprint of the
/// samples without their number, which a sweep appends.
[[nodiscard]] bool canContinue(const SensitivityTable& table, std::string_view model, std::string_view data);

/// Takes over the scores of cells with the same layer, method, ratio and size, and with the first of them baseline,
/// metric and data. Nothing where the tables are of different models.
void reuseScores(SensitivityTable& table, const SensitivityTable& from);

/// The cells of one layer at one ratio, with all methods and without scores: what to measure again.
[[nodiscard]] SensitivityTable cellsAt(const SensitivityTable& table, std::string_view layer, double ratio);

/// Puts the scores of `measured` (made of cellsAt()) into the table. It may have been measured on other samples: the
/// change against its own baseline is what counts, and is carried over to the table's baseline.
void mergeScores(SensitivityTable& table, const SensitivityTable& measured, double ratio);

}  // namespace equant
