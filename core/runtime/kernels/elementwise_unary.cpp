// SPDX-License-Identifier: Apache-2.0
// Elementwise operators of one input: arithmetic, activations, tests and logic.
#include <numbers>

#include "core/runtime/kernels/elementwise_internal.h"
#include "core/runtime/kernels/vector_math_internal.h"
#include "core/runtime/kernels/wide.h"

namespace equant::kernels {
namespace {

// Each operator is a function object, made from its node when it has attributes.

struct AbsOp {
    template <typename T>
    T operator()(T x) const {
        if constexpr (std::is_unsigned_v<T>) {
            return x;
        } else if constexpr (std::is_integral_v<T>) {
            return x < 0 ? wrapSubtract(T{0}, x) : x;
        } else {
            return std::fabs(x);
        }
    }
};
struct NegOp {
    template <typename T>
    T operator()(T x) const {
        if constexpr (std::is_floating_point_v<T>) {
            return -x;
        } else {
            return wrapSubtract(T{0}, x);
        }
    }
};
struct SignOp {
    template <typename T>
    T operator()(T x) const {
        if constexpr (std::is_unsigned_v<T>) {
            return static_cast<T>(x > 0);
        } else {
            return static_cast<T>((x > T{0}) - (x < T{0}));
        }
    }
};

#define EQUANT_FLOAT_OP(Name, expression)      \
    struct Name {                              \
        template <typename T>                  \
        T operator()(T x) const {              \
            return static_cast<T>(expression); \
        }                                      \
    };
EQUANT_FLOAT_OP(FloorOp, std::floor(x))
EQUANT_FLOAT_OP(CeilOp, std::ceil(x))
EQUANT_FLOAT_OP(RoundOp, std::nearbyint(x))
EQUANT_FLOAT_OP(SqrtOp, std::sqrt(x))
EQUANT_FLOAT_OP(ExpOp, fastExp(x))
EQUANT_FLOAT_OP(LogOp, std::log(x))
EQUANT_FLOAT_OP(ErfOp, fastErf(x))
EQUANT_FLOAT_OP(ReciprocalOp, T{1} / x)
EQUANT_FLOAT_OP(SinOp, std::sin(x))
EQUANT_FLOAT_OP(CosOp, std::cos(x))
EQUANT_FLOAT_OP(TanOp, std::tan(x))
EQUANT_FLOAT_OP(AsinOp, std::asin(x))
EQUANT_FLOAT_OP(AcosOp, std::acos(x))
EQUANT_FLOAT_OP(AtanOp, std::atan(x))
EQUANT_FLOAT_OP(SinhOp, std::sinh(x))
EQUANT_FLOAT_OP(CoshOp, std::cosh(x))
EQUANT_FLOAT_OP(AsinhOp, std::asinh(x))
EQUANT_FLOAT_OP(AcoshOp, std::acosh(x))
EQUANT_FLOAT_OP(AtanhOp, std::atanh(x))
EQUANT_FLOAT_OP(TanhOp, fastTanh(x))
EQUANT_FLOAT_OP(SigmoidOp, fastSigmoid(x))
EQUANT_FLOAT_OP(ReluOp, x < T{0} ? T{0} : x)
EQUANT_FLOAT_OP(SoftplusOp, std::log1p(fastExp(-std::fabs(x))) + (x > T{0} ? x : T{0}))
EQUANT_FLOAT_OP(SoftsignOp, x / (T{1} + std::fabs(x)))
EQUANT_FLOAT_OP(MishOp, x* std::tanh(SoftplusOp{}(x)))
#undef EQUANT_FLOAT_OP

struct LeakyReluOp {
    float alpha;
    explicit LeakyReluOp(const Node& node) : alpha(node.floatAttribute("alpha", 0.01F)) {}
    template <typename T>
    T operator()(T x) const {
        return x < T{0} ? static_cast<T>(alpha) * x : x;
    }
};
struct EluOp {
    float alpha;
    explicit EluOp(const Node& node) : alpha(node.floatAttribute("alpha", 1.0F)) {}
    template <typename T>
    T operator()(T x) const {
        return x < T{0} ? static_cast<T>(alpha) * std::expm1(x) : x;
    }
};
struct CeluOp {
    float alpha;
    explicit CeluOp(const Node& node) : alpha(node.floatAttribute("alpha", 1.0F)) {}
    template <typename T>
    T operator()(T x) const {
        const T a = static_cast<T>(alpha);
        return x < T{0} ? a * std::expm1(x / a) : x;
    }
};
struct SeluOp {
    float alpha;
    float gamma;
    explicit SeluOp(const Node& node)
        : alpha(node.floatAttribute("alpha", 1.67326319217681884765625F)),
          gamma(node.floatAttribute("gamma", 1.05070102214813232421875F)) {}
    template <typename T>
    T operator()(T x) const {
        return static_cast<T>(gamma) * (x < T{0} ? static_cast<T>(alpha) * std::expm1(x) : x);
    }
};
struct HardSigmoidOp {
    float alpha;
    float beta;
    explicit HardSigmoidOp(const Node& node)
        : alpha(node.floatAttribute("alpha", 0.2F)), beta(node.floatAttribute("beta", 0.5F)) {}
    template <typename T>
    T operator()(T x) const {
        T y = static_cast<T>(alpha) * x + static_cast<T>(beta);
        y = y < T{0} ? T{0} : y;
        return y > T{1} ? T{1} : y;
    }
};
struct HardSwishOp {
    template <typename T>
    T operator()(T x) const {
        T y = x / T{6} + T{0.5};
        y = y < T{0} ? T{0} : y;
        return x * (y > T{1} ? T{1} : y);
    }
};
struct ThresholdedReluOp {
    float alpha;
    explicit ThresholdedReluOp(const Node& node) : alpha(node.floatAttribute("alpha", 1.0F)) {}
    template <typename T>
    T operator()(T x) const {
        return x > static_cast<T>(alpha) ? x : T{0};
    }
};
struct ShrinkOp {
    float bias;
    float lambda;
    explicit ShrinkOp(const Node& node)
        : bias(node.floatAttribute("bias", 0.0F)), lambda(node.floatAttribute("lambd", 0.5F)) {}
    template <typename T>
    T operator()(T x) const {
        const auto value = static_cast<double>(x);
        if (value < -double{lambda}) return saturated<T>(value + double{bias});
        return value > double{lambda} ? saturated<T>(value - double{bias}) : T{0};
    }
};
struct GeluOp {
    bool isTanh;
    explicit GeluOp(const Node& node) : isTanh(node.stringAttribute("approximate", "none") == "tanh") {}
    template <typename T>
    T operator()(T x) const {
        if (!isTanh) return T{0.5} * x * (T{1} + fastErf(x * static_cast<T>(std::numbers::sqrt2 / 2)));
        const T inner = static_cast<T>(std::numbers::inv_sqrtpi * std::numbers::sqrt2) * (x + T(0.044715) * x * x * x);
        return T{0.5} * x * (T{1} + fastTanh(inner));
    }
};

// Operators that spend their time in arithmetic rather than in memory use the widest vectors there are.
using WideFunction = void (*)(const float* in, std::int64_t count, float* out);

#define EQUANT_WIDE_OP(name, expression)                                                           \
    EQUANT_WIDE void name(const float* __restrict in, std::int64_t count, float* __restrict out) { \
        for (std::int64_t i = 0; i < count; ++i) {                                                 \
            const float x = in[i];                                                                 \
            out[i] = expression;                                                                   \
        }                                                                                          \
    }
EQUANT_WIDE_OP(wideExp, fastExp(x))
EQUANT_WIDE_OP(wideErf, fastErf(x))
EQUANT_WIDE_OP(wideTanh, fastTanh(x))
EQUANT_WIDE_OP(wideSigmoid, fastSigmoid(x))
EQUANT_WIDE_OP(wideGelu, 0.5F * x * (1.0F + fastErf(x * (std::numbers::sqrt2_v<float> / 2.0F))))
EQUANT_WIDE_OP(wideGeluTanh, 0.5F * x * (1.0F + fastTanh(0.7978845608F * (x + 0.044715F * x * x * x))))
#undef EQUANT_WIDE_OP

template <typename Op>
WideFunction wideFunction(const Op& op) {
    if constexpr (std::is_same_v<Op, ExpOp>) return wideExp;
    if constexpr (std::is_same_v<Op, ErfOp>) return wideErf;
    if constexpr (std::is_same_v<Op, TanhOp>) return wideTanh;
    if constexpr (std::is_same_v<Op, SigmoidOp>) return wideSigmoid;
    if constexpr (std::is_same_v<Op, GeluOp>) return op.isTanh ? wideGeluTanh : wideGelu;
    return nullptr;
}

template <typename Op>
Op makeOp(const Node& node) {
    if constexpr (std::is_constructible_v<Op, const Node&>) {
        return Op(node);
    } else {
        return Op{};
    }
}

/// An operator whose output has the type of its input, for the types in List.
template <typename Op, typename List>
Result<Kernel> unary(const Node& node, std::int64_t) {
    return makeChecked(1, [op = makeOp<Op>(node)](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        return dispatch(List{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            const T* in = x.as<T>();
            const Op function = op;
            const std::int64_t count = x.count();
            T* target = *out;
            if constexpr (std::is_same_v<T, float>) {
                if (const WideFunction wide = wideFunction(function); wide != nullptr) {
                    wide(in, count, target);
                    return {};
                }
            }
            for (std::int64_t i = 0; i < count; ++i) target[i] = function(in[i]);
            return {};
        });
    });
}

struct IsNaNOp {
    template <typename T>
    bool operator()(T x) const {
        return std::isnan(x);
    }
};
struct IsInfOp {
    bool isPositive;
    bool isNegative;
    explicit IsInfOp(const Node& node)
        : isPositive(node.intAttribute("detect_positive", 1) != 0),
          isNegative(node.intAttribute("detect_negative", 1) != 0) {}
    template <typename T>
    bool operator()(T x) const {
        return std::isinf(x) && (x > T{0} ? isPositive : isNegative);
    }
};
struct NotOp {
    template <typename T>
    bool operator()(T x) const {
        return !x;
    }
};
struct BitwiseNotOp {
    template <typename T>
    T operator()(T x) const {
        return static_cast<T>(~x);
    }
};

/// An operator that gives booleans.
template <typename Op, typename List>
Result<Kernel> test(const Node& node, std::int64_t) {
    return makeChecked(1, [op = makeOp<Op>(node)](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        return dispatch(List{}, x.dtype, [&]<typename T>() -> Status {
            auto out = makeOutputAs<bool>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out != nullptr) std::transform(x.as<T>(), x.as<T>() + x.count(), *out, op);
            return {};
        });
    });
}

/// Clip: the limits are attributes before opset 11 and inputs since. min > max gives max, as the specification says.
Result<Kernel> makeClip(const Node& node, std::int64_t opset) {
    const bool hasAttributes = opset < 11;
    const float low = node.floatAttribute("min", std::numeric_limits<float>::lowest());
    const float high = node.floatAttribute("max", std::numeric_limits<float>::max());
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        const TensorView& x = inputs[0];
        return dispatch(NumberTypes{}, x.dtype, [&]<typename T>() -> Status {
            T lowest = std::numeric_limits<T>::lowest();
            T highest = std::numeric_limits<T>::max();
            if constexpr (std::is_floating_point_v<T>) {
                lowest = -std::numeric_limits<T>::infinity();
                highest = std::numeric_limits<T>::infinity();
            }
            if (hasAttributes) {
                lowest = saturated<T>(double{low});
                highest = saturated<T>(double{high});
            }
            for (const std::size_t slot : {1, 2}) {
                if (hasAttributes || !inputs.has(slot)) continue;
                if (inputs[slot].dtype != x.dtype || inputs[slot].count() != 1) {
                    return invalid("The limits of Clip must be scalars of the type of its input ({}).", name(x.dtype));
                }
                (slot == 1 ? lowest : highest) = *inputs[slot].as<T>();
            }
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(x));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            const T* in = x.as<T>();
            T* target = *out;
            const std::int64_t count = x.count();
            for (std::int64_t i = 0; i < count; ++i) {
                const T raised = in[i] < lowest ? lowest : in[i];
                target[i] = raised > highest ? highest : raised;
            }
            return {};
        });
    });
}

