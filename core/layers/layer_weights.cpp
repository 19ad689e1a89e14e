// SPDX-License-Identifier: Apache-2.0
#include "core/layers/layer_weights.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/graph/constants.h"

namespace equant {

namespace {

tl::unexpected<Error> unusable(const Node& node, std::string why) {
    return fail(ErrorCode::Unsupported, std::move(why), {}, node.label());
}

/// Why there are no weights to take: what stands at input 1 instead of a constant.
std::string missingWeights(const Graph& graph, const Node& node) {
    if (node.is("MatMul") && constantInput(graph, node, 0))
        return "Its weights are the left operand: they combine rows, not channels.";
    for (const Node& other : graph.nodes)
        if (other.is("DequantizeLinear") && node.hasInput(1) && !other.outputs.empty() &&
            other.outputs[0] == node.inputs[1])
            return "Its weights are stored quantized (DequantizeLinear).";
    return "Its weights are not constant.";
}

/// Gemm's C, which broadcasts to [rows, outputs], as one value per output; empty when it differs between rows.
std::optional<std::vector<float>> biasPerOutput(const Tensor& bias, std::int64_t outputs, float factor) {
    const auto values = bias.data<float>();
    if (bias.dtype() != DType::Float || (bias.count() != 1 && bias.count() != outputs)) return std::nullopt;
    if (bias.rank() > 1 && bias.shape().back() != bias.count()) return std::nullopt;
    std::vector<float> result(static_cast<std::size_t>(outputs));
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = factor * values[values.size() == 1 ? 0 : i];
    return result;
}

}  // namespace

Result<LayerWeights> LayerWeights::of(const Graph& graph, std::size_t nodeIndex) {
    const Node& node = graph.nodes[nodeIndex];
    LayerWeights layer;
    layer.m_node = nodeIndex;
    const bool isConv = node.is("Conv");
    const bool isConvTranspose = node.is("ConvTranspose");
    const bool isGemm = node.is("Gemm");
    if (!isConv && !isConvTranspose && !isGemm && !node.is("MatMul"))
        return unusable(node, fmt::format("{} is no layer with weights.", node.opType));

    auto weight = constantInput(graph, node, 1);
    if (!weight) return unusable(node, missingWeights(graph, node));
    if (weight->dtype() != DType::Float)
        return unusable(node, fmt::format("Its weights are of type {}.", name(weight->dtype())));
    if (weight->rank() < 2 || (weight->rank() != 2 && !isConv && !isConvTranspose))
        return unusable(node, fmt::format("Its weights have the shape {}.", toString(weight->shape())));
    if (isGemm && node.intAttribute("transA", 0) != 0) return unusable(node, "Its data input is transposed.");
    if (weight->count() == 0) return unusable(node, "Its weights are empty.");

    layer.m_rows = weight->dim(0);
    layer.m_columns = weight->dim(1);
    layer.m_kernel = weight->count() / (layer.m_rows * layer.m_columns);
    layer.m_groups = isConv || isConvTranspose ? node.intAttribute("group", 1) : 1;
    layer.m_isOutputFirst = isConv || (isGemm && node.intAttribute("transB", 0) != 0);
    if (layer.m_groups < 1 || layer.m_rows % layer.m_groups != 0)
        return unusable(node, fmt::format("Its {} groups do not divide its weights.", layer.m_groups));
    layer.m_weight = std::move(*weight);

    if (isGemm)
        if (const float alpha = node.floatAttribute("alpha", 1); alpha != 1)
            for (float& value : layer.m_weight.mutableData<float>()) value *= alpha;
    if (!node.is("MatMul") && node.hasInput(2)) {
        const auto bias = constantInput(graph, node, 2);
        if (!bias) return unusable(node, "Its bias is not constant.");
        layer.m_bias = biasPerOutput(*bias, layer.outputChannels(), isGemm ? node.floatAttribute("beta", 1) : 1);
        if (!layer.m_bias) return unusable(node, fmt::format("Its bias has the shape {}.", toString(bias->shape())));
    }
    return layer;
}

std::int64_t LayerWeights::outputChannels() const {
    return m_isOutputFirst ? m_rows : m_columns * m_groups;
}
std::int64_t LayerWeights::inputChannels() const {
    return m_isOutputFirst ? m_columns * m_groups : m_rows;
}

void LayerWeights::scale(std::span<const double> outputFactors, std::span<const double> inputFactors) {
    float* value = m_weight.mutableData<float>().data();
    forEachBlock([&](std::size_t, std::size_t output, std::size_t input) {
        const double factor =
            (outputFactors.empty() ? 1.0 : outputFactors[output]) * (inputFactors.empty() ? 1.0 : inputFactors[input]);
        for (std::int64_t k = 0; k < m_kernel; ++k, ++value) *value = static_cast<float>(*value * factor);
    });
    if (m_bias && !outputFactors.empty())
        for (std::size_t o = 0; o < m_bias->size(); ++o)
            (*m_bias)[o] = static_cast<float>((*m_bias)[o] * outputFactors[o]);
}

void LayerWeights::addInputShiftToBias(std::span<const double> perInput) {
    std::vector<double> shift(static_cast<std::size_t>(outputChannels()), 0.0);
    forEachBlock([&](std::size_t index, std::size_t output, std::size_t input) {
        double sum = 0;
        for (const float value : block(index)) sum += value;
        shift[output] += sum * perInput[input];
    });
    if (!m_bias) m_bias.emplace(shift.size(), 0.F);
    for (std::size_t o = 0; o < shift.size(); ++o) (*m_bias)[o] = static_cast<float>((*m_bias)[o] + shift[o]);
}

template <typename Chosen>
void LayerWeights::zeroBlocks(Chosen&& isChosen) {
    float* values = m_weight.mutableData<float>().data();
    forEachBlock([&](std::size_t index, std::size_t output, std::size_t input) {
        if (isChosen(output, input)) std::fill_n(values + index * static_cast<std::size_t>(m_kernel), m_kernel, 0.F);
    });
}

void LayerWeights::zeroInputChannel(std::int64_t channel) {
    zeroBlocks([=](std::size_t, std::size_t input) { return input == static_cast<std::size_t>(channel); });
}

void LayerWeights::zeroOutputChannel(std::int64_t channel) {
    zeroBlocks([=](std::size_t output, std::size_t) { return output == static_cast<std::size_t>(channel); });
}

void LayerWeights::writeTo(Graph& graph) const {
    setConstantInput(graph, m_node, 1, m_weight, "weight");
    Node& node = graph.nodes[m_node];
    if (node.is("Gemm")) {  // alpha and beta are in the weights now
        node.removeAttribute("alpha");
        node.removeAttribute("beta");
    }
    if (!m_bias) return;
    if (node.is("MatMul")) node.opType = "Gemm";
    setConstantInput(graph, m_node, 2, Tensor(Shape{static_cast<std::int64_t>(m_bias->size())}, *m_bias), "bias");
}

}  // namespace equant
