// SPDX-License-Identifier: Apache-2.0
#include "core/passes/weight_ranges.h"

#include <algorithm>
#include <cmath>

#include "core/graph/topology.h"
#include "core/layers/layer_weights.h"

namespace equant {

namespace {

ChannelRanges rangesOf(const LayerWeights& layer, const Node& node, int bits) {
    const auto channels = static_cast<std::size_t>(layer.outputChannels());
    ChannelRanges ranges;
    ranges.layer = node.label();
    ranges.opType = node.opType;
    ranges.min.assign(channels, INFINITY);
    ranges.max.assign(channels, -INFINITY);
    std::vector<double> sum(channels, 0), squares(channels, 0), count(channels, 0);
    layer.forEachBlock([&](std::size_t index, std::size_t channel, std::size_t) {
        for (const float value : layer.block(index)) {
            ranges.min[channel] = std::min(ranges.min[channel], value);
            ranges.max[channel] = std::max(ranges.max[channel], value);
            sum[channel] += value;
            squares[channel] += double(value) * value;
            count[channel] += 1;
        }
    });
    float largest = 0;
    for (std::size_t c = 0; c < channels; ++c) {
        const double mean = sum[c] / count[c];
        ranges.mean.push_back(static_cast<float>(mean));
        ranges.std.push_back(static_cast<float>(std::sqrt(std::max(0.0, squares[c] / count[c] - mean * mean))));
        largest = std::max({largest, std::abs(ranges.min[c]), std::abs(ranges.max[c])});
    }
    // A symmetric grid shared by the tensor has 2^bits - 1 steps between -largest and largest.
    const double step = 2.0 * largest / (std::exp2(bits) - 1);
    for (std::size_t c = 0; c < channels; ++c) {
        const double reach = 2.0 * std::max(std::abs(ranges.min[c]), std::abs(ranges.max[c]));
        const double used = step > 0 ? std::log2(reach / step + 1) : 0;
        ranges.effectiveBits.push_back(static_cast<float>(std::clamp(used, 0.0, double(bits))));
    }
    if (layer.bias()) ranges.bias = *layer.bias();
    return ranges;
}

}  // namespace

double ChannelRanges::imbalance() const {
    std::vector<double> reach;
    for (std::size_t c = 0; c < min.size(); ++c) reach.push_back(std::max(std::abs(min[c]), std::abs(max[c])));
    if (reach.empty()) return 0;
    std::ranges::sort(reach);
    const double median = reach[reach.size() / 2];
    return median > 0 ? reach.back() / median : 0;
}

Result<std::vector<ChannelRanges>> weightRanges(const Model& model, int bits) {
    const auto topology = Topology::of(model.graph);
    if (!topology) return fail(topology.error());
    std::vector<ChannelRanges> all;
    for (const std::size_t index : topology->order())
        if (auto layer = LayerWeights::of(model.graph, index))
            all.push_back(rangesOf(*layer, model.graph.nodes[index], bits));
    return all;
}

}  // namespace equant
