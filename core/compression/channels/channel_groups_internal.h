// SPDX-License-Identifier: Apache-2.0
// Which channels of a graph can only be removed together, asked by layer. Channel pruning, the removal of dead channels
// and the reasons in the layer table all come from here. Plain values; every function is thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/compression/channels/channel_analysis_internal.h"
#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"

namespace equant {

/// Follows the channels of the whole graph. `facts` come from inferShapes with batch 1 and constantEvaluator. Nothing
/// fails: what is not understood blocks the channels that reach it. Corrupt: Topology::of.
Result<ChannelAnalysis> analyzeChannels(const Model& model, const FactMap& facts);
/// The same with facts of its own.
Result<ChannelAnalysis> analyzeChannels(const Model& model);

/// Why no input channel of the layer can be pruned, one sentence naming the node in the way; empty when some can.
[[nodiscard]] std::string channelPruningReason(const ChannelAnalysis& analysis, const Graph& graph, std::size_t node);

/// Everything that changes when input channels of one layer go.
struct ChannelGroup {
    std::vector<int> units;              ///< those of the layer's inputs that may go, in order of first occurrence
    std::vector<std::size_t> producers;  ///< layers (node indices) that lose output channels
    std::vector<std::size_t> consumers;  ///< layers that lose input channels, the asked one included
    std::vector<std::size_t>
        dependentNodes;      ///< other nodes with constants or counts that shrink (BatchNormalization ...)
    std::int64_t fixed = 0;  ///< input channels of the layer that must stay
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

/// Whether the channels run through a sum of computed values, as those of a residual connection do.
[[nodiscard]] bool isResidual(const ChannelAnalysis& analysis, const Graph& graph, const ChannelGroup& group);

}  // namespace equant
