// SPDX-License-Identifier: Apache-2.0
// Shapes of operators that give the same elements another shape or order: Reshape, Flatten, Squeeze, Unsqueeze,
// Transpose, DepthToSpace, SpaceToDepth, Expand, Tile.
#include <algorithm>
#include <numeric>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

/// The requested dimensions with zeros replaced by the input's; kUnknown where not known, `inferred` is where -1 stood
/// (or the only unknown entry, which the element count settles as well).
struct Request {
    Shape dims;
    std::optional<std::size_t> inferred;
    Shape rest;  ///< input dimensions that no zero copied: their product is what the other requested ones must make
    Shape made;  ///< requested dimensions other than copied and inferred ones
};

Request readRequest(const Inference& in, const Entries& wanted) {
    Request request;
    const auto& data = in.shape(0);
    if (data) request.rest = *data;
    const bool isZeroKept = in.node().intAttribute("allowzero", 0) != 0;
    std::vector<bool> isCopied(request.rest.size(), false);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        std::int64_t dim = wanted[i];
        if (dim == 0 && !isZeroKept) {
            require(!data || i < data->size(), "expected dimension {} of the input, which the new shape copies", i);
            request.dims.push_back(data ? (*data)[i] : kUnknown);
            if (data) isCopied[i] = true;
            continue;
        }
        if (dim == -1 || dim == kUnknownEntry) {
            if (dim == -1) {
                require(!request.inferred, "expected at most one -1 in the new shape");
                request.inferred = i;
            }
            dim = kUnknown;
        }
        require(dim >= kUnknown, "expected no dimension below -1 in the new shape, found {}", dim);
        request.dims.push_back(dim);
        if (!request.inferred || *request.inferred != i) request.made.push_back(dim);
    }
    for (std::size_t i = request.rest.size(); i-- > 0;) {
        if (isCopied[i]) request.rest.erase(request.rest.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return request;
}

void inferReshape(Inference& in) {
    const auto wanted = in.opset() < 5 ? in.node().intsAttribute("shape") : in.entries(1);
    const auto& data = in.shape(0);
    if (!wanted) {
        const auto& shapeOfShape = in.shape(1);
        if (shapeOfShape) in.requireRank(1, 1, 1);
        const auto rank = in.length(1);
        in.set(0, in.type(0), rank && *rank <= 64 ? MaybeShape(unknownDims(*rank)) : std::nullopt);
        return;
    }
    Request request = readRequest(in, *wanted);
    const auto rest = data ? productOf(request.rest) : kUnknown;
    // A single unknown entry is settled by the element count just like -1.
    if (!request.inferred && std::ranges::count(request.made, kUnknown) == 1 &&
        std::ranges::count(*wanted, kUnknownEntry) == 1) {
        request.inferred = static_cast<std::size_t>(std::ranges::find(*wanted, kUnknownEntry) - wanted->begin());
        std::erase(request.made, kUnknown);
        if (productOf(request.made) == 0) request.inferred.reset();
    }
    const auto made = productOf(request.made);
    if (request.inferred && rest >= 0 && made >= 0) {
        require(made > 0, "the -1 of shape {} cannot be inferred beside a zero", toString(*wanted));
        require(rest % made == 0, "{} elements do not fill shape {}", productOf(*data), toString(*wanted));
        request.dims[*request.inferred] = rest / made;
    } else if (!request.inferred && data && productOf(*data) >= 0 && productOf(request.dims) >= 0) {
        require(productOf(*data) == productOf(request.dims), "{} elements do not fill shape {}", productOf(*data),
                toString(request.dims));
    }
    in.set(0, in.type(0), request.dims);
}

void inferFlatten(Inference& in) {
    Shape result = unknownDims(2);
    if (const auto& data = in.shape(0)) {
        const auto rank = static_cast<std::int64_t>(data->size());
        auto axis = in.node().intAttribute("axis", 1);
        require(axis >= -rank && axis <= rank, "axis {} is outside the {} dimensions of the input", axis, rank);
        if (axis < 0) axis += rank;
        const std::span<const std::int64_t> dims(*data);
        const auto split = static_cast<std::size_t>(axis);
        result = {productOf(dims.first(split)), productOf(dims.subspan(split))};
    }
    in.set(0, in.type(0), result);
}

void inferSqueeze(Inference& in) {
    const auto axes = integersFrom(in, "axes", 1, 13);
    const auto& data = in.shape(0);
    MaybeShape result;
    if (data && axes && !axes->empty()) {
        const auto removed = axesOf(*axes, data->size());
        result.emplace();
        for (std::size_t i = 0; i < data->size(); ++i) {
            const auto dim = (*data)[i];
            const bool isRemoved = std::ranges::find(removed, i) != removed.end();
            require(!isRemoved || dim < 0 || dim == 1, "expected dimension {} to be 1, it is {}", i, dim);
            if (!isRemoved) result->push_back(dim);
        }
    } else if (data && axes && !std::ranges::any_of(*data, [](std::int64_t dim) { return dim < 0; })) {
        result = *data;
        std::erase(*result, 1);
    } else if (data && !axes && in.length(1) && *in.length(1) > 0 && *in.length(1) <= data->size()) {
        result = unknownDims(data->size() - *in.length(1));
    }
    in.set(0, in.type(0), result);
}

void inferUnsqueeze(Inference& in) {
    const auto axes = integersFrom(in, "axes", 1, 13);
    const auto& data = in.shape(0);
    MaybeShape result;
    if (data && axes) {
        const auto rank = data->size() + axes->size();
        const auto inserted = axesOf(*axes, rank);
        result.emplace();
        auto next = data->begin();
        for (std::size_t i = 0; i < rank; ++i) {
            const bool isInserted = std::ranges::find(inserted, i) != inserted.end();
            result->push_back(isInserted ? 1 : *next++);
        }
    } else if (data && in.length(1) && *in.length(1) <= 64) {
        result = unknownDims(data->size() + *in.length(1));
    }
    in.set(0, in.type(0), result);
}

void inferTranspose(Inference& in) {
    const auto& data = in.shape(0);
    auto order = in.node().intsAttribute("perm");
    MaybeShape result;
    if (data) {
        if (order.empty()) {
            order.resize(data->size());
            std::iota(order.rbegin(), order.rend(), 0);
        }
        require(order.size() == data->size(), "expected {} entries in perm, found {}", data->size(), order.size());
        result.emplace();
        for (const auto axis : axesOf(order, data->size())) result->push_back((*data)[axis]);
    } else if (!order.empty()) {
        result = unknownDims(order.size());
    }
    in.set(0, in.type(0), result);
}

std::int64_t blockSize(const Inference& in) {
    const auto size = in.node().intAttribute("blocksize", 0);
    require(size >= 1, "expected a positive blocksize, found {}", size);
    return size;
}

std::int64_t dividedDim(std::int64_t dim, std::int64_t divisor, std::string_view what) {
    require(dim < 0 || dim % divisor == 0, "expected {} to be a multiple of {}, found {}", what, divisor, dim);
    return dim < 0 ? dim : dim / divisor;
}

void inferDepthToSpace(Inference& in) {
    const auto block = blockSize(in);
    in.requireRank(0, 4, 4);
    auto result = in.shape(0);
    if (result) {
        Shape& dims = *result;
        dims = {dims[0], dividedDim(dims[1], checkedMul(block, block), "channels"), mulDims(dims[2], block),
                mulDims(dims[3], block)};
    }
    in.set(0, in.type(0), result);
}

void inferSpaceToDepth(Inference& in) {
    const auto block = blockSize(in);
    in.requireRank(0, 4, 4);
    auto result = in.shape(0);
    if (result) {
        Shape& dims = *result;
        dims = {dims[0], mulDims(dims[1], checkedMul(block, block)), dividedDim(dims[2], block, "height"),
                dividedDim(dims[3], block, "width")};
    }
    in.set(0, in.type(0), result);
}

void inferExpand(Inference& in) {
    const auto wanted = in.entries(1);
    const auto& data = in.shape(0);
    MaybeShape result;
    if (wanted && data) {
        Shape target;
        for (const auto entry : *wanted) {
            require(entry >= 0 || entry == kUnknownEntry, "expected no negative dimension, found {}", entry);
            target.push_back(entry < 0 ? kUnknown : entry);
        }
        result = broadcastShapes(*data, target);
    } else if (data && in.length(1) && *in.length(1) <= 64) {
        result = unknownDims(std::max(data->size(), *in.length(1)));
    }
    in.set(0, in.type(0), result);
}

void inferTile(Inference& in) {
    const auto repeats = in.entries(1);
    auto result = in.shape(0);
    if (result && repeats) {
        require(repeats->size() == result->size(), "expected {} repeats, found {}", result->size(), repeats->size());
        for (std::size_t i = 0; i < result->size(); ++i) {
            const auto repeat = (*repeats)[i];
            require(repeat >= 0 || repeat == kUnknownEntry, "expected no negative repeat, found {}", repeat);
            (*result)[i] = mulDims((*result)[i], std::max(repeat, kUnknown));
        }
    } else if (result) {
        result = unknownDims(result->size());
    }
    in.set(0, in.type(0), result);
}

}  // namespace

void addReshaping(Table& table) {
    table["Reshape"] = inferReshape;
    table["Flatten"] = inferFlatten;
    table["Squeeze"] = inferSqueeze;
    table["Unsqueeze"] = inferUnsqueeze;
    table["Transpose"] = inferTranspose;
    table["DepthToSpace"] = inferDepthToSpace;
    table["SpaceToDepth"] = inferSpaceToDepth;
    table["Expand"] = inferExpand;
    table["Tile"] = inferTile;
}

}  // namespace equant::shapes
