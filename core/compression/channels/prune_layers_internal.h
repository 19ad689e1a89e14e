// SPDX-License-Identifier: Apache-2.0
// Carries out the channel-pruning choices of a plan, layer by layer in execution order, and lets every layer behind
// make up for what is lost. Private to core/compression; compress() calls it. The result does not depend on the thread
// count.
#pragma once

#include <string>
#include <vector>

#include "core/compression/fit/layer_fit_internal.h"
#include "core/compression/plan/plan.h"

namespace equant {

/// One layer of the model to prune.
struct PruneChoice {
    std::string name;           ///< how the report calls it
    std::string layer;          ///< Node::label() in the model
    const LayerChoice* choice;  ///< ratio or number of channels
};

/// Prunes `model` in place. With a source in the context the choice of channels (unless options.isPlain) and the refit
/// follow the data; plainly, only what lost channels is refitted. One report per choice. Unsupported, Cancelled.
Result<std::vector<CompressedLayer>> pruneLayers(Model& model, const std::vector<PruneChoice>& choices,
                                                 const CompressionPlan& plan, FitContext context,
                                                 const JobContext& job = {});

}  // namespace equant
