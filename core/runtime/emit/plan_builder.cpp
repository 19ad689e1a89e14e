// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fmt/format.h>
#include <limits>

#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/plan_builder_internal.h"

namespace equant {
namespace {

/// ArenaBuffer::first of a buffer that no step has touched.
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

std::size_t PlanBuilder::addSlot(TensorSlot slot) {
    if (slot.isDynamic) slot.location = {Location::Space::Dynamic, m_plan.tensorSlots.size()};
    m_plan.tensorSlots.push_back(std::move(slot));
    return m_plan.tensorSlots.size() - 1;
}

Location PlanBuilder::newBuffer(std::size_t sizeBytes) {
    m_plan.buffers.push_back({std::max<std::size_t>(sizeBytes, 1), kUntouched, 0, 0});
    return {Location::Space::Arena, m_plan.buffers.size() - 1};
}

Location PlanBuilder::newConstant(Tensor tensor) {
    m_plan.constants.push_back(std::move(tensor));
    return {Location::Space::Constant, m_plan.constants.size() - 1};
}

void PlanBuilder::addStep(Step step, std::span<const Location> touched) {
    const std::size_t index = m_plan.steps.size();
    for (const Location& where : touched) {
        if (where.space != Location::Space::Arena) continue;
        ArenaBuffer& buffer = m_plan.buffers[where.index];
        if (buffer.first == kUntouched) buffer.first = index;
        buffer.last = index;
    }
    m_plan.steps.push_back(std::move(step));
}

void PlanBuilder::addPrimitive(const dnnl::primitive_desc_base& descriptor, std::vector<PrimitiveArgument> arguments,
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

Placed PlanBuilder::reordered(const Placed& from, const dnnl::memory::desc& to) {
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

Placed PlanBuilder::scaledConstant(const Placed& dense, float factor) {
    Tensor scaled = m_plan.constants[dense.where.index];
    for (float& value : scaled.mutableData<float>()) value *= factor;
    return {dense.desc, newConstant(std::move(scaled))};
}

void PlanBuilder::finish(std::vector<std::size_t> outputs) {
    // Outputs are copied out after the last step, so nothing may reuse their memory before.
    for (const std::size_t slot : outputs) {
        const Location& where = m_plan.tensorSlots[slot].location;
        if (where.space == Location::Space::Arena) m_plan.buffers[where.index].last = m_plan.steps.size();
    }
    for (ArenaBuffer& buffer : m_plan.buffers) {
        if (buffer.first == kUntouched) buffer.first = 0;
    }
    m_plan.outputs = std::move(outputs);
}

}  // namespace equant
