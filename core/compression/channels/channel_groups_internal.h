// SPDX-License-Identifier: Apache-2.0
// Which channels of a graph can only be removed together. Every position of every channel axis belongs to a unit; a
// unit is taken out of all weights, constants and shapes that hold it, or stays. Channel pruning, the removal of dead
// channels and the reasons in the layer table all come from here. Plain values; every function is thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"

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

    [[nodiscard]] const ChannelLayer* layer(std::size_t node) const;
    [[nodiscard]] bool canGo(int unit) const { return blockedBy[static_cast<std::size_t>(unit)].empty(); }
};

/// Follows the channels of the whole graph. `facts` come from inferShapes with batch 1 and constantEvaluator. Nothing
/// fails: what is not understood blocks the channels that reach it. Corrupt: Topology::of.
Result<ChannelAnalysis> analyzeChannels(const Model& model, const FactMap& facts);
/// The same with facts of its own.
Result<ChannelAnalysis> analyzeChannels(const Model& model);

/// Why no input channel of the layer can be pruned, one sentence naming the node in the way; empty when some can.
[[nodiscard]] std::string channelPruningReason(const ChannelAnalysis& analysis, const Graph& graph, std::size_t node);

/// Everything that changes when input channels of one layer go.
struct ChannelGroup {
    std::vector<int> units;               ///< those of the layer's inputs that may go, in order of first occurrence
    std::vector<std::size_t> producers;   ///< layers (node indices) that lose output channels
    std::vector<std::size_t> consumers;   ///< layers that lose input channels, the asked one included
    std::vector<std::size_t> passengers;  ///< other nodes with constants or counts that shrink (BatchNormalization ...)
    std::int64_t fixed = 0;               ///< input channels of the layer that must stay
};
[[nodiscard]] ChannelGroup channelGroup(const ChannelAnalysis& analysis, std::size_t node);

/// Keeps at least one channel in every value while units go one after the other.
class LastChannels {
public:
    explicit LastChannels(const ChannelAnalysis& analysis);
    /// Whether no value would be left without channels.
    [[nodiscard]] bool mayGo(int unit) const;
    void remove(int unit);

private:
    struct Place {
        std::size_t value = 0;
        std::int64_t count = 0;  ///< positions of the unit there
    };
    std::vector<std::int64_t> m_left;          ///< channels of every value
    std::vector<std::vector<Place>> m_places;  ///< by unit
};

/// Whether the channels run through a sum of computed values, as those of a residual stream do.
[[nodiscard]] bool isResidual(const ChannelAnalysis& analysis, const Graph& graph, const ChannelGroup& group);

}  // namespace equant
