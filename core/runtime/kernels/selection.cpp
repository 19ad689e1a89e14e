// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/selection_internal.h"

namespace equant {
namespace kernels {

Result<std::int64_t> normalizeIndex(std::int64_t index, std::int64_t extent) {
    if (index < -extent || index >= extent) return invalid("Index {} is outside an axis of {}.", index, extent);
    return index < 0 ? index + extent : index;
}

}  // namespace kernels

std::span<const KernelEntry> selectionKernels() {
    using namespace kernels;
    static const auto kAll =
        joinTables({gatherKernels(), scatterKernels(), pickKernels(), nmsKernels(), uniqueKernels()});
    return kAll;
}

}  // namespace equant
