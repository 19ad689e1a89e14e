// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "core/graph/inlining.h"
#include "core/runtime/ir/expansion_internal.h"

namespace equant {
namespace {

/// The condition of an If, where it is known.
std::optional<bool> conditionOf(const Node& node, const FactMap& facts) {
    if (!node.is("If") || !node.hasInput(0)) return std::nullopt;
    const auto found = facts.find(node.inputs[0]);
    if (found == facts.end() || !found->second.constant) return std::nullopt;
    const Tensor& value = *found->second.constant;
    if (value.dtype() != DType::Bool || value.count() != 1) return std::nullopt;
    return value.data<bool>()[0];
}

}  // namespace

Result<Expanded> expand(const Model& model, const ShapeOptions& shapes) {
    std::shared_ptr<Model> own;
    if (!model.functionIds.empty()) {
        auto inlined = inlineFunctions(model);
        if (!inlined) return fail(inlined.error());
        own = std::make_shared<Model>(std::move(*inlined));
    }
    for (;;) {
        const Model& current = own ? *own : model;
        auto facts = inferShapes(current, shapes);
        if (!facts) return fail(facts.error());
        std::vector<std::pair<std::size_t, bool>> decided;
        for (std::size_t i = 0; i < current.graph.nodes.size(); ++i) {
            if (const auto condition = conditionOf(current.graph.nodes[i], *facts)) decided.emplace_back(i, *condition);
        }
        if (decided.empty()) {
            if (own) return Expanded{std::move(own), std::move(*facts)};
            return Expanded{std::shared_ptr<const Model>(std::shared_ptr<void>(), &model), std::move(*facts)};
        }
        if (!own) own = std::make_shared<Model>(model);
        // From the end, so that the positions of the others stay.
        for (auto at = decided.rbegin(); at != decided.rend(); ++at) {
            if (auto status = inlineBranch(own->graph, at->first, at->second); !status) return fail(status.error());
        }
    }
}

}  // namespace equant
