// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/graph/constants.h"
#include "core/passes/channel_caps_internal.h"

namespace equant {

namespace {

Tensor perChannel(double limit, std::span<const double> factors, std::span<const double> absorbed, int rank) {
    Shape shape(static_cast<std::size_t>(rank), 1);
    shape[1] = static_cast<std::int64_t>(factors.size());
    std::vector<float> values;
    for (std::size_t c = 0; c < factors.size(); ++c)
        values.push_back(static_cast<float>(limit / factors[c] - (absorbed.empty() ? 0.0 : absorbed[c])));
    return Tensor(shape, values);
}

}  // namespace

void setChannelCaps(Graph& graph, const Clipping& clipping, std::span<const double> factors,
                    std::span<const double> absorbed, int rank) {
    const bool isScaled = std::ranges::any_of(factors, [](double factor) { return factor != 1.0; });
    if (!isScaled && absorbed.empty()) return;
    const std::string label = graph.nodes[clipping.node].label();
    const std::string input = graph.nodes[clipping.node].inputs[0];
    const std::string output = graph.nodes[clipping.node].outputs[0];
    const bool hasLower = clipping.lower.has_value();

    Node lower;
    lower.name = graph.nodes[clipping.node].name;
    lower.inputs = {input};
    lower.outputs = {clipping.upper ? uniqueName(graph, label + ".lower") : output};
    lower.opType = "Relu";
    if (hasLower && clipping.lower != 0.0) {
        lower.opType = "Max";
        lower.inputs.push_back(
            addInitializer(graph, label + ".floors", perChannel(*clipping.lower, factors, absorbed, rank)));
    }
    if (!clipping.upper) {
        graph.nodes[clipping.node] = std::move(lower);
        return;
    }
    Node upper;
    upper.name = uniqueName(graph, label + ".caps");
    upper.opType = "Min";
    upper.inputs = {hasLower ? lower.outputs[0] : input};
    upper.outputs = {output};
    upper.inputs.push_back(
        addInitializer(graph, label + ".caps_values", perChannel(*clipping.upper, factors, absorbed, rank)));
    if (hasLower) {
        graph.nodes[clipping.node] = std::move(lower);
        graph.nodes.push_back(std::move(upper));  // order is restored by sortNodes
    } else {
        graph.nodes[clipping.node] = std::move(upper);
    }
}

void replaceByRelu(Graph& graph, std::size_t index) {
    Node& node = graph.nodes[index];
    node.opType = "Relu";
    node.inputs.resize(1);
    node.attributes.clear();
}

void divideBiasAdd(Graph& graph, std::size_t index, std::span<const double> factors) {
    const Node& node = graph.nodes[index];
    const std::size_t slot = constantInput(graph, node, 0) ? 0 : 1;
    Tensor constant = *constantInput(graph, node, slot);
    const auto values = constant.mutableData<float>();
    for (std::size_t c = 0; c < values.size(); ++c) values[c] = static_cast<float>(values[c] / factors[c]);
    setConstantInput(graph, index, slot, std::move(constant), "bias");
}

}  // namespace equant
