// SPDX-License-Identifier: Apache-2.0
// Whether a convolution sees zeros beyond the border of its input.
#pragma once

#include "core/graph/model.h"

namespace equant {

[[nodiscard]] bool hasPadding(const Node& node);

}  // namespace equant
