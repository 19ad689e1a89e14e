// SPDX-License-Identifier: Apache-2.0
// Searches for the grid that represents a histogram best. Costs are exact integrals for data spread evenly inside each
// bin, so they stay meaningful where the grid is finer than the bins (16-bit activations).
// Free functions on plain values: safe from any thread.
#pragma once

#include <span>

#include "core/quantization/grid.h"
#include "core/quantization/range_histogram_internal.h"

namespace equant {

/// Mean squared error over the bins when every value is clamped to [grid.min, grid.max] and rounded to the nearest grid
/// point. Errors of clamped values count `clippingWeight` times.
[[nodiscard]] double quantizationCost(std::span<const RangeHistogram::Bin> bins, const GridRange& grid,
                                      double clippingWeight);

/// The grid of least cost among shrunken versions of the exact range: coarse steps first, then finer ones around the
/// best. Never worse than the exact range itself.
[[nodiscard]] GridRange leastCostGrid(const RangeHistogram& histogram, const GridOptions& options,
                                      double clippingWeight);

/// Cuts the share 1 - percentile / 100 of the samples off each tail (none where that tail does not pass zero).
/// Exact to the bin, interpolated inside it. 100 is the exact range.
[[nodiscard]] RealRange percentileRange(const RangeHistogram& histogram, double percentile);

/// The window of least information loss, see entropy_search.h; the exact range when the grid is as fine as the bins.
[[nodiscard]] RealRange entropyRange(const RangeHistogram& histogram, const GridOptions& options);

/// [min, max] with zero included, never empty: all-zero data get the smallest sensible range.
[[nodiscard]] RealRange usableRange(RealRange range, const GridOptions& options);

}  // namespace equant
