// SPDX-License-Identifier: Apache-2.0
// The parts of the normalization family, one file (normalization_*.cpp) each. Constant tables, any thread.
#pragma once

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {

std::span<const KernelEntry> statisticsKernels();  ///< Batch, Instance, Layer, Group, MeanVariance, Lp, LRN
std::span<const KernelEntry> softmaxKernels();     ///< Softmax, LogSoftmax, Hardmax

}  // namespace equant::kernels
