// SPDX-License-Identifier: Apache-2.0
// Executes a plan: everything that can be prepared once (memory objects, argument lists, views) is.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <dnnl.hpp>
#include <fmt/format.h>
#include <limits>
#include <new>
#include <unistd.h>

#include "core/runtime/memory_planner.h"
#include "core/runtime/onednn.h"
#include "core/runtime/plan_data.h"

namespace equant {
namespace {

struct FreeDeleter {
    void operator()(std::byte* pointer) const { std::free(pointer); }
};
using AlignedBytes = std::unique_ptr<std::byte, FreeDeleter>;

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

}  // namespace

struct Runner::State {
    struct PreparedPrimitive {
        std::vector<dnnl::memory> memories;
        std::vector<dnnl_exec_arg_t> arguments;
        std::vector<std::pair<std::size_t, std::size_t>> inputs;  ///< (memory, plan input): fed anew every run
    };
    struct Dynamic {
        DType dtype = DType::Undefined;
        Shape shape;
        AlignedBytes bytes;
        std::size_t capacity = 0;
    };

    explicit State(std::shared_ptr<const Plan> thePlan) : plan(std::move(thePlan)), stream(onednn::engine()) {}

    void prepare();
    [[nodiscard]] std::byte* address(const Location& where) const;
    [[nodiscard]] TensorView view(std::size_t slot) const;
    [[nodiscard]] Tensor tensor(std::size_t slot) const;
    [[nodiscard]] Status check(std::span<const Tensor> inputs) const;
    void feed(std::span<const Tensor> inputs);
    Status execute(std::size_t index, const TapFunction& tap);
    void show(const TapStep& step, const TapFunction& tap) const;
    Status executeKernel(const KernelStep& step, const std::string& description);

