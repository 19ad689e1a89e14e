// SPDX-License-Identifier: Apache-2.0
// What a layer of a network under compression is fitted to: what arrives at it now, against what the original network
// gives there. Factorizing, pruning and refitting share it. Private to core/compression (Eigen). The result does not
// depend on the thread count.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/compression/channels/channel_pruning_internal.h"
#include "core/compression/compress_options.h"
#include "core/data/batch_source.h"
#include "core/graph/topology.h"
#include "core/statistics/activation_fit.h"
#include "core/statistics/layer_rows.h"

namespace equant {

/// Channels of the original value that are left, in its order; values not named have all.
using KeptChannels = std::map<std::string, std::vector<std::int64_t>>;

/// What stays the same while layers are compressed one by one. The owner keeps the models alive.
struct FitContext {
    const Model* reference = nullptr;  ///< the original network, in the form of withFoldedBatchNorms
    const FactMap* facts = nullptr;    ///< of the reference
    const Model* before = nullptr;     ///< gives the values the reference has not (between two halves); may be null
    const BatchSource* source = nullptr;
    const CompressOptions* options = nullptr;
    std::stop_token stop;

    [[nodiscard]] MomentOptions momentOptions() const;
};

/// A layer by what does not change while nodes come and go: the value it computes.
struct FitSite {
    LayerGeometry layer;  ///< uncompressed
    std::string output;
};

struct FitData {
    LayerRows rows;
    LayerMoments moments;
    ActivationView view;  ///< of `rows`
};

/// The layer in `current`, where it may have lost channels. Nullopt: it cannot be fitted (groups, ConvTranspose,
/// weights that are no constants).
std::optional<LayerGeometry> geometryNow(const Model& current, const FitSite& site);

/// The target is the original output; behind a layer that only feeds an Add, the Add's original result less the other
/// branch as it is now. Nullopt when the layer cannot be fitted.
std::optional<MomentRequest> fitRequest(const FitContext& context, const Model& current, const Topology& topology,
                                        const KeptChannels& kept, const FitSite& site);

/// Rows and moments of one layer; null when it cannot be fitted.
Result<std::unique_ptr<FitData>> fitData(const FitContext& context, const Model& current, const KeptChannels& kept,
                                         const FitSite& site);

/// Moments of several layers in one pass, by the value they compute; layers that cannot be fitted are left out.
Result<LayerMomentMap> fitMoments(const FitContext& context, const Model& current, const KeptChannels& kept,
                                  const std::vector<FitSite>& sites);

/// Least squares for a layer that stays as it is; nothing where that is not better, or where others read its weights.
Status refitToData(const FitContext& context, Model& current, const KeptChannels& kept, const FitSite& site);

}  // namespace equant
