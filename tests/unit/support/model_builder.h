// SPDX-License-Identifier: Apache-2.0
// Builds small models in a few lines, for tests.
#pragma once

#include <random>

#include "core/graph/model.h"

namespace equant::test {

class ModelBuilder {
public:
    explicit ModelBuilder(std::int64_t opset = 13) {
        m_model.opsets[""] = opset;
        m_model.graph.name = "test";
    }

    ModelBuilder& input(const std::string& name, const Shape& shape, DType type = DType::Float) {
        m_model.graph.inputs.push_back(info(name, shape, type));
        return *this;
    }
    ModelBuilder& output(const std::string& name, const Shape& shape = {}, DType type = DType::Float) {
        m_model.graph.outputs.push_back(info(name, shape, type));
        if (shape.empty()) m_model.graph.outputs.back().shape.reset();
        return *this;
    }
    ModelBuilder& constant(const std::string& name, Tensor tensor) {
        m_model.graph.initializers.push_back({name, std::move(tensor), {}});
        return *this;
    }
    /// The node's name is its operator's with a running number, its outputs are as given.
    ModelBuilder& node(const std::string& opType, std::vector<std::string> inputs, std::vector<std::string> outputs,
                       std::vector<std::pair<std::string, AttributeValue>> attributes = {}) {
        Node node;
        node.name = opType + "_" + std::to_string(m_model.graph.nodes.size());
        node.opType = opType;
        node.inputs = std::move(inputs);
        node.outputs = std::move(outputs);
        for (auto& [key, value] : attributes) node.setAttribute(key, std::move(value));
        m_model.graph.nodes.push_back(std::move(node));
        return *this;
    }
    [[nodiscard]] Model build() const { return m_model; }

private:
    /// Negative dimensions become the symbol "N".
    static ValueInfo info(const std::string& name, const Shape& shape, DType type) {
        ValueInfo result{name, type, std::vector<Dim>{}, {}};
        for (const auto dim : shape) result.shape->push_back(dim < 0 ? Dim{-1, "N"} : Dim{dim, {}});
        return result;
    }

    Model m_model;
};

/// Uniform values in [low, high), the same for the same seed everywhere.
inline Tensor randomTensor(const Shape& shape, unsigned seed, float low = -1.0F, float high = 1.0F) {
    Tensor tensor(DType::Float, shape);
    std::minstd_rand random(seed + 1);
    for (float& value : tensor.mutableData<float>())
        value = low + (high - low) * static_cast<float>(static_cast<double>(random() - 1) / 2147483646.0);
    return tensor;
}

}  // namespace equant::test
