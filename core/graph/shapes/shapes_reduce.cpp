// SPDX-License-Identifier: Apache-2.0
// Shapes of reductions, ArgMax/ArgMin and TopK.
#include <algorithm>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

/// Result of reducing the given axes (all when empty).
Shape reduced(const Shape& data, const Axes& axes, bool isKept) {
    Shape result;
    for (std::size_t i = 0; i < data.size(); ++i) {
        const bool isReduced = axes.empty() || std::ranges::find(axes, i) != axes.end();
        if (!isReduced) {
            result.push_back(data[i]);
        } else if (isKept) {
            result.push_back(1);
        }
    }
    return result;
}

void inferReduction(Inference& in, std::int64_t axesAreInputSince) {
    const bool isKept = in.node().intAttribute("keepdims", 1) != 0;
    const bool isNoopWhenEmpty = in.node().intAttribute("noop_with_empty_axes", 0) != 0;
    const auto axes = integersFrom(in, "axes", 1, axesAreInputSince);
    const auto& data = in.shape(0);
    if (axes && axes->empty() && isNoopWhenEmpty) {
        inferSame(in);
    } else if (axes && data) {
        in.set(0, in.type(0), reduced(*data, axesOf(*axes, data->size()), isKept));
    } else if (axes && axes->empty() && !isKept) {
        in.set(0, in.type(0), Shape{});
    } else if (data && isKept) {
        in.set(0, in.type(0), unknownDims(data->size()));
    } else {
        const auto count = in.length(1);
        const bool isRankKnown = data && count && *count > 0 && *count <= data->size();
        in.set(0, in.type(0), isRankKnown ? MaybeShape(unknownDims(data->size() - *count)) : std::nullopt);
    }
}

void inferReduceSum(Inference& in) {
    inferReduction(in, 13);
}
void inferReduce(Inference& in) {
    inferReduction(in, 18);
}

void inferArg(Inference& in) {
    MaybeShape result;
    if (const auto& data = in.shape(0)) {
        const Axes axes{axisOf(in.node().intAttribute("axis", 0), data->size())};
        result = reduced(*data, axes, in.node().intAttribute("keepdims", 1) != 0);
    }
    in.set(0, DType::Int64, result);
}

void inferTopK(Inference& in) {
    std::int64_t count = kUnknown;
    if (in.opset() < 10) {
        count = in.node().intAttribute("k", kUnknown);
        require(count >= 0, "attribute k is missing or negative");
    } else if (const auto given = in.integers(1)) {
        require(given->size() == 1 && given->front() >= 0, "expected one non-negative k");
        count = given->front();
    }
    auto result = in.shape(0);
    if (result) {
        auto& dim = (*result)[axisOf(in.node().intAttribute("axis", -1), result->size())];
        require(dim < 0 || count <= dim, "k is {}, but the axis has only {} elements", count, dim);
        dim = count;
    }
    in.set(0, in.type(0), result);
    in.set(1, DType::Int64, result);
}

}  // namespace

void addReduction(Table& table) {
    table["ReduceSum"] = inferReduceSum;
    for (const auto name : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                            "ReduceMin", "ReduceProd", "ReduceSumSquare"}) {
        table[name] = inferReduce;
    }
    table["ArgMax"] = inferArg;
    table["ArgMin"] = inferArg;
    table["TopK"] = inferTopK;
}

}  // namespace equant::shapes
