// SPDX-License-Identifier: Apache-2.0
// Operators that take no posts: plain kernels, reshapes, transposes, concat, softmax, LRN.
#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "core/layers/layers.h"
#include "core/runtime/emit/emitter.h"
#include "core/runtime/emit/onednn.h"
#include "core/runtime/ir/operators.h"
#include "core/runtime/kernels/fake_quantize.h"
#include "core/runtime/kernels/row_norm.h"

namespace equant {
namespace {

std::size_t axisOf(std::int64_t axis, std::size_t rank) {
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
}

}  // namespace

/// Step::work of a node's own kernel; 0 where shapes are only known while running.
double Emitter::kernelWork(const ir::Op& op) const {
    FactMap facts;
    const auto note = [&](const std::string& name, ir::ValueId id) {
        if (id != ir::kNoValue) facts[name] = {m_program.values[id].dtype, m_program.values[id].shape, std::nullopt};
    };
    for (std::size_t i = 0; i < op.node->inputs.size() && i < op.nodeInputs.size(); ++i)
        note(op.node->inputs[i], op.nodeInputs[i]);
    double elements = 0;
    for (std::size_t i = 0; i < op.outputs.size(); ++i) {
        note(op.node->outputs[i], op.outputs[i]);
        if (op.outputs[i] == ir::kNoValue || !m_program.values[op.outputs[i]].shape) continue;
        elements += static_cast<double>(elementCount(shapeOf(op.outputs[i])));
    }
    const std::int64_t macs = macsOf(*op.node, facts);
    return macs > 0 ? static_cast<double>(macs) : elements;
}

Status Emitter::emitPlain(ir::Op& op) {
    return emitKernel(op, op.nodeInputs);
}

Status Emitter::emitKernel(ir::Op& op, std::span<const ir::ValueId> inputs) {
    auto kernel = makeKernel(*op.node, m_program.opset);
    if (!kernel) {
        Error error = kernel.error();
        error.subject = op.label;
        return fail(std::move(error));
    }
    KernelStep step{std::move(*kernel), {}, {}};
    std::vector<Location> touched;
    for (const ir::ValueId id : inputs) {
        step.inputs.push_back(id == ir::kNoValue ? kNoSlot : slotOf(id));
        if (id != ir::kNoValue) touched.push_back(m_plan.slots[step.inputs.back()].location);
    }
    // The slots of the outputs exist before the step, the taps they may bring come after it.
    std::vector<Location> places;
    const std::size_t firstSlot = m_plan.slots.size();
    for (const ir::ValueId id : op.outputs) {
        Location where;
        if (id != ir::kNoValue && m_program.values[id].shape) {
            const ir::Value& value = m_program.values[id];
            where = newBuffer(static_cast<std::size_t>(elementCount(*value.shape)) *
                              static_cast<std::size_t>(bitWidth(value.dtype)) / 8);
        }
        places.push_back(where);
        touched.push_back(where);
    }
    std::size_t next = firstSlot;
    for (const ir::ValueId id : op.outputs) step.outputs.push_back(id == ir::kNoValue ? kNoSlot : next++);
    std::string description = fmt::format("{} {} [plain]", op.node->opType, op.label);
    // defineSlot may emit a tap step, so the kernel's step must be in the list first.
    addStep({std::move(step), std::move(description), kernelKey(*op.node, m_program.opset), kernelWork(op)}, touched);
    std::vector<ir::ValueId> tapped;
    for (std::size_t i = 0; i < op.outputs.size(); ++i) {
        const ir::ValueId id = op.outputs[i];
        if (id == ir::kNoValue) continue;
        m_states[id].isDefined = true;  // taps below, when all slots have their numbers
        defineSlot(id, places[i]);
        m_states[id].isDefined = false;
    }
    for (const ir::ValueId id : op.outputs) {
        if (id != ir::kNoValue) finishDefinition(id);
    }
    return {};
}

Status Emitter::emitDynamicFakeQuant(ir::Op& op) {
    const auto posts = op.posts;
    Kernel kernel = [posts](std::span<const TensorView> inputs, KernelOutputs& outputs) -> Status {
        const Shape shape(inputs[0].shape.begin(), inputs[0].shape.end());
        float* result = outputs.allocateAs<float>(0, shape);
        const auto count = static_cast<std::size_t>(inputs[0].count());
        if (count > 0) std::memcpy(result, inputs[0].data, count * sizeof(float));
        for (const ir::Post& post : posts) {
            if (auto status = fakeQuantize({result, count}, shape, *post.encoding); !status) return status;
        }
        return {};
    };
    StepKey key;
    for (const ir::Post& post : posts) key += encodingKey(*post.encoding, {});
    KernelStep step{std::move(kernel), {slotOf(op.inputs[0])}, {m_plan.slots.size()}};
    addStep({std::move(step), fmt::format("fake-quant {} [plain]", op.label), std::move(key), 0}, {});
    defineSlot(op.outputs[0], {});
    return {};
}

void Emitter::emitAlias(ir::Op& op) {
    const ir::Value& output = m_program.values[op.outputs[0]];
    const Location where = m_plan.slots[slotOf(op.inputs[0])].location;
    if (output.dtype == DType::Float && elementCount(*output.shape) > 0) {
        define(op.outputs[0], onednn::denseDesc(*output.shape), where);
    } else {
        defineSlot(op.outputs[0], where);
    }
}

void Emitter::emitTranspose(ir::Op& op) {
    const Placed source = primary(op.inputs[0]);
    const Shape& input = shapeOf(op.inputs[0]);
    const Shape& output = shapeOf(op.outputs[0]);
    const std::size_t rank = input.size();
    std::vector<std::int64_t> permutation = op.node->intsAttribute("perm");
    if (permutation.size() != rank) {
        permutation.resize(rank);
        for (std::size_t i = 0; i < rank; ++i) permutation[i] = static_cast<std::int64_t>(rank - 1 - i);
    }
    // The result as the input's axes see it: dense in the order of the output.
    const dnnl::memory::desc target = onednn::denseDesc(output);
    dnnl::memory::dims strides(std::max<std::size_t>(rank, 1), 1);
    std::int64_t stride = 1;
    for (std::size_t i = rank; i-- > 0;) {
        strides[static_cast<std::size_t>(permutation[i])] = stride;
        stride *= output[i];
    }
    const dnnl::memory::desc view(source.desc.dims(), dnnl::memory::data_type::f32, strides);
    const Location where = newBuffer(target.get_size());
    const dnnl::reorder::primitive_desc descriptor(onednn::engine(), source.desc, onednn::engine(), view,
                                                   onednn::userScratchpad());
    addPrimitive(descriptor, {{DNNL_ARG_FROM, source.desc, source.where}, {DNNL_ARG_TO, view, where}},
                 fmt::format("Transpose {} [{}]", op.label, onednn::implementation(descriptor)));
    define(op.outputs[0], target, where);
}

void Emitter::emitConcat(ir::Op& op) {
    const Shape& output = shapeOf(op.outputs[0]);
    const std::size_t axis = axisOf(op.node->intAttribute("axis", 0), output.size());
    if (std::any_of(op.inputs.begin(), op.inputs.end(),
                    [&](ir::ValueId id) { return onednn::hasBlocks(primary(id).desc); })) {
        emitBlockedConcat(op, axis);
        return;
    }
    // The order of the largest input's axes in memory; the others follow it.
    std::vector<std::size_t> order;
    std::int64_t largest = 0;
    for (const ir::ValueId id : op.inputs) {
        const std::int64_t count = elementCount(shapeOf(id));
        if (count <= largest) continue;
        largest = count;
        order = onednn::axisOrder(primary(id).desc);
    }
    const std::size_t place = static_cast<std::size_t>(std::find(order.begin(), order.end(), axis) - order.begin());
    std::size_t outer = 1;
    for (std::size_t i = 0; i < place; ++i) outer *= static_cast<std::size_t>(output[order[i]]);

    NativeStep step;
    std::vector<std::size_t> runs;  // bytes of each input that stay together
    for (const ir::ValueId id : op.inputs) {
        const Placed source = inLayout(id, onednn::orderedDesc(shapeOf(id), order));
        step.operands.push_back(source.where);
        runs.push_back(source.desc.get_size() / outer);
    }
    const dnnl::memory::desc target = onednn::orderedDesc(output, order);
    const Location where = newBuffer(target.get_size());
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
    addStep({std::move(step), fmt::format("Concat {} [own]", op.label), numbersKey("concat", numbers),
             static_cast<double>(elementCount(output))},
            touched);
    define(op.outputs[0], target, where);
}

void Emitter::emitBlockedConcat(ir::Op& op, std::size_t axis) {
    std::vector<Placed> sources;
    std::vector<dnnl::memory::desc> descs;
    for (const ir::ValueId id : op.inputs) {
        sources.push_back(primary(id));
        descs.push_back(sources.back().desc);
    }
    dnnl::concat::primitive_desc descriptor(static_cast<int>(axis), descs, onednn::engine(), onednn::userScratchpad());
    if (onednn::isReference(onednn::implementation(descriptor))) {
        // Channel blocks that do not line up: dense tensors concatenate by plain copies.
        for (std::size_t i = 0; i < sources.size(); ++i) descs[i] = onednn::denseDesc(shapeOf(op.inputs[i]));
        const dnnl::concat::primitive_desc plain(onednn::denseDesc(shapeOf(op.outputs[0])), static_cast<int>(axis),
                                                 descs, onednn::engine(), onednn::userScratchpad());
        if (!onednn::isReference(onednn::implementation(plain))) descriptor = plain;
    }
    std::vector<PrimitiveArgument> arguments;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const Placed source = inLayout(op.inputs[i], descriptor.src_desc(static_cast<int>(i)));
        arguments.push_back({DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), source.desc, source.where});
    }
    const dnnl::memory::desc target = descriptor.dst_desc();
    const Location where = newBuffer(target.get_size());
    arguments.push_back({DNNL_ARG_DST, target, where});
    addPrimitive(descriptor, std::move(arguments),
                 fmt::format("Concat {} [{}]", op.label, onednn::implementation(descriptor)));
    define(op.outputs[0], target, where);
}

