// SPDX-License-Identifier: Apache-2.0
// A model ready to be fed: keeps one Plan per batch size / input shape and one Runner per thread and plan.
// Thread-safe: run() may be called from any thread; `worker` names the caller's slot (see parallelFor).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/runtime/plan.h"

namespace equant {

class Executor {
public:
    /// Compiles for batch 1 (shapes from the declaration, overridden by options.inputShapes) so that errors show here.
    static Result<std::shared_ptr<Executor>> create(const Model& model, CompileOptions options = {});
    ~Executor();

    /// Runs on inputs of any batch size and (for dynamic models) spatial size; InvalidArgument lists what the model
    /// expects when names, types or fixed dimensions do not match. A model with a fixed batch of 1 is run sample by
    /// sample and the outputs are concatenated along axis 0.
    Result<std::vector<Tensor>> run(std::span<const Tensor> inputs, unsigned worker = 0, const TapFunction& tap = {});

    /// The same with options.areTapsUnordered: `elements` is shown every element of a tapped float value exactly once.
    Result<std::vector<Tensor>> observe(std::span<const Tensor> inputs, unsigned worker,
                                        const ElementsFunction& elements);

    /// How run() computes such a batch: samples at a time, 0 when it is not taken apart. The errors of run().
    Result<std::int64_t> partOf(std::span<const Tensor> inputs);
    /// The declaration fixes the first dimension: larger batches can only be run in parts of that size.
    [[nodiscard]] bool hasFixedBatch() const;
    /// The plan for inputs of exactly these shapes, in the order of inputs(); compiled once. The errors of compile().
    Result<std::shared_ptr<const Plan>> planFor(const std::vector<Shape>& shapes);

    [[nodiscard]] const std::vector<ValueInfo>& inputs() const;     ///< required inputs, as declared
    [[nodiscard]] const std::vector<std::string>& outputs() const;  ///< names, in the order of the results

private:
    Executor();
    struct State;
    std::unique_ptr<State> m_state;
};

}  // namespace equant
