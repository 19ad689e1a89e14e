// SPDX-License-Identifier: Apache-2.0
// ir::Program -> steps of a Plan: picks primitives and layouts, reorders only where two layouts meet, decides which
// buffers are reused in place. A function; one thread.
#pragma once

#include "core/runtime/emit/plan_data_internal.h"
#include "core/runtime/ir/ir_internal.h"

namespace equant {

/// Fills an empty `plan`; offsets in the arena are still open. `areTapsUnordered`: see CompileOptions. Errors: of
/// makeKernel(), or Internal where oneDNN refuses an operator that has no plain kernel. Throws dnnl::error and
/// std::bad_alloc.
Status emitProgram(const ir::Program& program, bool areTapsUnordered, Plan& plan);

}  // namespace equant