void Emitter::emitSoftmax(ir::Op& op) {
    const Shape& shape = shapeOf(op.inputs[0]);
    const std::size_t axis = axisOf(op.node->intAttribute("axis", m_program.opset >= 13 ? -1 : 1), shape.size());
    const Placed source = dense(op.inputs[0]);
    const dnnl::softmax_forward::desc what(dnnl::prop_kind::forward_inference, source.desc, static_cast<int>(axis));
    const dnnl::softmax_forward::primitive_desc descriptor(what, onednn::userScratchpad(), onednn::engine());
    const Location where = isFree(source.where) ? source.where : newBuffer(source.desc.get_size());
    addPrimitive(descriptor, {{DNNL_ARG_SRC, source.desc, source.where}, {DNNL_ARG_DST, source.desc, where}},
                 fmt::format("Softmax {} [{}]", op.label, onednn::implementation(descriptor)));
    define(op.outputs[0], source.desc, where);
}

void Emitter::emitLrn(ir::Op& op) {
    const Placed source = primary(op.inputs[0]);
    const dnnl::lrn_forward::desc what(dnnl::prop_kind::forward_inference, dnnl::algorithm::lrn_across_channels,
                                       source.desc, op.node->intAttribute("size", 5),
                                       op.node->floatAttribute("alpha", 1e-4F), op.node->floatAttribute("beta", 0.75F),
                                       op.node->floatAttribute("bias", 1.0F));
    const dnnl::lrn_forward::primitive_desc descriptor(what, onednn::userScratchpad(), onednn::engine());
    const dnnl::memory::desc target = descriptor.dst_desc();
    const Location where = newBuffer(target.get_size());
    addPrimitive(descriptor, {{DNNL_ARG_SRC, source.desc, source.where}, {DNNL_ARG_DST, target, where}},
                 fmt::format("LRN {} [{}]", op.label, onednn::implementation(descriptor)));
    define(op.outputs[0], target, where);
}

