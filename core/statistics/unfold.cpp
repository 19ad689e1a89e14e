// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/unfold.h"

#include <algorithm>
#include <vector>

#include "core/graph/constants.h"

namespace equant {

namespace {

constexpr std::int64_t kNothing = -1;

/// Entries of a spatial attribute (or dimensions of a shape), the last one for the width.
void assignTrailing(Triple& axes, std::span<const std::int64_t> values) {
    const std::size_t count = std::min(values.size(), axes.size());
    std::copy_n(values.end() - static_cast<std::ptrdiff_t>(count), count,
                axes.end() - static_cast<std::ptrdiff_t>(count));
}

/// Source: ONNX Conv-11, `auto_pad`: SAME_UPPER puts the odd element at the end, SAME_LOWER at the beginning; likewise
/// ConvTranspose-11, where an explicit output_shape is padded as with SAME_LOWER.
std::int64_t beginPadding(const Unfolding& unfolding, std::size_t axis, std::int64_t input, std::int64_t output) {
    const bool isSame = unfolding.autoPad.starts_with("SAME_");
    if (!isSame && !unfolding.hasOutputShape) return unfolding.autoPad == "VALID" ? 0 : unfolding.padBegin[axis];
    const std::int64_t reach = (unfolding.kernel[axis] - 1) * unfolding.dilation[axis] + 1;
    const std::int64_t stride = unfolding.stride[axis];
    const std::int64_t surplus = unfolding.isTransposed
                                     ? (input - 1) * stride + reach + unfolding.outputPadding[axis] - output
                                     : (output - 1) * stride + reach - input;
    const std::int64_t total = std::max<std::int64_t>(surplus, 0);
    return unfolding.autoPad == "SAME_UPPER" ? total / 2 : (total + 1) / 2;
}

/// Index along one axis that kernel element `k` reads for an output at `position`; kNothing outside.
std::int64_t tapAt(const Unfolding& unfolding, std::size_t axis, std::int64_t position, std::int64_t begin,
                   std::int64_t k, std::int64_t size) {
    std::int64_t index = 0;
    if (unfolding.isTransposed) {  // input i adds to output i * stride + k * dilation - begin
        index = position + begin - k * unfolding.dilation[axis];
        if (index % unfolding.stride[axis] != 0) return kNothing;
        index /= unfolding.stride[axis];
    } else {
        index = position * unfolding.stride[axis] - begin + k * unfolding.dilation[axis];
    }
    return index >= 0 && index < size ? index : kNothing;
}

/// Offset within a channel of what every kernel element reads.
std::vector<std::int64_t> tapsAt(const Unfolding& unfolding, const Triple& in, const Triple& out,
                                 std::int64_t position) {
    const Triple at{position / (out[1] * out[2]), position / out[2] % out[1], position % out[2]};
    Triple begin{};
    for (std::size_t axis = 0; axis < 3; ++axis) begin[axis] = beginPadding(unfolding, axis, in[axis], out[axis]);
    const Triple& kernel = unfolding.kernel;
    const auto tap = [&](std::size_t axis, std::int64_t k) {
        return tapAt(unfolding, axis, at[axis], begin[axis], k, in[axis]);
    };
    std::vector<std::int64_t> taps;
    taps.reserve(static_cast<std::size_t>(kernel[0] * kernel[1] * kernel[2]));
    for (std::int64_t i = 0; i < kernel[0]; ++i) {
        const std::int64_t z = tap(0, i);
        for (std::int64_t j = 0; j < kernel[1]; ++j) {
            const std::int64_t y = tap(1, j);
            for (std::int64_t k = 0; k < kernel[2]; ++k) {
                const std::int64_t x = tap(2, k);
                const bool isInside = z != kNothing && y != kNothing && x != kNothing;
                taps.push_back(isInside ? (z * in[1] + y) * in[2] + x : kNothing);
            }
        }
    }
    return taps;
}

}  // namespace

Unfolding Unfolding::of(const Graph& graph, const LayerGeometry& layer) {
    const Node& node = graph.nodes[layer.node];
    Unfolding unfolding;
    unfolding.isTransposed = layer.isTransposed();
    unfolding.isConv = node.is("Conv") || unfolding.isTransposed;
    if (!unfolding.isConv) return unfolding;
    unfolding.groups = layer.groups;
    if (const auto weight = constantInput(graph, node, 1); weight && weight->rank() > 2)
        assignTrailing(unfolding.kernel, std::span(weight->shape()).subspan(2));
    unfolding.autoPad = node.stringAttribute("auto_pad", "NOTSET");
    unfolding.hasOutputShape = unfolding.isTransposed && !node.intsAttribute("output_shape").empty();
    assignTrailing(unfolding.stride, node.intsAttribute("strides"));
    assignTrailing(unfolding.dilation, node.intsAttribute("dilations"));
    assignTrailing(unfolding.outputPadding, node.intsAttribute("output_padding"));
    const auto pads = node.intsAttribute("pads");
    assignTrailing(unfolding.padBegin, std::span(pads).first(pads.size() / 2));
    return unfolding;
}

ValueLayout ValueLayout::of(const Shape& shape, bool isConv) {
    ValueLayout layout;
    if (shape.empty()) return layout;
    layout.samples = shape[0];
    if (isConv) {
        layout.channels = shape.size() > 1 ? shape[1] : 1;
        if (shape.size() > 2) assignTrailing(layout.size, std::span(shape).subspan(2));
        return layout;
    }
    layout.channels = shape.back();
    if (shape.size() == 1) layout.samples = 1;
    for (std::size_t axis = 1; axis + 1 < shape.size(); ++axis) layout.size[2] *= shape[axis];
    return layout;
}

std::int64_t rowElements(const LayerGeometry& layer) {
    return layer.inputs * layer.kernelHeight * layer.kernelWidth;
}

void unfoldPosition(const Unfolding& unfolding, const ValueLayout& layout, const ValueLayout& output,
                    std::span<const float> input, std::int64_t sample, std::int64_t position, float* row) {
    if (!unfolding.isConv) {
        const float* source = input.data() + (sample * layout.positions() + position) * layout.channels;
        *std::copy_n(source, layout.channels, row) = 1.0F;
        return;
    }
    const auto taps = tapsAt(unfolding, layout.size, output.size, position);
    const float* plane = input.data() + sample * layout.channels * layout.positions();
    const std::int64_t perGroup = layout.channels / unfolding.groups;
    for (std::int64_t group = 0; group < unfolding.groups; ++group) {
        for (std::int64_t channel = 0; channel < perGroup; ++channel, plane += layout.positions())
            for (const std::int64_t tap : taps) *row++ = tap == kNothing ? 0.0F : plane[tap];
        *row++ = 1.0F;
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
