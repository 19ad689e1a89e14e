// SPDX-License-Identifier: Apache-2.0
// Findings about the numbers that a file holds. Private to core/inspection.
#pragma once

#include <vector>

#include "core/base/finding.h"
#include "core/graph/model.h"

namespace equant {

/// "non-finite-weights", one per constant: NaN anywhere; infinity only where weights are multiplied, since masks and
/// bounds are infinite on purpose. The subject is the first layer that reads the constant.
[[nodiscard]] std::vector<Finding> findNonFiniteConstants(const Graph& graph);

}  // namespace equant
