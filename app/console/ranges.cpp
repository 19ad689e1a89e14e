// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>

#include "app/console/command.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/graph/onnx_io.h"
#include "core/passes/equalize.h"
#include "core/passes/weight_ranges.h"

namespace equant::console {

namespace {

struct RangesOptions {
    std::string model;
    bool shouldEqualize = false;
};

nlohmann::json statistics(const ChannelRanges& ranges) {
    return {{"min", numbers(ranges.min)},
            {"max", numbers(ranges.max)},
            {"mean", numbers(ranges.mean)},
            {"std", numbers(ranges.std)},
            {"effective_bits", numbers(ranges.effectiveBits)},
            {"imbalance", number(ranges.imbalance())}};
}

float lowestBits(const ChannelRanges& ranges) {
    return *std::ranges::min_element(ranges.effectiveBits);
}

Result<CommandResult> showRanges(const RangesOptions& options, const JobContext& job) {
    const auto model = readOnnx(options.model);
    if (!model) return fail(model.error());
    const auto before = weightRanges(*model);
    if (!before) return fail(before.error());
    std::map<std::string, ChannelRanges> after;
    if (options.shouldEqualize) {
        const auto equalized = equalize(*model, {}, job);
        if (!equalized) return fail(equalized.error());
        const auto ranges = weightRanges(equalized->model);
        if (!ranges) return fail(ranges.error());
        for (const auto& layer : *ranges) after[layer.layer] = layer;
    }
    CommandResult result{{{"layers", nlohmann::json::array()}}, {}};
    std::vector<std::vector<std::string>> rows;
    for (const auto& layer : *before) {
        auto json = statistics(layer);
        json["name"] = layer.layer;
        json["channels"] = layer.min.size();
        std::vector<std::string> row{layer.layer,
                                     std::to_string(layer.min.size()),
                                     fmt::format("{:.4g}", *std::ranges::min_element(layer.min)),
                                     fmt::format("{:.4g}", *std::ranges::max_element(layer.max)),
                                     fmt::format("{:.1f}", layer.imbalance()),
                                     fmt::format("{:.1f}", lowestBits(layer))};
        if (options.shouldEqualize) {
            const auto found = after.find(layer.layer);
            json["after"] = found == after.end() ? nlohmann::json(nullptr) : statistics(found->second);
            row.push_back(found == after.end() ? "-" : fmt::format("{:.1f}", found->second.imbalance()));
            row.push_back(found == after.end() ? "-" : fmt::format("{:.1f}", lowestBits(found->second)));
        }
        result.json["layers"].push_back(std::move(json));
        rows.push_back(std::move(row));
    }
    std::vector<std::string> header{"layer", "channels", "min", "max", "max/median", "fewest bits"};
    if (options.shouldEqualize) header.insert(header.end(), {"after", "bits after"});
    result.text = table(header, rows);
    return result;
}

}  // namespace

void addRanges(CommandRegistry& registry) {
    auto options = std::make_shared<RangesOptions>();
    auto* command =
        registry.add("ranges", "Weight ranges per output channel",
                     [options](const CommandContext& context) { return showRanges(*options, context.job); });
    addModelOption(*command, options->model);
    command->add_flag("--equalize", options->shouldEqualize, "Also show them after cross-layer equalization");
}

}  // namespace equant::console
