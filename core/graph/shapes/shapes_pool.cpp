// SPDX-License-Identifier: Apache-2.0
// Shapes of the pooling family and the sliding-window arithmetic it shares with convolutions.
// Source: ONNX operator definitions of MaxPool and AveragePool (formulae of auto_pad and ceil_mode).
#include <algorithm>

#include "core/graph/shapes/shapes_window.h"

namespace equant::shapes {

namespace {

/// A list attribute with one entry per spatial dimension, each at least 1; ones when absent.
Shape positiveAttribute(const Inference& in, std::string_view key, std::size_t spatial) {
    auto values = in.node().intsAttribute(key);
    if (values.empty()) return Shape(spatial, 1);
    require(values.size() == spatial, "expected {} entries in {}, found {}", spatial, key, values.size());
    require(std::ranges::all_of(values, [](std::int64_t v) { return v >= 1; }), "expected positive {}", key);
    return values;
}

}  // namespace

Window windowOf(const Inference& in, Shape kernel, std::size_t spatial) {
    Window window;
    window.kernel = std::move(kernel);
    require(std::ranges::all_of(window.kernel, [](std::int64_t v) { return v != 0 && v >= kUnknown; }),
            "expected a kernel of at least one element");
    window.strides = positiveAttribute(in, "strides", spatial);
    window.dilations = positiveAttribute(in, "dilations", spatial);
    window.padsBegin.assign(spatial, 0);
    window.padsEnd.assign(spatial, 0);
    const auto mode = in.node().stringAttribute("auto_pad", "NOTSET");
    if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
        window.isSame = true;
    } else if (mode != "VALID") {
        require(mode == "NOTSET" || mode.empty(), "auto_pad '{}' does not exist", mode);
        const auto pads = in.node().intsAttribute("pads");
        if (pads.empty()) return window;
        require(pads.size() == 2 * spatial, "expected {} entries in pads, found {}", 2 * spatial, pads.size());
        for (std::size_t i = 0; i < spatial; ++i) {
            window.padsBegin[i] = pads[i];
            window.padsEnd[i] = pads[i + spatial];
        }
    }
    return window;
}

std::int64_t effectiveKernel(const Window& window, std::size_t i) {
    return checkedAdd(checkedMul(window.kernel[i] - 1, window.dilations[i]), 1);
}

std::int64_t windowCount(const Window& window, std::size_t i, std::int64_t size, bool isCeil) {
    if (size < 0) return kUnknown;
    const auto stride = window.strides[i];
    if (window.isSame) return size == 0 ? 0 : (size - 1) / stride + 1;
    if (window.kernel[i] < 0) return kUnknown;
    const auto padded = checkedAdd(size, checkedAdd(window.padsBegin[i], window.padsEnd[i]));
    const auto effective = effectiveKernel(window, i);
    const auto room = checkedAdd(padded, -effective);
    auto count = checkedAdd(floorDiv(isCeil ? checkedAdd(room, stride - 1) : room, stride), 1);
    if (isCeil && count > 1 && checkedMul(count - 1, stride) >= checkedAdd(size, window.padsBegin[i])) --count;
    require(count >= 1, "expected at least {} elements with padding in spatial dimension {}, found {}", effective, i,
            padded);
    return count;
}

namespace {

void inferPool(Inference& in) {
    const auto kernel = in.node().intsAttribute("kernel_shape");
    require(!kernel.empty(), "kernel_shape is missing");
    require(std::ranges::all_of(kernel, [](std::int64_t v) { return v >= 1; }), "expected positive kernel_shape");
    const auto spatial = kernel.size();
    in.requireRank(0, spatial + 2, spatial + 2);
    const Window window = windowOf(in, kernel, spatial);
    MaybeShape result;
    if (const auto& data = in.shape(0)) {
        const bool isCeil = in.node().intAttribute("ceil_mode", 0) != 0;
        result = Shape{(*data)[0], (*data)[1]};
        for (std::size_t i = 0; i < spatial; ++i) result->push_back(windowCount(window, i, (*data)[i + 2], isCeil));
    }
    in.set(0, in.type(0), result);
    in.set(1, DType::Int64, result);  // MaxPool's indices
}

void inferGlobalPool(Inference& in) {
    in.requireRank(0, 2);
    auto result = in.shape(0);
    if (result) std::fill(result->begin() + 2, result->end(), 1);
    in.set(0, in.type(0), result);
}

void inferMaxUnpool(Inference& in) {
    const auto kernel = in.node().intsAttribute("kernel_shape");
    const auto spatial = kernel.size();
    in.requireRank(0, spatial + 2, spatial + 2);
    if (in.has(2)) {
        const auto wanted = in.entries(2);
        if (wanted) {
            require(wanted->size() == spatial + 2, "expected {} entries in output_shape, found {}", spatial + 2,
                    wanted->size());
        }
        in.set(0, in.type(0), wanted ? *wanted : unknownDims(spatial + 2));
        return;
    }
    const Window window = windowOf(in, kernel, spatial);
    auto result = in.shape(0);
    for (std::size_t i = 0; result && i < spatial; ++i) {
        auto& dim = (*result)[i + 2];
        if (dim < 0) continue;
        const auto grown = checkedAdd(checkedMul(dim - 1, window.strides[i]), window.kernel[i]);
        dim = checkedAdd(grown, -checkedAdd(window.padsBegin[i], window.padsEnd[i]));
        require(dim >= 0, "padding is larger than spatial dimension {} of the output", i);
    }
    in.set(0, in.type(0), result);
}

/// Output [number of regions, channels, height, width].
void setRegions(Inference& in, std::int64_t height, std::int64_t width) {
    in.requireRank(0, 4, 4);
    in.requireRank(1, 2, 2);
    require(height >= 1 && width >= 1, "expected a positive output size");
    Shape result{kUnknown, kUnknown, height, width};
    if (const auto& data = in.shape(0)) result[1] = (*data)[1];
    if (const auto& regions = in.shape(1)) result[0] = (*regions)[0];
    in.set(0, in.type(0), result);
}

void inferRoiAlign(Inference& in) {
    setRegions(in, in.node().intAttribute("output_height", 1), in.node().intAttribute("output_width", 1));
}

void inferMaxRoiPool(Inference& in) {
    const auto size = in.node().intsAttribute("pooled_shape");
    require(size.size() == 2, "expected 2 entries in pooled_shape, found {}", size.size());
    setRegions(in, size[0], size[1]);
}

}  // namespace

void addPooling(Table& table) {
    for (const auto name : {"MaxPool", "AveragePool", "LpPool"}) table[name] = inferPool;
    for (const auto name : {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"}) table[name] = inferGlobalPool;
    table["MaxUnpool"] = inferMaxUnpool;
    table["RoiAlign"] = inferRoiAlign;
    table["MaxRoiPool"] = inferMaxRoiPool;
}

}  // namespace equant::shapes
