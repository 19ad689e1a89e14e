// SPDX-License-Identifier: Apache-2.0
// Operators that take no post-operations, as a oneDNN primitive or a loop of our own: reshapes, transposes, concat,
// softmax, LRN, row normalization. Each appends the operator's steps and defines its result; dnnl::error is thrown
// where oneDNN refuses. One thread, as Emission.
#pragma once

#include "core/runtime/emit/value_layouts_internal.h"

namespace equant {

/// No step, except a reorder where the input is not row-major.
void emitAlias(Emission& emission, const ir::Op& op);
void emitTranspose(Emission& emission, const ir::Op& op);
void emitConcat(Emission& emission, const ir::Op& op);
void emitSoftmax(Emission& emission, const ir::Op& op);
void emitLrn(Emission& emission, const ir::Op& op);
void emitRowNorm(Emission& emission, const ir::Op& op);

}  // namespace equant
