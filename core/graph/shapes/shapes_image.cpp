// SPDX-License-Identifier: Apache-2.0
// Shapes of image resampling: Resize, Upsample, GridSample, AffineGrid, Col2Im.
// Source: ONNX operator definitions; sizes of Resize as floor(input * scale) in float, as runtimes compute them.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

std::int64_t scaledDim(std::int64_t dim, double scale) {
    if (dim < 0) return kUnknown;
    require(scale > 0, "expected positive scales, found {}", scale);
    // A product in float, so that 1/3-like scales round as they do in the exporter and the runtimes.
    return dimFromReal(static_cast<double>(static_cast<float>(dim) * static_cast<float>(scale)));
}

/// Axes that scales and sizes speak of: all, or those named since opset 18.
Axes resizedAxes(const Inference& in, std::size_t rank) {
    auto axes = in.node().intsAttribute("axes");
    if (axes.empty()) {
        axes.resize(rank);
        std::iota(axes.begin(), axes.end(), 0);
    }
    return axesOf(axes, rank);
}

/// Sizes with the aspect ratio kept, where the node asks for it (opset 18).
Shape targetSizes(const Inference& in, const Shape& data, const Axes& axes, const Entries& sizes) {
    const auto policy = in.node().stringAttribute("keep_aspect_ratio_policy", "stretch");
    Shape result = data;
    double scale = policy == "not_larger" ? std::numeric_limits<double>::infinity() : 0.0;
    bool isKnown = true;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const auto size = sizes[i];
        const auto dim = data[axes[i]];
        require(size == kUnknownEntry || size >= 0, "expected no negative size, found {}", size);
        result[axes[i]] = std::max(size, kUnknown);
        if (size < 0 || dim <= 0) {
            isKnown = false;
            continue;
        }
        const double ratio = static_cast<double>(size) / static_cast<double>(dim);
        scale = policy == "not_larger" ? std::min(scale, ratio) : std::max(scale, ratio);
    }
    if (policy == "stretch") return result;
    require(policy == "not_larger" || policy == "not_smaller", "keep_aspect_ratio_policy '{}' does not exist", policy);
    for (const auto axis : axes) {
        result[axis] = isKnown ? dimFromReal(std::floor(scale * static_cast<double>(data[axis]) + 0.5)) : kUnknown;
    }
    return result;
}

Shape scaledDims(const Inference& in, const Shape& data, const Axes& axes, const std::vector<double>& scales) {
    Shape result = data;
    const bool isCropped = in.node().stringAttribute("coordinate_transformation_mode", "") == "tf_crop_and_resize";
    const auto region = isCropped ? in.numbers(1) : std::nullopt;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        auto& dim = result[axes[i]];
        double scale = scales[i];
        if (region && region->size() == 2 * axes.size()) scale *= (*region)[i + axes.size()] - (*region)[i];
        dim = isCropped && !region ? kUnknown : scaledDim(dim, scale);
    }
    return result;
}

void inferResize(Inference& in) {
    const bool isOldForm = in.opset() < 11;  // inputs X, scales
    const std::size_t scalesSlot = isOldForm ? 1 : 2;
    const auto& data = in.shape(0);
    if (!data) {
        in.set(0, in.type(0), std::nullopt);
        return;
    }
    const Axes axes = resizedAxes(in, data->size());
    const auto scales = in.numbers(scalesSlot);
    const auto sizes = isOldForm ? std::nullopt : in.entries(3);
    Shape result = *data;
    if (sizes && !sizes->empty()) {
        require(sizes->size() == axes.size(), "expected {} sizes, found {}", axes.size(), sizes->size());
        result = targetSizes(in, *data, axes, *sizes);
    } else if (scales && !scales->empty()) {
        require(scales->size() == axes.size(), "expected {} scales, found {}", axes.size(), scales->size());
        result = scaledDims(in, *data, axes, *scales);
    } else {
        for (const auto axis : axes) result[axis] = kUnknown;
    }
    in.set(0, in.type(0), result);
}

void inferUpsample(Inference& in) {
    auto result = in.shape(0);
    std::optional<std::vector<double>> scales;
    if (in.opset() < 9) {
        const auto given = in.node().floatsAttribute("scales");
        scales.emplace(given.begin(), given.end());
    } else {
        scales = in.numbers(1);
    }
    if (result && scales) {
        require(scales->size() == result->size(), "expected {} scales, found {}", result->size(), scales->size());
        for (std::size_t i = 0; i < result->size(); ++i) (*result)[i] = scaledDim((*result)[i], (*scales)[i]);
    } else if (result) {
        result = unknownDims(result->size());
    }
    in.set(0, in.type(0), result);
}

void inferGridSample(Inference& in) {
    in.requireRank(0, 3);
    in.requireRank(1, 3);
    const auto& data = in.shape(0);
    const auto& grid = in.shape(1);
    MaybeShape result;
    if (data && grid) {
        require(data->size() == grid->size(), "expected data and grid with the same number of dimensions");
        const auto spatial = static_cast<std::int64_t>(data->size()) - 2;
        static_cast<void>(unify(grid->back(), spatial, "coordinates of the grid and spatial dimensions"));
        result = Shape{unify((*data)[0], (*grid)[0], "batches of data and grid"), (*data)[1]};
        result->insert(result->end(), grid->begin() + 1, grid->end() - 1);
    } else if (data || grid) {
        result = unknownDims((data ? data : grid)->size());
    }
    in.set(0, in.type(0), result);
}

/// size is (N, C, [D,] H, W); the grid (N, [D,] H, W, 2 or 3).
void inferAffineGrid(Inference& in) {
    const auto size = in.entries(1);
    MaybeShape result;
    if (size) {
        require(size->size() == 4 || size->size() == 5, "expected 4 or 5 sizes, found {}", size->size());
        result = Shape{size->front()};
        result->insert(result->end(), size->begin() + 2, size->end());
        result->push_back(static_cast<std::int64_t>(size->size()) - 2);
    }
    in.set(0, in.type(0), result);
}

void inferCol2Im(Inference& in) {
    in.requireRank(0, 3, 3);
    const auto image = in.entries(1);
    const auto block = in.integers(2);
    if (!image) {
        in.set(0, in.type(0), std::nullopt);
        return;
    }
    Shape result{kUnknown, kUnknown};
    if (const auto& data = in.shape(0)) {
        result[0] = (*data)[0];
        const auto area = block ? productOf(*block) : kUnknown;
        if (area > 0 && (*data)[1] >= 0) {
            require((*data)[1] % area == 0, "expected dimension 1 to be a multiple of {}", area);
            result[1] = (*data)[1] / area;
        }
    }
    result.insert(result.end(), image->begin(), image->end());
    in.set(0, in.type(0), result);
}

}  // namespace

void addImage(Table& table) {
    table["Resize"] = inferResize;
    table["Upsample"] = inferUpsample;
    table["GridSample"] = inferGridSample;
    table["AffineGrid"] = inferAffineGrid;
    table["Col2Im"] = inferCol2Im;
}

}  // namespace equant::shapes
