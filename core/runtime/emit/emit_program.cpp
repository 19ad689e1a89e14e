// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fmt/format.h>

#include "core/runtime/emit/emit_program_internal.h"
#include "core/runtime/emit/fused_primitive_internal.h"
#include "core/runtime/emit/kernel_steps_internal.h"
#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/plain_steps_internal.h"
#include "core/runtime/emit/post_steps_internal.h"

namespace equant {
namespace {

void bindInputs(Emission& emission) {
    for (std::size_t i = 0; i < emission.program.inputs.size(); ++i) {
        const ir::ValueId id = emission.program.inputs[i];
        const ir::Value& value = emission.program.values[id];
        emission.plan.addInput({value.name, value.dtype, *value.shape});
        const Location where{Location::Space::Input, i};
        if (value.dtype == DType::Float && elementCount(*value.shape) > 0) {
            emission.values.define(id, onednn::denseDesc(*value.shape), where);
        } else {
            emission.values.defineSlot(id, where);
        }
    }
}

void countReads(Emission& emission, const ir::Op& op) {
    for (const ir::ValueId id : op.inputs) {
        if (id != ir::kNoValue) emission.values.countRead(id);
    }
    for (const ir::Post& post : op.posts) {
        if (post.operand != ir::kNoValue) emission.values.countRead(post.operand);
    }
}

Status emitPointwise(Emission& emission, const ir::Op& op) {
    if (!emission.program.values[op.inputs[0]].shape) {
        emitDynamicFakeQuant(emission, op);
        return {};
    }
    const bool hasLastAxis = std::any_of(op.posts.begin(), op.posts.end(),
                                         [](const ir::Post& post) { return post.spread == ir::Spread::LastAxis; });
    if (op.hasNodeSemantics && hasLastAxis) return emitKernel(emission, op);
    const Placed source = emission.values.primary(op.inputs[0]);
    const Placed result = emitPosts(emission, source, op.posts, emission.values.isFree(source.where), op.label);
    emission.values.define(op.outputs[0], result.desc, result.where);
    return {};
}

Status emit(Emission& emission, const ir::Op& op) {
    switch (op.kind) {
        case ir::Kind::Plain:
            return emitKernel(emission, op);
        case ir::Kind::Pointwise:
            return emitPointwise(emission, op);
        case ir::Kind::Alias:
            emitAlias(emission, op);
            break;
        case ir::Kind::Transpose:
            emitTranspose(emission, op);
            break;
        case ir::Kind::Concat:
            emitConcat(emission, op);
            break;
        case ir::Kind::Softmax:
            emitSoftmax(emission, op);
            break;
        case ir::Kind::Lrn:
            emitLrn(emission, op);
            break;
        case ir::Kind::RowNorm:
            emitRowNorm(emission, op);
            break;
        case ir::Kind::Conv:
            emitFused(emission, op, convolution(emission, op));
            break;
        case ir::Kind::InnerProduct:
            emitFused(emission, op, innerProduct(emission, op));
            break;
        case ir::Kind::MatMul:
            emitFused(emission, op, matMul(emission, op));
            break;
        case ir::Kind::Pool:
            emitFused(emission, op, pool(emission, op));
            break;
        case ir::Kind::Resample:
            emitFused(emission, op, resample(emission, op));
            break;
        case ir::Kind::Dead:
            break;
    }
    return {};
}

/// What oneDNN refuses as a whole (unusual padding, say) the plain kernel can still compute.
Status emitWithFallback(Emission& emission, const ir::Op& op) {
    try {
        return emit(emission, op);
    } catch (const dnnl::error& error) {
        if (op.hasNodeSemantics && op.node != nullptr) return emitKernel(emission, op);
        return fail(ErrorCode::Internal, fmt::format("oneDNN cannot prepare this layer: {}.", error.what()), {},
                    op.label);
    }
}

}  // namespace

Status emitProgram(const ir::Program& program, bool areTapsUnordered, Plan& plan) {
    PlanBuilder builder(plan);
    ValueLayouts values(program, builder, areTapsUnordered);
    Emission emission{program, builder, values};
    bindInputs(emission);
    for (const ir::Op& op : program.ops) {
        countReads(emission, op);
        if (auto status = emitWithFallback(emission, op); !status) return status;
    }
    for (const ir::ValueId id : program.taps) {
        if (program.values[id].constant) values.finishDefinition(id);
    }
    std::vector<std::size_t> outputs;
    for (const ir::ValueId id : program.outputs) outputs.push_back(values.slotOf(id));
    builder.finish(std::move(outputs));
    return {};
}

}  // namespace equant
