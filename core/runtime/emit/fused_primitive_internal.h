// SPDX-License-Identifier: Apache-2.0
// Emits a primitive together with the pointwise chain behind it: chooses how many posts it takes, converts weights to
// the layout it wants, and lets a residual addition work in place. One thread, as Emission.
#pragma once

#include "core/runtime/emit/base_primitives_internal.h"

namespace equant {

/// Appends the steps of `op` and defines its result. Takes as many posts as the implementation can without becoming
/// another (slower) one; the rest run as steps of their own. Throws dnnl::error.
void emitFused(Emission& emission, const ir::Op& op, const BasePrimitive& base);

}  // namespace equant
