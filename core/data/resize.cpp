// SPDX-License-Identifier: Apache-2.0
// Separable bilinear resampling with the arithmetic of PIL's Image.resize: the triangle filter is stretched by the
// reduction factor, its weights are rounded to 22 fractional bits, and each pass (columns first) rounds to 8 bits.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/data/resize_internal.h"

namespace equant {

namespace {

constexpr int kFractionBits = 22;  // 32 - 8 bits of a pixel - 2 bits of headroom for the sum
constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);

/// For each of `outputs.size()` output positions: where its source range starts, how long it is, and its weights.
struct Taps {
    struct Range {
        int first = 0;
        int count = 0;
    };
    std::vector<Range> outputs;
    std::vector<std::int32_t> weights;  ///< `stride` per output
    std::size_t stride = 0;

    [[nodiscard]] const std::int32_t* weightsOf(std::size_t output) const { return weights.data() + output * stride; }
};

/// Taps of output positions [begin, begin + count) when `from` source pixels become `to`.
Taps makeTaps(int from, int to, int begin, int count) {
    const double step = static_cast<double>(from) / to;
    const double support = std::max(step, 1.0);
    Taps taps;
    taps.stride = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
    taps.outputs.resize(static_cast<std::size_t>(count));
    taps.weights.resize(taps.outputs.size() * taps.stride);
    std::vector<double> exact(taps.stride);
    for (std::size_t i = 0; i < taps.outputs.size(); ++i) {
        const double center = (begin + static_cast<int>(i) + 0.5) * step;
        const int first = std::max(static_cast<int>(center - support + 0.5), 0);
        const int end = std::min(static_cast<int>(center + support + 0.5), from);
        const auto length = static_cast<std::size_t>(end - first);
        double sum = 0.0;
        for (std::size_t k = 0; k < length; ++k) {
            const double distance = std::abs((first + static_cast<int>(k) - center + 0.5) * (1.0 / support));
            exact[k] = std::max(1.0 - distance, 0.0);
            sum += exact[k];
        }
        taps.outputs[i] = {first, end - first};
        for (std::size_t k = 0; k < length; ++k) {
            const double share = sum != 0.0 ? exact[k] / sum : exact[k];
            taps.weights[i * taps.stride + k] = static_cast<std::int32_t>(0.5 + share * (1 << kFractionBits));
        }
    }
    return taps;
}

std::uint8_t toPixel(std::int32_t sum) {
    return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

template <int Channels>
void resizeRow(const std::uint8_t* source, const Taps& taps, std::uint8_t* target) {
    for (std::size_t x = 0; x < taps.outputs.size(); ++x) {
        const auto [first, count] = taps.outputs[x];
        const std::int32_t* weights = taps.weightsOf(x);
        const std::uint8_t* pixel = source + static_cast<std::ptrdiff_t>(first) * Channels;
        std::int32_t sums[Channels];
        std::fill_n(sums, Channels, kHalf);
        for (int k = 0; k < count; ++k, pixel += Channels)
            for (int c = 0; c < Channels; ++c) sums[c] += pixel[c] * weights[k];
        for (int c = 0; c < Channels; ++c) *target++ = toPixel(sums[c]);
    }
}

/// Source rows [top, top + rows) resized to the columns of `window`.
Image resizeColumns(const Image& image, int width, const Window& window, int top, int rows) {
    Image result{window.width, rows, image.channels, {}};
    const auto channels = static_cast<std::size_t>(image.channels);
    const std::size_t rowBytes = static_cast<std::size_t>(window.width) * channels;
    const std::size_t sourceRowBytes = static_cast<std::size_t>(image.width) * channels;
    result.pixels.resize(rowBytes * static_cast<std::size_t>(rows));
    const bool isCopy = width == image.width;
    const Taps taps = isCopy ? Taps{} : makeTaps(image.width, width, window.left, window.width);
    for (int y = 0; y < rows; ++y) {
        const std::uint8_t* source = image.pixels.data() + static_cast<std::size_t>(top + y) * sourceRowBytes;
        std::uint8_t* target = result.pixels.data() + static_cast<std::size_t>(y) * rowBytes;
        if (isCopy)
            std::memcpy(target, source + static_cast<std::size_t>(window.left) * channels, rowBytes);
        else if (channels == 3)
            resizeRow<3>(source, taps, target);
        else
            resizeRow<1>(source, taps, target);
    }
    return result;
}

/// `strip` holds source rows from `top` on; its rows are combined to the output rows that `taps` describes.
Image combineRows(const Image& strip, const Taps& taps, int top) {
    Image result{strip.width, static_cast<int>(taps.outputs.size()), strip.channels, {}};
    const std::size_t rowBytes = static_cast<std::size_t>(strip.width) * static_cast<std::size_t>(strip.channels);
    result.pixels.resize(rowBytes * taps.outputs.size());
    std::vector<std::int32_t> sums(rowBytes);
    for (std::size_t y = 0; y < taps.outputs.size(); ++y) {
        const auto [first, count] = taps.outputs[y];
        std::fill(sums.begin(), sums.end(), kHalf);
        for (int k = 0; k < count; ++k) {
            const std::int32_t weight = taps.weightsOf(y)[k];
            const std::uint8_t* row = strip.pixels.data() + static_cast<std::size_t>(first - top + k) * rowBytes;
            for (std::size_t i = 0; i < rowBytes; ++i) sums[i] += row[i] * weight;
        }
        std::transform(sums.begin(), sums.end(), result.pixels.begin() + static_cast<std::ptrdiff_t>(y * rowBytes),
                       toPixel);
    }
    return result;
}

}  // namespace

Image resizeWindow(const Image& image, int width, int height, const Window& window) {
    if (height == image.height) return resizeColumns(image, width, window, window.top, window.height);
    const Taps taps = makeTaps(image.height, height, window.top, window.height);
    if (taps.outputs.empty()) return {window.width, window.height, image.channels, {}};
    const int top = taps.outputs.front().first;
    const int bottom = taps.outputs.back().first + taps.outputs.back().count;
    return combineRows(resizeColumns(image, width, window, top, bottom - top), taps, top);
}

Image resizeImage(const Image& image, int width, int height) {
    if (width == image.width && height == image.height) return image;
    return resizeWindow(image, width, height, {0, 0, width, height});
}

}  // namespace equant
