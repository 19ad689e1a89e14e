// SPDX-License-Identifier: Apache-2.0
// Sliding windows of convolutions and pooling, as ONNX attributes describe them (internal to shape inference).
#pragma once

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

/// Window attributes per spatial dimension, validated and with defaults filled in.
struct Window {
    Shape kernel;  ///< kUnknown where not known
    Shape strides;
    Shape dilations;
    Shape padsBegin;
    Shape padsEnd;
    bool isSame = false;  ///< auto_pad SAME_UPPER or SAME_LOWER: as many windows as strides fit
};

/// Reads strides, dilations, pads, auto_pad of the node; rejects wrong lengths and values.
[[nodiscard]] Window windowOf(const Inference& in, Shape kernel, std::size_t spatial);
/// (kernel - 1) * dilation + 1.
[[nodiscard]] std::int64_t effectiveKernel(const Window& window, std::size_t i);
/// Number of windows along spatial dimension i of `size` elements. With ceil mode a last, incomplete window counts if
/// it starts inside the input or the padding before it.
[[nodiscard]] std::int64_t windowCount(const Window& window, std::size_t i, std::int64_t size, bool isCeil);

}  // namespace equant::shapes
