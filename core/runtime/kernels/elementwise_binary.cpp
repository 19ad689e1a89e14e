// SPDX-License-Identifier: Apache-2.0
// Elementwise operators of two inputs with numpy-style broadcasting: arithmetic, comparisons, logic, bits.
#include <functional>

#include "core/runtime/kernels/elementwise_internal.h"

namespace equant::kernels {
namespace {

/// out = op(a, b) over a broadcast nest [out, a, b]; the three common row forms have loops that vectorize.
template <typename A, typename B, typename R, typename Op>
void applyRows(const LoopNest<3>& nest, const A* a, const B* b, R* out, Op op) {
    const std::int64_t n = nest.dims.back();
    const std::int64_t stepA = nest.strides[1].back();
    const std::int64_t stepB = nest.strides[2].back();
    forEachRow(nest, [&](const std::array<std::int64_t, 3>& offsets) {
        R* __restrict target = out + offsets[0];
        const A* left = a + offsets[1];
        const B* right = b + offsets[2];
        if (stepA == 1 && stepB == 1) {
            for (std::int64_t i = 0; i < n; ++i) target[i] = op(left[i], right[i]);
        } else if (stepA == 1 && stepB == 0) {
            const B value = *right;
            for (std::int64_t i = 0; i < n; ++i) target[i] = op(left[i], value);
        } else if (stepA == 0 && stepB == 1) {
            const A value = *left;
            for (std::int64_t i = 0; i < n; ++i) target[i] = op(value, right[i]);
        } else {
            for (std::int64_t i = 0; i < n; ++i) target[i] = op(left[i * stepA], right[i * stepB]);
        }
    });
}

Result<LoopNest<3>> broadcastNest(const TensorView& a, const TensorView& b, Shape& shape) {
    auto broadcast = broadcastShapes(a.shape, b.shape);
    if (!broadcast) return fail(std::move(broadcast.error()));
    shape = std::move(*broadcast);
    return collapsed(
        LoopNest<3>{shape, {stridesOf(shape), broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)}});
}

template <typename A, typename B, typename R, typename Op>
Status broadcastInto(const TensorView& a, const TensorView& b, KernelOutputs& outputs, Op op) {
    Shape shape;
    const auto nest = broadcastNest(a, b, shape);
    if (!nest) return fail(nest.error());
    auto out = makeOutputAs<R>(outputs, 0, shape);
    if (!out) return fail(std::move(out.error()));
    if (*out != nullptr) applyRows(*nest, a.as<A>(), b.as<B>(), *out, op);
    return {};
}

Status requireSameType(const TensorView& a, const TensorView& b) {
    if (a.dtype == b.dtype) return {};
    return invalid("The inputs of an operator have different types, {} and {}.", name(a.dtype), name(b.dtype));
}

struct AddOp {
    template <typename T>
    T operator()(T a, T b) const {
        return wrapAdd(a, b);
    }
};
struct SubOp {
    template <typename T>
    T operator()(T a, T b) const {
        return wrapSubtract(a, b);
    }
};
struct MulOp {
    template <typename T>
    T operator()(T a, T b) const {
        return wrapMultiply(a, b);
    }
};
/// Integer division truncates; zero divisors are refused before it is called.
struct DivOp {
    template <typename T>
    T operator()(T a, T b) const {
        if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
            if (b == T{-1}) return wrapSubtract(T{0}, a);
        }
        return static_cast<T>(a / b);
    }
};
/// Remainder with the sign of the divisor (numpy.mod).
struct FlooredModOp {
    template <typename T>
    T operator()(T a, T b) const {
        if constexpr (std::is_floating_point_v<T>) {
            const T r = std::fmod(a, b);
            return r != T{0} && (r < T{0}) != (b < T{0}) ? r + b : r;
        } else if constexpr (std::is_signed_v<T>) {
            if (b == T{-1}) return T{0};
            const T r = static_cast<T>(a % b);
            return r != T{0} && (r < T{0}) != (b < T{0}) ? static_cast<T>(r + b) : r;
        } else {
            return static_cast<T>(a % b);
        }
    }
};
/// Remainder with the sign of the dividend (C fmod).
struct TruncatedModOp {
    template <typename T>
    T operator()(T a, T b) const {
        if constexpr (std::is_floating_point_v<T>) {
            return std::fmod(a, b);
        } else if constexpr (std::is_signed_v<T>) {
            return b == T{-1} ? T{0} : static_cast<T>(a % b);
        } else {
            return static_cast<T>(a % b);
        }
    }
};

template <typename Op>
constexpr bool kDivides =
    std::is_same_v<Op, DivOp> || std::is_same_v<Op, FlooredModOp> || std::is_same_v<Op, TruncatedModOp>;

template <typename Op, typename List>
Kernel arithmeticKernel() {
    return makeChecked(2, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        if (auto status = requireSameType(inputs[0], inputs[1]); !status) return status;
        return dispatch(List{}, inputs[0].dtype, [&]<typename T>() -> Status {
            if constexpr (kDivides<Op> && std::is_integral_v<T>) {
                const T* divisor = inputs[1].as<T>();
                if (std::find(divisor, divisor + inputs[1].count(), T{0}) != divisor + inputs[1].count()) {
                    return invalid("An integer is divided by zero.");
                }
            }
            return broadcastInto<T, T, T>(inputs[0], inputs[1], outputs, Op{});
        });
    });
}
template <typename Op, typename List = NumberTypes>
Result<Kernel> arithmetic(const Node&, std::int64_t) {
    return arithmeticKernel<Op, List>();
}

Result<Kernel> makeMod(const Node& node, std::int64_t) {
    return node.intAttribute("fmod", 0) != 0 ? arithmeticKernel<TruncatedModOp, NumberTypes>()
                                             : arithmeticKernel<FlooredModOp, NumberTypes>();
}

