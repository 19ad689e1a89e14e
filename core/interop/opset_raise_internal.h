// SPDX-License-Identifier: Apache-2.0
// Declares a newer operator set for a model when none of its nodes would change its meaning. It never rewrites a node:
// that would be an opset converter, which this is not. Source: the change log of ONNX operators, opset 7 to 21.
#pragma once

#include <cstdint>

#include "core/graph/model.h"

namespace equant {

/// Sets the ai.onnx opset to at least `opset` (and the IR version that goes with it). Unsupported names the first node
/// that means something else, or is written differently, in the newer set; the model is unchanged then.
Status raiseOpset(Model& model, std::int64_t opset);

}  // namespace equant
