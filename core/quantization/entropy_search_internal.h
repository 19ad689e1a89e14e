// SPDX-License-Identifier: Apache-2.0
// The window of a histogram that loses least information (Kullback-Leibler divergence) when its contents are
// represented by a given number of levels. Source: Migacz, "8-bit Inference with TensorRT", GTC 2017.
// Free functions on plain values: safe from any thread.
#pragma once

#include <cstddef>
#include <span>

namespace equant {

/// Bins [first, last).
struct BinWindow {
    std::size_t first = 0;
    std::size_t last = 0;
};

struct EntropySearch {
    std::size_t levels = 255;
    bool isSymmetric = false;  ///< the window loses one bin on each side at every step
    /// Bin borders the window must keep inside: first <= keepFirst and last >= keepLast (asymmetric only).
    std::size_t keepFirst = 0;
    std::size_t keepLast = 0;
    /// A window may not cut off everything; off reproduces AIMET.
    bool isMassRequired = true;
};

/// Divergence between the window with the counts outside added to its end bins, and the window's own contents merged
/// into levels; infinite when it cannot be computed.
[[nodiscard]] double windowDivergence(std::span<const double> counts, BinWindow window, std::size_t levels);

/// The whole histogram when it has fewer bins than levels.
[[nodiscard]] BinWindow leastDivergentWindow(std::span<const double> counts, const EntropySearch& search);

}  // namespace equant