template <typename T>
T integerPower(T base, std::uint64_t exponent) {
    T result{1};
    for (; exponent != 0; exponent >>= 1) {
        if ((exponent & 1) != 0) result = wrapMultiply(result, base);
        base = wrapMultiply(base, base);
    }
    return result;
}

/// Power of any numeric base to any numeric exponent; the result has the type of the base.
struct PowOp {
    template <typename T>
    T operator()(T base, double exponent) const {
        if constexpr (std::is_floating_point_v<T>) {
            return std::pow(base, static_cast<T>(exponent));
        } else {
            if (exponent >= 0 && exponent < 9e15 && exponent == std::floor(exponent)) {
                return integerPower(base, static_cast<std::uint64_t>(exponent));
            }
            return saturated<T>(std::pow(static_cast<double>(base), exponent));
        }
    }
};

Result<Kernel> makePow(const Node&, std::int64_t) {
    return makeChecked(2, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const auto exponents = readNumbers(inputs[1]);
        if (!exponents) return fail(exponents.error());
        const TensorView b{DType::Double, inputs[1].shape, reinterpret_cast<const std::byte*>(exponents->data())};
        return dispatch(NumberTypes{}, inputs[0].dtype, [&]<typename T>() -> Status {
            if (exponents->size() == 1 && exponents->front() == 2.0) {
                return broadcastInto<T, double, T>(inputs[0], b, outputs,
                                                   [](T x, double) { return wrapMultiply(x, x); });
            }
            return broadcastInto<T, double, T>(inputs[0], b, outputs, PowOp{});
        });
    });
}

/// Before opset 7 a vector of slopes belongs to the channels (axis 1) without further ado.
Result<Kernel> makePRelu(const Node&, std::int64_t opset) {
    return makeChecked(2, [opset](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        if (auto status = requireSameType(inputs[0], inputs[1]); !status) return status;
        TensorView slopes = inputs[1];
        Shape perChannel;
        if (opset < 7 && slopes.shape.size() == 1 && inputs[0].shape.size() > 2) {
            perChannel.assign(inputs[0].shape.size() - 1, 1);
            perChannel[0] = slopes.shape[0];
            slopes.shape = perChannel;
        }
        return dispatch(SignedTypes{}, inputs[0].dtype, [&]<typename T>() -> Status {
            return broadcastInto<T, T, T>(inputs[0], slopes, outputs,
                                          [](T x, T slope) { return x < T{0} ? wrapMultiply(x, slope) : x; });
        });
    });
}

template <typename Op, typename List>
Result<Kernel> comparison(const Node&, std::int64_t) {
    return makeChecked(2, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        if (auto status = requireSameType(inputs[0], inputs[1]); !status) return status;
        return dispatch(List{}, inputs[0].dtype, [&]<typename T>() -> Status {
            return broadcastInto<T, T, bool>(inputs[0], inputs[1], outputs, Op{});
        });
    });
}

struct AndOp {
    template <typename T>
    T operator()(T a, T b) const {
        return static_cast<T>(a & b);
    }
};
struct OrOp {
    template <typename T>
    T operator()(T a, T b) const {
        return static_cast<T>(a | b);
    }
};
struct XorOp {
    template <typename T>
    T operator()(T a, T b) const {
        return static_cast<T>(a ^ b);
    }
};
template <bool isLeft>
struct ShiftOp {
    template <typename T>
    T operator()(T value, T by) const {
        if (by >= sizeof(T) * 8) return T{0};
        return static_cast<T>(isLeft ? static_cast<Wrapping<T>>(value) << by : static_cast<Wrapping<T>>(value) >> by);
    }
};

Result<Kernel> makeBitShift(const Node& node, std::int64_t) {
    using UnsignedTypes = Types<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
    const auto direction = node.stringAttribute("direction", "");
    if (direction == "LEFT") return arithmeticKernel<ShiftOp<true>, UnsignedTypes>();
    if (direction == "RIGHT") return arithmeticKernel<ShiftOp<false>, UnsignedTypes>();
    return unsupported("BitShift knows the directions LEFT and RIGHT, not \"{}\".", direction);
}

constexpr KernelEntry kElementwiseBinaryKernels[] = {
    {"Add", halfToo<&arithmetic<AddOp>>},
    {"Sub", halfToo<&arithmetic<SubOp>>},
    {"Mul", halfToo<&arithmetic<MulOp>>},
    {"Div", halfToo<&arithmetic<DivOp>>},
    {"Mod", halfToo<&makeMod>},
    {"Pow", halfToo<&makePow>},
    {"PRelu", halfToo<&makePRelu>},
    {"Equal", halfToo<&comparison<std::equal_to<>, NumberAndBoolTypes>>},
    {"Less", halfToo<&comparison<std::less<>, NumberTypes>>},
    {"LessOrEqual", halfToo<&comparison<std::less_equal<>, NumberTypes>>},
    {"Greater", halfToo<&comparison<std::greater<>, NumberTypes>>},
    {"GreaterOrEqual", halfToo<&comparison<std::greater_equal<>, NumberTypes>>},
    {"And", arithmetic<AndOp, Types<bool>>},
    {"Or", arithmetic<OrOp, Types<bool>>},
    {"Xor", arithmetic<XorOp, Types<bool>>},
    {"BitwiseAnd", arithmetic<AndOp, IntegerTypes>},
    {"BitwiseOr", arithmetic<OrOp, IntegerTypes>},
    {"BitwiseXor", arithmetic<XorOp, IntegerTypes>},
    {"BitShift", makeBitShift},
};

}  // namespace

std::span<const KernelEntry> binaryKernels() {
    return kElementwiseBinaryKernels;
}

}  // namespace equant::kernels
