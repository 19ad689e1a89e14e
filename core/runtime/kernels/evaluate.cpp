// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/evaluate.h"

#include <algorithm>
#include <fmt/format.h>
#include <new>
#include <stdexcept>

#include "core/runtime/kernels/kernel_internal.h"

namespace equant {
namespace {

constexpr std::size_t kLargestFolded = std::size_t{16} << 20;
/// More than a file holds in one piece; the system would grant it and end the process when it is written to.
constexpr std::size_t kLargestEvaluated = std::size_t{2} << 30;

class TensorOutputs final : public KernelOutputs {
public:
    TensorOutputs(const Node& node, std::size_t limitBytes)
        : m_node(node), m_limitBytes(limitBytes), m_tensors(node.outputs.size()) {}

    /// Throws std::bad_alloc for what is too large, before requesting it from the system.
    std::byte* allocate(std::size_t index, DType type, const Shape& shape) override {
        if (index >= m_tensors.size() || m_node.outputs[index].empty()) return nullptr;
        const auto count = checkedElementCount(shape, type);
        const auto bits = static_cast<std::size_t>(std::max(bitWidth(type), 1));
        if (!count || static_cast<std::size_t>(*count) > m_limitBytes * 8 / bits) throw std::bad_alloc();
        m_tensors[index] = Tensor(type, shape);
        return m_tensors[index].mutableBytes().data();
    }
    std::vector<Tensor> take() { return std::move(m_tensors); }

private:
    const Node& m_node;
    std::size_t m_limitBytes;
    std::vector<Tensor> m_tensors;
};

Result<std::vector<Tensor>> constantNode(const Node& node) {
    if (const Tensor* tensor = node.tensorAttribute("value")) return std::vector{*tensor};
    if (node.attribute("value_float")) return std::vector{Tensor(Shape{}, {node.floatAttribute("value_float", 0.0F)})};
    if (node.attribute("value_int")) return std::vector{Tensor(Shape{}, {node.intAttribute("value_int", 0)})};
    if (node.attribute("value_floats")) {
        const auto values = node.floatsAttribute("value_floats");
        return std::vector{Tensor(Shape{static_cast<std::int64_t>(values.size())}, values)};
    }
    if (node.attribute("value_ints")) {
        const auto values = node.intsAttribute("value_ints");
        return std::vector{Tensor(Shape{static_cast<std::int64_t>(values.size())}, values)};
    }
    return fail(ErrorCode::Unsupported, "Constants of this kind are not supported.", {}, node.label());
}

Result<std::vector<Tensor>> evaluateWithin(const Node& node, std::span<const Tensor> inputs, std::int64_t opset,
                                           std::size_t limitBytes) {
    if (node.is("Constant")) return constantNode(node);
    const auto kernel = makeKernel(node, opset);
    if (!kernel) return fail(kernel.error());
    std::vector<TensorView> views;
    for (const Tensor& input : inputs) {
        views.push_back(input.isEmpty() ? TensorView{}
                                        : TensorView{input.dtype(), input.shape(), input.bytes().data()});
    }
    TensorOutputs outputs(node, limitBytes);
    try {
        if (auto status = (*kernel)(views, outputs); !status) {
            Error error = status.error();
            if (error.subject.empty()) error.subject = node.label();
            return fail(std::move(error));
        }
        return outputs.take();
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, fmt::format("The result of {} is too large.", operatorName(node)), {},
                    node.label());
    } catch (const std::length_error&) {
        return fail(ErrorCode::OutOfMemory, fmt::format("The result of {} is too large.", operatorName(node)), {},
                    node.label());
    }
}

}  // namespace

Result<std::vector<Tensor>> evaluateNode(const Node& node, std::span<const Tensor> inputs, std::int64_t opset) {
    return evaluateWithin(node, inputs, opset, kLargestEvaluated);
}

ConstantEvaluator constantEvaluator() {
    return
        [](const Node& node, std::span<const Tensor> inputs, std::int64_t opset) -> std::optional<std::vector<Tensor>> {
            auto results = evaluateWithin(node, inputs, opset, kLargestFolded);
            if (!results) return std::nullopt;
            std::size_t total = 0;
            for (const Tensor& tensor : *results) total += tensor.sizeBytes();
            if (total > kLargestFolded) return std::nullopt;
            return std::move(*results);
        };
}

}  // namespace equant