void Emitter::emitRowNorm(ir::Op& op) {
    const Placed source = dense(op.inputs[0]);
    const Shape& shape = shapeOf(op.inputs[0]);
    NormalizedRows rows{1, 1, op.rowNorm.epsilon, op.rowNorm.isCentered};
    for (std::size_t i = 0; i < shape.size(); ++i)
        (i + op.rowNorm.axes < shape.size() ? rows.count : rows.length) *= static_cast<std::size_t>(shape[i]);
    const Location where = isFree(source.where) ? source.where : newBuffer(source.desc.get_size());
    NativeStep step;
    step.operands = {source.where, where};
    for (std::size_t i = 1; i < op.inputs.size(); ++i) step.operands.push_back(dense(op.inputs[i]).where);
    const std::vector<Location> touched = step.operands;
    step.run = [rows](std::span<std::byte* const> operands) {
        const auto parameter = [&](std::size_t i) {
            return operands.size() > i ? reinterpret_cast<const float*>(operands[i]) : nullptr;
        };
        normalizeRows(reinterpret_cast<const float*>(operands[0]), rows, parameter(2), parameter(3),
                      reinterpret_cast<float*>(operands[1]));
    };
    const double numbers[] = {double(rows.count), double(rows.length), double(rows.epsilon), double(rows.isCentered)};
    addStep({std::move(step), fmt::format("normalize rows {} [own]", op.label), numbersKey("normalize rows", numbers),
             static_cast<double>(rows.count * rows.length)},
            touched);
    define(op.outputs[0], onednn::denseDesc(shape), where);
}

}  // namespace equant
