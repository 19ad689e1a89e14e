// SPDX-License-Identifier: Apache-2.0
// Appends buffers, constants and steps to a Plan while it is compiled, and keeps the lifetimes of buffers up to date.
// Reorders of constants are computed at once and kept, so that weights wanted twice in a layout are converted once.
// Does not own the plan. One thread; lives as long as one compile().
#pragma once

#include <dnnl.hpp>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/runtime/emit/plan_data_internal.h"

namespace equant {

/// A tensor's memory in one layout.
struct Placed {
    dnnl::memory::desc desc;
    Location where;
};

class PlanBuilder {
public:
    /// `plan` must outlive the builder.
    explicit PlanBuilder(Plan& plan) : m_plan(plan) {}

    void addInput(PlanInput input) { m_plan.inputs.push_back(std::move(input)); }
    /// The slot's number. A slot of unknown shape (isDynamic) gets its location here.
    std::size_t addSlot(TensorSlot slot);
    [[nodiscard]] const TensorSlot& slot(std::size_t index) const { return m_plan.tensorSlots[index]; }
    /// Memory of the arena; alive from the first to the last step that touches it.
    Location newBuffer(std::size_t sizeBytes);
    Location newConstant(Tensor tensor);

    /// `touched`: everything the step reads or writes.
    void addStep(Step step, std::span<const Location> touched);
    /// A step that executes the primitive; gives it its scratchpad. Throws dnnl::error.
    void addPrimitive(const dnnl::primitive_desc_base& descriptor, std::vector<PrimitiveArgument> arguments,
                      std::string description);
    /// The same tensor in layout `to`: `from` itself, a constant converted now, or the result of a new reorder step.
    /// Throws dnnl::error.
    Placed reordered(const Placed& from, const dnnl::memory::desc& to);
    /// A copy of a dense constant, every element multiplied by `factor`.
    Placed scaledConstant(const Placed& dense, float factor);

    /// After the last step: `outputs` (slots) are kept to the end of a run.
    void finish(std::vector<std::size_t> outputs);

private:
    Plan& m_plan;
    std::map<std::size_t, std::vector<std::pair<Placed, Placed>>> m_constantCache;  ///< by constant: from, to
};

}  // namespace equant
