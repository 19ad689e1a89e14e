// SPDX-License-Identifier: Apache-2.0
// Pointwise chains (ir::Post) as steps of their own: eltwise and binary primitives, and loops of our own over raw
// memory where those are faster. Functions; one thread, as Emission.
#pragma once

#include <span>
#include <string>

#include "core/runtime/emit/value_layouts_internal.h"

namespace equant {

/// Appends steps that compute `posts` on `current`; the result's layout may differ. `mayOverwrite`: `current` is not
/// read elsewhere, so steps may work in place. `label`: for descriptions. Throws dnnl::error.
Placed emitPosts(Emission& emission, Placed current, std::span<const ir::Post> posts, bool mayOverwrite,
                 const std::string& label);

/// The second operand of a binary post, in the layout that goes with a first operand of layout `like`.
Placed operandOf(Emission& emission, const ir::Post& post, const dnnl::memory::desc& like);

/// How many leading posts a primitive with a result of layout `destination` should be tried with at most: not more than
/// it can express, and none that run faster as a step behind it. `takeFactor`: see toPostOperations().
[[nodiscard]] std::size_t postsForPrimitive(std::span<const ir::Post> posts, const dnnl::memory::desc& destination,
                                            bool takeFactor);

}  // namespace equant
