// SPDX-License-Identifier: Apache-2.0
// Executes the steps of a plan one by one and gives access to the memory between them: Runner runs all steps, prefix
// reuse some. Memory objects, argument lists and views are made once, before a step runs for the first time. One thread
// at a time; owns its arena, shares the plan.
#pragma once

#include <cstdlib>
#include <dnnl.hpp>
#include <memory>
#include <span>
#include <vector>

#include "core/runtime/compile_options.h"
#include "core/runtime/emit/plan_data_internal.h"

namespace equant {

struct FreeDeleter {
    void operator()(std::byte* pointer) const { std::free(pointer); }
};
using AlignedBytes = std::unique_ptr<std::byte, FreeDeleter>;

class StepRunner {
public:
    explicit StepRunner(std::shared_ptr<const Plan> plan);

    /// What the steps read as inputs, from now on; must stay alive while they run. InvalidArgument when they do not fit
    /// the plan.
    Status feed(std::span<const Tensor> inputs);
    /// Executes steps [first, last). Exceptions of oneDNN and of allocation are caught.
    Status run(std::size_t first, std::size_t last, const TapFunction& tap = {});
    /// Tapped elements go to `elements` from now on instead of a TapFunction; null: to the TapFunction again.
    /// Must outlive the runs.
    void observe(const ElementsFunction* elements) { m_elements = elements; }
    /// Copies of the plan's outputs, after the last step.
    [[nodiscard]] Result<std::vector<Tensor>> outputs();
    /// The memory of Plan::buffers[index]; what it holds depends on the last step executed.
    /// Throws std::bad_alloc when there is no memory for the arena.
    [[nodiscard]] std::span<std::byte> buffer(std::size_t index);
    [[nodiscard]] const Plan& plan() const { return *m_plan; }

private:
    struct PreparedPrimitive {
        std::vector<dnnl::memory> memories;
        std::vector<dnnl_exec_arg_t> arguments;
        std::vector<std::pair<std::size_t, std::size_t>> inputs;  ///< (memory, plan input): fed anew every run
        bool isPrepared = false;
    };
    struct Dynamic {
        DType dtype = DType::Undefined;
        Shape shape;
        AlignedBytes bytes;
        std::size_t capacity = 0;
    };

    void prepare();
    void preparePrimitive(const PrimitiveStep& step, PreparedPrimitive& prepared) const;
    [[nodiscard]] std::byte* address(const Location& where) const;
    [[nodiscard]] TensorView view(std::size_t slot) const;
    [[nodiscard]] Tensor tensor(std::size_t slot) const;
    Status execute(std::size_t index, const TapFunction& tap);
    Status executePrimitive(const PrimitiveStep& step, PreparedPrimitive& prepared, const std::string& description);
    void show(const TapStep& step, const TapFunction& tap) const;
    Status executeKernel(const KernelStep& step, const std::string& description);

    std::shared_ptr<const Plan> m_plan;
    dnnl::stream m_stream;
    AlignedBytes m_arena;
    std::vector<const std::byte*> m_inputData;
    std::vector<PreparedPrimitive> m_primitives;  ///< by step; prepared when the step runs for the first time
    std::vector<Dynamic> m_dynamics;              ///< by slot
    std::vector<TensorView> m_viewScratch;
    std::vector<std::byte*> m_operandScratch;
    const ElementsFunction* m_elements = nullptr;
    bool m_isPrepared = false;
};

}  // namespace equant