    std::shared_ptr<const Plan> plan;
    dnnl::stream stream;
    AlignedBytes arena;
    std::vector<const std::byte*> inputData;
    std::vector<PreparedPrimitive> primitives;  ///< by step
    std::vector<Dynamic> dynamics;              ///< by slot
    std::vector<TensorView> viewScratch;
    std::vector<std::byte*> operandScratch;
    const ElementsFunction* elements = nullptr;  ///< while observe() runs
    bool isPrepared = false;
};

namespace {

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

}  // namespace

void Runner::State::prepare() {
    // The system would promise more memory than it has, and end the process when it is touched.
    const auto machineBytes =
        static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    if (plan->arenaBytes > machineBytes) throw std::bad_alloc();
    arena = allocateAligned(plan->arenaBytes);
    // Denormals left over in fresh memory would slow kernels down by orders of magnitude.
    std::memset(arena.get(), 0, plan->arenaBytes);
    inputData.assign(plan->inputs.size(), nullptr);
    dynamics.resize(plan->slots.size());
    primitives.resize(plan->steps.size());
    for (std::size_t i = 0; i < plan->steps.size(); ++i) {
        const auto* step = std::get_if<PrimitiveStep>(&plan->steps[i].action);
        if (!step) continue;
        PreparedPrimitive& prepared = primitives[i];
        for (const PrimitiveArgument& argument : step->arguments) {
            std::byte* data = address(argument.location);
            prepared.memories.emplace_back(argument.desc, onednn::engine(), data);
            prepared.arguments.push_back({argument.role, prepared.memories.back().get()});
            if (argument.location.space == Location::Space::Input)
                prepared.inputs.emplace_back(prepared.memories.size() - 1, argument.location.index);
        }
    }
    isPrepared = true;
}

std::byte* Runner::State::address(const Location& where) const {
    switch (where.space) {
        case Location::Space::None:
            return nullptr;
        case Location::Space::Arena:
            return arena.get() + plan->buffers[where.index].offset;
        // Kernels take inputs as const; oneDNN's memory handles do not say so.
        case Location::Space::Constant:
            return const_cast<std::byte*>(plan->constants[where.index].bytes().data());
        case Location::Space::Input:
            return const_cast<std::byte*>(inputData[where.index]);
        case Location::Space::Dynamic:
            return dynamics[where.index].bytes.get();
    }
    return nullptr;
}

TensorView Runner::State::view(std::size_t slot) const {
    if (slot == kNoSlot) return {};
    const TensorSlot& what = plan->slots[slot];
    if (what.isDynamic) return {dynamics[slot].dtype, dynamics[slot].shape, address(what.location)};
    return {what.dtype, what.shape, address(what.location)};
}

Tensor Runner::State::tensor(std::size_t slot) const {
    const TensorView from = view(slot);
    Tensor result(from.dtype, Shape(from.shape.begin(), from.shape.end()));
    if (result.sizeBytes() > 0) std::memcpy(result.mutableBytes().data(), from.data, result.sizeBytes());
    return result;
}

Status Runner::State::executeKernel(const KernelStep& step, const std::string& description) {
    viewScratch.clear();
    for (const std::size_t slot : step.inputs) viewScratch.push_back(view(slot));
    std::string mismatch;
    AlignedBytes stray;
    const StepOutputs::Allocate allocateSlot = [&](std::size_t slot, DType type, const Shape& shape) -> std::byte* {
        const TensorSlot& what = plan->slots[slot];
        const std::size_t needed = sizeOf(type, shape);
        if (!what.isDynamic) {
            if (what.dtype == type && what.shape == shape) return address(what.location);
            mismatch = fmt::format("a {} tensor of shape {} was expected, the operator makes {} of shape {}",
                                   name(what.dtype), toString(what.shape), name(type), toString(shape));
            stray = allocateAligned(needed);
            return stray.get();
        }
        Dynamic& dynamic = dynamics[slot];
        if (!dynamic.bytes || dynamic.capacity < needed) {
            dynamic.bytes = allocateAligned(needed);
            dynamic.capacity = needed;
        }
        dynamic.dtype = type;
        dynamic.shape = shape;
        return dynamic.bytes.get();
    };
    StepOutputs outputs(step.outputs, allocateSlot);
    if (auto status = step.kernel(viewScratch, outputs); !status) {
        Error error = status.error();
        if (error.subject.empty()) error.subject = description;
        return fail(std::move(error));
    }
    if (!mismatch.empty())
        return fail(ErrorCode::Internal, fmt::format("Shapes do not agree: {}.", mismatch), {}, description);
    return {};
}

Status Runner::State::execute(std::size_t index, const TapFunction& tap) {
    const Step& step = plan->steps[index];
    if (const auto* primitive = std::get_if<PrimitiveStep>(&step.action)) {
        PreparedPrimitive& prepared = primitives[index];
        for (const auto& [memory, input] : prepared.inputs)
            prepared.memories[memory].set_data_handle(const_cast<std::byte*>(inputData[input]));
        const dnnl_status_t status =
            dnnl_primitive_execute(primitive->primitive.get(), stream.get(),
                                   static_cast<int>(prepared.arguments.size()), prepared.arguments.data());
        if (status != dnnl_success)
            return fail(ErrorCode::Internal, fmt::format("oneDNN failed with status {}.", static_cast<int>(status)), {},
                        step.description);
        return {};
    }
    if (const auto* kernel = std::get_if<KernelStep>(&step.action)) return executeKernel(*kernel, step.description);
    if (const auto* native = std::get_if<NativeStep>(&step.action)) {
        operandScratch.clear();
        for (const Location& where : native->operands) operandScratch.push_back(address(where));
        native->run(operandScratch);
        return {};
    }
    show(std::get<TapStep>(step.action), tap);
    return {};
}

void Runner::State::show(const TapStep& step, const TapFunction& tap) const {
    if (elements == nullptr) {
        if (tap && step.slot != kNoSlot) tap(step.tap, tensor(step.slot));
        return;
    }
    if (step.slot == kNoSlot) {
        (*elements)(step.tap, {reinterpret_cast<const float*>(address(step.where)), step.count});
        return;
    }
    const TensorView value = view(step.slot);
    if (value.dtype == DType::Float && value.count() > 0)
        (*elements)(step.tap, {value.as<float>(), static_cast<std::size_t>(value.count())});
}

Runner::Runner(std::shared_ptr<const Plan> plan) : m_state(std::make_unique<State>(std::move(plan))) {}
Runner::~Runner() = default;
Runner::Runner(Runner&&) noexcept = default;
Runner& Runner::operator=(Runner&&) noexcept = default;

Result<std::vector<Tensor>> Runner::observe(std::span<const Tensor> inputs, const ElementsFunction& elements) {
    struct Reset {
        const ElementsFunction*& pointer;
        ~Reset() { pointer = nullptr; }
    };
    m_state->elements = &elements;
    const Reset reset{m_state->elements};
    return run(inputs);
}

Status Runner::State::check(std::span<const Tensor> inputs) const {
    if (inputs.size() != plan->inputs.size()) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} inputs were given, the model has {}.", inputs.size(), plan->inputs.size()));
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const PlanInput& expected = plan->inputs[i];
        if (inputs[i].dtype() == expected.dtype && inputs[i].shape() == expected.shape) continue;
        return fail(
            ErrorCode::InvalidArgument,
            fmt::format("Input \"{}\" must be {} of shape {}, not {} of shape {}.", expected.name, name(expected.dtype),
                        toString(expected.shape), name(inputs[i].dtype()), toString(inputs[i].shape())),
            {}, expected.name);
    }
    return {};
}

