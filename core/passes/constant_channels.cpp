// SPDX-License-Identifier: Apache-2.0
#include "core/passes/constant_channels.h"

#include <algorithm>
#include <cmath>

#include "core/layers/layer_weights.h"
#include "core/layers/padding.h"

namespace equant {

namespace {

constexpr double kFloatResolution = 0x1p-24;

double clipped(const ChannelLink& link, double value) {
    if (!link.clipping) return value;
    if (link.clipping->lower) value = std::max(value, *link.clipping->lower);
    if (link.clipping->upper) value = std::min(value, *link.clipping->upper);
    return value;
}

/// The bounds below hold only if nothing but the clipping activation changes values on the way (pooling of a constant
/// is that constant; a negative slope is not).
bool changesValues(const Graph& graph, const ChannelLink& link) {
    return std::ranges::any_of(link.between, [&](std::size_t index) {
        const Node& node = graph.nodes[index];
        return node.is("LeakyRelu") || node.is("PRelu") || node.is("Abs") ||
               (node.is("AveragePool") && hasPadding(node));
    });
}

}  // namespace

std::vector<ConstantChannel> findConstantChannels(const Graph& graph, const Topology& topology,
                                                  const ChannelLink& link) {
    if (!link.biasAdds.empty() || changesValues(graph, link)) return {};
    const auto layer = LayerWeights::of(graph, link.from);
    if (!layer) return {};
    const Bounds input = boundsOf(graph, topology, graph.nodes[link.from].inputs[0]);
    const double low = std::min(input.lower, 0.0), high = std::max(input.upper, 0.0);  // zero padding adds zeros
    const auto channels = static_cast<std::size_t>(layer->outputChannels());
    std::vector<double> smallest(channels, 0.0), largest(channels, 0.0);
    layer->forEachBlock([&](std::size_t index, std::size_t channel, std::size_t) {
        for (const float weight : layer->block(index)) {
            smallest[channel] += std::min(weight * low, weight * high);
            largest[channel] += std::max(weight * low, weight * high);
        }
    });
    std::vector<ConstantChannel> constants;
    for (std::size_t c = 0; c < channels; ++c) {
        const double bias = layer->bias() ? (*layer->bias())[c] : 0.0;
        const double from = clipped(link, bias + smallest[c]), to = clipped(link, bias + largest[c]);
        if (to - from <= kFloatResolution * std::abs(to)) constants.push_back({static_cast<std::int64_t>(c), to});
    }
    return constants;
}

std::vector<std::int64_t> silenceChannels(Graph& graph, const ChannelLink& link,
                                          const std::vector<ConstantChannel>& constants) {
    if (constants.empty()) return {};
    auto producer = LayerWeights::of(graph, link.from);
    auto consumer = LayerWeights::of(graph, link.to);
    if (!producer || !consumer) return {};
    for (const auto& constant : constants) producer->zeroOutputChannel(constant.channel);
    producer->writeTo(graph);
    const bool canMove = !hasPadding(graph.nodes[link.to]);
    std::vector<double> moved(static_cast<std::size_t>(consumer->inputChannels()), 0.0);
    std::vector<std::int64_t> silenced;
    for (const auto& [channel, value] : constants) {
        if (value != 0 && !canMove) continue;
        silenced.push_back(channel);
        for (std::int64_t k = 0; k < link.repeat; ++k)
            moved[static_cast<std::size_t>(channel * link.repeat + k)] = value;
    }
    if (silenced.empty()) return {};
    if (std::ranges::any_of(moved, [](double value) { return value != 0; })) consumer->addInputShiftToBias(moved);
    for (const std::int64_t channel : silenced)
        for (std::int64_t k = 0; k < link.repeat; ++k) consumer->zeroInputChannel(channel * link.repeat + k);
    consumer->writeTo(graph);
    return silenced;
}

}  // namespace equant
