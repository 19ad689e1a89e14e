// SPDX-License-Identifier: Apache-2.0
// Runs single kernels of the tables in tests: builds nodes, hands tensors in and out, aligned and bounds-free of
// tricks.
#pragma once

#include <QtTest>
#include <fmt/format.h>
#include <random>

#include "core/runtime/kernels/kernel_internal.h"

namespace equant::testing {

/// Every allocation is a tensor of its own, so that sanitizers see writes beyond its end.
class TensorOutputs : public KernelOutputs {
public:
    explicit TensorOutputs(std::size_t count) : m_tensors(count) {}
    std::byte* allocate(std::size_t index, DType type, const Shape& shape) override {
        if (index >= m_tensors.size()) return nullptr;
        m_tensors[index] = Tensor(type, shape);
        return m_tensors[index].mutableBytes().data();
    }
    std::vector<Tensor> take() { return std::move(m_tensors); }

private:
    std::vector<Tensor> m_tensors;
};

/// The node's outputs; an empty tensor stands for an omitted input.
inline Result<std::vector<Tensor>> run(const Node& node, const std::vector<Tensor>& inputs, std::int64_t opset = 17) {
    const auto kernel = makeKernel(node, opset);
    if (!kernel) return fail(kernel.error());
    std::vector<TensorView> views;
    for (const auto& tensor : inputs) views.push_back({tensor.dtype(), tensor.shape(), tensor.bytes().data()});
    TensorOutputs outputs(std::max<std::size_t>(1, node.outputs.size()));
    if (auto status = (*kernel)(views, outputs); !status) return fail(std::move(status.error()));
    return outputs.take();
}

inline Node makeNode(std::string opType, std::vector<std::pair<std::string, AttributeValue>> attributes = {},
                     std::size_t outputs = 1) {
    Node node;
    node.opType = std::move(opType);
    for (std::size_t i = 0; i < outputs; ++i) node.outputs.push_back(fmt::format("y{}", i));
    for (auto& [key, value] : attributes) node.setAttribute(key, std::move(value));
    return node;
}

/// First output, or an empty tensor after a failed check.
inline Tensor run1(const Node& node, const std::vector<Tensor>& inputs, std::int64_t opset = 17) {
    auto outputs = run(node, inputs, opset);
    if (!outputs) {
        qWarning("%s: %s", node.opType.c_str(), describe(outputs.error()).c_str());
        return {};
    }
    return outputs->front();
}

inline Tensor floats(Shape shape, std::vector<float> values) {
    return Tensor(std::move(shape), values);
}
template <typename T>
Tensor of(Shape shape, std::vector<T> values) {
    return Tensor(std::move(shape), values);
}
inline Tensor ints(std::vector<std::int64_t> values) {
    return Tensor(Shape{static_cast<std::int64_t>(values.size())}, values);
}
inline std::vector<std::int64_t> list(std::initializer_list<std::int64_t> values) {
    return values;
}

inline Tensor randomFloats(const Shape& shape, std::mt19937& random, float low = -1, float high = 1) {
    std::uniform_real_distribution<float> uniform(low, high);
    std::vector<float> values(static_cast<std::size_t>(elementCount(shape)));
    for (auto& value : values) value = uniform(random);
    return Tensor(shape, values);
}

/// Largest absolute difference; infinite when type, shape or a NaN differ.
inline double distance(const Tensor& a, const Tensor& b) {
    if (a.dtype() != b.dtype() || a.shape() != b.shape()) return HUGE_VAL;
    const auto left = a.converted(DType::Double);
    const auto right = b.converted(DType::Double);
    if (!left || !right) return HUGE_VAL;
    double largest = 0;
    for (std::size_t i = 0; i < left->data<double>().size(); ++i) {
        const double x = left->data<double>()[i], y = right->data<double>()[i];
        if (x == y || (std::isnan(x) && std::isnan(y))) continue;
        const double difference = std::fabs(x - y);
        largest = std::isnan(difference) ? HUGE_VAL : std::max(largest, difference);
    }
    return largest;
}

#define COMPARE_TENSORS(actual, expected, tolerance)                                                                   \
    do {                                                                                                               \
        const equant::Tensor actualTensor = (actual);                                                                  \
        const equant::Tensor expectedTensor = (expected);                                                              \
        QCOMPARE(equant::toString(actualTensor.shape()), equant::toString(expectedTensor.shape()));                    \
        QVERIFY2(                                                                                                      \
            equant::testing::distance(actualTensor, expectedTensor) <= (tolerance),                                    \
            qPrintable(QStringLiteral("differs by %1").arg(equant::testing::distance(actualTensor, expectedTensor)))); \
    } while (false)

}  // namespace equant::testing
