// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/emit/emitter.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <limits>

#include "core/runtime/emit/onednn.h"

namespace equant {
namespace {

constexpr std::size_t kUntouched = std::numeric_limits<std::size_t>::max();

/// Step::work of a primitive.
double workOf(dnnl::primitive::kind kind, std::span<const PrimitiveArgument> arguments) {
    const auto dimsOf = [&](int role) {
        const auto found = std::find_if(arguments.begin(), arguments.end(),
                                        [&](const PrimitiveArgument& argument) { return argument.role == role; });
        return found == arguments.end() ? dnnl::memory::dims{} : found->desc.dims();
    };
    const auto countOf = [](const dnnl::memory::dims& dims) { return static_cast<double>(elementCount(dims)); };
    const dnnl::memory::dims result = dimsOf(DNNL_ARG_DST);
    double perElement = 1;
    if (kind == dnnl::primitive::kind::matmul) {
        perElement = static_cast<double>(dimsOf(DNNL_ARG_SRC).back());
    } else if (kind == dnnl::primitive::kind::convolution || kind == dnnl::primitive::kind::inner_product) {
        perElement = countOf(dimsOf(DNNL_ARG_WEIGHTS)) / static_cast<double>(std::max<dnnl::memory::dim>(result[1], 1));
    }
    return countOf(result) * perElement;
}

}  // namespace

Status Emitter::run() {
    for (ir::ValueId id = 0; id < m_program.values.size(); ++id) {
        m_states[id].remaining = m_program.values[id].uses + (m_program.values[id].isOutput ? 1 : 0);
    }
    bindInputs();
    for (ir::Op& op : m_program.ops) {
        for (const ir::ValueId id : op.inputs) {
            if (id != ir::kNoValue) --m_states[id].remaining;
        }
        for (const ir::Post& post : op.posts) {
            if (post.operand != ir::kNoValue) --m_states[post.operand].remaining;
        }
        try {
            if (auto status = emit(op); !status) return status;
        } catch (const dnnl::error& error) {
            // What oneDNN refuses as a whole (unusual padding, say) the plain kernel can still compute.
            const bool hasFallback = op.hasNodeSemantics && op.node != nullptr;
            if (hasFallback) {
                if (auto status = emitPlain(op); !status) return status;
                continue;
            }
            return fail(ErrorCode::Internal, fmt::format("oneDNN cannot prepare this layer: {}.", error.what()), {},
                        op.label);
        }
    }
    for (std::size_t tap = 0; tap < m_program.taps.size(); ++tap) {
        const ir::ValueId id = m_program.taps[tap];
        if (m_program.values[id].constant) finishDefinition(id);
    }
    bindOutputs();
    return {};
}

Status Emitter::emit(ir::Op& op) {
    switch (op.kind) {
        case ir::Kind::Plain:
            return emitPlain(op);
        case ir::Kind::Alias:
            emitAlias(op);
            return {};
        case ir::Kind::Transpose:
            emitTranspose(op);
            return {};
        case ir::Kind::Pointwise:
            if (!m_program.values[op.inputs[0]].shape) return emitDynamicFakeQuant(op);
            if (op.hasNodeSemantics && std::any_of(op.posts.begin(), op.posts.end(), [](const ir::Post& post) {
                    return post.spread == ir::Spread::LastAxis;
                })) {
                return emitPlain(op);
            }
            emitPointwise(op);
            return {};
        case ir::Kind::Concat:
            emitConcat(op);
            return {};
        case ir::Kind::Softmax:
            emitSoftmax(op);
            return {};
        case ir::Kind::Lrn:
            emitLrn(op);
            return {};
        case ir::Kind::Conv:
            emitBase(op, convolution(op));
            return {};
        case ir::Kind::InnerProduct:
            emitBase(op, innerProduct(op));
            return {};
        case ir::Kind::MatMul:
            emitBase(op, matMul(op));
            return {};
        case ir::Kind::Pool:
            emitBase(op, pool(op));
            return {};
        case ir::Kind::Resample:
            emitBase(op, resample(op));
            return {};
        case ir::Kind::RowNorm:
            emitRowNorm(op);
            return {};
        case ir::Kind::Dead:
            return {};
    }
    return {};
}

// ---- Memory
// -------------------------------------------------------------------------------------------------------------------

Location Emitter::newBuffer(std::size_t sizeBytes) {
    m_plan.buffers.push_back({std::max<std::size_t>(sizeBytes, 1), kUntouched, 0, 0});
    m_occupants.emplace_back();
    return {Location::Space::Arena, m_plan.buffers.size() - 1};
}

Location Emitter::newConstant(Tensor tensor) {
    m_plan.constants.push_back(std::move(tensor));
    return {Location::Space::Constant, m_plan.constants.size() - 1};
}

void Emitter::addStep(Step step, std::span<const Location> touched) {
    const std::size_t index = m_plan.steps.size();
    for (const Location& where : touched) {
        if (where.space != Location::Space::Arena) continue;
        ArenaBuffer& buffer = m_plan.buffers[where.index];
        if (buffer.first == kUntouched) buffer.first = index;
        buffer.last = index;
    }
    m_plan.steps.push_back(std::move(step));
}

bool Emitter::isFree(Location where) const {
    if (where.space != Location::Space::Arena) return false;
    const auto& occupants = m_occupants[where.index];
    return std::all_of(occupants.begin(), occupants.end(), [&](ir::ValueId id) { return m_states[id].remaining == 0; });
}

// ---- Values
// -------------------------------------------------------------------------------------------------------------------

void Emitter::bindInputs() {
    for (std::size_t i = 0; i < m_program.inputs.size(); ++i) {
        const ir::ValueId id = m_program.inputs[i];
        const ir::Value& value = m_program.values[id];
        m_plan.inputs.push_back({value.name, value.dtype, *value.shape});
        const Location where{Location::Space::Input, i};
        if (value.dtype == DType::Float && elementCount(*value.shape) > 0) {
            define(id, onednn::denseDesc(*value.shape), where);
        } else {
            defineSlot(id, where);
        }
    }
}

void Emitter::bindOutputs() {
    std::vector<Location> kept;
    for (const ir::ValueId id : m_program.outputs) {
        const std::size_t slot = slotOf(id);
        m_plan.outputs.push_back(slot);
        kept.push_back(m_plan.slots[slot].location);
    }
    // Outputs are copied out after the last step, so nothing may reuse their memory before.
    for (const Location& where : kept) {
        if (where.space == Location::Space::Arena) m_plan.buffers[where.index].last = m_plan.steps.size();
    }
    for (ArenaBuffer& buffer : m_plan.buffers) {
        if (buffer.first == kUntouched) buffer.first = 0;
    }
}

void Emitter::define(ir::ValueId id, const dnnl::memory::desc& desc, Location where) {
    m_states[id].versions.insert(m_states[id].versions.begin(), Placed{desc, where});
    if (where.space == Location::Space::Arena) m_occupants[where.index].push_back(id);
    finishDefinition(id);
}

void Emitter::defineSlot(ir::ValueId id, Location where) {
    const ir::Value& value = m_program.values[id];
    TensorSlot slot{value.dtype, value.shape.value_or(Shape{}), !value.shape, where};
    if (slot.isDynamic) slot.location = {Location::Space::Dynamic, m_plan.slots.size()};
    m_plan.slots.push_back(slot);
    m_states[id].slot = m_plan.slots.size() - 1;
    if (where.space == Location::Space::Arena) m_occupants[where.index].push_back(id);
    if (value.dtype == DType::Float && value.shape && elementCount(*value.shape) > 0) {
        m_states[id].versions.push_back({onednn::denseDesc(*value.shape), where});
    }
    finishDefinition(id);
}

void Emitter::finishDefinition(ir::ValueId id) {
    State& state = m_states[id];
    if (state.isDefined) return;
    state.isDefined = true;
    if (!m_program.values[id].tap) return;
    // The same value may be tapped under several indices.
    for (std::size_t tap = 0; tap < m_program.taps.size(); ++tap) {
        if (m_program.taps[tap] != id) continue;
        const TapStep step = tapOf(tap, id);
        addStep({step, fmt::format("tap {}", m_program.values[id].name)}, std::array{step.where});
    }
}

TapStep Emitter::tapOf(std::size_t tap, ir::ValueId id) {
    if (m_areTapsUnordered && !m_states[id].versions.empty()) {
        const Placed& produced = m_states[id].versions.front();
        const bool isPacked = produced.desc.data.format_kind == dnnl_blocked && produced.desc.data.offset0 == 0 &&
                              !onednn::isPadded(produced.desc);
        if (isPacked) return {tap, kNoSlot, produced.where, produced.desc.get_size() / sizeof(float)};
    }
    const std::size_t slot = slotOf(id);
    return {tap, slot, m_plan.slots[slot].location, 0};
}

void Emitter::materializeConstant(ir::ValueId id) {
    State& state = m_states[id];
    if (!m_program.values[id].constant || state.slot != kNoSlot) return;
    const Tensor& tensor = *m_program.values[id].constant;
    const Location where = newConstant(tensor);
    m_plan.slots.push_back({tensor.dtype(), tensor.shape(), false, where});
    state.slot = m_plan.slots.size() - 1;
    if (tensor.dtype() == DType::Float && tensor.count() > 0)
        state.versions.push_back({onednn::denseDesc(tensor.shape()), where});
}

Placed Emitter::primary(ir::ValueId id) {
    materializeConstant(id);
    return m_states[id].versions.front();
}

Placed Emitter::dense(ir::ValueId id) {
    return inLayout(id, onednn::denseDesc(m_program.values[id].shape.value_or(Shape{})));
}

Placed Emitter::inLayout(ir::ValueId id, const dnnl::memory::desc& desc) {
    materializeConstant(id);
    for (const Placed& version : m_states[id].versions) {
        if (version.desc == desc) return version;
    }
    const bool isDenseWanted = onednn::isPlain(desc);
    for (const Placed& version : m_states[id].versions) {
        if (isDenseWanted && onednn::isDense(version.desc)) return {desc, version.where};
    }
    const Placed result = reordered(primary(id), desc);
    m_states[id].versions.push_back(result);
    if (result.where.space == Location::Space::Arena) m_occupants[result.where.index].push_back(id);
    return result;
}

std::size_t Emitter::slotOf(ir::ValueId id) {
    materializeConstant(id);
    State& state = m_states[id];
    if (state.slot == kNoSlot) {
        const Location where = dense(id).where;
        m_plan.slots.push_back({m_program.values[id].dtype, shapeOf(id), false, where});
        state.slot = m_plan.slots.size() - 1;
    }
    return state.slot;
}

// ---- Reorders and primitives
// ----------------------------------------------------------------------------------------------------

Placed Emitter::reordered(const Placed& from, const dnnl::memory::desc& to) {
    if (from.desc == to) return from;
    if (from.where.space == Location::Space::Constant) {
        auto& cache = m_constantCache[from.where.index];
        for (const auto& [source, target] : cache) {
            if (source.desc == from.desc && target.desc == to) return target;
        }
        Tensor storage(DType::Uint8, Shape{static_cast<std::int64_t>(to.get_size())});
        Tensor source = m_plan.constants[from.where.index];
        dnnl::memory sourceMemory(from.desc, onednn::engine(), const_cast<std::byte*>(source.bytes().data()));
        dnnl::memory targetMemory(to, onednn::engine(), storage.mutableBytes().data());
        dnnl::stream stream(onednn::engine());
        dnnl::reorder(sourceMemory, targetMemory).execute(stream, sourceMemory, targetMemory);
        stream.wait();
        const Placed result{to, newConstant(std::move(storage))};
        cache.emplace_back(from, result);
        return result;
    }
    const Location where = newBuffer(to.get_size());
    const dnnl::reorder::primitive_desc descriptor(onednn::engine(), from.desc, onednn::engine(), to,
                                                   onednn::userScratchpad());
    addPrimitive(descriptor, {{DNNL_ARG_FROM, from.desc, from.where}, {DNNL_ARG_TO, to, where}},
                 fmt::format("reorder [{}]", onednn::implementation(descriptor)));
    return {to, where};
}

Placed Emitter::scaledConstant(const Placed& dense, float factor) {
    Tensor scaled = m_plan.constants[dense.where.index];
    for (float& value : scaled.mutableData<float>()) value *= factor;
    return {dense.desc, newConstant(std::move(scaled))};
}

void Emitter::addPrimitive(const dnnl::primitive_desc_base& descriptor, std::vector<PrimitiveArgument> arguments,
                           std::string description) {
    const dnnl::memory::desc scratchpad = descriptor.query_md(dnnl::query::scratchpad_md, 0);
    if (scratchpad.get_size() > 0)
        arguments.push_back({DNNL_ARG_SCRATCHPAD, scratchpad, newBuffer(scratchpad.get_size())});
    std::vector<Location> touched;
    for (const PrimitiveArgument& argument : arguments) touched.push_back(argument.location);
    const double work = workOf(descriptor.get_kind(), arguments);
    addStep({PrimitiveStep{dnnl::primitive(descriptor.get()), std::move(arguments)}, std::move(description),
             primitiveKey(descriptor), work},
            touched);
}

}  // namespace equant
