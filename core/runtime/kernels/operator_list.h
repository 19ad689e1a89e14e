// SPDX-License-Identifier: Apache-2.0
// What the runtime can execute, for documentation and tests. Reads constant tables: safe from any thread.
#pragma once

#include <string>
#include <vector>

namespace equant {

/// The ai.onnx operators of one family of kernels.
struct OperatorFamily {
    std::string name;
    std::vector<std::string> operators;  ///< sorted
};

/// Every operator that has a kernel. Which attribute values a kernel refuses is told by unsupportedNodes().
[[nodiscard]] std::vector<OperatorFamily> supportedOperators();

}  // namespace equant
