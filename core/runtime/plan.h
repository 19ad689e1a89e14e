// SPDX-License-Identifier: Apache-2.0
// Compiles a model for given input shapes and executes it.
// A Plan is immutable and may be shared by any number of threads; each thread runs it through a Runner of its own,
// which owns the activation memory. Kernels are single-threaded: parallelism is across samples (see executor.h).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"
#include "core/runtime/compile_options.h"

namespace equant {

/// A node the runtime has no kernel for.
struct UnsupportedNode {
    std::string label;
    std::string opType;  ///< with the domain, if it is not ai.onnx
    std::string reason;
};

/// All nodes that cannot run, without compiling (so also for models whose shapes are open).
[[nodiscard]] std::vector<UnsupportedNode> unsupportedNodes(const Model& model);

class Plan;

/// Unsupported (operators without a kernel, named), InvalidArgument (shapes that contradict the graph), Cancelled.
Result<std::shared_ptr<const Plan>> compile(const Model& model, const CompileOptions& options);

class Runner {
public:
    explicit Runner(std::shared_ptr<const Plan> plan);
    ~Runner();
    Runner(Runner&&) noexcept;
    Runner& operator=(Runner&&) noexcept;

    /// Inputs in the order of Graph::requiredInputs(), of exactly the compiled shapes; outputs in the order of
    /// CompileOptions::outputs, or of the graph.
    Result<std::vector<Tensor>> run(std::span<const Tensor> inputs, const TapFunction& tap = {});
    /// The same for a plan compiled with areTapsUnordered.
    Result<std::vector<Tensor>> observe(std::span<const Tensor> inputs, const ElementsFunction& elements);

    /// Seconds that each step took in its fastest of `runs` executions, in the order of describePlan(): where the time
    /// of a model goes. The minimum, because what else the machine does can only add to it.
    Result<std::vector<double>> timeSteps(std::span<const Tensor> inputs, int runs);

private:
    struct State;
    std::unique_ptr<State> m_state;
};

/// For tests and reports: how many steps the plan executes and what was fused, one line per step.
[[nodiscard]] std::vector<std::string> describePlan(const Plan& plan);
/// Bytes of the activation arena one Runner allocates.
[[nodiscard]] std::size_t arenaBytes(const Plan& plan);
/// Whether steps check their inputs while running, so that a run may fail half-way.
[[nodiscard]] bool mayFailWhileRunning(const Plan& plan);

}  // namespace equant
