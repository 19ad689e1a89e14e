// SPDX-License-Identifier: Apache-2.0
// Operators that make tensors from attributes and small arguments: Constant, ConstantOfShape, Range, EyeLike.
#include "core/runtime/kernels/movement_internal.h"

namespace equant::kernels {
namespace {

Kernel constantKernel(Tensor tensor) {
    return [tensor = std::move(tensor)](std::span<const TensorView>, KernelOutputs& outputs) -> Status {
        const TensorView view{tensor.dtype(), tensor.shape(), tensor.bytes().data()};
        return copyAs(view, tensor.shape(), outputs);
    };
}

Result<Kernel> makeConstant(const Node& node, std::int64_t) {
    if (const Tensor* tensor = node.tensorAttribute("value")) return constantKernel(*tensor);
    if (node.attribute("value_float") != nullptr) {
        return constantKernel(Tensor(Shape{}, std::vector<float>{node.floatAttribute("value_float", 0)}));
    }
    if (node.attribute("value_int") != nullptr) {
        return constantKernel(Tensor(Shape{}, std::vector<std::int64_t>{node.intAttribute("value_int", 0)}));
    }
    if (node.attribute("value_floats") != nullptr) {
        const auto values = node.floatsAttribute("value_floats");
        return constantKernel(Tensor(Shape{static_cast<std::int64_t>(values.size())}, values));
    }
    if (node.attribute("value_ints") != nullptr) {
        const auto values = node.intsAttribute("value_ints");
        return constantKernel(Tensor(Shape{static_cast<std::int64_t>(values.size())}, values));
    }
    return unsupported("A Constant without a dense tensor or number is not supported.");
}

Result<Kernel> makeConstantOfShape(const Node& node, std::int64_t) {
    const Tensor* given = node.tensorAttribute("value");
    if (given != nullptr && given->count() != 1) return unsupported("ConstantOfShape needs a value of one element.");
    const Tensor value = given != nullptr ? *given : Tensor(DType::Float, Shape{1});
    return makeChecked(1, [value](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        auto shape = readIntegers(inputs[0]);
        if (!shape) return fail(std::move(shape.error()));
        return dispatchBySize(value.dtype(), [&]<typename T>() -> Status {
            auto memory = makeOutput(outputs, 0, value.dtype(), *shape);
            if (!memory) return fail(std::move(memory.error()));
            T pattern;
            std::memcpy(&pattern, value.bytes().data(), sizeof(T));
            if (*memory != nullptr) std::fill_n(reinterpret_cast<T*>(*memory), product(*shape), pattern);
            return {};
        });
    });
}

Result<Kernel> makeRange(const Node&, std::int64_t) {
    return makeChecked(3, [](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        for (std::size_t i = 0; i < 3; ++i) {
            if (inputs[i].count() != 1 || inputs[i].dtype != inputs[0].dtype) {
                return invalid("Range needs three scalars of one type.");
            }
        }
        using RangeTypes = Types<float, double, std::int64_t, std::int32_t, std::int16_t>;
        return dispatch(RangeTypes{}, inputs[0].dtype, [&]<typename T>() -> Status {
            const T start = *inputs[0].as<T>();
            const T delta = *inputs[2].as<T>();
            if (delta == T{0}) return invalid("Range with a step of 0 never ends.");
            const double span = static_cast<double>(*inputs[1].as<T>()) - static_cast<double>(start);
            const double steps = std::max(0.0, std::ceil(span / static_cast<double>(delta)));
            if (!(steps < 1e15)) return invalid("Range would have {} elements.", steps);
            const auto count = static_cast<std::int64_t>(steps);
            auto out = makeOutputAs<T>(outputs, 0, {count});
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            for (std::int64_t i = 0; i < count; ++i) {
                (*out)[i] = wrapAdd(start, wrapMultiply(static_cast<T>(i), delta));
            }
            return {};
        });
    });
}

Result<Kernel> makeEyeLike(const Node& node, std::int64_t) {
    const std::int64_t diagonal = node.intAttribute("k", 0);
    const auto wanted = static_cast<DType>(node.intAttribute("dtype", 0));
    return makeChecked(1, [=](const Inputs& inputs, KernelOutputs& outputs) -> Status {
        if (inputs[0].shape.size() != 2) return invalid("EyeLike needs a matrix, not {}.", show(inputs[0].shape));
        const DType type = wanted == DType::Undefined ? inputs[0].dtype : wanted;
        return dispatch(NumberAndBoolTypes{}, type, [&]<typename T>() -> Status {
            auto out = makeOutputAs<T>(outputs, 0, shapeOf(inputs[0]));
            if (!out) return fail(std::move(out.error()));
            if (*out == nullptr) return {};
            const std::int64_t columns = inputs[0].shape[1];
            std::fill_n(*out, inputs[0].count(), T{0});
            for (std::int64_t row = 0; row < inputs[0].shape[0]; ++row) {
                const std::int64_t column = wrapAdd(row, diagonal);
                if (column >= 0 && column < columns) (*out)[row * columns + column] = T{1};
            }
            return {};
        });
    });
}

constexpr KernelEntry kMovementGenerateKernels[] = {
    {"Constant", makeConstant},
    {"ConstantOfShape", makeConstantOfShape},
    {"Range", makeRange},
    {"EyeLike", makeEyeLike},
};

}  // namespace

std::span<const KernelEntry> generatorKernels() {
    return kMovementGenerateKernels;
}

}  // namespace equant::kernels
