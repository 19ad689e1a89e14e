// SPDX-License-Identifier: Apache-2.0
// Pointwise chains (ir::Post) as post-operations of a oneDNN primitive. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <dnnl.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/runtime/emit/plan_data_internal.h"
#include "core/runtime/ir/ir_internal.h"

namespace equant {

/// The oneDNN algorithm of the same definition; alpha and beta mean the same in both.
[[nodiscard]] dnnl::algorithm algorithmOf(ir::EltwiseFunction function);
[[nodiscard]] dnnl::algorithm algorithmOf(ir::BinaryFunction function);

/// "relu", "fake-quant", "add" ... for descriptions of steps.
[[nodiscard]] std::string describePost(const ir::Post& post);

/// Addition of a tensor of the same shape: what a oneDNN "sum" computes in place of its operand.
[[nodiscard]] bool isSameShapeAdd(const ir::Post& post);

/// x / (1 + exp(-x)): faster in a loop of our own (swish()) than as a post-operation.
[[nodiscard]] bool isSwish(const ir::Post& post);

struct PostOperations {
    dnnl::primitive_attr attributes;
    std::vector<PrimitiveArgument> arguments;  ///< operands of binary operations, in order; locations are still open
    std::optional<std::size_t> sum;            ///< index of the post whose operand becomes the destination
    float factor = 1.0F;      ///< what the primitive's own result must be multiplied by before the post-operations
    std::string description;  ///< " +relu +add"
};

/// Attributes that compute all of `posts` on a result of layout `destination`; nullopt when one of them cannot be
/// expressed, or all of them are too many. `useSum`: the first addition of the same shape becomes a sum.
/// `takeFactor`: a multiplication at the start is left to the caller (PostOperations::factor), who scales weights and
/// bias instead.
[[nodiscard]] std::optional<PostOperations> toPostOperations(std::span<const ir::Post> posts,
                                                             const dnnl::memory::desc& destination, bool useSum,
                                                             bool takeFactor);

/// An upper bound for the number of leading posts that toPostOperations() accepts: no longer prefix can be expressed.
/// Takes time in proportion to the number of posts, where trying every prefix would take the square of it.
[[nodiscard]] std::size_t mostPostOperations(std::span<const ir::Post> posts, const dnnl::memory::desc& destination,
                                             bool takeFactor);

}  // namespace equant
