// SPDX-License-Identifier: Apache-2.0
#include "core/quantization/grid.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace equant {

std::int32_t gridSteps(const GridOptions& options) {
    return (std::int32_t{1} << options.bits) - 1 - (options.isSymmetric && options.isStrict ? 1 : 0);
}

GridRange gridFromRange(double min, double max, const GridOptions& options) {
    constexpr double kLargest = FLT_MAX;
    min = std::clamp(min, -kLargest, kLargest);
    max = std::clamp(max, -kLargest, kLargest);
    const std::int32_t steps = gridSteps(options);

    GridRange grid;
    if (options.isSymmetric && (min < 0.0 || !options.isUnsignedAllowed)) {
        const double magnitude = std::max(std::abs(min), std::abs(max));
        const std::int32_t positive = steps / 2;
        grid.scale = magnitude / positive;
        grid.offset = -(steps - positive);
        grid.min = grid.scale * grid.offset;
        grid.max = grid.scale * positive;
        grid.isSigned = true;
        return grid;
    }
    grid.scale = (max - min) / steps;
    if (min < 0.0 && max > 0.0) {
        const double zero = std::clamp(std::round(-min / grid.scale), 0.0, static_cast<double>(steps));
        grid.offset = -static_cast<std::int32_t>(zero);
        grid.min = grid.scale * grid.offset;
        grid.max = (max - min) + grid.min;
    } else {
        grid.offset = static_cast<std::int32_t>(std::round(min / grid.scale));
        grid.min = min;
        grid.max = max;
    }
    return grid;
}

RealRange widenRange(RealRange range, double minimumWidth) {
    range.min = std::min(range.min, 0.0);
    range.max = std::max(range.max, 0.0);
    range.max = std::max(range.max, range.min + minimumWidth);
    return range;
}

Encoding toEncoding(const std::vector<GridRange>& grids, const GridOptions& options, int axis, Rounding rounding) {
    Encoding encoding;
    encoding.bits = options.bits;
    encoding.isSymmetric = options.isSymmetric;
    encoding.isStrict = options.isSymmetric && options.isStrict;
    encoding.isSigned = std::any_of(grids.begin(), grids.end(), [](const GridRange& grid) { return grid.isSigned; });
    encoding.axis = axis;
    encoding.rounding = rounding;
    encoding.scale.reserve(grids.size());
    encoding.zeroPoint.reserve(grids.size());
    for (const GridRange& grid : grids) {
        GridRange own = grid;
        if (encoding.isSigned && !own.isSigned) {
            GridOptions signedOptions = options;
            signedOptions.isUnsignedAllowed = false;
            own = gridFromRange(grid.min, grid.max, signedOptions);
        }
        encoding.scale.push_back(static_cast<float>(own.scale));
        encoding.zeroPoint.push_back(encoding.qMin() - own.offset);
    }
    return encoding;
}

GridRange gridOf(const Encoding& encoding, std::size_t i) {
    GridRange grid;
    grid.scale = static_cast<double>(encoding.scale[i]);
    grid.offset = encoding.qMin() - encoding.zeroPoint[i];
    grid.min = encoding.min(i);
    grid.max = encoding.max(i);
    grid.isSigned = encoding.isSigned;
    return grid;
}

}  // namespace equant
