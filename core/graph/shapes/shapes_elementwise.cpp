// SPDX-License-Identifier: Apache-2.0
// Shapes of operators that work element by element, with or without broadcasting.
#include <array>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

DType typeAttribute(const Inference& in, std::string_view key, DType fallback) {
    const auto value = in.node().intAttribute(key, 0);
    return value == 0 ? fallback : static_cast<DType>(value);
}

/// The first known type among inputs [0, count).
DType commonType(const Inference& in, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        if (in.type(i) != DType::Undefined) return in.type(i);
    }
    return DType::Undefined;
}

void inferTest(Inference& in) {
    in.set(0, DType::Bool, in.shape(0));
}

void inferBroadcast(Inference& in) {
    in.set(0, commonType(in, in.inputCount()), broadcastInputs(in, 0, in.inputCount()));
}

void inferPow(Inference& in) {
    in.set(0, in.type(0), broadcastInputs(in, 0, 2));
}

void inferComparison(Inference& in) {
    in.set(0, DType::Bool, broadcastInputs(in, 0, 2));
}

void inferWhere(Inference& in) {
    const DType type = in.type(1) != DType::Undefined ? in.type(1) : in.type(2);
    in.set(0, type, broadcastInputs(in, 0, 3));
}

/// The slope broadcasts to the data, never the other way.
void inferPRelu(Inference& in) {
    // Before opset 7 a vector of slopes belongs to the channels.
    if (in.shape(0) && in.shape(1) && in.opset() >= 7) requireBroadcastsTo(*in.shape(1), *in.shape(0), "the slope");
    inferSame(in);
}

void inferCast(Inference& in) {
    in.set(0, typeAttribute(in, "to", DType::Undefined), in.shape(0));
}
void inferCastLike(Inference& in) {
    in.set(0, in.type(1), in.shape(0));
}

void inferDropout(Inference& in) {
    inferSame(in);
    in.set(1, in.opset() < 10 ? in.type(0) : DType::Bool, in.shape(0));
}

/// Output like the input in shape, of the type in attribute dtype, else of the input's.
void inferTyped(Inference& in) {
    in.set(0, typeAttribute(in, "dtype", in.type(0)), in.shape(0));
}

/// One output with the type and shape of input 0.
constexpr std::array kLikeInput{"Abs",
                                "Acos",
                                "Acosh",
                                "Asin",
                                "Asinh",
                                "Atan",
                                "Atanh",
                                "BitwiseNot",
                                "Ceil",
                                "Celu",
                                "Clip",
                                "Cos",
                                "Cosh",
                                "Elu",
                                "Erf",
                                "Exp",
                                "Floor",
                                "Gelu",
                                "HardSigmoid",
                                "HardSwish",
                                "Hardmax",
                                "Identity",
                                "LeakyRelu",
                                "Log",
                                "LogSoftmax",
                                "Mish",
                                "Neg",
                                "Reciprocal",
                                "Relu",
                                "Round",
                                "Selu",
                                "Shrink",
                                "Sigmoid",
                                "Sign",
                                "Sin",
                                "Sinh",
                                "Softmax",
                                "Softplus",
                                "Softsign",
                                "Sqrt",
                                "Swish",
                                "Tan",
                                "Tanh",
                                "ThresholdedRelu",
                                "CumSum",
                                "Trilu",
                                "ReverseSequence"};

}  // namespace

void addElementwise(Table& table) {
    for (const auto* name : kLikeInput) table[name] = inferSame;
    for (const auto name : {"Not", "IsNaN", "IsInf"}) table[name] = inferTest;
    for (const auto name : {"Add", "Sub", "Mul", "Div", "Mod", "Sum", "Mean", "Max", "Min", "BitwiseAnd", "BitwiseOr",
                            "BitwiseXor", "BitShift"}) {
        table[name] = inferBroadcast;
    }
    for (const auto name : {"And", "Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}) {
        table[name] = inferComparison;
    }
    table["Pow"] = inferPow;
    table["Where"] = inferWhere;
    table["PRelu"] = inferPRelu;
    table["Cast"] = inferCast;
    table["CastLike"] = inferCastLike;
    table["Dropout"] = inferDropout;
    for (const auto name : {"Bernoulli", "EyeLike", "RandomNormalLike", "RandomUniformLike"}) table[name] = inferTyped;
}

}  // namespace equant::shapes
