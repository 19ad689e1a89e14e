// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/compression/model_facts_internal.h"
#include "core/graph/topology.h"
#include "core/passes/fold_batch_norm.h"
#include "core/runtime/kernels/evaluate.h"

namespace equant {

Result<FactMap> factsOf(const Model& model) {
    return inferShapes(model, {.inputShapes = {}, .batch = 1, .evaluate = constantEvaluator()});
}

Result<ModelCost> costOf(const Model& model, const FactMap& facts) {
    const auto topology = Topology::of(model.graph);
    if (!topology) return fail(topology.error());
    return totalCost(model.graph, describeLayers(model.graph, *topology, facts));
}

Result<ModelCost> costOf(const Model& model) {
    const auto facts = factsOf(model);
    if (!facts) return fail(facts.error());
    return costOf(model, *facts);
}

LayerCost asLayerCost(const ModelCost& cost) {
    return {static_cast<double>(cost.macs), static_cast<double>(cost.parameters)};
}

Result<Model> withFoldedBatchNorms(Model model) {
    for (Node& node : model.graph.nodes)
        if (node.name.empty() && isWeightedOp(node)) node.name = std::string(node.label());
    auto folded = foldBatchNorms(model);
    if (!folded) return fail(folded.error());
    return std::move(folded->model);
}

std::size_t producerOf(const Graph& graph, std::string_view value) {
    const auto found = std::ranges::find_if(
        graph.nodes, [&](const Node& node) { return std::ranges::find(node.outputs, value) != node.outputs.end(); });
    return static_cast<std::size_t>(found - graph.nodes.begin());
}

}  // namespace equant
