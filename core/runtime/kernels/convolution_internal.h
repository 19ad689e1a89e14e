// SPDX-License-Identifier: Apache-2.0
// The parts of the convolution family, one file (convolution_*.cpp) each. Constant tables, any thread.
#pragma once

#include "core/runtime/kernels/window_internal.h"

namespace equant::kernels {

std::span<const KernelEntry> convKernels();  ///< Conv, ConvTranspose, ConvInteger, QLinearConv
std::span<const KernelEntry> poolKernels();  ///< average, maximum and Lp pools, global ones included, and MaxUnpool

}  // namespace equant::kernels
