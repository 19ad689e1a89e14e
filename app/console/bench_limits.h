// SPDX-License-Identifier: Apache-2.0
// The part of `bench` that says how far a model is from what the machine can do.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/runtime/diagnose/roofline.h"

namespace equant::console {

struct SpeedOfModel {
    MachineLimits machine;
    SampleCost cost;
    std::int64_t batch = 1;
    double milliseconds = 0;  ///< a sample, float, all threads together

    [[nodiscard]] double achievedGflops() const { return cost.flops / milliseconds * 1e-6; }
    [[nodiscard]] double shareOfPeak() const { return achievedGflops() / machine.peakGflops; }
    [[nodiscard]] double boundMilliseconds() const { return boundSeconds(cost, batch, machine) * 1e3; }
};

[[nodiscard]] nlohmann::json limitsJson(const SpeedOfModel& speed);
/// Two lines: the model's cost, and its share of what the machine can do.
[[nodiscard]] std::string limitsText(const SpeedOfModel& speed);

}  // namespace equant::console
