// SPDX-License-Identifier: Apache-2.0
// The two loops over every activation value that calibration makes: smallest and largest value, and counts per bin.
// Written for wide vectors, because they must cost little beside the network itself; exact, whatever the processor.
// Pure functions: safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace equant {

struct ValueRange {
    float lowest = 0.0F;   ///< meaningless unless isFinite
    float highest = 0.0F;  ///< the same
    bool isFinite = true;  ///< no NaN and no infinity among the values
};

/// `values` must not be empty.
[[nodiscard]] ValueRange scanRange(std::span<const float> values);

/// Bins [i * 2^exponent, (i + 1) * 2^exponent) for i = first, first + 1, ...
struct BinGrid {
    int exponent = 0;
    std::int64_t first = 0;
};

/// Adds 1 to the bin of every value. All values must be finite and lie in the bins.
void countBins(std::span<const float> values, const BinGrid& grid, std::span<std::int64_t> counts);

}  // namespace equant
