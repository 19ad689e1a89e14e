// SPDX-License-Identifier: Apache-2.0
#include <unordered_map>
#include <unordered_set>

#include "core/graph/subgraphs.h"
#include "core/runtime/kernels/control_internal.h"
#include "core/runtime/kernels/evaluate.h"

namespace equant {

std::vector<std::string> argumentNames(const Node& node) {
    std::vector<std::string> names = node.inputs;
    std::unordered_set<std::string> seen;
    for (std::string& name : capturedValues(node)) {
        if (seen.insert(name).second) names.push_back(std::move(name));
    }
    return names;
}

namespace kernels {
namespace {

class StepOutputs final : public KernelOutputs {
public:
    explicit StepOutputs(std::vector<bool> isWanted) : m_isWanted(std::move(isWanted)), m_tensors(m_isWanted.size()) {}
    std::byte* allocate(std::size_t index, DType type, const Shape& shape) override {
        if (index >= m_tensors.size() || !m_isWanted[index]) return nullptr;
        m_tensors[index] = Tensor(type, shape);
        return m_tensors[index].mutableBytes().data();
    }
    [[nodiscard]] Tensor take(std::size_t index) { return std::move(m_tensors[index]); }

private:
    std::vector<bool> m_isWanted;
    std::vector<Tensor> m_tensors;
};

TensorView viewOf(const Tensor& tensor) {
    return {tensor.dtype(), tensor.shape(), tensor.bytes().data()};
}

Tensor copyOfView(const TensorView& view) {
    if (view.isOmitted()) return {};
    Tensor tensor(view.dtype, shapeOf(view));
    if (tensor.sizeBytes() > 0) std::memcpy(tensor.mutableBytes().data(), view.data, tensor.sizeBytes());
    return tensor;
}

}  // namespace

Result<std::shared_ptr<const Body>> Body::make(const Graph& graph, const std::vector<std::string>& captured,
                                               std::int64_t opset) {
    auto body = std::make_shared<Body>();
    std::unordered_map<std::string, std::size_t> numbers;
    const auto define = [&](const std::string& name) {
        if (name.empty()) return kNone;
        numbers[name] = body->m_valueCount;
        return body->m_valueCount++;
    };
    for (const auto& name : captured) body->m_captured.push_back(define(name));
    for (const auto& input : graph.inputs) body->m_inputs.push_back(define(input.name));
    for (const auto& initializer : graph.initializers)
        body->m_constants.emplace_back(define(initializer.name), initializer.tensor);
    for (const Node& node : graph.nodes) {
        if (node.is("Constant")) {
            auto value = evaluateNode(node, {}, opset);
            if (!value) return fail(value.error());
            body->m_constants.emplace_back(define(node.outputs.at(0)), std::move(value->at(0)));
            continue;
        }
        auto kernel = makeKernel(node, opset);
        if (!kernel) return fail(kernel.error());
        Step step{std::move(*kernel), node.label(), {}, {}};
        for (const auto& name : argumentNames(node)) {
            const auto found = numbers.find(name);
            if (!name.empty() && found == numbers.end())
                return fail(ErrorCode::Corrupt,
                            fmt::format("\"{}\" reads \"{}\", which nothing computes before.", node.label(), name));
            step.inputs.push_back(name.empty() ? kNone : found->second);
        }
        for (const auto& name : node.outputs) step.outputs.push_back(define(name));
        body->m_steps.push_back(std::move(step));
    }
    for (const auto& output : graph.outputs) {
        const auto found = numbers.find(output.name);
        if (found == numbers.end())
            return fail(ErrorCode::Corrupt, fmt::format("Nothing computes \"{}\", an output of a body.", output.name));
        body->m_outputs.push_back(found->second);
    }
    body->m_inputInfos = graph.inputs;
    body->m_outputInfos = graph.outputs;
    return body;
}

Result<std::vector<Tensor>> Body::run(std::vector<Tensor> inputs, std::span<const TensorView> captured) const {
    if (inputs.size() != m_inputs.size())
        return invalid("A body with {} inputs is called with {}.", m_inputs.size(), inputs.size());
    if (captured.size() != m_captured.size())
        return invalid("A body that reads {} outer values is called with {}.", m_captured.size(), captured.size());
    std::vector<Tensor> owned(m_valueCount);
    std::vector<TensorView> values(m_valueCount);
    const auto put = [&](std::size_t number, Tensor tensor) {
        owned[number] = std::move(tensor);
        values[number] = viewOf(owned[number]);
    };
    for (std::size_t i = 0; i < captured.size(); ++i) values[m_captured[i]] = captured[i];
    for (const auto& [number, tensor] : m_constants) put(number, tensor);
    for (std::size_t i = 0; i < inputs.size(); ++i) put(m_inputs[i], std::move(inputs[i]));
    for (const Step& step : m_steps) {
        std::vector<TensorView> arguments;
        for (const std::size_t number : step.inputs)
            arguments.push_back(number == kNone ? TensorView{} : values[number]);
        std::vector<bool> isWanted;
        for (const std::size_t number : step.outputs) isWanted.push_back(number != kNone);
        StepOutputs outputs(std::move(isWanted));
        if (auto status = step.kernel(arguments, outputs); !status) {
            Error error = status.error();
            if (error.subject.empty()) error.subject = step.label;
            return fail(std::move(error));
        }
        for (std::size_t i = 0; i < step.outputs.size(); ++i) {
            if (step.outputs[i] != kNone) put(step.outputs[i], outputs.take(i));
        }
    }
    std::vector<Tensor> results;
    for (const std::size_t number : m_outputs)
        results.push_back(owned[number].isEmpty() ? copyOfView(values[number]) : owned[number]);
    return results;
}

}  // namespace kernels
}  // namespace equant
