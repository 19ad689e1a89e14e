// SPDX-License-Identifier: Apache-2.0
// Sliding windows of convolutions and pools over one to three spatial axes. Fewer axes are treated as three with
// leading axes of extent 1, so that one loop serves all. Pure functions, any thread.
#pragma once

#include <array>
#include <optional>

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {

enum class AutoPad { NotSet, Valid, SameUpper, SameLower };

using Triple = std::array<std::int64_t, 3>;

/// The window attributes of a node as written.
struct WindowAttributes {
    std::vector<std::int64_t> kernel, strides, dilations, pads;
    AutoPad autoPad = AutoPad::NotSet;
    bool isCeil = false;
};
Result<WindowAttributes> windowAttributes(const Node& node);

/// A window over given input extents, in three axes (depth, height, width).
struct Window {
    std::int64_t spatialRank = 0;
    Triple in{1, 1, 1};
    Triple kernel{1, 1, 1};
    Triple stride{1, 1, 1};
    Triple dilation{1, 1, 1};
    Triple before{0, 0, 0};
    Triple after{0, 0, 0};
    Triple out{1, 1, 1};

    [[nodiscard]] std::int64_t inCount() const { return in[0] * in[1] * in[2]; }
    [[nodiscard]] std::int64_t outCount() const { return out[0] * out[1] * out[2]; }
    [[nodiscard]] std::int64_t kernelCount() const { return kernel[0] * kernel[1] * kernel[2]; }
    [[nodiscard]] std::int64_t reach(std::size_t axis) const { return (kernel[axis] - 1) * dilation[axis] + 1; }
    /// [n, c, spatial output extents]
    [[nodiscard]] Shape outputShape(std::int64_t n, std::int64_t c) const;
    /// Output positions [first, last) along an axis for which kernel offset k reads inside the input.
    [[nodiscard]] std::pair<std::int64_t, std::int64_t> validRange(std::size_t axis, std::int64_t k) const;
};

/// Window over an input [N, C, spatial...] with kernel extents from the attributes or `kernel` (a weight's).
Result<Window> resolveWindow(const WindowAttributes& attributes, Dims input, Dims kernel);

/// The same for transposed convolution, where `outputPadding` and `outputShape` (may be empty) decide the extents.
Result<Window> resolveTransposedWindow(const WindowAttributes& attributes, Dims input, Dims kernel,
                                       const std::vector<std::int64_t>& outputPadding,
                                       const std::vector<std::int64_t>& outputShape);

/// Window that covers all spatial axes, for the Global pools. Any number of spatial axes.
[[nodiscard]] Window globalWindow(Dims input);

}  // namespace equant::kernels