constexpr KernelEntry kElementwiseUnaryKernels[] = {
    {"Abs", halfToo<&unary<AbsOp, NumberTypes>>},
    {"Neg", halfToo<&unary<NegOp, SignedTypes>>},
    {"Sign", halfToo<&unary<SignOp, NumberTypes>>},
    {"Floor", halfToo<&unary<FloorOp, FloatTypes>>},
    {"Ceil", halfToo<&unary<CeilOp, FloatTypes>>},
    {"Round", halfToo<&unary<RoundOp, FloatTypes>>},
    {"Sqrt", halfToo<&unary<SqrtOp, FloatTypes>>},
    {"Exp", halfToo<&unary<ExpOp, FloatTypes>>},
    {"Log", halfToo<&unary<LogOp, FloatTypes>>},
    {"Erf", halfToo<&unary<ErfOp, FloatTypes>>},
    {"Reciprocal", halfToo<&unary<ReciprocalOp, FloatTypes>>},
    {"Sin", halfToo<&unary<SinOp, FloatTypes>>},
    {"Cos", halfToo<&unary<CosOp, FloatTypes>>},
    {"Tan", halfToo<&unary<TanOp, FloatTypes>>},
    {"Asin", halfToo<&unary<AsinOp, FloatTypes>>},
    {"Acos", halfToo<&unary<AcosOp, FloatTypes>>},
    {"Atan", halfToo<&unary<AtanOp, FloatTypes>>},
    {"Sinh", halfToo<&unary<SinhOp, FloatTypes>>},
    {"Cosh", halfToo<&unary<CoshOp, FloatTypes>>},
    {"Asinh", halfToo<&unary<AsinhOp, FloatTypes>>},
    {"Acosh", halfToo<&unary<AcoshOp, FloatTypes>>},
    {"Atanh", halfToo<&unary<AtanhOp, FloatTypes>>},
    {"Tanh", halfToo<&unary<TanhOp, FloatTypes>>},
    {"Sigmoid", halfToo<&unary<SigmoidOp, FloatTypes>>},
    {"Relu", halfToo<&unary<ReluOp, SignedTypes>>},
    {"Softplus", halfToo<&unary<SoftplusOp, FloatTypes>>},
    {"Softsign", halfToo<&unary<SoftsignOp, FloatTypes>>},
    {"Mish", halfToo<&unary<MishOp, FloatTypes>>},
    {"LeakyRelu", halfToo<&unary<LeakyReluOp, FloatTypes>>},
    {"Elu", halfToo<&unary<EluOp, FloatTypes>>},
    {"Celu", halfToo<&unary<CeluOp, FloatTypes>>},
    {"Selu", halfToo<&unary<SeluOp, FloatTypes>>},
    {"HardSigmoid", halfToo<&unary<HardSigmoidOp, FloatTypes>>},
    {"HardSwish", halfToo<&unary<HardSwishOp, FloatTypes>>},
    {"ThresholdedRelu", halfToo<&unary<ThresholdedReluOp, FloatTypes>>},
    {"Shrink", halfToo<&unary<ShrinkOp, NumberTypes>>},
    {"Gelu", halfToo<&unary<GeluOp, FloatTypes>>},
    {"Clip", halfToo<&makeClip>},
    {"IsNaN", halfToo<&test<IsNaNOp, FloatTypes>>},
    {"IsInf", halfToo<&test<IsInfOp, FloatTypes>>},
    {"Not", test<NotOp, Types<bool>>},
    {"BitwiseNot", unary<BitwiseNotOp, IntegerTypes>},
};

}  // namespace

std::span<const KernelEntry> unaryKernels() {
    return kElementwiseUnaryKernels;
}

}  // namespace equant::kernels
