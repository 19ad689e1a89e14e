// SPDX-License-Identifier: Apache-2.0
// The pairs of layers that may replace one, and what they cost. Private to core/compression. Pure functions, safe from
// any thread.
#pragma once

#include "core/graph/tensor.h"
#include "core/layers/layer_geometry.h"

namespace equant {

/// The first layer of the pair and, with it, the second. "kh x 1" stands for a convolution of the layer's own kind: a
/// ConvTranspose becomes two of them, or one and a Conv 1 x 1. All layers of a pair have the groups of the original.
enum class SplitForm {
    VerticalFirst,    ///< kh x 1, then 1 x kw (AIMET's spatial SVD)
    HorizontalFirst,  ///< 1 x kw, then kh x 1
    PointwiseFirst,   ///< 1 x 1, then kh x kw (AIMET's weight SVD)
    PointwiseLast     ///< kh x kw, then 1 x 1
};

/// Sizes of a layer's input and output; of a 3-D convolution, height stands for depth times height.
struct LayerExtents {
    double inHeight = 1, inWidth = 1;
    double outHeight = 1, outWidth = 1;
};

/// As AIMET's formulas have them: the larger side is the smaller one times the stride. Only products of a height and a
/// width mean anything.
[[nodiscard]] LayerExtents assumedExtents(const LayerGeometry& layer);
/// From the shapes of one sample; assumedExtents where they are not those of a convolution.
[[nodiscard]] LayerExtents realExtents(const LayerGeometry& layer, const Shape* input, const Shape* output);

/// Cost of the pair; `rank` counts the channels between the two layers in one group.
[[nodiscard]] LayerCost pairCost(SplitForm form, const LayerGeometry& layer, std::int64_t rank,
                                 const LayerExtents& extents);

}  // namespace equant
