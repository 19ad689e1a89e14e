// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "core/compression/channels/channel_flow_internal.h"
#include "core/compression/channels/channel_groups_internal.h"
#include "core/compression/model_facts_internal.h"
#include "core/layers/layer_weights.h"
#include "core/layers/layers.h"

namespace equant {

Result<ChannelAnalysis> analyzeChannels(const Model& model, const FactMap& facts) {
    const auto topology = Topology::of(model.graph);
    if (!topology) return fail(topology.error());
    return ChannelFlow(model, *topology, facts).run();
}

Result<ChannelAnalysis> analyzeChannels(const Model& model) {
    const auto facts = factsOf(model);
    if (!facts) return fail(facts.error());
    return analyzeChannels(model, *facts);
}

std::string channelPruningReason(const ChannelAnalysis& analysis, const Graph& graph, std::size_t node) {
    const auto weights = LayerWeights::of(graph, node);
    if (!weights) return weights.error().message;
    if (weights->isDepthwise()) return "Depthwise: its channels go with those of its neighbours.";
    if (weights->groups() != 1) return "Grouped convolution.";
    const ChannelLayer* layer = analysis.layer(node);
    if (!layer) return "Its channels cannot be followed.";
    if (!layer->blockedBy.empty()) return layer->blockedBy;
    if (layer->inputs.size() < 2) return "It has a single input channel.";
    std::string reason = "Its channels cannot be followed.";
    for (const int unit : layer->inputs) {
        if (analysis.canGo(unit)) return {};
        reason = analysis.blockedBy[static_cast<std::size_t>(unit)];
    }
    return reason;
}

ChannelGroup channelGroup(const ChannelAnalysis& analysis, std::size_t node) {
    ChannelGroup group;
    const ChannelLayer* asked = analysis.layer(node);
    if (!asked) return group;
    std::set<int> units;
    for (const int unit : asked->inputs) {
        if (!analysis.canGo(unit))
            ++group.fixed;
        else if (units.insert(unit).second)
            group.units.push_back(unit);
    }
    const auto touches = [&](const ChannelUnits& of) {
        return std::ranges::any_of(of, [&](int unit) { return units.contains(unit); });
    };
    for (const auto& layer : analysis.layers) {
        if (layer.isConsumer && touches(layer.inputs)) group.consumers.push_back(layer.node);
        if (layer.isConsumer && touches(layer.outputs)) group.producers.push_back(layer.node);
    }
    std::set<std::size_t> dependentNodes;
    for (const auto& cut : analysis.cuts)
        if (touches(cut.units)) dependentNodes.insert(cut.node);
    for (const auto& count : analysis.counts)
        for (const auto& entry : count.entries)
            if (touches(entry.units)) dependentNodes.insert(count.node);
    for (const std::size_t layer : group.consumers) dependentNodes.erase(layer);
    for (const std::size_t layer : group.producers) dependentNodes.erase(layer);
    group.dependentNodes.assign(dependentNodes.begin(), dependentNodes.end());
    return group;
}

LastChannels::LastChannels(const ChannelAnalysis& analysis) : m_places(analysis.blockedBy.size()) {
    std::set<ChannelUnits> seen;
    for (const auto& [name, axis] : analysis.values) {
        if (!seen.insert(axis.units).second) continue;
        const std::size_t value = m_left.size();
        m_left.push_back(std::ssize(axis.units));
        for (const int unit : axis.units) {
            auto& places = m_places[static_cast<std::size_t>(unit)];
            if (places.empty() || places.back().value != value) places.push_back({value, 0});
            ++places.back().count;
        }
    }
}

bool LastChannels::mayGo(int unit) const {
    return std::ranges::none_of(m_places[static_cast<std::size_t>(unit)],
                                [&](const Place& place) { return place.count == m_left[place.value]; });
}

void LastChannels::remove(int unit) {
    for (const Place& place : m_places[static_cast<std::size_t>(unit)]) m_left[place.value] -= place.count;
}

bool isResidual(const ChannelAnalysis& analysis, const Graph& graph, const ChannelGroup& group) {
    const std::set<int> units(group.units.begin(), group.units.end());
    const auto carries = [&](const std::string& value) {
        const auto axis = analysis.values.find(value);
        return axis != analysis.values.end() &&
               std::ranges::any_of(axis->second.units, [&](int unit) { return units.contains(unit); });
    };
    return std::ranges::any_of(graph.nodes, [&](const Node& node) {
        return (node.is("Add") || node.is("Sum") || node.is("Sub")) && std::ranges::count_if(node.inputs, carries) > 1;
    });
}

}  // namespace equant
