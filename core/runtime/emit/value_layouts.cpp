// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/value_layouts_internal.h"

namespace equant {

ValueLayouts::ValueLayouts(const ir::Program& program, PlanBuilder& builder, bool areTapsUnordered)
    : m_program(program), m_builder(builder), m_areTapsUnordered(areTapsUnordered), m_states(program.values.size()) {
    for (ir::ValueId id = 0; id < program.values.size(); ++id)
        m_states[id].remainingReads = program.values[id].uses + (program.values[id].isOutput ? 1 : 0);
}

void ValueLayouts::occupy(ir::ValueId id, Location where) {
    if (where.space != Location::Space::Arena) return;
    if (where.index >= m_occupants.size()) m_occupants.resize(where.index + 1);
    m_occupants[where.index].push_back(id);
}

bool ValueLayouts::isFree(Location where) const {
    if (where.space != Location::Space::Arena) return false;
    if (where.index >= m_occupants.size()) return true;
    const auto& occupants = m_occupants[where.index];
    return std::all_of(occupants.begin(), occupants.end(),
                       [&](ir::ValueId id) { return m_states[id].remainingReads == 0; });
}

void ValueLayouts::define(ir::ValueId id, const dnnl::memory::desc& desc, Location where) {
    m_states[id].versions.insert(m_states[id].versions.begin(), Placed{desc, where});
    occupy(id, where);
    finishDefinition(id);
}

void ValueLayouts::defineView(ir::ValueId id, Placed result) {
    const Shape& shape = shapeOf(id);
    if (result.desc.dims() != shape) {
        if (!onednn::isDense(result.desc)) result = m_builder.reordered(result, onednn::denseDesc(result.desc.dims()));
        result.desc = onednn::denseDesc(shape);
    }
    define(id, result.desc, result.where);
}

void ValueLayouts::defineSlot(ir::ValueId id, Location where) {
    placeSlot(id, where);
    finishDefinition(id);
}

std::size_t ValueLayouts::placeSlot(ir::ValueId id, Location where) {
    const ir::Value& value = m_program.values[id];
    m_states[id].slot = m_builder.addSlot({value.dtype, value.shape.value_or(Shape{}), !value.shape, where});
    occupy(id, where);
    if (value.dtype == DType::Float && value.shape && elementCount(*value.shape) > 0)
        m_states[id].versions.push_back({denseDescOf(id), where});
    return m_states[id].slot;
}

void ValueLayouts::finishDefinition(ir::ValueId id) {
    State& state = m_states[id];
    if (state.isDefined) return;
    state.isDefined = true;
    if (!m_program.values[id].tap) return;
    // The same value may be tapped under several indices.
    for (std::size_t tap = 0; tap < m_program.taps.size(); ++tap) {
        if (m_program.taps[tap] != id) continue;
        const TapStep step = tapOf(tap, id);
        m_builder.addStep({step, fmt::format("tap {}", m_program.values[id].name)}, std::array{step.where});
    }
}

TapStep ValueLayouts::tapOf(std::size_t tap, ir::ValueId id) {
    if (m_areTapsUnordered && !m_states[id].versions.empty()) {
        const Placed& produced = m_states[id].versions.front();
        const bool isPacked = produced.desc.data.format_kind == dnnl_blocked && produced.desc.data.offset0 == 0 &&
                              !onednn::isPadded(produced.desc);
        if (isPacked) return {tap, kNoSlot, produced.where, produced.desc.get_size() / sizeof(float)};
    }
    const std::size_t slot = slotOf(id);
    return {tap, slot, m_builder.slot(slot).location, 0};
}

void ValueLayouts::materializeConstant(ir::ValueId id) {
    State& state = m_states[id];
    if (!m_program.values[id].constant || state.slot != kNoSlot) return;
    const Tensor& tensor = *m_program.values[id].constant;
    const Location where = m_builder.newConstant(tensor);
    state.slot = m_builder.addSlot({tensor.dtype(), tensor.shape(), false, where});
    if (tensor.dtype() == DType::Float && tensor.count() > 0)
        state.versions.push_back({onednn::denseDesc(tensor.shape()), where});
}

Placed ValueLayouts::primary(ir::ValueId id) {
    materializeConstant(id);
    return m_states[id].versions.front();
}

dnnl::memory::desc ValueLayouts::denseDescOf(ir::ValueId id) const {
    return onednn::denseDesc(m_program.values[id].shape.value_or(Shape{}));
}

Placed ValueLayouts::inLayout(ir::ValueId id, const dnnl::memory::desc& desc) {
    materializeConstant(id);
    for (const Placed& version : m_states[id].versions) {
        if (version.desc == desc) return version;
    }
    const bool isDenseWanted = onednn::isRowMajor(desc);
    for (const Placed& version : m_states[id].versions) {
        if (isDenseWanted && onednn::isDense(version.desc)) return {desc, version.where};
    }
    const Placed result = m_builder.reordered(primary(id), desc);
    m_states[id].versions.push_back(result);
    occupy(id, result.where);
    return result;
}

std::size_t ValueLayouts::slotOf(ir::ValueId id) {
    materializeConstant(id);
    State& state = m_states[id];
    if (state.slot == kNoSlot) {
        const Location where = dense(id).where;
        state.slot = m_builder.addSlot({m_program.values[id].dtype, shapeOf(id), false, where});
    }
    return state.slot;
}

}  // namespace equant
