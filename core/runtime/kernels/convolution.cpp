// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/convolution_internal.h"

namespace equant {

std::span<const KernelEntry> convolutionKernels() {
    using namespace kernels;
    static const auto kAll = joinTables({convKernels(), poolKernels()});
    return kAll;
}

}  // namespace equant
