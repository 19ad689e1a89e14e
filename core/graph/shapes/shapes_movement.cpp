// SPDX-License-Identifier: Apache-2.0
// Shapes of operators that join, cut and pad: Concat, Split, Slice, Pad, CenterCropPad.
#include <algorithm>
#include <numeric>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

void inferConcat(Inference& in) {
    MaybeShape result;
    std::int64_t total = 0;
    std::size_t axis = 0;
    DType type = DType::Undefined;
    bool isKnown = in.inputCount() > 0;
    for (std::size_t i = 0; i < in.inputCount(); ++i) {
        if (type == DType::Undefined) type = in.type(i);
        const auto& shape = in.shape(i);
        if (!shape) {
            isKnown = false;
            continue;
        }
        if (!result) {
            result = shape;
            axis = axisOf(in.node().intAttribute("axis", 1), shape->size());
        } else {
            require(shape->size() == result->size(), "expected inputs with the same number of dimensions");
            for (std::size_t k = 0; k < shape->size(); ++k) {
                if (k != axis) (*result)[k] = unify((*result)[k], (*shape)[k], "dimensions outside the joined axis");
            }
        }
        total = addDims(total, (*shape)[axis]);
    }
    if (result) (*result)[axis] = isKnown ? total : kUnknown;
    in.set(0, type, result);
}

/// Sizes of the pieces along an axis of `dim` elements; kUnknown where not known.
Shape pieceSizes(const Inference& in, std::int64_t dim) {
    const auto pieces = static_cast<std::int64_t>(in.outputCount());
    const auto given = integersFrom(in, "split", 1, 13);
    if (!given) return unknownDims(in.outputCount());
    if (!given->empty()) {
        require(given->size() == in.outputCount(), "expected {} entries in split, found {}", pieces, given->size());
        require(std::ranges::all_of(*given, [](std::int64_t v) { return v >= 0; }), "expected no negative split");
        std::int64_t total = 0;
        for (const auto size : *given) total = checkedAdd(total, size);
        static_cast<void>(unify(total, dim, "the sum of split and the axis"));
        return *given;
    }
    const auto declared = in.node().intAttribute("num_outputs", pieces);
    require(declared == pieces, "num_outputs is {}, but the node has {} outputs", declared, pieces);
    if (dim < 0) return unknownDims(in.outputCount());
    const auto chunk = dim / pieces + (dim % pieces != 0 ? 1 : 0);
    const auto last = dim - chunk * (pieces - 1);
    require(last == chunk || (in.opset() >= 18 && last >= 0), "{} elements do not split into {} equal pieces", dim,
            pieces);
    Shape sizes(in.outputCount(), chunk);
    sizes.back() = last;
    return sizes;
}

void inferSplit(Inference& in) {
    if (in.outputCount() == 0) return;
    const auto& data = in.shape(0);
    if (!data) {
        for (std::size_t k = 0; k < in.outputCount(); ++k) in.set(k, in.type(0), std::nullopt);
        return;
    }
    const auto axis = axisOf(in.node().intAttribute("axis", 0), data->size());
    const Shape sizes = pieceSizes(in, (*data)[axis]);
    for (std::size_t k = 0; k < in.outputCount(); ++k) {
        Shape piece = *data;
        piece[axis] = sizes[k];
        in.set(k, in.type(0), piece);
    }
}

void inferSlice(Inference& in) {
    const auto& data = in.shape(0);
    if (!data) {
        in.set(0, in.type(0), std::nullopt);
        return;
    }
    const auto starts = integersFrom(in, "starts", 1, 10);
    const auto ends = integersFrom(in, "ends", 2, 10);
    auto axes = integersFrom(in, "axes", 3, 10);
    const auto steps = in.opset() < 10 ? std::optional<Entries>(Entries{}) : integersFrom(in, "steps", 4, 10);
    if (axes && axes->empty()) {  // the first dimensions, as many as there are starts
        const auto count = in.opset() < 10 ? std::optional(starts->size()) : in.length(1);
        require(!count || *count <= data->size(), "{} starts for {} dimensions", count.value_or(0), data->size());
        axes->resize(count.value_or(data->size()));
        std::iota(axes->begin(), axes->end(), 0);
    }
    if (!axes) {
        in.set(0, in.type(0), unknownDims(data->size()));
        return;
    }
    const auto indices = axesOf(*axes, data->size());
    const auto count = indices.size();
    require(!starts || starts->size() == count, "expected {} starts, found {}", count, starts ? starts->size() : 0);
    require(!ends || ends->size() == count, "expected {} ends, found {}", count, ends ? ends->size() : 0);
    require(!steps || steps->empty() || steps->size() == count, "expected {} steps", count);
    Shape result = *data;
    for (std::size_t i = 0; i < count; ++i) {
        auto& dim = result[indices[i]];
        dim = starts && ends && steps ? sliceCount(dim, (*starts)[i], (*ends)[i], steps->empty() ? 1 : (*steps)[i])
                                      : kUnknown;
    }
    in.set(0, in.type(0), result);
}

void inferPad(Inference& in) {
    const auto& data = in.shape(0);
    auto pads = integersFrom(in, "pads", 1, 11);
    if (!data) {
        in.set(0, in.type(0), pads && !in.has(3) ? MaybeShape(unknownDims(pads->size() / 2)) : std::nullopt);
        return;
    }
    std::optional<Entries> axes = Entries(data->size());
    std::iota(axes->begin(), axes->end(), 0);
    if (in.opset() >= 18 && in.has(3)) axes = in.integers(3);
    if (!pads || !axes) {
        in.set(0, in.type(0), unknownDims(data->size()));
        return;
    }
    const auto indices = axesOf(*axes, data->size());
    require(pads->size() == 2 * indices.size(), "expected {} pads, found {}", 2 * indices.size(), pads->size());
    Shape result = *data;
    for (std::size_t i = 0; i < indices.size(); ++i) {
        auto& dim = result[indices[i]];
        const auto change = checkedAdd((*pads)[i], (*pads)[i + indices.size()]);
        if (dim < 0) {
            if (change != 0) dim = kUnknown;
            continue;
        }
        require(checkedAdd(dim, change) >= 0, "padding {} leaves nothing of dimension {}", change, indices[i]);
        dim += change;
    }
    in.set(0, in.type(0), result);
}

void inferCenterCropPad(Inference& in) {
    auto result = in.shape(0);
    const auto wanted = in.entries(1);
    if (result && wanted) {
        auto axes = in.node().intsAttribute("axes");
        if (axes.empty()) {
            axes.resize(result->size());
            std::iota(axes.begin(), axes.end(), 0);
        }
        require(axes.size() == wanted->size(), "expected {} sizes, found {}", axes.size(), wanted->size());
        const auto indices = axesOf(axes, result->size());
        for (std::size_t i = 0; i < indices.size(); ++i) (*result)[indices[i]] = std::max((*wanted)[i], kUnknown);
    } else if (result) {
        result = unknownDims(result->size());
    }
    in.set(0, in.type(0), result);
}

}  // namespace

void addMovement(Table& table) {
    table["Concat"] = inferConcat;
    table["Split"] = inferSplit;
    table["Slice"] = inferSlice;
    table["Pad"] = inferPad;
    table["CenterCropPad"] = inferCenterCropPad;
}

}  // namespace equant::shapes
