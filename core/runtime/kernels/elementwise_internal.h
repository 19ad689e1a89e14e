// SPDX-License-Identifier: Apache-2.0
// The parts of the elementwise family, one file (elementwise_*.cpp) each. Constant tables, any thread.
#pragma once

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {

std::span<const KernelEntry> unaryKernels();
std::span<const KernelEntry> binaryKernels();
std::span<const KernelEntry> variadicKernels();
std::span<const KernelEntry> castKernels();
std::span<const KernelEntry> quantizeKernels();

}  // namespace equant::kernels
