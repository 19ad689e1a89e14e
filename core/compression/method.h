// SPDX-License-Identifier: Apache-2.0
// The ways to make a layer cheaper, and what one layer looks like to them. Plain values; every function is thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"
#include "core/layers/layer_geometry.h"

namespace equant {

enum class CompressionMethod { SpatialSvd, WeightSvd, ChannelPruning };

/// "spatial-svd", "weight-svd", "channel-pruning": as the console and files spell them.
[[nodiscard]] std::string_view name(CompressionMethod method);
/// InvalidArgument lists the three names.
Result<CompressionMethod> parseCompressionMethod(std::string_view text);

/// One layer and what each method can do with it.
struct CompressibleLayer {
    LayerGeometry geometry;
    std::string spatialSvdReason;  ///< why not; empty when it can
    std::string weightSvdReason;
    std::string channelPruningReason;
    [[nodiscard]] const std::string& reason(CompressionMethod method) const;
    [[nodiscard]] bool can(CompressionMethod method) const { return reason(method).empty(); }
};

/// Every layer with a weight, in execution order. `facts` come from inferShapes with batch 1.
std::vector<CompressibleLayer> compressibleLayers(const Model& model, const FactMap& facts);

/// The largest rank of a factorization (in one group), or the number of input channels for channel pruning.
[[nodiscard]] std::int64_t maxSize(CompressionMethod method, const LayerGeometry& layer);

/// Cost of the layer alone at a rank (or with so many input channels left). What channel pruning saves in the layers
/// upstream is not in it: that is measured by really pruning.
[[nodiscard]] LayerCost costAtSize(CompressionMethod method, const LayerGeometry& layer, std::int64_t size);

struct SizeChoice {
    std::int64_t size = 0;  ///< rank or channels; maxSize(...) or more cost than the original: leave the layer alone
    double ratio = 1;       ///< cost at that size over the original's: the ratio really reached
};

/// The largest size whose cost is at most `ratio` of the original; at least 1. With multiple > 1 the size is rounded up
/// to a multiple, capped at the size for ratio 1 (AIMET's rank_round_multiplicity). Channel pruning keeps
/// max(1, floor(channels * ratio)).
[[nodiscard]] SizeChoice sizeForRatio(CompressionMethod method, const LayerGeometry& layer, double ratio,
                                      CostMetric metric, std::int64_t multiple = 1);

}  // namespace equant
