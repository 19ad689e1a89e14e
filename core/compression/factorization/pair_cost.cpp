// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/compression/factorization/pair_cost_internal.h"

namespace equant {

namespace {

double real(std::int64_t value) {
    return static_cast<double>(value);
}

/// Product of spatial axes [from, to); unknown ones count once.
double extentOf(const Shape& shape, std::size_t from, std::size_t to) {
    double extent = 1;
    for (std::size_t axis = from; axis < to; ++axis) extent *= real(std::max<std::int64_t>(shape[axis], 1));
    return extent;
}

}  // namespace

LayerExtents assumedExtents(const LayerGeometry& layer) {
    const double small = real(layer.positions), height = small * real(layer.strideHeight),
                 width = real(layer.strideWidth);
    if (layer.isTransposed()) return {small, 1, height, width};
    return {height, width, small, 1};
}

LayerExtents realExtents(const LayerGeometry& layer, const Shape* input, const Shape* output) {
    const bool isConv = layer.opType == "Conv" || layer.isTransposed();
    if (!isConv || !input || !output || input->size() != output->size() || input->size() < 3)
        return assumedExtents(layer);
    const std::size_t width = input->size() - 1;
    return {extentOf(*input, 2, width), extentOf(*input, width, width + 1), extentOf(*output, 2, width),
            extentOf(*output, width, width + 1)};
}

LayerCost pairCost(SplitForm form, const LayerGeometry& layer, std::int64_t rank, const LayerExtents& extents) {
    const double kh = real(layer.kernelHeight), kw = real(layer.kernelWidth), r = real(rank);
    double firstKernel = 1, secondKernel = 1;
    double height = extents.outHeight, width = extents.outWidth;  // of the value between the two
    switch (form) {
        case SplitForm::VerticalFirst:
            firstKernel = kh;
            secondKernel = kw;
            width = extents.inWidth;
            break;
        case SplitForm::HorizontalFirst:
            firstKernel = kw;
            secondKernel = kh;
            height = extents.inHeight;
            break;
        case SplitForm::PointwiseFirst:
            secondKernel = kh * kw;
            height = extents.inHeight;
            width = extents.inWidth;
            break;
        case SplitForm::PointwiseLast:
            firstKernel = kh * kw;
            break;
    }
    const double first = r * real(layer.groups) * real(layer.inputs) * firstKernel;
    const double second = r * real(layer.outputs) * secondKernel;
    // A Conv applies its weights once per output position, a ConvTranspose once per input position.
    const double middle = height * width;
    const double firstPositions = layer.isTransposed() ? extents.inHeight * extents.inWidth : middle;
    const double secondPositions = layer.isTransposed() ? middle : extents.outHeight * extents.outWidth;
    return {first * firstPositions + second * secondPositions, first + second};
}

}  // namespace equant
