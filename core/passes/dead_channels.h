// SPDX-License-Identifier: Apache-2.0
// Channels that are zero for every input, and the weights that read them.
//
// Before:  layer1(W1, b1) -> Relu or clip at 0 -> layer2(W2, b2)
// After :  W2 is zero for every input channel i with  b1_i + sum_j max(W1_ij lo_j, W1_ij hi_j) <= 0
// Needs :  bounds lo <= x <= hi of layer1's input: exact behind a clipping activation, else +-kAssumedMagnitude
// Keeps :  the function: what is multiplied by zero may as well be zero
// Why   :  training with weight decay leaves dead channels whose consumer weights nobody looked after; they may be the
//          largest of the tensor and then set its quantization grid alone.
#pragma once

#include <cstdint>
#include <vector>

#include "core/passes/channel_links.h"

namespace equant {

/// Output channels of the link's first layer that are zero behind its activation, for every input within bounds.
std::vector<std::int64_t> findDeadChannels(const Graph& graph, const Topology& topology, const ChannelLink& link);

/// Zeroes what the link's second layer multiplies them with. Returns whether anything changed.
bool silenceChannels(Graph& graph, const ChannelLink& link, const std::vector<std::int64_t>& channels);

}  // namespace equant
