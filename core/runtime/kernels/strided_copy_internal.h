// SPDX-License-Identifier: Apache-2.0
// The one loop behind all operators that only rearrange data: a copy between two strided views.
// A pure function, any thread.
#pragma once

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {

/// Copies nest.dims elements of type `type` from `in` to `out`; strides[0] belong to `out`, strides[1] to `in`, both in
/// elements, of any sign, 0 repeats. Unsupported for element types without a size of whole bytes.
Status copyStrided(DType type, const LoopNest<2>& nest, const std::byte* in, std::byte* out);

/// Output `index` of shape `shape` filled row by row from `in`, whose strides over that shape are given.
Status gatherStrided(DType type, const Shape& shape, const Shape& inStrides, const std::byte* in,
                     KernelOutputs& outputs, std::size_t index = 0);

}  // namespace equant::kernels
