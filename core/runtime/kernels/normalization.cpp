// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/kernels/normalization_internal.h"

namespace equant {

std::span<const KernelEntry> normalizationKernels() {
    using namespace kernels;
    static const auto kAll = joinTables({statisticsKernels(), softmaxKernels()});
    return kAll;
}

}  // namespace equant
