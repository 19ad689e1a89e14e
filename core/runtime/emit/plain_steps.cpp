// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/plain_steps_internal.h"
#include "core/runtime/kernels/row_norm_internal.h"

namespace equant {
namespace {

std::size_t axisOf(std::int64_t axis, std::size_t rank) {
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
}

void emitBlockedConcat(Emission& emission, const ir::Op& op, std::size_t axis) {
    std::vector<Placed> sources;
    std::vector<dnnl::memory::desc> descs;
    for (const ir::ValueId id : op.inputs) {
        sources.push_back(emission.values.primary(id));
        descs.push_back(sources.back().desc);
    }
    dnnl::concat::primitive_desc descriptor(static_cast<int>(axis), descs, onednn::engine(), onednn::userScratchpad());
    if (onednn::isReference(onednn::implementation(descriptor))) {
        // Channel blocks that do not line up: dense tensors concatenate by plain copies.
        for (std::size_t i = 0; i < sources.size(); ++i)
            descs[i] = onednn::denseDesc(emission.values.shapeOf(op.inputs[i]));
        const dnnl::concat::primitive_desc plain(onednn::denseDesc(emission.values.shapeOf(op.outputs[0])),
                                                 static_cast<int>(axis), descs, onednn::engine(),
                                                 onednn::userScratchpad());
        if (!onednn::isReference(onednn::implementation(plain))) descriptor = plain;
    }
    std::vector<PrimitiveArgument> arguments;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const Placed source = emission.values.inLayout(op.inputs[i], descriptor.src_desc(static_cast<int>(i)));
        arguments.push_back({DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), source.desc, source.where});
    }
    const dnnl::memory::desc target = descriptor.dst_desc();
    const Location where = emission.plan.newBuffer(target.get_size());
    arguments.push_back({DNNL_ARG_DST, target, where});
    emission.plan.addPrimitive(descriptor, std::move(arguments),
                               fmt::format("Concat {} [{}]", op.label, onednn::implementation(descriptor)));
    emission.values.define(op.outputs[0], target, where);
}

}  // namespace

void emitAlias(Emission& emission, const ir::Op& op) {
    const ir::Value& output = emission.program.values[op.outputs[0]];
    const Location where = emission.plan.slot(emission.values.slotOf(op.inputs[0])).location;
    if (output.dtype == DType::Float && elementCount(*output.shape) > 0) {
        emission.values.define(op.outputs[0], onednn::denseDesc(*output.shape), where);
    } else {
        emission.values.defineSlot(op.outputs[0], where);
    }
}

void emitTranspose(Emission& emission, const ir::Op& op) {
    const Placed source = emission.values.primary(op.inputs[0]);
    const Shape& input = emission.values.shapeOf(op.inputs[0]);
    const Shape& output = emission.values.shapeOf(op.outputs[0]);
    const std::size_t rank = input.size();
    std::vector<std::int64_t> permutation = op.node->intsAttribute("perm");
    if (permutation.size() != rank) {
        permutation.resize(rank);
        for (std::size_t i = 0; i < rank; ++i) permutation[i] = static_cast<std::int64_t>(rank - 1 - i);
    }
    // The result with the input's axes: strides that make it dense in the order of the output.
    const dnnl::memory::desc target = onednn::denseDesc(output);
    dnnl::memory::dims strides(std::max<std::size_t>(rank, 1), 1);
    std::int64_t stride = 1;
    for (std::size_t i = rank; i-- > 0;) {
        strides[static_cast<std::size_t>(permutation[i])] = stride;
        stride *= output[i];
    }
    const dnnl::memory::desc view(source.desc.dims(), dnnl::memory::data_type::f32, strides);
    const Location where = emission.plan.newBuffer(target.get_size());
    const dnnl::reorder::primitive_desc descriptor(onednn::engine(), source.desc, onednn::engine(), view,
                                                   onednn::userScratchpad());
    emission.plan.addPrimitive(descriptor, {{DNNL_ARG_FROM, source.desc, source.where}, {DNNL_ARG_TO, view, where}},
                               fmt::format("Transpose {} [{}]", op.label, onednn::implementation(descriptor)));
    emission.values.define(op.outputs[0], target, where);
}

