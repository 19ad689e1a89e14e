// SPDX-License-Identifier: Apache-2.0
// Statistics of a layer's weights per output channel: what the ranges page and `ranges` show.
#pragma once

#include <string>
#include <vector>

#include "core/graph/model.h"

namespace equant {

/// One value per output channel. A depthwise layer's channels are its groups.
struct ChannelRanges {
    std::string layer;
    std::string opType;
    std::vector<float> min;
    std::vector<float> max;
    std::vector<float> mean;
    std::vector<float> std;
    /// log2 of the number of steps of the tensor's grid that the channel's range covers: of `bits` bits, how many the
    /// channel really uses when the whole tensor shares one symmetric scale. 0 for an all-zero channel.
    std::vector<float> effectiveBits;
    std::vector<float> bias;  ///< empty when the layer has none

    /// Largest over median channel range (max |w|): 1 when all channels are equal; 0 when the median is 0.
    [[nodiscard]] double imbalance() const;
};

/// Every weighted layer, in execution order.
Result<std::vector<ChannelRanges>> weightRanges(const Model& model, int bits = 8);

}  // namespace equant
