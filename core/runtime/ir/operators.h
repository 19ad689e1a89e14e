// SPDX-License-Identifier: Apache-2.0
// Which operators the runtime knows and by what means it runs them. Private to core/runtime.
#pragma once

#include <optional>
#include <string>

#include "core/runtime/ir/ir.h"

namespace equant {

/// Why a node cannot run, nullopt if it can.
[[nodiscard]] std::optional<std::string> reasonUnsupported(const Node& node, std::int64_t opset);

namespace ir {

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
    std::vector<std::int64_t>
        padsEnd;  ///< so that exactly the output size results; may exceed the attribute (ceil_mode)
    bool isPaddedBeyondAttribute = false;
};
[[nodiscard]] Window windowOf(const Node& node, const Shape& input, const Shape& output, const Shape& kernel);

}  // namespace ir
}  // namespace equant
