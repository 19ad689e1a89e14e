// SPDX-License-Identifier: Apache-2.0
// Which ONNX operators are pointwise, and the chains of functions (ir::Post) that compute them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/runtime/ir/ir_internal.h"

namespace equant::ir {
namespace {

Post eltwise(EltwiseFunction function, float alpha = 0.0F, float beta = 0.0F) {
    Post post;
    post.eltwise = function;
    post.alpha = alpha;
    post.beta = beta;
    return post;
}

Post binary(BinaryFunction function, ValueId operand, Spread spread) {
    Post post;
    post.kind = Post::Kind::Binary;
    post.binary = function;
    post.operand = operand;
    post.spread = spread;
    return post;
}

std::optional<float> scalarConstant(const Program& program, ValueId id) {
    if (id == kNoValue) return std::nullopt;
    const auto& constant = program.values[id].constant;
    if (!constant || constant->dtype() != DType::Float || constant->count() != 1) return std::nullopt;
    return constant->data<float>()[0];
}

/// Clip's bounds: attributes before opset 11, constant inputs since.
std::optional<std::vector<Post>> clip(const Program& program, const Node& node, const std::vector<ValueId>& inputs) {
    float low = node.floatAttribute("min", std::numeric_limits<float>::lowest());
    float high = node.floatAttribute("max", std::numeric_limits<float>::max());
    if (inputs.size() > 1 && inputs[1] != kNoValue) {
        const auto value = scalarConstant(program, inputs[1]);
        if (!value) return std::nullopt;
        low = *value;
    }
    if (inputs.size() > 2 && inputs[2] != kNoValue) {
        const auto value = scalarConstant(program, inputs[2]);
        if (!value) return std::nullopt;
        high = *value;
    }
    if (!(low <= high)) return std::nullopt;
    return std::vector{eltwise(EltwiseFunction::Clip, low, high)};
}

std::optional<std::vector<Post>> activation(const Program& program, const Node& node,
                                            const std::vector<ValueId>& inputs) {
    const auto one = [](Post post) { return std::optional(std::vector{std::move(post)}); };
    if (node.is("Relu")) return one(eltwise(EltwiseFunction::Relu));
    if (node.is("LeakyRelu")) return one(eltwise(EltwiseFunction::Relu, node.floatAttribute("alpha", 0.01F)));
    if (node.is("Sigmoid")) return one(eltwise(EltwiseFunction::Sigmoid));
    if (node.is("Tanh")) return one(eltwise(EltwiseFunction::Tanh));
    if (node.is("Elu")) return one(eltwise(EltwiseFunction::Elu, node.floatAttribute("alpha", 1.0F)));
    if (node.is("Exp")) return one(eltwise(EltwiseFunction::Exp));
    if (node.is("Abs")) return one(eltwise(EltwiseFunction::Abs));
    if (node.is("Sqrt")) return one(eltwise(EltwiseFunction::Sqrt));
    if (node.is("Neg")) return one(eltwise(EltwiseFunction::Linear, -1.0F, 0.0F));
    if (node.is("HardSwish")) return one(eltwise(EltwiseFunction::HardSwish));
    if (node.is("Gelu")) {
        const bool isTanh = node.stringAttribute("approximate", "none") == "tanh";
        return one(eltwise(isTanh ? EltwiseFunction::GeluTanh : EltwiseFunction::GeluErf));
    }
    if (node.is("HardSigmoid")) {
        return std::vector{
            eltwise(EltwiseFunction::Linear, node.floatAttribute("alpha", 0.2F), node.floatAttribute("beta", 0.5F)),
            eltwise(EltwiseFunction::Clip, 0.0F, 1.0F)};
    }
    if (node.is("Clip")) return clip(program, node, inputs);
    return std::nullopt;
}

std::optional<std::vector<Post>> scalarArithmetic(const Node& node, float value, bool isConstantFirst) {
    const auto linear = [](float alpha, float beta) {
        return std::vector{eltwise(EltwiseFunction::Linear, alpha, beta)};
    };
    if (node.is("Add")) return linear(1.0F, value);
    if (node.is("Mul")) return linear(value, 0.0F);
    if (node.is("Sub")) return isConstantFirst ? linear(-1.0F, value) : linear(1.0F, -value);
    if (node.is("Div") && !isConstantFirst && std::fabs(value) > 1e-30F) return linear(1.0F / value, 0.0F);
    return std::nullopt;
}

std::optional<std::vector<Post>> arithmetic(const Program& program, const Node& node,
                                            const std::vector<ValueId>& inputs, std::size_t& mainInput) {
    const bool isSum = node.is("Add") || node.is("Sum");
    const bool isSwappable = isSum || node.is("Mul") || node.is("Max") || node.is("Min");
    std::optional<BinaryFunction> function;
    if (isSum) function = BinaryFunction::Add;
    if (node.is("Mul")) function = BinaryFunction::Mul;
    if (node.is("Sub")) function = BinaryFunction::Sub;
    if (node.is("Div")) function = BinaryFunction::Div;
    if (node.is("Max")) function = BinaryFunction::Max;
    if (node.is("Min")) function = BinaryFunction::Min;
    if (!function || inputs.size() != 2) return std::nullopt;
    for (const std::size_t other : {std::size_t{1}, std::size_t{0}}) {
        const std::size_t main = 1 - other;
        const Value& mainValue = program.values[inputs[main]];
        const Value& otherValue = program.values[inputs[other]];
        if (mainValue.constant || otherValue.dtype != DType::Float) continue;
        const auto scalar = scalarConstant(program, inputs[other]);
        if (scalar && otherValue.shape->size() <= mainValue.shape->size()) {
            if (auto posts = scalarArithmetic(node, *scalar, other == 0)) {
                mainInput = main;
                return posts;
            }
        }
        if (main == 1 && !isSwappable) continue;
        const Spread spread = spreadOf(*otherValue.shape, *mainValue.shape);
        if (spread == Spread::Other) continue;
        mainInput = main;
        return std::vector{binary(*function, inputs[other], spread)};
    }
    return std::nullopt;
}

/// y = x * gamma / sqrt(var + eps) + (beta - mean * gamma / sqrt(var + eps)), computed in double.
std::optional<std::vector<Post>> batchNormalization(Program& program, const Node& node,
                                                    const std::vector<ValueId>& inputs) {
    if (inputs.size() != 5 || node.intAttribute("training_mode", 0) != 0 || node.intAttribute("spatial", 1) == 0)
        return std::nullopt;
    std::vector<std::span<const float>> parameters;
    for (std::size_t i = 1; i < 5; ++i) {
        const auto& constant = program.values[inputs[i]].constant;
        if (!constant || constant->dtype() != DType::Float) return std::nullopt;
        parameters.push_back(constant->data<float>());
    }
    const Shape& shape = *program.values[inputs[0]].shape;
    if (shape.size() < 2) return std::nullopt;
    const auto channels = static_cast<std::size_t>(shape[1]);
    for (const auto& values : parameters) {
        if (values.size() != channels) return std::nullopt;
    }
    const double epsilon = double(node.floatAttribute("epsilon", 1e-5F));
    std::vector<float> factor(channels);
    std::vector<float> offset(channels);
    for (std::size_t i = 0; i < channels; ++i) {
        const double scale = double(parameters[0][i]) / std::sqrt(double(parameters[3][i]) + epsilon);
        factor[i] = static_cast<float>(scale);
        offset[i] = static_cast<float>(double(parameters[1][i]) - double(parameters[2][i]) * scale);
    }
    const Shape perChannel{static_cast<std::int64_t>(channels)};
    const ValueId scale = addConstant(program, node.label() + ".factor", Tensor(perChannel, factor));
    const ValueId shift = addConstant(program, node.label() + ".offset", Tensor(perChannel, offset));
    return std::vector{binary(BinaryFunction::Mul, scale, Spread::Channel),
                       binary(BinaryFunction::Add, shift, Spread::Channel)};
}

}  // namespace

Spread spreadOf(const Shape& operand, const Shape& shape) {
    if (operand == shape) return Spread::Same;
    if (operand.size() > shape.size()) return Spread::Other;
    if (std::all_of(operand.begin(), operand.end(), [](auto dim) { return dim == 1; })) return Spread::Scalar;
    const std::size_t lead = shape.size() - operand.size();
    std::size_t axis = shape.size();
    for (std::size_t i = 0; i < operand.size(); ++i) {
        if (operand[i] == 1) continue;
        if (operand[i] != shape[lead + i] || axis != shape.size()) return Spread::Other;
        axis = lead + i;
    }
    if (axis == 1) return Spread::Channel;
    return axis + 1 == shape.size() ? Spread::LastAxis : Spread::Other;
}

ValueId addConstant(Program& program, std::string name, Tensor tensor) {
    Value value;
    value.name = std::move(name);
    value.dtype = tensor.dtype();
    value.shape = tensor.shape();
    value.constant = std::move(tensor);
    program.values.push_back(std::move(value));
    return program.values.size() - 1;
}

std::optional<std::vector<Post>> pointwisePosts(Program& program, const Node& node, const std::vector<ValueId>& inputs,
                                                std::size_t& mainInput) {
    mainInput = 0;
    if (inputs.empty() || !node.domain.empty()) return std::nullopt;
    if (node.is("BatchNormalization")) return batchNormalization(program, node, inputs);
    if (auto posts = activation(program, node, inputs)) return posts;
    for (const ValueId id : inputs) {
        if (id == kNoValue || program.values[id].dtype != DType::Float) return std::nullopt;
    }
    return arithmetic(program, node, inputs, mainInput);
}

}  // namespace equant::ir