void Runner::State::feed(std::span<const Tensor> inputs) {
    if (!isPrepared) prepare();
    for (std::size_t i = 0; i < inputs.size(); ++i) inputData[i] = inputs[i].bytes().data();
}

namespace {

/// What the libraries below throw, as an error.
template <typename T, typename Function>
Result<T> guarded(const Function& function) {
    onednn::useOneThread();
    try {
        return function();
    } catch (const dnnl::error& error) {
        return fail(ErrorCode::Internal, fmt::format("oneDNN failed: {}.", error.what()));
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "There is not enough memory to run the model.", "Try a smaller batch.");
    }
}

}  // namespace

Result<std::vector<Tensor>> Runner::run(std::span<const Tensor> inputs, const TapFunction& tap) {
    if (auto status = m_state->check(inputs); !status) return fail(status.error());
    return guarded<std::vector<Tensor>>([&]() -> Result<std::vector<Tensor>> {
        const Plan& plan = *m_state->plan;
        m_state->feed(inputs);
        for (std::size_t i = 0; i < plan.steps.size(); ++i) {
            if (auto status = m_state->execute(i, tap); !status) return fail(status.error());
        }
        std::vector<Tensor> outputs;
        for (const std::size_t slot : plan.outputs) outputs.push_back(m_state->tensor(slot));
        return outputs;
    });
}

Result<std::vector<double>> Runner::timeSteps(std::span<const Tensor> inputs, int runs) {
    if (auto status = m_state->check(inputs); !status) return fail(status.error());
    return guarded<std::vector<double>>([&]() -> Result<std::vector<double>> {
        using Clock = std::chrono::steady_clock;
        m_state->feed(inputs);
        std::vector<double> fastest(m_state->plan->steps.size(), std::numeric_limits<double>::infinity());
        for (int run = 0; run < runs; ++run) {
            for (std::size_t i = 0; i < fastest.size(); ++i) {
                const auto start = Clock::now();
                if (auto status = m_state->execute(i, {}); !status) return fail(status.error());
                fastest[i] = std::min(fastest[i], std::chrono::duration<double>(Clock::now() - start).count());
            }
        }
        return fastest;
    });
}

}  // namespace equant
