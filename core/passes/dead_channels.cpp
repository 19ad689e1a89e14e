// SPDX-License-Identifier: Apache-2.0
#include "core/passes/dead_channels.h"

#include <algorithm>

#include "core/passes/layer_weights.h"

namespace equant {

std::vector<std::int64_t> findDeadChannels(const Graph& graph, const Topology& topology, const ChannelLink& link) {
    if (!link.clipping || link.clipping->lower != 0.0 || !link.biasAdds.empty()) return {};
    const auto layer = LayerWeights::of(graph, link.from);
    if (!layer) return {};
    const Bounds input = boundsOf(graph, topology, graph.nodes[link.from].inputs[0]);
    // Zero padding adds zeros to what the layer may see.
    const double low = std::min(input.lower, 0.0);
    const double high = std::max(input.upper, 0.0);
    std::vector<double> largest(static_cast<std::size_t>(layer->outputChannels()), 0.0);
    if (layer->bias()) std::ranges::copy(*layer->bias(), largest.begin());
    for (std::int64_t b = 0; b < layer->blockCount(); ++b) {
        double& upper = largest[static_cast<std::size_t>(layer->outputOf(b))];
        for (const float weight : layer->block(b)) upper += std::max(weight * low, weight * high);
    }
    std::vector<std::int64_t> dead;
    for (std::size_t channel = 0; channel < largest.size(); ++channel)
        if (largest[channel] <= 0) dead.push_back(static_cast<std::int64_t>(channel));
    return dead;
}

bool silenceChannels(Graph& graph, const ChannelLink& link, const std::vector<std::int64_t>& channels) {
    auto consumer = LayerWeights::of(graph, link.to);
    if (!consumer || channels.empty()) return false;
    for (const std::int64_t channel : channels)
        for (std::int64_t k = 0; k < link.repeat; ++k) consumer->zeroInputChannel(channel * link.repeat + k);
    consumer->writeTo(graph);
    return true;
}

}  // namespace equant
