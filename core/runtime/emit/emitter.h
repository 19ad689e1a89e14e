// SPDX-License-Identifier: Apache-2.0
// ir::Program -> steps of a Plan: picks primitives and layouts, reorders only where two layouts meet, decides which
// buffers are reused in place. Private to core/runtime; one Emitter per compile().
#pragma once

#include <dnnl.hpp>
#include <functional>
#include <map>

#include "core/runtime/emit/plan_data.h"
#include "core/runtime/ir/ir.h"

namespace equant {

/// A value's memory in one layout.
struct Placed {
    dnnl::memory::desc desc;
    Location where;
};

/// A primitive that can take posts, before its attributes are settled.
struct BasePrimitive {
    struct Input {
        int role = 0;
        ir::ValueId value = ir::kNoValue;  ///< whose layouts may be kept for other readers; none for a view of a value
        Placed given;
        dnnl::query what = dnnl::query::src_md;
    };
    std::function<dnnl::primitive_desc_base(const dnnl::primitive_attr&)> make;
    std::vector<Input> inputs;
};

class Emitter {
public:
    Emitter(ir::Program& program, Plan& plan, bool areTapsUnordered)
        : m_program(program), m_plan(plan), m_areTapsUnordered(areTapsUnordered), m_states(program.values.size()) {}

    Status run();

private:
    struct State {
        std::vector<Placed> versions;  ///< float tensors of known shape; the first is the producer's
        std::size_t slot = kNoSlot;    ///< dense view for kernels
        std::size_t remaining = 0;     ///< reads to come
        bool isDefined = false;
    };

    // emitter.cpp: memory, layouts, steps
    void bindInputs();
    Status emit(ir::Op& op);
    void bindOutputs();
    [[nodiscard]] const Shape& shapeOf(ir::ValueId id) const { return *m_program.values[id].shape; }
    Location newBuffer(std::size_t sizeBytes);
    Location newConstant(Tensor tensor);
    void addStep(Step step, std::span<const Location> touched);
    void define(ir::ValueId id, const dnnl::memory::desc& desc, Location where);
    void defineSlot(ir::ValueId id, Location where);
    void finishDefinition(ir::ValueId id);
    TapStep tapOf(std::size_t tap, ir::ValueId id);
    void materializeConstant(ir::ValueId id);
    Placed primary(ir::ValueId id);
    Placed dense(ir::ValueId id);
    std::size_t slotOf(ir::ValueId id);
    Placed inLayout(ir::ValueId id, const dnnl::memory::desc& desc);
    Placed reordered(const Placed& from, const dnnl::memory::desc& to);
    /// No value that is still to be read lives there, and it may be written.
    [[nodiscard]] bool isFree(Location where) const;
    void addPrimitive(const dnnl::primitive_desc_base& descriptor, std::vector<PrimitiveArgument> arguments,
                      std::string description);

    // emit_plain.cpp
    Status emitPlain(ir::Op& op);
    Status emitKernel(ir::Op& op, std::span<const ir::ValueId> inputs);
    [[nodiscard]] double kernelWork(const ir::Op& op) const;
    Status emitDynamicFakeQuant(ir::Op& op);
    void emitAlias(ir::Op& op);
    void emitTranspose(ir::Op& op);
    void emitConcat(ir::Op& op);
    void emitBlockedConcat(ir::Op& op, std::size_t axis);
    void emitSoftmax(ir::Op& op);
    void emitLrn(ir::Op& op);
    void emitRowNorm(ir::Op& op);

    // emit_base.cpp
    void emitBase(ir::Op& op, const BasePrimitive& base);
    BasePrimitive convolution(const ir::Op& op);
    BasePrimitive innerProduct(const ir::Op& op);
    BasePrimitive matMul(const ir::Op& op);
    BasePrimitive pool(const ir::Op& op);
    BasePrimitive resample(const ir::Op& op);

    // emit_posts.cpp
    struct Chain {
        dnnl::primitive_attr attributes;
        std::vector<PrimitiveArgument> arguments;
        std::optional<std::size_t> sum;  ///< index of the post whose operand becomes the destination
        float factor = 1.0F;             ///< what the primitive's own result must be multiplied by before the posts
        std::string description;
    };
    /// Attributes for these posts; nullopt when one of them cannot be expressed. With `takeFactor` a multiplication
    /// at the start is left to the caller (Chain::factor), who scales weights and bias instead.
    std::optional<Chain> expand(std::span<const ir::Post> posts, const dnnl::memory::desc& destination, bool useSum,
                                bool takeFactor);
    /// A sum overwrites its operand: allowed where nobody reads that any more, or where it has to be reordered anyway.
    [[nodiscard]] bool maySum(const ir::Post& post, const dnnl::memory::desc& destination,
                              std::span<const BasePrimitive::Input> inputs, std::span<const ir::Post> posts);
    Placed scaledConstant(const Placed& dense, float factor);
    Placed sumTarget(ir::ValueId operand, const dnnl::memory::desc& destination);
    Placed operandOf(const ir::Post& post, const dnnl::memory::desc& like);
    /// Runs posts by themselves on `current`, in place where that is free.
    Placed emitPosts(Placed current, std::span<const ir::Post> posts, bool mayOverwrite, const std::string& label);
    Placed emitBinary(Placed current, std::span<const ir::Post> posts, bool mayOverwrite, const std::string& label,
                      std::size_t& used);
    Placed emitEltwise(Placed current, const ir::Post& post, bool mayOverwrite, const std::string& label);
    Placed emitFakeQuant(Placed current, const ir::Post& post, bool mayOverwrite, const std::string& label);
    Placed emitTable(Placed current, const ir::Post& post, bool mayOverwrite, const std::string& label);
    /// A loop of our own over raw memory, `count` floats from one place to another or to the same. `key` says what else
    /// it depends on.
    Placed emitPass(Placed current, bool mayOverwrite, std::string description, const StepKey& key,
                    std::function<void(const float* from, float* to, std::size_t count)> pass);
    /// How many posts a primitive should take at most: some run faster in a pass of our own behind it.
    [[nodiscard]] static std::size_t postsForPrimitive(std::span<const ir::Post> posts,
                                                       const dnnl::memory::desc& destination);
    void emitPointwise(ir::Op& op);
    [[nodiscard]] bool isReadByRest(Location where, std::span<const ir::Post> rest) const;
    void defineView(ir::ValueId id, Placed result);

    ir::Program& m_program;
    Plan& m_plan;
    bool m_areTapsUnordered;
    std::vector<State> m_states;
    std::vector<std::vector<ir::ValueId>> m_occupants;                              ///< by arena buffer
    std::map<std::size_t, std::vector<std::pair<Placed, Placed>>> m_constantCache;  ///< by constant: from, to
};

/// "relu", "fake-quant", "add" ... for descriptions.
std::string describePost(const ir::Post& post);

}  // namespace equant
