// SPDX-License-Identifier: Apache-2.0
// Options that say how numbers are put on a grid, shared by the commands that quantize; and grids as JSON.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "core/quantization/quantsim.h"
#include "core/quantization/range_estimator.h"
#include "core/quantization/settings.h"

namespace equant::console {

/// --weight-bits, --activation-bits, --granularity.
void addBitOptions(CLI::App& command, QuantizationSettings& settings);

/// --scheme with its aliases.
void addSchemeOptions(CLI::App& command, RangeScheme& scheme, double& percentile);

/// The rules as JSON text: what is given when it starts with a brace, otherwise the contents of the file, checked.
Result<std::string> readRules(const std::string& fileOrText);

[[nodiscard]] nlohmann::json asJson(const GridRange& grid);
/// {bits, symmetric, signed, granularity, axis, min, max, scale, offset}; the last four are lists per channel.
[[nodiscard]] nlohmann::json asJson(const CalibratedQuantizer& quantizer);

/// "W8 symmetric per-tensor, A8, scheme minmax"
[[nodiscard]] std::string describe(const QuantizationSettings& settings);

}  // namespace equant::console
