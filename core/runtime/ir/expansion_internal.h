// SPDX-License-Identifier: Apache-2.0
// What is settled before a model is lowered: calls of its own functions, and branches whose condition is known for the
// given input shapes (exporters write If where a shape is unknown to them). Pure functions, any thread.
#pragma once

#include <memory>

#include "core/graph/shapes/shapes.h"

namespace equant {

struct Expanded {
    std::shared_ptr<const Model> model;  ///< the given model itself (not owned) where there was nothing to do
    FactMap facts;                       ///< of the expanded graph
};

/// `model` must outlive the result. Errors of shape inference, or of functions that cannot be inlined.
Result<Expanded> expand(const Model& model, const ShapeOptions& shapes);

}  // namespace equant
