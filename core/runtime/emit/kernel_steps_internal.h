// SPDX-License-Identifier: Apache-2.0
// Steps that run a plain kernel on dense tensors, of any type and of shapes that are only known while running.
// One thread, as Emission.
#pragma once

#include "core/runtime/emit/value_layouts_internal.h"

namespace equant {

/// `op.node` by its own kernel. Unsupported when there is none.
Status emitKernel(Emission& emission, const ir::Op& op);

/// Fake quantization of a value whose shape is only known while running.
void emitDynamicFakeQuant(Emission& emission, const ir::Op& op);

}  // namespace equant
