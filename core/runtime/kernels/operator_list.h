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

/// Every operator that has a kernel. unsupportedNodes() has the attribute values that a kernel does not support.
[[nodiscard]] std::vector<OperatorFamily> supportedOperators();

}  // namespace equant
