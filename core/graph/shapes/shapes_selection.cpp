// SPDX-License-Identifier: Apache-2.0
// Shapes of operators that pick or place elements by index: Gather*, Scatter*, OneHot, NonZero, Compress, Unique,
// NonMaxSuppression.
#include <algorithm>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

void inferGather(Inference& in) {
    const auto& data = in.shape(0);
    const auto& indices = in.shape(1);
    in.requireRank(0, 1);
    MaybeShape result;
    if (data && indices) {
        const auto axis = static_cast<std::ptrdiff_t>(axisOf(in.node().intAttribute("axis", 0), data->size()));
        result.emplace(data->begin(), data->begin() + axis);
        result->insert(result->end(), indices->begin(), indices->end());
        result->insert(result->end(), data->begin() + axis + 1, data->end());
    }
    in.set(0, in.type(0), result);
}

void inferGatherElements(Inference& in) {
    const auto& data = in.shape(0);
    const auto& indices = in.shape(1);
    require(!data || !indices || data->size() == indices->size(), "expected data and indices of the same rank");
    in.set(0, in.type(0), indices);
}

void inferGatherNd(Inference& in) {
    const auto& data = in.shape(0);
    const auto& indices = in.shape(1);
    in.requireRank(1, 1);
    MaybeShape result;
    if (data && indices && indices->back() >= 0) {
        const auto batch = in.node().intAttribute("batch_dims", 0);
        const auto rank = static_cast<std::int64_t>(data->size());
        require(batch >= 0 && batch < static_cast<std::int64_t>(indices->size()) && batch < rank,
                "batch_dims {} is outside the dimensions of the inputs", batch);
        require(indices->back() <= rank - batch, "indices of {} entries are too long for {} dimensions",
                indices->back(), rank - batch);
        result.emplace(indices->begin(), indices->end() - 1);
        result->insert(result->end(), data->begin() + batch + indices->back(), data->end());
    }
    in.set(0, in.type(0), result);
}

void inferOneHot(Inference& in) {
    std::int64_t depth = kUnknown;
    if (const auto given = in.numbers(1)) {
        require(given->size() == 1, "expected one depth, found {}", given->size());
        depth = dimFromReal(given->front());
    } else if (const auto entries = in.integers(1); entries && entries->size() == 1) {
        depth = std::max(entries->front(), kUnknown);
    }
    auto result = in.shape(0);
    if (result) {
        const auto axis = axisOf(in.node().intAttribute("axis", -1), result->size() + 1);
        result->insert(result->begin() + static_cast<std::ptrdiff_t>(axis), depth);
    }
    in.set(0, in.type(2), result);
}

void inferNonZero(Inference& in) {
    const auto& data = in.shape(0);
    in.set(0, DType::Int64, Shape{data ? static_cast<std::int64_t>(data->size()) : kUnknown, kUnknown});
}

void inferCompress(Inference& in) {
    const auto& data = in.shape(0);
    const bool hasAxis = in.node().attribute("axis") != nullptr;
    std::int64_t picked = kUnknown;
    if (const Tensor* condition = in.constant(1); condition && condition->dtype() == DType::Bool) {
        const auto bytes = condition->bytes();
        picked = std::ranges::count_if(bytes, [](std::byte b) { return b != std::byte{0}; });
    }
    MaybeShape result;
    if (!hasAxis) {
        result = Shape{picked};
    } else if (data) {
        result = data;
        (*result)[axisOf(in.node().intAttribute("axis", 0), data->size())] = picked;
    }
    in.set(0, in.type(0), result);
}

void inferUnique(Inference& in) {
    auto result = in.shape(0);
    if (!in.node().attribute("axis")) {
        result = Shape{kUnknown};
    } else if (result) {
        (*result)[axisOf(in.node().intAttribute("axis", 0), result->size())] = kUnknown;
    }
    in.set(0, in.type(0), result);
    for (std::size_t k = 1; k < 4; ++k) in.set(k, DType::Int64, Shape{kUnknown});
}

void inferNonMaxSuppression(Inference& in) {
    in.requireRank(0, 3, 3);
    in.requireRank(1, 3, 3);
    in.set(0, DType::Int64, Shape{kUnknown, 3});
}

}  // namespace

void addSelection(Table& table) {
    table["Gather"] = inferGather;
    table["GatherElements"] = inferGatherElements;
    table["GatherND"] = inferGatherNd;
    for (const auto name : {"Scatter", "ScatterElements", "ScatterND", "TensorScatter"}) table[name] = inferSame;
    table["OneHot"] = inferOneHot;
    table["NonZero"] = inferNonZero;
    table["Compress"] = inferCompress;
    table["Unique"] = inferUnique;
    table["NonMaxSuppression"] = inferNonMaxSuppression;
}

}  // namespace equant::shapes
