// SPDX-License-Identifier: Apache-2.0
// From a real range to an integer grid. The one place that maps between a grid as reports and AIMET's files put it
// (min, max, scale, offset <= 0) and the Encoding of the engine (ONNX's scale and zero point).
// Source: Nagel et al., "A White Paper on Neural Network Quantization", 2021, section 2.2.
#pragma once

#include <cstdint>
#include <vector>

#include "core/graph/encoding.h"

namespace equant {

/// Which integers a grid may use.
struct GridOptions {
    int bits = 8;                    ///< 2 .. 16
    bool isSymmetric = false;        ///< zero in the middle, integers are signed
    bool isStrict = false;           ///< symmetric without the lowest integer
    bool isUnsignedAllowed = false;  ///< a symmetric grid of data that is never negative starts at 0 (unsigned)

    friend bool operator==(const GridOptions&, const GridOptions&) = default;
};

/// x is represented by scale * (q + offset) with q in [0, steps]; min = scale * offset.
struct GridRange {
    double min = 0.0;
    double max = 0.0;
    double scale = 0.0;
    std::int32_t offset = 0;
    bool isSigned = false;  ///< a symmetric grid on both sides of zero

    friend bool operator==(const GridRange&, const GridRange&) = default;
};

/// Number of steps from the smallest to the largest integer: 2^bits - 1, one less if symmetric and strict.
[[nodiscard]] std::int32_t gridSteps(const GridOptions& options);

/// The grid whose ends are as near as possible to [min, max], with zero on the grid. Infinite ends become +-FLT_MAX.
/// `min` <= `max` must hold and the range must not be empty (see widenRange). A range that does not contain zero keeps
/// its ends (they are then off the grid), as AIMET does.
[[nodiscard]] GridRange gridFromRange(double min, double max, const GridOptions& options);

/// [min, max] with zero included, and at least `minimumWidth` wide (upwards).
struct RealRange {
    double min = 0.0;
    double max = 0.0;
};
[[nodiscard]] RealRange widenRange(RealRange range, double minimumWidth);

/// One grid (axis -1) or one per channel of `axis` as the engine executes it. Channels of a symmetric grid must agree
/// in isSigned: with mixed signs all channels are made signed (their ranges then grow on the negative side).
[[nodiscard]] Encoding toEncoding(const std::vector<GridRange>& grids, const GridOptions& options, int axis = -1,
                                  Rounding rounding = Rounding::HalfToEven);

/// The grid of channel i of an encoding, as reports print it.
[[nodiscard]] GridRange gridOf(const Encoding& encoding, std::size_t i = 0);

}  // namespace equant
