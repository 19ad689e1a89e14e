// SPDX-License-Identifier: Apache-2.0
// What every step of compression asks of a model: its shapes, its cost, the node behind a value, and the form in which
// compressed networks are compared with it. Private to core/compression. Pure functions, safe from any thread.
#pragma once

#include <string_view>

#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"
#include "core/layers/layer_geometry.h"
#include "core/layers/layers.h"

namespace equant {

/// Shapes of one sample; those that operators compute are known too. Errors of inferShapes.
Result<FactMap> factsOf(const Model& model);

/// Cost of the whole model. Corrupt: Topology::of.
Result<ModelCost> costOf(const Model& model, const FactMap& facts);
/// The same with facts of its own.
Result<ModelCost> costOf(const Model& model);
[[nodiscard]] LayerCost asLayerCost(const ModelCost& cost);

/// Batch norms folded. Layers keep the names they have in the model given, also where folding renames what they
/// compute.
Result<Model> withFoldedBatchNorms(Model model);

/// Index of the node that computes the value; the number of nodes when none does. For a graph under edit, whose
/// Topology would have to be made anew.
[[nodiscard]] std::size_t producerOf(const Graph& graph, std::string_view value);

}  // namespace equant
