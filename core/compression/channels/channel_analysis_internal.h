// SPDX-License-Identifier: Apache-2.0
// Where the channels of a graph are: every position of every channel axis belongs to a unit; a unit is taken out of all
// weights, constants and shapes that hold it, or stays. Plain values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace equant {

/// The units along one axis, one per position. Several positions may share a unit (behind Flatten, or when a value is
/// concatenated with itself).
using ChannelUnits = std::vector<int>;

struct ChannelAxis {
    int axis = 1;
    ChannelUnits units;
};

/// A Conv, ConvTranspose, Gemm or MatMul that reads or makes channels which may go.
struct ChannelLayer {
    std::size_t node = 0;
    ChannelUnits inputs;      ///< per input channel; empty when they cannot be followed
    ChannelUnits outputs;     ///< per output channel
    bool isConsumer = false;  ///< ungrouped: its input channels are a choice of channel pruning
    std::string blockedBy;    ///< why its input channels cannot be followed at all; empty otherwise
};

/// What has to change in one constant input of a node: positions of `axis` whose unit goes are cut out.
struct ConstantCut {
    std::size_t node = 0;
    std::size_t slot = 0;
    int axis = 0;
    ChannelUnits units;
};

/// A number that counts channels, in a constant input or an attribute: it becomes the number of `units` that stay.
struct CountEdit {
    std::size_t node = 0;
    std::string attribute;  ///< empty: the constant input `slot`, which is `values` now
    std::size_t slot = 0;
    std::vector<std::int64_t> values;
    struct Entry {
        std::size_t element = 0;
        ChannelUnits units;
    };
    std::vector<Entry> entries;
};

struct ChannelAnalysis {
    std::vector<std::string> blockedBy;  ///< per unit: why it must stay, one sentence; empty when it may go
    std::unordered_map<std::string, ChannelAxis> values;
    std::vector<ChannelLayer> layers;  ///< in execution order
    std::vector<ConstantCut> cuts;
    std::vector<CountEdit> counts;

    [[nodiscard]] const ChannelLayer* layer(std::size_t node) const {
        const auto found = std::ranges::find(layers, node, &ChannelLayer::node);
        return found == layers.end() ? nullptr : &*found;
    }
    [[nodiscard]] bool canGo(int unit) const { return blockedBy[static_cast<std::size_t>(unit)].empty(); }
};

}  // namespace equant
