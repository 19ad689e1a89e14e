// SPDX-License-Identifier: Apache-2.0
#include "app/console/equalize_report.h"

#include <algorithm>
#include <fmt/format.h>

namespace equant::console {

nlohmann::json asJson(const EqualizeReport& report) {
    auto pairs = nlohmann::json::array();
    for (const auto& pair : report.pairs)
        pairs.push_back({{"layers", pair.layers},
                         {"channels", pair.channels},
                         {"status", pair.isEqualized ? "equalized" : "skipped"},
                         {"reason", pair.reason},
                         {"reason_code", pair.reasonCode},
                         {"constant_channels", pair.constantChannels.size()}});
    auto absorbed = nlohmann::json::array();
    for (const auto& item : report.absorbed) absorbed.push_back({{"layer", item.layer}, {"consumer", item.consumer}});
    return {{"folded_batch_norms", report.fold.folded.size()},
            {"pairs", pairs},
            {"absorbed_biases", absorbed},
            {"iterations", report.iterations}};
}

std::string summaryOf(const EqualizeReport& report) {
    return fmt::format("Folded {} batch norms, equalized {} of {} layers' outputs in {} sweeps, absorbed {} biases.\n",
                       report.fold.folded.size(), std::ranges::count_if(report.pairs, &EqualizedPair::isEqualized),
                       report.pairs.size(), report.iterations, report.absorbed.size());
}

std::string asText(const EqualizeReport& report) {
    std::string text = summaryOf(report);
    for (const auto& kept : report.fold.kept) text += fmt::format("  kept {}: {}\n", kept.batchNorm, kept.reason);
    for (const auto& pair : report.pairs)
        text += fmt::format("  {} {}: {}\n", pair.isEqualized ? "equalized" : "skipped  ",
                            fmt::join(pair.layers, " -> "), pair.reason);
    return text;
}

}  // namespace equant::console
