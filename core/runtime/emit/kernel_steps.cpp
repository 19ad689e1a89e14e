// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <fmt/format.h>

#include "core/layers/layers.h"
#include "core/runtime/emit/kernel_steps_internal.h"
#include "core/runtime/kernels/fake_quantize.h"

namespace equant {
namespace {

/// Step::work of a node's own kernel; 0 where shapes are only known while running.
double kernelWork(Emission& emission, const ir::Op& op) {
    FactMap facts;
    const auto note = [&](const std::string& name, ir::ValueId id) {
        if (id != ir::kNoValue)
            facts[name] = {emission.program.values[id].dtype, emission.program.values[id].shape, std::nullopt};
    };
    for (std::size_t i = 0; i < op.node->inputs.size() && i < op.nodeInputs.size(); ++i)
        note(op.node->inputs[i], op.nodeInputs[i]);
    double elements = 0;
    for (std::size_t i = 0; i < op.outputs.size(); ++i) {
        note(op.node->outputs[i], op.outputs[i]);
        if (op.outputs[i] == ir::kNoValue || !emission.program.values[op.outputs[i]].shape) continue;
        elements += static_cast<double>(elementCount(emission.values.shapeOf(op.outputs[i])));
    }
    const std::int64_t macs = macsOf(*op.node, facts);
    return macs > 0 ? static_cast<double>(macs) : elements;
}

}  // namespace

Status emitKernel(Emission& emission, const ir::Op& op) {
    auto kernel = makeKernel(*op.node, emission.program.opset);
    if (!kernel) {
        Error error = kernel.error();
        error.subject = op.label;
        return fail(std::move(error));
    }
    KernelStep step{std::move(*kernel), {}, {}};
    std::vector<Location> touched;
    for (const ir::ValueId id : op.nodeInputs) {
        step.inputs.push_back(id == ir::kNoValue ? kNoSlot : emission.values.slotOf(id));
        if (id != ir::kNoValue) touched.push_back(emission.plan.slot(step.inputs.back()).location);
    }
    for (const ir::ValueId id : op.outputs) {
        if (id == ir::kNoValue) {
            step.outputs.push_back(kNoSlot);
            continue;
        }
        Location where;
        const ir::Value& value = emission.program.values[id];
        if (value.shape) {
            where = emission.plan.newBuffer(static_cast<std::size_t>(elementCount(*value.shape)) *
                                            static_cast<std::size_t>(bitWidth(value.dtype)) / 8);
        }
        touched.push_back(where);
        step.outputs.push_back(emission.values.placeSlot(id, where));
    }
    std::string description = fmt::format("{} {} [plain]", op.node->opType, op.label);
    emission.plan.addStep({std::move(step), std::move(description), kernelKey(*op.node, emission.program.opset),
                           kernelWork(emission, op)},
                          touched);
    for (const ir::ValueId id : op.outputs) {
        if (id != ir::kNoValue) emission.values.finishDefinition(id);
    }
    return {};
}

void emitDynamicFakeQuant(Emission& emission, const ir::Op& op) {
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
    const std::size_t input = emission.values.slotOf(op.inputs[0]);
    KernelStep step{std::move(kernel), {input}, {emission.values.placeSlot(op.outputs[0], {})}};
    emission.plan.addStep({std::move(step), fmt::format("fake-quant {} [plain]", op.label), std::move(key), 0}, {});
    emission.values.finishDefinition(op.outputs[0]);
}

}  // namespace equant
