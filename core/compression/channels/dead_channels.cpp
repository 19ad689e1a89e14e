// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "core/compression/channels/channel_groups_internal.h"
#include "core/compression/channels/channel_removal_internal.h"
#include "core/compression/channels/dead_channels_internal.h"
#include "core/compression/model_facts_internal.h"
#include "core/layers/layer_weights.h"
#include "core/layers/layers.h"
#include "core/passes/constant_channels.h"

namespace equant {

namespace {

Status silenceConstants(Graph& graph) {
    const auto topology = Topology::of(graph);
    if (!topology) return fail(topology.error());
    for (const auto& link : findChannelLinks(graph, *topology)) {
        if (link.to == Topology::kNone) continue;
        auto constants = findConstantChannels(graph, *topology, link);
        if (graph.nodes[link.to].is("MatMul"))  // it has no bias to move a constant to
            std::erase_if(constants, [](const ConstantChannel& channel) { return channel.value != 0; });
        silenceChannels(graph, link, constants);
    }
    return {};
}

/// Units that only layers read, none of them with a weight but 0.
std::vector<bool> unreadUnits(const Graph& graph, const ChannelAnalysis& analysis) {
    std::vector<bool> isUnread(analysis.blockedBy.size(), true);
    for (std::size_t unit = 0; unit < isUnread.size(); ++unit) isUnread[unit] = analysis.blockedBy[unit].empty();
    for (const auto& layer : analysis.layers) {
        if (!layer.isConsumer || layer.inputs.empty()) continue;
        const auto weights = LayerWeights::of(graph, layer.node);
        if (!weights) continue;
        weights->forEachBlock([&](std::size_t index, std::size_t, std::size_t input) {
            const auto block = weights->block(index);
            if (std::ranges::any_of(block, [](float weight) { return weight != 0; }))
                isUnread[static_cast<std::size_t>(layer.inputs[input])] = false;
        });
    }
    // A value keeps its last channel.
    for (const auto& [name, axis] : analysis.values) {
        const bool isEmptied =
            std::ranges::all_of(axis.units, [&](int unit) { return bool(isUnread[static_cast<std::size_t>(unit)]); });
        if (isEmptied && !axis.units.empty()) isUnread[static_cast<std::size_t>(axis.units.front())] = false;
    }
    return isUnread;
}

}  // namespace

Result<Outcome<DeadChannelReport>> removeDeadChannels(const Model& model) {
    Outcome<DeadChannelReport> outcome{model, {}};
    const auto before = costOf(model);
    if (!before) return fail(before.error());
    std::vector<std::string> order;
    std::map<std::string, DeadChannels> lost;
    for (;;) {
        Model silenced = outcome.model;
        if (auto done = silenceConstants(silenced.graph); !done) return fail(done.error());
        const auto analysis = analyzeChannels(silenced);
        if (!analysis) return fail(analysis.error());
        const auto isUnread = unreadUnits(silenced.graph, *analysis);
        if (std::ranges::find(isUnread, true) == isUnread.end()) break;
        for (const auto& layer : analysis->layers) {
            const auto removed = std::ranges::count_if(
                layer.outputs, [&](int unit) { return bool(isUnread[static_cast<std::size_t>(unit)]); });
            if (removed == 0) continue;
            const std::string& label = silenced.graph.nodes[layer.node].label();
            if (!lost.contains(label)) order.push_back(label);
            DeadChannels& entry = lost[label];
            entry.layer = label;
            entry.removed += removed;
            entry.left = std::ssize(layer.outputs) - removed;
        }
        if (auto done = removeChannels(silenced, *analysis, isUnread); !done) return fail(done.error());
        outcome.model = std::move(silenced);
    }
    for (const auto& label : order) outcome.report.layers.push_back(lost[label]);
    const auto after = costOf(outcome.model);
    if (!after) return fail(after.error());
    outcome.report.parametersBefore = before->parameters;
    outcome.report.parametersAfter = after->parameters;
    outcome.report.macsBefore = before->macs;
    outcome.report.macsAfter = after->macs;
    return outcome;
}

}  // namespace equant
