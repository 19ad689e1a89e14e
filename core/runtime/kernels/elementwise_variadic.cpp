// SPDX-License-Identifier: Apache-2.0
// Elementwise operators of any number of inputs (Max, Min, Sum, Mean) and the selection between two (Where).
#include "core/runtime/kernels/elementwise_internal.h"

namespace equant::kernels {
namespace {

struct MaxOp {
    template <typename T>
    T operator()(T a, T b) const {
        return b > a || b != b ? b : a;
    }
};
struct MinOp {
    template <typename T>
    T operator()(T a, T b) const {
        return b < a || b != b ? b : a;
    }
};
struct SumOp {
    template <typename T>
    T operator()(T a, T b) const {
        return wrapAdd(a, b);
    }
};

Result<Shape> commonShape(const Inputs& inputs) {
    Shape shape = shapeOf(inputs[0]);
    for (std::size_t i = 1; i < inputs.size(); ++i) {
        if (inputs[i].dtype != inputs[0].dtype) {
            return invalid("Input {} has type {} where {} is expected.", i, name(inputs[i].dtype),
                           name(inputs[0].dtype));
        }
        auto wider = broadcastShapes(shape, inputs[i].shape);
        if (!wider) return fail(std::move(wider.error()));
        shape = std::move(*wider);
    }
    return shape;
}

/// out = op(out, in) with `in` broadcast to the shape; `isFirst` copies instead.
template <typename T, typename Op>
void accumulate(const TensorView& view, const Shape& shape, bool isFirst, T* out, Op op) {
    const auto nest = collapsed(LoopNest<2>{shape, {stridesOf(shape), broadcastStrides(view.shape, shape)}});
    const std::int64_t step = nest.strides[1].back();
    const std::int64_t n = nest.dims.back();
    forEachRow(nest, [&](const std::array<std::int64_t, 2>& offsets) {
        T* target = out + offsets[0];
        const T* source = view.as<T>() + offsets[1];
        if (isFirst) {
            for (std::int64_t i = 0; i < n; ++i) target[i] = source[i * step];
        } else if (step == 1) {
            for (std::int64_t i = 0; i < n; ++i) target[i] = op(target[i], source[i]);
        } else {
            for (std::int64_t i = 0; i < n; ++i) target[i] = op(target[i], source[i * step]);
        }
    });
}

template <typename Op, typename List, bool isMean>
Result<Kernel> variadic(const Node&, std::int64_t) {
    return makeChecked(1, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto shape = commonShape(inputs);
        if (!shape) return fail(shape.error());
        return dispatch(List{}, inputs[0].dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, *shape);
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::size_t i = 0; i < inputs.size(); ++i) accumulate<T>(inputs[i], *shape, i == 0, *out, Op{});
            if constexpr (isMean) {
                const T divisor = static_cast<T>(inputs.size());
                const std::int64_t count = product(*shape);
                for (std::int64_t i = 0; i < count; ++i) (*out)[i] /= divisor;
            }
            return {};
        });
    });
}

Result<Kernel> makeWhere(const Node&, std::int64_t) {
    return makeChecked(3, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& condition = inputs[0];
        const TensorView& x = inputs[1];
        const TensorView& y = inputs[2];
        if (condition.dtype != DType::Bool) return invalid("The condition of Where must be boolean.");
        if (x.dtype != y.dtype) return invalid("Where chooses between {} and {}.", name(x.dtype), name(y.dtype));
        auto shape = broadcastShapes(x.shape, y.shape);
        if (shape) shape = broadcastShapes(condition.shape, *shape);
        if (!shape) return fail(std::move(shape.error()));
        return dispatchBySize(x.dtype, [&]<typename T>() -> Status {
            auto memory = makeOutput(outputs, 0, x.dtype, *shape);
            if (!memory) return fail(std::move(memory.error()));
            auto* out = reinterpret_cast<T*>(*memory);
            if (out == nullptr) return {};
            const auto nest =
                collapsed(LoopNest<4>{*shape,
                                      {stridesOf(*shape), broadcastStrides(condition.shape, *shape),
                                       broadcastStrides(x.shape, *shape), broadcastStrides(y.shape, *shape)}});
            const std::int64_t steps[] = {nest.strides[1].back(), nest.strides[2].back(), nest.strides[3].back()};
            forEachRow(nest, [&](const std::array<std::int64_t, 4>& at) {
                const bool* choose = condition.as<bool>() + at[1];
                const T* left = x.as<T>() + at[2];
                const T* right = y.as<T>() + at[3];
                for (std::int64_t i = 0; i < nest.dims.back(); ++i) {
                    out[at[0] + i] = choose[i * steps[0]] ? left[i * steps[1]] : right[i * steps[2]];
                }
            });
            return {};
        });
    });
}

constexpr KernelEntry kElementwiseVariadicKernels[] = {
    {"Max", halfToo<&variadic<MaxOp, NumberTypes, false>>},
    {"Min", halfToo<&variadic<MinOp, NumberTypes, false>>},
    {"Sum", halfToo<&variadic<SumOp, FloatTypes, false>>},
    {"Mean", halfToo<&variadic<SumOp, FloatTypes, true>>},
    {"Where", makeWhere},
};

}  // namespace

std::span<const KernelEntry> variadicKernels() {
    return kElementwiseVariadicKernels;
}

}  // namespace equant::kernels
