// SPDX-License-Identifier: Apache-2.0
// What a compiled plan consists of; private to core/runtime. Immutable once compile() has returned it: runners of any
// thread read it at the same time, memory that changes lives in the Runner (arena) or with the caller (inputs).
#pragma once

#include <cstddef>
#include <dnnl.hpp>
#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/runtime/emit/memory_planner_internal.h"
#include "core/runtime/emit/step_key_internal.h"
#include "core/runtime/kernels/kernel_internal.h"

namespace equant {

/// Where some bytes are when a plan runs.
struct Location {
    enum class Space {
        None,
        Arena,     ///< index: Plan::buffers
        Constant,  ///< index: Plan::constants
        Input,     ///< index: position in the inputs of Runner::run
        Dynamic    ///< index: Plan::slots; allocated while running because the shape is not known before
    };
    Space space = Space::None;
    std::size_t index = 0;
    friend bool operator==(const Location&, const Location&) = default;
};

/// A dense row-major tensor for plain kernels, taps and outputs.
struct TensorSlot {
    DType dtype = DType::Undefined;
    Shape shape;
    bool isDynamic = false;  ///< the shape is only known while running
    Location location;
};

inline constexpr std::size_t kNoSlot = static_cast<std::size_t>(-1);

struct PrimitiveArgument {
    int role = 0;  ///< DNNL_ARG_*
    dnnl::memory::desc desc;
    Location location;
};

struct PrimitiveStep {
    dnnl::primitive primitive;
    std::vector<PrimitiveArgument> arguments;
};

struct KernelStep {
    Kernel kernel;
    std::vector<std::size_t> inputs;   ///< slots; kNoSlot where omitted
    std::vector<std::size_t> outputs;  ///< slots; kNoSlot where omitted
};

/// A loop of our own over raw memory, in any layout.
struct NativeStep {
    std::function<void(std::span<std::byte* const> operands)> run;
    std::vector<Location> operands;
};

struct TapStep {
    std::size_t tap = 0;
    std::size_t slot = kNoSlot;  ///< none: `count` floats at `where` in any order
    Location where;
    std::size_t count = 0;
};

struct Step {
    std::variant<PrimitiveStep, KernelStep, NativeStep, TapStep> action;
    std::string description;
    StepKey key{};    ///< what it computes (step_key_internal.h); empty: like no other step, so sweeps compute it again
    double work = 0;  ///< multiply-accumulates; elements of the result for steps without any
};

/// An input of the plan, as Runner::run expects it.
struct PlanInput {
    std::string name;
    DType dtype = DType::Undefined;
    Shape shape;
};

class Plan {
public:
    std::vector<PlanInput> inputs;
    std::vector<std::size_t> outputs;  ///< slots
    std::vector<TensorSlot> tensorSlots;
    std::vector<Tensor> constants;
    std::vector<ArenaBuffer> buffers;
    std::vector<Step> steps;
    std::size_t arenaBytes = 0;
};

}  // namespace equant
