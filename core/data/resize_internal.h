// SPDX-License-Identifier: Apache-2.0
// The resizing behind preprocess(): computes only the part of the resized image that the crop keeps.
// Private to core/data; pure functions.
#pragma once

#include "core/data/preprocess.h"

namespace equant {

/// A rectangle in pixels; right and bottom are exclusive: left + width, top + height.
struct Window {
    int left = 0;
    int top = 0;
    int width = 0;
    int height = 0;
};

/// The pixels of `window` of `image` resized to width x height (bilinear, antialiased). The window must lie inside
/// the resized image. An axis whose size does not change is copied, so equal sizes make this a plain crop.
[[nodiscard]] Image resizeWindow(const Image& image, int width, int height, const Window& window);

}  // namespace equant
