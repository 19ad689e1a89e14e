// SPDX-License-Identifier: Apache-2.0
// Watches the values of a tensor, batch by batch, and proposes a quantization grid for them.
// By default nothing is lost: ranges are exact and histograms re-bin themselves, so neither the order of the batches
// nor how the data are cut into batches matters. `isAimetCompatible` reproduces AIMET's analyzers instead.
// Plain values without locks: give every thread its own estimator and merge them.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/graph/tensor.h"
#include "core/quantization/grid.h"
#include "core/quantization/settings.h"

namespace equant {

/// "minmax", "sqnr", "percentile", "mse", "entropy".
[[nodiscard]] std::string_view name(RangeScheme scheme);
/// Of these names, or the aliases "tf", "tf-enhanced" and "tf_enhanced"; InvalidArgument lists what is allowed.
Result<RangeScheme> parseRangeScheme(std::string_view text);

struct RangeSettings {
    RangeScheme scheme = RangeScheme::MinMax;
    double percentile = 99.99;  ///< 50 .. 100, of the percentile scheme
    GridOptions grid;
    bool isAimetCompatible = false;
};

/// The statistics and the search for one tensor or one channel.
class RangeEstimator {
public:
    explicit RangeEstimator(const RangeSettings& settings);
    ~RangeEstimator();
    RangeEstimator(const RangeEstimator&);
    RangeEstimator& operator=(const RangeEstimator&);
    RangeEstimator(RangeEstimator&&) noexcept;
    RangeEstimator& operator=(RangeEstimator&&) noexcept;

    /// One batch. Values that are not finite are left out (and counted).
    void add(std::span<const float> batch);
    /// What `other` has seen is added as if it had been seen here. Not in compatible mode (asserted), where batches
    /// depend on each other; both must have the same settings.
    void merge(const RangeEstimator& other);

    /// nullopt when no finite value has been seen.
    [[nodiscard]] std::optional<GridRange> grid() const;
    [[nodiscard]] std::optional<RealRange> observed() const;  ///< smallest and largest value seen
    [[nodiscard]] std::size_t notFinite() const;              ///< NaN and infinite values left out

private:
    struct State;
    std::unique_ptr<State> m_state;
};

/// One-shot: the grid of all values of a constant tensor, one per index of `axis` (-1: one for the tensor).
/// InvalidArgument: not float, an axis the tensor does not have, no finite value.
Result<std::vector<GridRange>> estimateGrids(const Tensor& tensor, int axis, const RangeSettings& settings);

}  // namespace equant
