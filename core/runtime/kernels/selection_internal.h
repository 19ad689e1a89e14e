// SPDX-License-Identifier: Apache-2.0
// The parts of the selection family, one file (selection_*.cpp) each. Constant tables, any thread.
#pragma once

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {

std::span<const KernelEntry> gatherKernels();   ///< Gather, GatherElements, GatherND
std::span<const KernelEntry> scatterKernels();  ///< Scatter, ScatterElements, ScatterND, OneHot
std::span<const KernelEntry> pickKernels();     ///< TopK, NonZero, Compress
std::span<const KernelEntry> nmsKernels();      ///< NonMaxSuppression
std::span<const KernelEntry> uniqueKernels();   ///< Unique

/// Index in [0, extent) of one that may count from the end; InvalidArgument outside.
Result<std::int64_t> normalizeIndex(std::int64_t index, std::int64_t extent);

}  // namespace equant::kernels
