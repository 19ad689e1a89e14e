// SPDX-License-Identifier: Apache-2.0
// The parts of the resize family, one file (resize_*.cpp) each. Constant tables, any thread.
#pragma once

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {

std::span<const KernelEntry> samplingKernels();  ///< GridSample, RoiAlign

}  // namespace equant::kernels
