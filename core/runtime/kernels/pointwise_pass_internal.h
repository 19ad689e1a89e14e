// SPDX-License-Identifier: Apache-2.0
// Pointwise functions as loops over raw memory, in place or not, whatever the layout: where one pass of our own beats
// the operations of a primitive. Pure functions, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/graph/encoding.h"

namespace equant {

/// y = x * sigmoid(x), within 3 ulp of the largest of |y| and 1e-30; NaN stays NaN.
void swish(const float* from, float* to, std::size_t count);

/// A function of values on a grid of few bits, tabulated: y = values[clamp(round(x / scale), low, high) - low],
/// rounding half to even exactly as fakeQuantize() does. NaN stays NaN.
struct LookupTable {
    float scale = 1.0F;
    float low = 0.0F;  ///< smallest and largest integer, zero point subtracted
    float high = 0.0F;
    std::vector<float> values;

    /// Results that are themselves on a grid of 8 bits: values[i] == (codes[i] + firstCode) * codeScale.
    bool hasCodes = false;
    std::array<std::uint8_t, 256> codes{};
    std::int32_t firstCode = 0;
    float codeScale = 1.0F;
};

/// The integers of a per-tensor grid (rounding half to even) times its scale, in ascending order.
[[nodiscard]] std::vector<float> gridValues(const Encoding& grid);

/// `values` belong to gridValues(grid); `result`, if not null, is the grid they are on.
[[nodiscard]] LookupTable makeTable(const Encoding& grid, std::vector<float> values, const Encoding* result);

/// In place or not.
void lookUp(const float* from, float* to, std::size_t count, const LookupTable& table);

}  // namespace equant
