// SPDX-License-Identifier: Apache-2.0
// The parts of the elementwise family, one file each.
#pragma once

#include "core/runtime/kernels/support.h"

namespace equant::kernels {

std::span<const KernelEntry> unaryKernels();
std::span<const KernelEntry> binaryKernels();
std::span<const KernelEntry> variadicKernels();
std::span<const KernelEntry> castKernels();
std::span<const KernelEntry> quantizeKernels();

}  // namespace equant::kernels
