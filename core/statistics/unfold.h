// SPDX-License-Identifier: Apache-2.0
// What one output position of a layer sees: the row of the unfolded input ("im2col") that its weights are multiplied
// with. Values; every function is thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "core/graph/model.h"
#include "core/graph/tensor.h"
#include "core/layers/layer_geometry.h"

namespace equant {

/// Depth, height, width; fewer axes are three with leading axes of extent 1.
using Triple = std::array<std::int64_t, 3>;

/// How a Conv or ConvTranspose (1-D to 3-D), Gemm or MatMul walks over its input.
struct Unfolding {
    bool isConv = false;  ///< or ConvTranspose: channels are axis 1
    bool isTransposed = false;
    std::int64_t groups = 1;
    Triple kernel{1, 1, 1};
    Triple stride{1, 1, 1};
    Triple dilation{1, 1, 1};
    Triple padBegin{0, 0, 0};
    Triple outputPadding{0, 0, 0};
    std::string autoPad = "NOTSET";
    bool hasOutputShape = false;

    /// Of the layer's node in `graph`, whose weights must be constant.
    static Unfolding of(const Graph& graph, const LayerGeometry& layer);
};

/// Where the samples, channels and positions of a batch of layer inputs or outputs lie.
struct ValueLayout {
    std::int64_t samples = 1;   ///< axis 0
    std::int64_t channels = 1;  ///< axis 1 of a Conv's values, the last axis of others
    Triple size{1, 1, 1};       ///< spatial axes of a Conv's values; 1, 1, rows of others
    [[nodiscard]] std::int64_t positions() const { return size[0] * size[1] * size[2]; }

    static ValueLayout of(const Shape& shape, bool isConv);
};

/// Elements of one group's row: input channels of the group times kernel elements.
[[nodiscard]] std::int64_t rowElements(const LayerGeometry& layer);

/// The input elements that output position `position` (row-major) of `sample` is made of: for every group those of its
/// channels in the order of the weight [inputs, kernel], zeros where there is padding or a transposed convolution has
/// no input, then a constant 1. `row` has groups * (rowElements + 1) elements. `output` gives the size of the layer's
/// output (automatic padding depends on it).
void unfoldPosition(const Unfolding& unfolding, const ValueLayout& layout, const ValueLayout& output,
                    std::span<const float> input, std::int64_t sample, std::int64_t position, float* row);

/// The layer's outputs at that position: `row` has output.channels elements.
void readPosition(bool isConv, const ValueLayout& output, std::span<const float> values, std::int64_t sample,
                  std::int64_t position, float* row);

}  // namespace equant
