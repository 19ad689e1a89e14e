// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/elementwise_internal.h"

namespace equant {

std::span<const KernelEntry> elementwiseKernels() {
    using namespace kernels;
    static const auto kAll =
        joinTables({unaryKernels(), binaryKernels(), variadicKernels(), castKernels(), quantizeKernels()});
    return kAll;
}

}  // namespace equant
