// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/graph/subgraphs.h"
#include "core/inspection/constant_findings_internal.h"
#include "core/runtime/diagnose/non_finite.h"

namespace equant {

namespace {

/// Operators that multiply with constants, or add them to what is multiplied.
bool isWeighted(const Node& node) {
    static constexpr std::array<std::string_view, 16> kWeighted = {"Conv",
                                                                   "ConvTranspose",
                                                                   "ConvInteger",
                                                                   "QLinearConv",
                                                                   "Gemm",
                                                                   "MatMul",
                                                                   "MatMulInteger",
                                                                   "QLinearMatMul",
                                                                   "BatchNormalization",
                                                                   "LayerNormalization",
                                                                   "Einsum",
                                                                   "GroupNormalization",
                                                                   "InstanceNormalization",
                                                                   "LSTM",
                                                                   "GRU",
                                                                   "RNN"};
    return node.domain.empty() && std::ranges::find(kWeighted, node.opType) != kWeighted.end();
}

const Node* firstReader(const Graph& graph, const std::string& value) {
    for (const Node& node : graph.nodes)
        if (std::ranges::find(node.inputs, value) != node.inputs.end()) return &node;
    return nullptr;
}

void check(const Graph& graph, const std::string& constant, const Tensor& tensor, std::vector<Finding>& findings) {
    const NonFiniteCount count = countNonFinite(tensor);
    if (count.isFinite()) return;
    const Node* reader = firstReader(graph, constant);
    if (count.nan == 0 && !(reader && isWeighted(*reader))) return;
    findings.push_back({"non-finite-weights", Severity::Error, reader ? reader->label() : constant,
                        fmt::format("Its constant \"{}\" holds {} among {} values (the first at index {} of {}).",
                                    constant, describe(count), tensor.count(), count.first, toString(tensor.shape())),
                        "Training diverged or the export failed: export the model again from an earlier checkpoint."});
}

}  // namespace

std::vector<Finding> findNonFiniteConstants(const Graph& graph) {
    std::vector<Finding> findings;
    for (const Initializer& initializer : graph.initializers)
        check(graph, initializer.name, initializer.tensor, findings);
    for (const Node& node : graph.nodes) {
        const Tensor* value = node.is("Constant") && !node.outputs.empty() ? node.tensorAttribute("value") : nullptr;
        if (value) check(graph, node.outputs[0], *value, findings);
        forEachSubgraph(node, [&](const Graph& body) {
            for (Finding& finding : findNonFiniteConstants(body)) findings.push_back(std::move(finding));
        });
    }
    return findings;
}

}  // namespace equant
