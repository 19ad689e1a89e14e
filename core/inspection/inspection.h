// SPDX-License-Identifier: Apache-2.0
// The first look at a model: what it holds, what it costs, what each layer allows, and what may go wrong.
// Never refuses a model that could be read: whatever is in the way becomes a finding.
#pragma once

#include <string>
#include <vector>

#include "core/base/finding.h"
#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"
#include "core/inspection/techniques.h"
#include "core/layers/layers.h"
#include "core/runtime/plan.h"

namespace equant {

struct Inspection {
    FactMap facts;                            ///< of every value, for batch 1
    std::vector<LayerInfo> layers;            ///< in execution order
    std::vector<LayerTechniques> techniques;  ///< one per layer
    ModelCost cost;
    std::vector<Finding> findings;
    std::vector<UnsupportedNode> unsupported;
};

Result<Inspection> inspect(const Model& model);

}  // namespace equant
