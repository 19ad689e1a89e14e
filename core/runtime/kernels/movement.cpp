// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/movement_internal.h"

namespace equant {

std::span<const KernelEntry> movementKernels() {
    using namespace kernels;
    static const auto kAll = joinTables({shapeKernels(), generatorKernels(), rearrangeKernels(), padKernels()});
    return kAll;
}

}  // namespace equant