void emitConcat(Emission& emission, const ir::Op& op) {
    const Shape& output = emission.values.shapeOf(op.outputs[0]);
    const std::size_t axis = axisOf(op.node->intAttribute("axis", 0), output.size());
    if (std::any_of(op.inputs.begin(), op.inputs.end(),
                    [&](ir::ValueId id) { return onednn::hasBlocks(emission.values.primary(id).desc); })) {
        emitBlockedConcat(emission, op, axis);
        return;
    }
    // The order of the largest input's axes in memory; the others follow it.
    std::vector<std::size_t> order;
    std::int64_t largest = 0;
    for (const ir::ValueId id : op.inputs) {
        const std::int64_t count = elementCount(emission.values.shapeOf(id));
        if (count <= largest) continue;
        largest = count;
        order = onednn::axisOrder(emission.values.primary(id).desc);
    }
    const std::size_t place = static_cast<std::size_t>(std::find(order.begin(), order.end(), axis) - order.begin());
    std::size_t outer = 1;
    for (std::size_t i = 0; i < place; ++i) outer *= static_cast<std::size_t>(output[order[i]]);

    NativeStep step;
    std::vector<std::size_t> runs;  // bytes of each input that stay together
    for (const ir::ValueId id : op.inputs) {
        const Placed source = emission.values.inLayout(id, onednn::orderedDesc(emission.values.shapeOf(id), order));
        step.operands.push_back(source.where);
        runs.push_back(source.desc.get_size() / outer);
    }
    const dnnl::memory::desc target = onednn::orderedDesc(output, order);
    const Location where = emission.plan.newBuffer(target.get_size());
    step.operands.push_back(where);
    const std::size_t stride = target.get_size() / outer;
    step.run = [runs, outer, stride](std::span<std::byte* const> operands) {
        std::size_t offset = 0;
        for (std::size_t i = 0; i < runs.size(); ++i) {
            std::byte* to = operands.back() + offset;
            const std::byte* from = operands[i];
            for (std::size_t k = 0; k < outer; ++k, to += stride, from += runs[i]) std::memcpy(to, from, runs[i]);
            offset += runs[i];
        }
    };
    const std::vector<Location> touched = step.operands;
    std::vector<double> numbers(runs.begin(), runs.end());
    numbers.push_back(static_cast<double>(outer));
    emission.plan.addStep({std::move(step), fmt::format("Concat {} [own]", op.label), numbersKey("concat", numbers),
                           static_cast<double>(elementCount(output))},
                          touched);
    emission.values.define(op.outputs[0], target, where);
}

void emitSoftmax(Emission& emission, const ir::Op& op) {
    const Shape& shape = emission.values.shapeOf(op.inputs[0]);
    const std::size_t axis = axisOf(op.node->intAttribute("axis", emission.program.opset >= 13 ? -1 : 1), shape.size());
    const Placed source = emission.values.dense(op.inputs[0]);
    const dnnl::softmax_forward::desc what(dnnl::prop_kind::forward_inference, source.desc, static_cast<int>(axis));
    const dnnl::softmax_forward::primitive_desc descriptor(what, onednn::userScratchpad(), onednn::engine());
    const Location where =
        emission.values.isFree(source.where) ? source.where : emission.plan.newBuffer(source.desc.get_size());
    emission.plan.addPrimitive(descriptor,
                               {{DNNL_ARG_SRC, source.desc, source.where}, {DNNL_ARG_DST, source.desc, where}},
                               fmt::format("Softmax {} [{}]", op.label, onednn::implementation(descriptor)));
    emission.values.define(op.outputs[0], source.desc, where);
}

void emitLrn(Emission& emission, const ir::Op& op) {
    const Placed source = emission.values.primary(op.inputs[0]);
    const dnnl::lrn_forward::desc what(dnnl::prop_kind::forward_inference, dnnl::algorithm::lrn_across_channels,
                                       source.desc, op.node->intAttribute("size", 5),
                                       op.node->floatAttribute("alpha", 1e-4F), op.node->floatAttribute("beta", 0.75F),
                                       op.node->floatAttribute("bias", 1.0F));
    const dnnl::lrn_forward::primitive_desc descriptor(what, onednn::userScratchpad(), onednn::engine());
    const dnnl::memory::desc target = descriptor.dst_desc();
    const Location where = emission.plan.newBuffer(target.get_size());
    emission.plan.addPrimitive(descriptor, {{DNNL_ARG_SRC, source.desc, source.where}, {DNNL_ARG_DST, target, where}},
                               fmt::format("LRN {} [{}]", op.label, onednn::implementation(descriptor)));
    emission.values.define(op.outputs[0], target, where);
}

void emitRowNorm(Emission& emission, const ir::Op& op) {
    const Placed source = emission.values.dense(op.inputs[0]);
    const Shape& shape = emission.values.shapeOf(op.inputs[0]);
    NormalizedRows rows{1, 1, op.rowNorm.epsilon, op.rowNorm.isCentered};
    for (std::size_t i = 0; i < shape.size(); ++i)
        (i + op.rowNorm.axes < shape.size() ? rows.count : rows.length) *= static_cast<std::size_t>(shape[i]);
    const Location where =
        emission.values.isFree(source.where) ? source.where : emission.plan.newBuffer(source.desc.get_size());
    NativeStep step;
    step.operands = {source.where, where};
    for (std::size_t i = 1; i < op.inputs.size(); ++i)
        step.operands.push_back(emission.values.dense(op.inputs[i]).where);
    const std::vector<Location> touched = step.operands;
    step.run = [rows](std::span<std::byte* const> operands) {
        const auto parameter = [&](std::size_t i) {
            return operands.size() > i ? reinterpret_cast<const float*>(operands[i]) : nullptr;
        };
        normalizeRows(reinterpret_cast<const float*>(operands[0]), rows, parameter(2), parameter(3),
                      reinterpret_cast<float*>(operands[1]));
    };
    const double numbers[] = {double(rows.count), double(rows.length), double(rows.epsilon), double(rows.isCentered)};
    emission.plan.addStep({std::move(step), fmt::format("normalize rows {} [own]", op.label),
                           numbersKey("normalize rows", numbers), static_cast<double>(rows.count * rows.length)},
                          touched);
    emission.values.define(op.outputs[0], onednn::denseDesc(shape), where);
}

}  // namespace equant
