// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear, DequantizeLinear (per tensor, per axis, per block) and DynamicQuantizeLinear.
// Source: ONNX operator definitions, opset 10 to 21. Rounds half to even, saturates.
#include "core/runtime/kernels/elementwise_internal.h"
#include "core/runtime/kernels/vector_math_internal.h"

namespace equant::kernels {
namespace {

using NarrowTypes = Types<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t>;
using QuantizedTypes = Types<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::int32_t>;

/// How scales and zero points lie over a tensor seen as [outer, extent, inner].
struct Grid {
    AxisSplit split;
    std::int64_t blocks = 1;     ///< scales along the axis
    std::int64_t blockSize = 1;  ///< elements of the axis that share a scale
    std::int64_t outerStep = 0;  ///< in scales
    std::int64_t innerStep = 0;  ///< in scales: 1 when every inner index has its own
};

Result<Grid> gridOf(const TensorView& x, const TensorView& scale, std::int64_t axis, std::int64_t blockSize) {
    Grid grid;
    if (blockSize == 0 && scale.count() == 1) {
        grid.split = {1, 1, x.count()};
        return grid;
    }
    const auto normal = normalizeAxis(axis, rankOf(x));
    if (!normal) return fail(normal.error());
    grid.split = splitAt(x.shape, *normal);
    if (blockSize == 0) {
        grid.blocks = grid.split.extent;
        if (scale.shape.size() != 1 || scale.count() != grid.blocks) {
            return invalid("A tensor of shape {} needs {} scales along axis {}, not {}.", show(x.shape), grid.blocks,
                           axis, show(scale.shape));
        }
        return grid;
    }
    Shape expected = shapeOf(x);
    auto& extent = expected[static_cast<std::size_t>(*normal)];
    extent = (extent + blockSize - 1) / blockSize;
    if (expected != shapeOf(scale)) {
        return invalid("Blocks of {} need scales of shape {}, not {}.", blockSize, toString(expected),
                       show(scale.shape));
    }
    grid.blocks = extent;
    grid.blockSize = blockSize;
    grid.outerStep = extent * grid.split.inner;
    grid.innerStep = 1;
    return grid;
}

/// Calls body(first element, number of elements, scale index) for runs that share a scale.
template <typename F>
void forEachRun(const Grid& grid, F body) {
    const auto& [outer, extent, inner] = grid.split;
    for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t c = 0; c < extent; ++c) {
            const std::int64_t first = (o * extent + c) * inner;
            if (grid.innerStep == 0) {
                body(first, inner, c);
                continue;
            }
            const std::int64_t index = o * grid.outerStep + (c / grid.blockSize) * inner;
            for (std::int64_t i = 0; i < inner; ++i) body(first + i, std::int64_t{1}, index + i);
        }
    }
}

template <typename Q>
void quantizeRun(const float* x, std::int64_t count, float scale, std::int32_t zeroPoint, Q* out) {
    const auto low = static_cast<float>(std::numeric_limits<Q>::min() - zeroPoint);
    const auto high = static_cast<float>(std::numeric_limits<Q>::max() - zeroPoint);
    for (std::int64_t i = 0; i < count; ++i) {
        float value = x[i] / scale;
        value = value >= low ? value : low;  // NaN becomes low
        value = value > high ? high : value;
        out[i] = static_cast<Q>(static_cast<std::int32_t>(roundSmall(value)) + zeroPoint);
    }
}

Result<Kernel> makeQuantize(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", 1);
    const std::int64_t blockSize = node.intAttribute("block_size", 0);
    if (blockSize < 0) return unsupported("QuantizeLinear with block_size {} is not supported.", blockSize);
    const auto wanted = static_cast<DType>(node.intAttribute("output_dtype", 0));
    return makeChecked(2, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& scale = inputs[1];
        const TensorView& zero = inputs[2];
        if (scale.dtype != DType::Float) return unsupported("Scales must be float, not {}.", name(scale.dtype));
        const auto grid = gridOf(inputs[0], scale, axis, blockSize);
        if (!grid) return fail(grid.error());
        if (!zero.isOmitted() && zero.count() != scale.count()) {
            return invalid("There are {} zero points for {} scales.", zero.count(), scale.count());
        }
        std::vector<float> converted;
        const float* x = inputs[0].as<float>();
        if (inputs[0].dtype == DType::Int32) {
            converted.assign(inputs[0].as<std::int32_t>(), inputs[0].as<std::int32_t>() + inputs[0].count());
            x = converted.data();
        } else if (inputs[0].dtype != DType::Float) {
            return unsupported("QuantizeLinear of type {} is not supported.", name(inputs[0].dtype));
        }
        const DType fallback = wanted == DType::Undefined ? DType::Uint8 : wanted;
        return dispatch(NarrowTypes{}, zero.isOmitted() ? fallback : zero.dtype, [&]<typename Q>() -> Status {
            auto out = makeOutputAs<Q>(outputs, 0, shapeOf(inputs[0]));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            forEachRun(*grid, [&](std::int64_t first, std::int64_t count, std::int64_t index) {
                const std::int32_t zeroPoint = zero.isOmitted() ? 0 : zero.as<Q>()[index];
                quantizeRun(x + first, count, scale.as<float>()[index], zeroPoint, *out + first);
            });
            return {};
        });
    });
}

