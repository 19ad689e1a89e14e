// SPDX-License-Identifier: Apache-2.0
// By what means each operator runs, and the properties of operators that decide it. Pure functions, any thread.
#pragma once

#include <vector>

#include "core/runtime/ir/ir_internal.h"

namespace equant::ir {

/// Sets op.kind (and what goes with it) from its node, shapes and constants; Plain where oneDNN is of no use.
void classify(Program& program, Op& op);

/// Of the operators of Kind::Pool: those whose window is the whole image.
[[nodiscard]] bool isGlobalPool(const Node& node);

/// Every element of the result comes from the elements of the inputs at its place, broadcast where needed.
[[nodiscard]] bool isElementwise(const Node& node);

/// Explicit spatial attributes of Conv and the pools.
struct Window {
    std::vector<std::int64_t> kernel;
    std::vector<std::int64_t> strides;
    std::vector<std::int64_t> dilations;
    std::vector<std::int64_t> padsBegin;
    /// So that exactly the output size results; may exceed the attribute (ceil_mode).
    std::vector<std::int64_t> padsEnd;
    bool isPaddedBeyondAttribute = false;
};
[[nodiscard]] Window windowOf(const Node& node, const Shape& input, const Shape& output, const Shape& kernel);

}  // namespace equant::ir
