// SPDX-License-Identifier: Apache-2.0
#include "app/console/bench_limits.h"

#include <fmt/format.h>

#include "app/console/format.h"

namespace equant::console {

nlohmann::json limitsJson(const SpeedOfModel& speed) {
    const auto& [machine, cost, batch, milliseconds] = speed;
    return {{"instructions", machine.instructions},
            {"peak_gflops", machine.peakGflops},
            {"bandwidth_gbs", machine.bandwidthGbs},
            {"gflops_per_sample", cost.flops * 1e-9},
            {"bytes_per_sample", cost.bytes(batch)},
            {"weight_bytes", cost.weightBytes},
            {"activation_bytes_per_sample", cost.activationBytes},
            {"achieved_gflops", number(speed.achievedGflops())},
            {"share_of_peak", number(speed.shareOfPeak())},
            {"bound_ms", number(speed.boundMilliseconds())}};
}

std::string limitsText(const SpeedOfModel& speed) {
    const auto& [machine, cost, batch, milliseconds] = speed;
    const auto bytes = [](double count) { return shortBytes(static_cast<std::int64_t>(count)); };
    return fmt::format(
        "A sample takes {:.3g} GFLOP and moves at least {} ({} of activations): {:.3f} ms at best on this machine.\n"
        "Float reaches {:.1f} GFLOP/s, {:.0f} % of the peak ({:.0f} GFLOP/s and {:.1f} GB/s with {} on {} thread{}).\n",
        cost.flops * 1e-9, bytes(cost.bytes(batch)), bytes(cost.activationBytes), speed.boundMilliseconds(),
        speed.achievedGflops(), 100 * speed.shareOfPeak(), machine.peakGflops, machine.bandwidthGbs,
        machine.instructions, machine.threads, machine.threads == 1 ? "" : "s");
}

}  // namespace equant::console