Result<Kernel> makeDequantize(const Node& node, std::int64_t) {
    const std::int64_t axis = node.intAttribute("axis", 1);
    const std::int64_t blockSize = node.intAttribute("block_size", 0);
    if (blockSize < 0) return unsupported("DequantizeLinear with block_size {} is not supported.", blockSize);
    return makeChecked(2, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& scale = inputs[1];
        const TensorView& zero = inputs[2];
        if (scale.dtype != DType::Float) return unsupported("Scales must be float, not {}.", name(scale.dtype));
        const auto grid = gridOf(inputs[0], scale, axis, blockSize);
        if (!grid) return fail(grid.error());
        if (!zero.isOmitted() && (zero.count() != scale.count() || zero.dtype != inputs[0].dtype)) {
            return invalid("The zero points must be as many as the scales and of the type of the input ({}).",
                           name(inputs[0].dtype));
        }
        return dispatch(QuantizedTypes{}, inputs[0].dtype, [&]<typename Q>() -> Status {
            auto out = makeOutputAs<float>(outputs, 0, shapeOf(inputs[0]));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            using Wide = std::conditional_t<sizeof(Q) == 4, std::int64_t, std::int32_t>;
            forEachRun(*grid, [&](std::int64_t first, std::int64_t count, std::int64_t index) {
                const Q* x = inputs[0].as<Q>() + first;
                float* target = *out + first;
                const Wide zeroPoint = zero.isOmitted() ? Wide{0} : Wide{zero.as<Q>()[index]};
                const float step = scale.as<float>()[index];
                for (std::int64_t i = 0; i < count; ++i) target[i] = static_cast<float>(x[i] - zeroPoint) * step;
            });
            return {};
        });
    });
}

Result<Kernel> makeDynamicQuantize(const Node&, std::int64_t) {
    return makeChecked(1, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        if (x.dtype != DType::Float) return unsupported("DynamicQuantizeLinear of {} is not supported.", name(x.dtype));
        float low = 0;
        float high = 0;
        for (std::int64_t i = 0; i < x.count(); ++i) {
            low = std::min(low, x.as<float>()[i]);
            high = std::max(high, x.as<float>()[i]);
        }
        const float scale = high > low ? (high - low) / 255.0F : 1.0F;
        const auto zeroPoint = static_cast<std::int32_t>(roundSmall(std::clamp(-low / scale, 0.0F, 255.0F)));
        auto out = makeOutputAs<std::uint8_t>(outputs, 0, shapeOf(x));
        auto outScale = makeOutputAs<float>(outputs, 1, {});
        auto outZero = makeOutputAs<std::uint8_t>(outputs, 2, {});
        if (!out) return fail(std::move(out.error()));
        if (*out != nullptr) quantizeRun(x.as<float>(), x.count(), scale, zeroPoint, *out);
        if (outScale && *outScale != nullptr) **outScale = scale;
        if (outZero && *outZero != nullptr) **outZero = static_cast<std::uint8_t>(zeroPoint);
        return {};
    });
}

constexpr KernelEntry kElementwiseQuantizeKernels[] = {
    {"QuantizeLinear", halfToo<&makeQuantize>},
    {"DequantizeLinear", halfToo<&makeDequantize>},
    {"DynamicQuantizeLinear", makeDynamicQuantize},
};

}  // namespace

std::span<const KernelEntry> quantizeKernels() {
    return kElementwiseQuantizeKernels;
}

}  // namespace equant::kernels
