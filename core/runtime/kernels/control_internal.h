// SPDX-License-Identifier: Apache-2.0
// Control flow. Kernels of If, Loop and Scan take, after the node's own inputs, the values that the bodies read from
// the graph around them, in the order of captures(node); the caller of such a kernel appends them (see argumentNames).
// Bodies are interpreted: one kernel per node, values of any shape. Read-only after construction, any thread may run
// them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/runtime/kernels/support_internal.h"

namespace equant {

/// Names of everything the node's kernel reads: its inputs ("" where omitted), then what its bodies capture, each once.
[[nodiscard]] std::vector<std::string> argumentNames(const Node& node);

namespace kernels {

class Body {
public:
    /// `captured`: names of the values handed in as such. Unsupported names an operator without a kernel.
    static Result<std::shared_ptr<const Body>> make(const Graph& graph, const std::vector<std::string>& captured,
                                                    std::int64_t opset);

    /// Inputs in the order of the graph's; returns its outputs.
    [[nodiscard]] Result<std::vector<Tensor>> run(std::vector<Tensor> inputs,
                                                  std::span<const TensorView> captured) const;
    [[nodiscard]] const std::vector<ValueInfo>& inputs() const { return m_inputInfos; }
    [[nodiscard]] const std::vector<ValueInfo>& outputs() const { return m_outputInfos; }

private:
    struct Step {
        Kernel kernel;
        std::string label;
        std::vector<std::size_t> inputs;   ///< value numbers; kNone where omitted
        std::vector<std::size_t> outputs;  ///< value numbers; kNone where omitted
    };
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    std::vector<ValueInfo> m_inputInfos;
    std::vector<ValueInfo> m_outputInfos;
    std::vector<std::pair<std::size_t, Tensor>> m_constants;
    std::vector<std::size_t> m_inputs;
    std::vector<std::size_t> m_captured;
    std::vector<std::size_t> m_outputs;
    std::vector<Step> m_steps;
    std::size_t m_valueCount = 0;
};

}  // namespace kernels
}  // namespace equant
