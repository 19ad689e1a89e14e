// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <dnnl.hpp>
#include <fmt/format.h>
#include <new>
#include <unistd.h>

#include "core/runtime/emit/memory_planner_internal.h"
#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/exec/step_runner_internal.h"

namespace equant {
namespace {

AlignedBytes allocateAligned(std::size_t sizeBytes) {
    const std::size_t rounded =
        (std::max<std::size_t>(sizeBytes, 1) + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
    auto* pointer = static_cast<std::byte*>(std::aligned_alloc(kArenaAlignment, rounded));
    if (!pointer) throw std::bad_alloc();
    return AlignedBytes(pointer);
}

std::size_t sizeOf(DType type, const Shape& shape) {
    return static_cast<std::size_t>(elementCount(shape)) * static_cast<std::size_t>(bitWidth(type)) / 8;
}

/// Hands out the memory the plan has reserved, or grows the slot's own where the shape was not known before.
class StepOutputs final : public KernelOutputs {
public:
    using Allocate = std::function<std::byte*(std::size_t slot, DType type, const Shape& shape)>;
    StepOutputs(const std::vector<std::size_t>& slots, const Allocate& allocateSlot)
        : m_slots(slots), m_allocate(allocateSlot) {}
    std::byte* allocate(std::size_t index, DType type, const Shape& shape) override {
        if (index >= m_slots.size() || m_slots[index] == kNoSlot) return nullptr;
        return m_allocate(m_slots[index], type, shape);
    }

private:
    const std::vector<std::size_t>& m_slots;
    const Allocate& m_allocate;
};

/// Runs `work`; what libraries throw becomes an error.
template <typename Work>
Status guarded(const Work& work) {
    try {
        return work();
    } catch (const dnnl::error& error) {
        return fail(ErrorCode::Internal, fmt::format("oneDNN failed: {}.", error.what()));
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "There is not enough memory to run the model.", "Try a smaller batch.");
    }
}

}  // namespace

StepRunner::StepRunner(std::shared_ptr<const Plan> plan) : m_plan(std::move(plan)), m_stream(onednn::engine()) {}

void StepRunner::prepare() {
    if (m_isPrepared) return;
    // The system would grant more memory than it has, and end the process when it is written to.
    const auto machineBytes =
        static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    if (m_plan->arenaBytes > machineBytes) throw std::bad_alloc();
    m_arena = allocateAligned(m_plan->arenaBytes);
    // Denormals left over in fresh memory would slow kernels down by orders of magnitude.
    std::memset(m_arena.get(), 0, m_plan->arenaBytes);
    m_inputData.assign(m_plan->inputs.size(), nullptr);
    m_dynamics.resize(m_plan->tensorSlots.size());
    m_primitives.resize(m_plan->steps.size());
    m_isPrepared = true;
}

void StepRunner::preparePrimitive(const PrimitiveStep& step, PreparedPrimitive& prepared) const {
    for (const PrimitiveArgument& argument : step.arguments) {
        std::byte* data = address(argument.location);
        prepared.memories.emplace_back(argument.desc, onednn::engine(), data);
        prepared.arguments.push_back({argument.role, prepared.memories.back().get()});
        if (argument.location.space == Location::Space::Input)
            prepared.inputs.emplace_back(prepared.memories.size() - 1, argument.location.index);
    }
    prepared.isPrepared = true;
}

std::byte* StepRunner::address(const Location& where) const {
    switch (where.space) {
        case Location::Space::None:
            return nullptr;
        case Location::Space::Arena:
            return m_arena.get() + m_plan->buffers[where.index].offset;
        // Kernels take inputs as const; oneDNN's memory handles are not.
        case Location::Space::Constant:
            return const_cast<std::byte*>(m_plan->constants[where.index].bytes().data());
        case Location::Space::Input:
            return const_cast<std::byte*>(m_inputData[where.index]);
        case Location::Space::Dynamic:
            return m_dynamics[where.index].bytes.get();
    }
    return nullptr;
}

TensorView StepRunner::view(std::size_t slot) const {
    if (slot == kNoSlot) return {};
    const TensorSlot& what = m_plan->tensorSlots[slot];
    if (what.isDynamic) return {m_dynamics[slot].dtype, m_dynamics[slot].shape, address(what.location)};
    return {what.dtype, what.shape, address(what.location)};
}

Tensor StepRunner::tensor(std::size_t slot) const {
    const TensorView from = view(slot);
    Tensor result(from.dtype, Shape(from.shape.begin(), from.shape.end()));
    if (result.sizeBytes() > 0) std::memcpy(result.mutableBytes().data(), from.data, result.sizeBytes());
    return result;
}

Status StepRunner::executeKernel(const KernelStep& step, const std::string& description) {
    m_viewScratch.clear();
    for (const std::size_t slot : step.inputs) m_viewScratch.push_back(view(slot));
    std::string mismatch;
    AlignedBytes stray;
    const StepOutputs::Allocate allocateSlot = [&](std::size_t slot, DType type, const Shape& shape) -> std::byte* {
        const TensorSlot& what = m_plan->tensorSlots[slot];
        const std::size_t needed = sizeOf(type, shape);
        if (!what.isDynamic) {
            if (what.dtype == type && what.shape == shape) return address(what.location);
            mismatch = fmt::format("a {} tensor of shape {} was expected, the operator makes {} of shape {}",
                                   name(what.dtype), toString(what.shape), name(type), toString(shape));
            stray = allocateAligned(needed);
            return stray.get();
        }
        Dynamic& dynamic = m_dynamics[slot];
        if (!dynamic.bytes || dynamic.capacity < needed) {
            dynamic.bytes = allocateAligned(needed);
            dynamic.capacity = needed;
        }
        dynamic.dtype = type;
        dynamic.shape = shape;
        return dynamic.bytes.get();
    };
    StepOutputs outputs(step.outputs, allocateSlot);
    if (auto status = step.kernel(m_viewScratch, outputs); !status) {
        Error error = status.error();
        if (error.subject.empty()) error.subject = description;
        return fail(std::move(error));
    }
    if (!mismatch.empty())
        return fail(ErrorCode::Internal, fmt::format("Shapes do not agree: {}.", mismatch), {}, description);
    return {};
}

Status StepRunner::executePrimitive(const PrimitiveStep& step, PreparedPrimitive& prepared,
                                    const std::string& description) {
    if (!prepared.isPrepared) preparePrimitive(step, prepared);
    for (const auto& [memory, input] : prepared.inputs)
        prepared.memories[memory].set_data_handle(const_cast<std::byte*>(m_inputData[input]));
    const dnnl_status_t status = dnnl_primitive_execute(
        step.primitive.get(), m_stream.get(), static_cast<int>(prepared.arguments.size()), prepared.arguments.data());
    if (status == dnnl_success) return {};
    return fail(ErrorCode::Internal, fmt::format("oneDNN failed with status {}.", static_cast<int>(status)), {},
                description);
}

Status StepRunner::execute(std::size_t index, const TapFunction& tap) {
    const Step& step = m_plan->steps[index];
    if (const auto* primitive = std::get_if<PrimitiveStep>(&step.action))
        return executePrimitive(*primitive, m_primitives[index], step.description);
    if (const auto* kernel = std::get_if<KernelStep>(&step.action)) return executeKernel(*kernel, step.description);
    if (const auto* native = std::get_if<NativeStep>(&step.action)) {
        m_operandScratch.clear();
        for (const Location& where : native->operands) m_operandScratch.push_back(address(where));
        native->run(m_operandScratch);
        return {};
    }
    show(std::get<TapStep>(step.action), tap);
    return {};
}

void StepRunner::show(const TapStep& step, const TapFunction& tap) const {
    if (m_elements == nullptr) {
        if (tap && step.slot != kNoSlot) tap(step.tap, tensor(step.slot));
        return;
    }
    if (step.slot == kNoSlot) {
        (*m_elements)(step.tap, {reinterpret_cast<const float*>(address(step.where)), step.count});
        return;
    }
    const TensorView value = view(step.slot);
    if (value.dtype == DType::Float && value.count() > 0)
        (*m_elements)(step.tap, {value.as<float>(), static_cast<std::size_t>(value.count())});
}

Status StepRunner::feed(std::span<const Tensor> inputs) {
    if (inputs.size() != m_plan->inputs.size()) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} inputs were given, the model has {}.", inputs.size(), m_plan->inputs.size()));
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const PlanInput& expected = m_plan->inputs[i];
        if (inputs[i].dtype() == expected.dtype && inputs[i].shape() == expected.shape) continue;
        return fail(
            ErrorCode::InvalidArgument,
            fmt::format("Input \"{}\" must be {} of shape {}, not {} of shape {}.", expected.name, name(expected.dtype),
                        toString(expected.shape), name(inputs[i].dtype()), toString(inputs[i].shape())),
            {}, expected.name);
    }
    return guarded([&]() -> Status {
        prepare();
        for (std::size_t i = 0; i < inputs.size(); ++i) m_inputData[i] = inputs[i].bytes().data();
        return {};
    });
}

Status StepRunner::run(std::size_t first, std::size_t last, const TapFunction& tap) {
    onednn::useOneThread();
    return guarded([&]() -> Status {
        prepare();
        for (std::size_t i = first; i < last; ++i) {
            if (auto status = execute(i, tap); !status) return status;
        }
        return {};
    });
}

Result<std::vector<Tensor>> StepRunner::outputs() {
    std::vector<Tensor> results;
    auto status = guarded([&]() -> Status {
        prepare();
        for (const std::size_t slot : m_plan->outputs) results.push_back(tensor(slot));
        return {};
    });
    if (!status) return fail(status.error());
    return results;
}

std::span<std::byte> StepRunner::buffer(std::size_t index) {
    prepare();
    return {address({Location::Space::Arena, index}), m_plan->buffers[index].sizeBytes};
}

}  // namespace equant
