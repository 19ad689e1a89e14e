// SPDX-License-Identifier: Apache-2.0
// Channel pruning: which input channels of a layer to give up, how the layers that read them make up for it, and the
// edit. Private to core/compression (Eigen). Pure functions of plain values, safe from any thread.
// docs/algorithms/compression.md has the formulas; the plain method is that of He et al., "Channel Pruning for
// Accelerating Very Deep Neural Networks", 2017, with channels chosen by magnitude.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/compression/channels/channel_groups_internal.h"
#include "core/graph/model.h"
#include "core/statistics/moments.h"

namespace equant {

/// Moments of layers by the value they compute (Node::outputs[0]).
using LayerMomentMap = std::map<std::string, LayerMoments>;

/// One step of giving up channels.
struct ChannelElimination {
    int unit = 0;           ///< of the analysis
    std::int64_t kept = 0;  ///< input channels of the layer left after this step
    double error = 0;       ///< relative squared output error, summed over all layers that read the channels
};

/// All steps down to the last channel that may go. Data-aware: optimal backward elimination on the layers' moments
/// (layers without an entry do not count). Without moments: ascending sums of squared weights of the layer itself.
/// Unsupported: channelPruningReason. Cancelled.
Result<std::vector<ChannelElimination>> eliminateChannels(const Model& model, const ChannelAnalysis& analysis,
                                                          std::size_t node, const LayerMomentMap& moments,
                                                          const std::stop_token& stop = {});

struct PruneOptions {
    bool isByMagnitude = false;  ///< channels by magnitude, even where moments are given
    bool shouldRefit = true;     ///< least squares for the layers that have moments
};

struct PrunedLayer {
    std::string name;
    std::int64_t kept = 0;
    std::int64_t fullSize = 0;
    std::vector<std::string> producers;  ///< layers that lost output channels
    std::vector<std::string> consumers;  ///< all layers that lost input channels, this one included
    /// Values that lost channels: positions (before the edit) of those that stay.
    std::map<std::string, std::vector<std::int64_t>> keptChannels;
    double predictedError = 0;  ///< see ChannelElimination; 0 when nothing went
    double error = 0;           ///< of this layer on its moments after the edit; 0 without moments
};

/// Removes input channels of the layer until `keptChannels` are left, or one more removal would go below, together with
/// what produces them and everything else that reads them. `moments` are those of the layers that read the channels,
/// from (model, original); `analysis` is the model's, before the edit. Unsupported: the layer cannot be pruned (with
/// the reason). Cancelled.
Result<PrunedLayer> pruneChannels(Model& model, const ChannelAnalysis& analysis, std::size_t node,
                                  std::int64_t keptChannels, const LayerMomentMap& moments, const PruneOptions& options,
                                  const std::stop_token& stop = {});

}  // namespace equant
