// SPDX-License-Identifier: Apache-2.0
// What one output position of a layer sees: the row of the unfolded input ("im2col") that its weights are multiplied
// with. Private to core/compression. Values; every function is thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/compression/method.h"
#include "core/graph/model.h"
#include "core/graph/tensor.h"

namespace equant {

/// How a Conv (1-D or 2-D), Gemm or MatMul walks over its input; a 1-D convolution has height 1.
struct Unfolding {
    bool isConv = false;
    std::int64_t kernel[2] = {1, 1};
    std::int64_t stride[2] = {1, 1};
    std::int64_t dilation[2] = {1, 1};
    std::int64_t padBegin[2] = {0, 0};
    std::string autoPad = "NOTSET";

    static Unfolding of(const Node& node, const LayerGeometry& layer);
};

/// Where the samples, channels and positions of a batch of layer inputs or outputs lie.
struct ValueLayout {
    std::int64_t samples = 1;       ///< axis 0
    std::int64_t channels = 1;      ///< axis 1 of a Conv's values, the last axis of others
    std::int64_t size[2] = {1, 1};  ///< height, width of a Conv's values; rows, 1 of others
    [[nodiscard]] std::int64_t positions() const { return size[0] * size[1]; }

    static ValueLayout of(const Shape& shape, bool isConv);
};

/// The input elements of group `group` that output position `position` (row-major) of `sample` is made of, in the order
/// of the weight [inputs, kernelHeight, kernelWidth]; zeros where padding is. `row` has inputs * kernel elements.
/// `output` gives the size of the layer's output (automatic padding depends on it).
void unfoldPosition(const Unfolding& unfolding, const ValueLayout& layout, const ValueLayout& output,
                    std::span<const float> input, std::int64_t sample, std::int64_t position, std::int64_t firstChannel,
                    std::int64_t channels, float* row);

/// The layer's outputs at that position: `row` has output.channels elements.
void readPosition(bool isConv, const ValueLayout& output, std::span<const float> values, std::int64_t sample,
                  std::int64_t position, float* row);

}  // namespace equant
