// SPDX-License-Identifier: Apache-2.0
// The parts of the resize family, one file each.
#pragma once

#include "core/runtime/kernels/support.h"

namespace equant::kernels {

std::span<const KernelEntry> samplingKernels();  ///< GridSample, RoiAlign

}  // namespace equant::kernels
