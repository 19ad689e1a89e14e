// SPDX-License-Identifier: Apache-2.0
// Compiles a model for given input shapes and executes it.
// A Plan is immutable and may be shared by any number of threads; each thread runs it through a Runner of its own,
// which owns the activation memory. Kernels are single-threaded: parallelism is across samples (see executor.h).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "core/graph/encoding.h"
#include "core/graph/model.h"
#include "core/graph/shapes/shapes.h"

namespace equant {

/// Fake quantization by value name. A constant (weight) is quantized once while compiling; an activation wherever it
/// is produced (or fed), fused into the producing kernel where possible. Names that do not occur are ignored.
using QuantOverlay = std::unordered_map<std::string, Encoding>;

struct CompileOptions {
    /// Shape of every graph input by name; inputs not named keep their declared shape with a free first dimension = 1.
    std::unordered_map<std::string, Shape> inputShapes;
    QuantOverlay overlay;
    /// Values to hand to the TapFunction when they have been computed (before their fake quantization, if any).
    std::vector<std::string> taps;
    /// Taps go to an ElementsFunction (Runner::observe) and to no TapFunction: nothing is reordered or copied.
    bool areTapsUnordered = false;
    /// Values to compute instead of the graph's outputs; empty means the graph's outputs.
    std::vector<std::string> outputs;
    /// Off: every node runs by itself (used by tests to judge the fusions).
    bool fuse = true;
};

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

/// Receives a tapped value in the dense row-major layout ONNX describes. Called from the running thread.
using TapFunction = std::function<void(std::size_t tapIndex, const Tensor& value)>;

/// Receives the elements of a tapped float value, each exactly once in a run, in the order they have in memory. They
/// may come in several pieces and must not be used after the call. Other types are not shown.
using ElementsFunction = std::function<void(std::size_t tapIndex, std::span<const float> elements)>;

class Runner {
public:
    explicit Runner(std::shared_ptr<const Plan> plan);
    ~Runner();
    Runner(Runner&&) noexcept;
    Runner& operator=(Runner&&) noexcept;

    /// Inputs in the order of Graph::requiredInputs(), of exactly the compiled shapes; outputs in the order asked.
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
