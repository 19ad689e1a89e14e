// SPDX-License-Identifier: Apache-2.0
#include "core/compression/unfold.h"

#include <algorithm>

namespace equant {

namespace {

/// Source: ONNX Conv-11, `auto_pad`: SAME_UPPER puts the odd element at the end, SAME_LOWER at the beginning.
std::int64_t beginPadding(const Unfolding& unfolding, int axis, std::int64_t input, std::int64_t output) {
    if (unfolding.autoPad == "NOTSET" || unfolding.autoPad.empty()) return unfolding.padBegin[axis];
    if (unfolding.autoPad == "VALID") return 0;
    const std::int64_t reach = (unfolding.kernel[axis] - 1) * unfolding.dilation[axis] + 1;
    const std::int64_t total = std::max<std::int64_t>((output - 1) * unfolding.stride[axis] + reach - input, 0);
    return unfolding.autoPad == "SAME_LOWER" ? (total + 1) / 2 : total / 2;
}

}  // namespace

Unfolding Unfolding::of(const Node& node, const LayerGeometry& layer) {
    Unfolding unfolding;
    unfolding.isConv = node.is("Conv");
    if (!unfolding.isConv) return unfolding;
    unfolding.kernel[0] = layer.kernelHeight;
    unfolding.kernel[1] = layer.kernelWidth;
    unfolding.stride[0] = layer.strideHeight;
    unfolding.stride[1] = layer.strideWidth;
    unfolding.autoPad = node.stringAttribute("auto_pad", "NOTSET");
    const auto dilations = node.intsAttribute("dilations");
    for (std::size_t i = 0; i < std::min<std::size_t>(dilations.size(), 2); ++i)
        unfolding.dilation[1 - i] = dilations[dilations.size() - 1 - i];
    const auto pads = node.intsAttribute("pads");
    const std::size_t axes = pads.size() / 2;
    for (std::size_t i = 0; i < std::min<std::size_t>(axes, 2); ++i) unfolding.padBegin[1 - i] = pads[axes - 1 - i];
    return unfolding;
}

ValueLayout ValueLayout::of(const Shape& shape, bool isConv) {
    ValueLayout layout;
    if (shape.empty()) return layout;
    layout.samples = shape[0];
    if (isConv) {
        layout.channels = shape.size() > 1 ? shape[1] : 1;
        layout.size[0] = shape.size() > 3 ? shape[2] : 1;
        layout.size[1] = shape.size() > 2 ? shape.back() : 1;
        return layout;
    }
    layout.channels = shape.back();
    if (shape.size() == 1) layout.samples = 1;
    for (std::size_t axis = 1; axis + 1 < shape.size(); ++axis) layout.size[0] *= shape[axis];
    return layout;
}

void unfoldPosition(const Unfolding& unfolding, const ValueLayout& layout, const ValueLayout& output,
                    std::span<const float> input, std::int64_t sample, std::int64_t position, std::int64_t firstChannel,
                    std::int64_t channels, float* row) {
    if (!unfolding.isConv) {
        const float* source = input.data() + (sample * layout.positions() + position) * layout.channels + firstChannel;
        std::copy_n(source, channels, row);
        return;
    }
    const std::int64_t height = layout.size[0], width = layout.size[1];
    const std::int64_t top =
        position / output.size[1] * unfolding.stride[0] - beginPadding(unfolding, 0, height, output.size[0]);
    const std::int64_t left =
        position % output.size[1] * unfolding.stride[1] - beginPadding(unfolding, 1, width, output.size[1]);
    const float* plane = input.data() + (sample * layout.channels + firstChannel) * height * width;
    for (std::int64_t channel = 0; channel < channels; ++channel, plane += height * width)
        for (std::int64_t i = 0; i < unfolding.kernel[0]; ++i) {
            const std::int64_t y = top + i * unfolding.dilation[0];
            for (std::int64_t j = 0; j < unfolding.kernel[1]; ++j) {
                const std::int64_t x = left + j * unfolding.dilation[1];
                const bool isInside = y >= 0 && y < height && x >= 0 && x < width;
                *row++ = isInside ? plane[y * width + x] : 0.0F;
            }
        }
}

void readPosition(bool isConv, const ValueLayout& output, std::span<const float> values, std::int64_t sample,
                  std::int64_t position, float* row) {
    if (!isConv) {
        std::copy_n(values.data() + (sample * output.positions() + position) * output.channels, output.channels, row);
        return;
    }
    const float* first = values.data() + sample * output.channels * output.positions() + position;
    for (std::int64_t channel = 0; channel < output.channels; ++channel)
        row[channel] = first[channel * output.positions()];
}

}  // namespace equant
