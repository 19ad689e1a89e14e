// SPDX-License-Identifier: Apache-2.0
// Channels that have one value for every input, and the weights that read them.
//
// Before:  layer1(W1, b1) -> activation f -> layer2(W2, b2)
// After :  for every channel i whose output is the constant c_i:  W1 row i = 0, b2 += W2 c (column i), W2 column i = 0
// Needs :  bounds lo <= x <= hi of layer1's input: exact behind a clipping activation, else +-kAssumedMagnitude. With
//          l_i = b1_i + sum_j min(W1_ij lo_j, W1_ij hi_j) and u_i likewise with max, channel i is constant if
//          f(u_i) - f(l_i) is below float's resolution at f(u_i). Dead channels are the constant ones with c_i = 0.
//          c_i != 0 needs a layer2 without padding (at the border it would miss the constant); otherwise W2 stays.
// Keeps :  the function
// Why   :  training with weight decay leaves such channels behind, and nobody looks after the weights that read them:
//          they may be the largest of their tensor and then set its quantization grid alone; and balancing faded
//          weights against them would blow up the bias.
#pragma once

#include <cstdint>
#include <vector>

#include "core/passes/channel_links.h"

namespace equant {

/// Output channel of a link's first layer that is `value` behind its activation, for every input within bounds.
struct ConstantChannel {
    std::int64_t channel = 0;
    double value = 0;
};

std::vector<ConstantChannel> findConstantChannels(const Graph& graph, const Topology& topology,
                                                  const ChannelLink& link);

/// Zeroes the weights that make the channels, moves what the link's second layer makes of them into its bias, and
/// zeroes the weights that read them. Returns the channels no longer read; a constant that cannot move is still read.
std::vector<std::int64_t> silenceChannels(Graph& graph, const ChannelLink& link,
                                          const std::vector<ConstantChannel>& constants);

}  // namespace equant
