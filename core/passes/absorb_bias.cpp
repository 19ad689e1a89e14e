// SPDX-License-Identifier: Apache-2.0
#include "core/passes/absorb_bias.h"

#include <algorithm>
#include <cmath>

#include "core/layers/layer_weights.h"
#include "core/layers/padding.h"

namespace equant {

std::optional<AbsorbedBias> absorbBias(Graph& graph, const ChannelLink& link, const OutputDistribution& distribution,
                                       Absorption mode) {
    if (!link.isDirect || link.repeat != 1 || !link.biasAdds.empty()) return std::nullopt;
    const bool isReference = mode == Absorption::Reference;
    if (hasPadding(graph.nodes[link.to]) && !isReference) return std::nullopt;
    const bool isLinear = link.between.empty();
    const bool isRelu = link.clipping && link.clipping->lower == 0.0;
    if (!isLinear && !isReference && (!isRelu || mode == Absorption::Exact)) return std::nullopt;
    auto layer = LayerWeights::of(graph, link.from);
    auto consumer = LayerWeights::of(graph, link.to);
    if (!layer || !consumer || !layer->bias() || (isReference && !consumer->bias())) return std::nullopt;

    std::vector<double> amounts(distribution.mean.size());
    for (std::size_t c = 0; c < amounts.size(); ++c)
        amounts[c] = isLinear ? distribution.mean[c]
                              : std::max(0.0, distribution.mean[c] - 3 * std::abs(distribution.deviation[c]));
    if (std::ranges::all_of(amounts, [](double amount) { return amount == 0; })) return std::nullopt;

    const Node& node = graph.nodes[link.from];
    AbsorbedBias absorbed{
        node.label(), graph.nodes[link.to].label(), {amounts.begin(), amounts.end()}, *layer->bias(), {}};
    std::vector<float> bias = *layer->bias();
    for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = static_cast<float>(bias[c] - amounts[c]);
    absorbed.biasAfter = bias;
    layer->setBias(std::move(bias));
    layer->writeTo(graph);
    consumer->addInputShiftToBias(amounts);
    consumer->writeTo(graph);
    return absorbed;
}

}  // namespace equant
