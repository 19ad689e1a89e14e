// SPDX-License-Identifier: Apache-2.0
// What `bench --calibration` adds: passes with all observers on, of every range scheme, against float passes.
#pragma once

#include <cstdint>

#include "app/console/command.h"
#include "core/graph/model.h"

namespace equant::console {

/// Alternating passes over the same random samples in memory, `runs` of each. Errors of calibrate(); Cancelled.
Result<CommandResult> benchCalibration(const Model& model, std::int64_t batch, int runs, const CommandContext& context);

}  // namespace equant::console
