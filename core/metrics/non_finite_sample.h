// SPDX-License-Identifier: Apache-2.0
// Which sample of a data set makes a model's results NaN or infinite, and which operator is to blame.
#pragma once

#include <optional>
#include <string>

#include "core/base/progress.h"
#include "core/data/dataset.h"
#include "core/runtime/diagnose/non_finite.h"

namespace equant {

struct NonFiniteSample {
    std::string sample;  ///< its name in the data set
    NonFiniteOrigin origin;
};

/// `Sample "cat.png": Log "/head/Log" makes ...`
[[nodiscard]] std::string describe(const NonFiniteSample& found);

/// Runs the one sample with every value tapped. nullopt when nothing is wrong with it. Errors as of findNonFinite and
/// Dataset::load.
Result<std::optional<NonFiniteSample>> findNonFinite(const Model& model, const Dataset& dataset, std::size_t sample,
                                                     const QuantOverlay& overlay = {}, const JobContext& job = {});

}  // namespace equant
