// SPDX-License-Identifier: Apache-2.0
// The parts of the movement family, one file (movement_*.cpp) each. Constant tables, any thread.
#pragma once

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {

std::span<const KernelEntry> shapeKernels();      ///< Reshape and others that keep the bytes, Shape, Size
std::span<const KernelEntry> generatorKernels();  ///< Constant, ConstantOfShape, Range, EyeLike
std::span<const KernelEntry> rearrangeKernels();  ///< Transpose, Slice, Concat, Split, Expand, Tile ...
std::span<const KernelEntry> padKernels();        ///< Pad

}  // namespace equant::kernels
