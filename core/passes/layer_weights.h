// SPDX-License-Identifier: Apache-2.0
// The weights and bias of a Conv, ConvTranspose, Gemm or MatMul node seen the same way: blocks of `kernel` elements,
// each belonging to one output and one input channel. Read from a graph, changed as a value, written back.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/graph/model.h"

namespace equant {

class LayerWeights {
public:
    /// The node's weights; Unsupported with the reason when they are not constant, not float, or of a form whose
    /// channels have no meaning here (Gemm with a transposed data input, MatMul with a constant of rank != 2).
    static Result<LayerWeights> of(const Graph& graph, std::size_t node);

    [[nodiscard]] std::size_t node() const { return m_node; }
    [[nodiscard]] std::int64_t outputChannels() const;
    [[nodiscard]] std::int64_t inputChannels() const;
    [[nodiscard]] std::int64_t groups() const { return m_groups; }
    [[nodiscard]] bool isDepthwise() const { return m_groups > 1 && m_groups == inputChannels(); }
    [[nodiscard]] const Tensor& weight() const { return m_weight; }
    /// One value per output channel; absent when the layer has no bias.
    [[nodiscard]] const std::optional<std::vector<float>>& bias() const { return m_bias; }
    void setBias(std::vector<float> bias) { m_bias = std::move(bias); }

    [[nodiscard]] std::int64_t blockCount() const { return m_rows * m_columns; }
    [[nodiscard]] std::int64_t outputOf(std::int64_t block) const;
    [[nodiscard]] std::int64_t inputOf(std::int64_t block) const;
    [[nodiscard]] std::span<const float> block(std::int64_t index) const;

    /// Multiplies the block of output o and input i by outputFactors[o] * inputFactors[i] (computed in double,
    /// rounded once) and the bias by outputFactors. An empty span means 1.
    void scale(std::span<const double> outputFactors, std::span<const double> inputFactors);
    /// Adds sum over input channels and kernel of W * perInput to the bias, which is created when missing: what a
    /// constant added to every input element contributes.
    void addInputShiftToBias(std::span<const double> perInput);
    void zeroInputChannel(std::int64_t channel);

    /// Writes weight and bias into the graph (see setConstantInput). A MatMul that gained a bias becomes a Gemm.
    void writeTo(Graph& graph) const;

private:
    std::size_t m_node = 0;
    std::int64_t m_rows = 0;     // axis 0 of the weight
    std::int64_t m_columns = 0;  // axis 1
    std::int64_t m_kernel = 1;   // elements behind the first two axes
    std::int64_t m_groups = 1;
    bool m_isOutputFirst = true;  // axis 0 counts outputs (Conv) or inputs (ConvTranspose)
    Tensor m_weight;
    std::optional<std::vector<float>> m_bias;
};

}  // namespace equant
