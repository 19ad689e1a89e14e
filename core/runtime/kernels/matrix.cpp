// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/matrix_internal.h"

namespace equant {

std::span<const KernelEntry> matrixKernels() {
    using namespace kernels;
    static const auto kAll = joinTables({productKernels(), einsumKernels(), recurrentKernels()});
    return kAll;
}

}  // namespace equant
