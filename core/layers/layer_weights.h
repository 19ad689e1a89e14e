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
    /// Calls visit(block, output channel, input channel) for every block, in memory order.
    template <typename Visit>
    void forEachBlock(Visit&& visit) const {
        for (std::int64_t row = 0; row < m_rows; ++row) {
            const std::int64_t first = row / (m_rows / m_groups) * m_columns;  // of the row's group, on the other axis
            for (std::int64_t column = 0; column < m_columns; ++column) {
                const std::int64_t other = first + column;
                visit(static_cast<std::size_t>(row * m_columns + column),
                      static_cast<std::size_t>(m_isOutputFirst ? row : other),
                      static_cast<std::size_t>(m_isOutputFirst ? other : row));
            }
        }
    }
    [[nodiscard]] std::span<const float> block(std::size_t index) const {
        const auto kernel = static_cast<std::size_t>(m_kernel);
        return m_weight.data<float>().subspan(index * kernel, kernel);
    }

    /// Multiplies the block of output o and input i by outputFactors[o] * inputFactors[i] (computed in double,
    /// rounded once) and the bias by outputFactors. An empty span means 1.
    void scale(std::span<const double> outputFactors, std::span<const double> inputFactors);
    /// Adds sum over input channels and kernel of W * perInput to the bias, which is created when missing: what a
    /// constant added to every input element contributes.
    void addInputShiftToBias(std::span<const double> perInput);
    void zeroInputChannel(std::int64_t channel);
    void zeroOutputChannel(std::int64_t channel);  ///< the weights; the bias stays

    /// Writes weight and bias into the graph (see setConstantInput). A MatMul that gained a bias becomes a Gemm.
    void writeTo(Graph& graph) const;

private:
    template <typename Chosen>
    void zeroBlocks(Chosen&& isChosen);

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
