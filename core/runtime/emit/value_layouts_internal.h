// SPDX-License-Identifier: Apache-2.0
// The layouts in which each value of an ir::Program exists at the current point of the plan: where its memory is, which
// further layouts a reorder has made, and whether the memory may be overwritten because all reads have been emitted.
// Owns its records; refers to the program and the builder, which must outlive it. One thread; one compile().
#pragma once

#include <vector>

#include "core/runtime/emit/plan_builder_internal.h"
#include "core/runtime/ir/ir_internal.h"

namespace equant {

class ValueLayouts {
public:
    /// `areTapsUnordered`: see CompileOptions.
    ValueLayouts(const ir::Program& program, PlanBuilder& builder, bool areTapsUnordered);

    // ---- A value is produced: once each, after the step that writes it has been added (a tap step may follow)

    /// Float tensor of known shape.
    void define(ir::ValueId id, const dnnl::memory::desc& desc, Location where);
    /// The same for a result that may have other dimensions than the value (rows of a matrix product).
    void defineView(ir::ValueId id, Placed result);
    /// Any type, dense; `where` does not matter when the shape is only known while running.
    void defineSlot(ir::ValueId id, Location where);
    /// defineSlot() in two parts, for steps that need the slot's number: gives the slot, before the step is added ...
    std::size_t placeSlot(ir::ValueId id, Location where);
    /// ... and adds the value's tap steps after it. Also for constants that are tapped. Nothing at the second call.
    void finishDefinition(ir::ValueId id);

    // ---- A value is read

    /// One read of the operator that is emitted now, or an output bound: see isFree().
    void countRead(ir::ValueId id) { --m_states[id].remainingReads; }
    /// In the layout of its producer.
    Placed primary(ir::ValueId id);
    /// Row-major.
    Placed dense(ir::ValueId id) { return inLayout(id, denseDescOf(id)); }
    /// In layout `desc`, by a reorder step if no step has made it before.
    Placed inLayout(ir::ValueId id, const dnnl::memory::desc& desc);
    /// The dense view of it for kernels, taps and outputs.
    std::size_t slotOf(ir::ValueId id);
    /// All layouts it has so far; the producer's first. Empty for constants that no step has read yet.
    [[nodiscard]] const std::vector<Placed>& versions(ir::ValueId id) const { return m_states[id].versions; }
    /// The memory may be written: it belongs to the arena and no value in it will be read by a later operator.
    [[nodiscard]] bool isFree(Location where) const;
    /// Of a value of known shape.
    [[nodiscard]] const Shape& shapeOf(ir::ValueId id) const { return *m_program.values[id].shape; }

private:
    struct State {
        std::vector<Placed> versions;  ///< float tensors of known shape; the first is the producer's
        std::size_t slot = kNoSlot;    ///< dense view for kernels
        std::size_t remainingReads = 0;
        bool isDefined = false;
    };

    [[nodiscard]] dnnl::memory::desc denseDescOf(ir::ValueId id) const;
    void materializeConstant(ir::ValueId id);
    void occupy(ir::ValueId id, Location where);
    TapStep tapOf(std::size_t tap, ir::ValueId id);

    const ir::Program& m_program;
    PlanBuilder& m_builder;
    bool m_areTapsUnordered;
    std::vector<State> m_states;                        ///< by value
    std::vector<std::vector<ir::ValueId>> m_occupants;  ///< by arena buffer: the values in it
};

/// What the functions share that append the steps of one operator to a plan.
struct Emission {
    const ir::Program& program;
    PlanBuilder& plan;
    ValueLayouts& values;
};

}  // namespace equant
