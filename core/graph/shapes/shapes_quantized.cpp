// SPDX-License-Identifier: Apache-2.0
// Shapes of QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear (integer products are with their families).
#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

/// The scale is a scalar, a vector over one axis, or blocked (opset 21), which keeps the rank of the data.
void requireScale(const Inference& in) {
    const auto& data = in.shape(0);
    const auto& scale = in.shape(1);
    if (!data || !scale || scale->empty() || (scale->size() == 1 && scale->front() == 1)) return;
    if (in.node().intAttribute("block_size", 0) != 0) {
        require(scale->size() == data->size(), "expected blocked scales with {} dimensions", data->size());
        return;
    }
    require(scale->size() == 1, "expected one scale or one per channel");
    const auto axis = axisOf(in.node().intAttribute("axis", 1), data->size());
    static_cast<void>(unify((*data)[axis], scale->front(), "scales and channels"));
}

void inferQuantizeLinear(Inference& in) {
    requireScale(in);
    DType type = DType::Uint8;
    if (in.has(2)) {
        type = in.type(2);
    } else if (const auto declared = in.node().intAttribute("output_dtype", 0); declared != 0) {
        type = static_cast<DType>(declared);
    }
    in.set(0, type, in.shape(0));
}

void inferDequantizeLinear(Inference& in) {
    requireScale(in);
    in.set(0, in.type(1) == DType::Undefined ? DType::Float : in.type(1), in.shape(0));
}

void inferDynamicQuantizeLinear(Inference& in) {
    in.set(0, DType::Uint8, in.shape(0));
    in.set(1, DType::Float, Shape{});
    in.set(2, DType::Uint8, Shape{});
}

}  // namespace

void addQuantized(Table& table) {
    table["QuantizeLinear"] = inferQuantizeLinear;
    table["DequantizeLinear"] = inferDequantizeLinear;
    table["DynamicQuantizeLinear"] = inferDynamicQuantizeLinear;
}

}  // namespace equant::shapes
