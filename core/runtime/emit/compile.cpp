// SPDX-License-Identifier: Apache-2.0
// compile() and the properties of a plan (plan.h).
#include <algorithm>
#include <dnnl.hpp>
#include <fmt/format.h>

#include "core/graph/inlining.h"
#include "core/runtime/emit/emit_program_internal.h"
#include "core/runtime/emit/memory_planner_internal.h"
#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/plan_data_internal.h"
#include "core/runtime/ir/ir_internal.h"
#include "core/runtime/kernels/kernel_internal.h"
#include "core/runtime/plan.h"

namespace equant {
namespace {

/// Frees weights in layouts that no step reads (the dense original of a reordered one).
void dropUnreadConstants(Plan& plan) {
    std::vector<bool> isRead(plan.constants.size(), false);
    const auto mark = [&](const Location& where) {
        if (where.space == Location::Space::Constant) isRead[where.index] = true;
    };
    for (const Step& step : plan.steps) {
        if (const auto* primitive = std::get_if<PrimitiveStep>(&step.action)) {
            for (const PrimitiveArgument& argument : primitive->arguments) mark(argument.location);
        } else if (const auto* native = std::get_if<NativeStep>(&step.action)) {
            for (const Location& where : native->operands) mark(where);
        } else if (const auto* kernel = std::get_if<KernelStep>(&step.action)) {
            for (const std::size_t slot : kernel->inputs) {
                if (slot != kNoSlot) mark(plan.tensorSlots[slot].location);
            }
        } else {
            mark(std::get<TapStep>(step.action).where);
        }
    }
    for (const std::size_t slot : plan.outputs) mark(plan.tensorSlots[slot].location);
    for (std::size_t i = 0; i < plan.constants.size(); ++i) {
        if (!isRead[i]) plan.constants[i] = Tensor();
    }
}

}  // namespace

Result<std::shared_ptr<const Plan>> compile(const Model& model, const CompileOptions& options) {
    onednn::useOneThread();
    try {
        auto program = ir::lower(model, options);
        if (!program) return fail(program.error());
        if (options.fuse) ir::fuseOperators(*program);
        auto plan = std::make_shared<Plan>();
        if (auto status = emitProgram(*program, options.areTapsUnordered, *plan); !status) return fail(status.error());
        dropUnreadConstants(*plan);
        plan->arenaBytes = planMemory(plan->buffers);
        return plan;
    } catch (const dnnl::error& error) {
        return fail(ErrorCode::Internal, fmt::format("oneDNN cannot prepare the model: {}.", error.what()));
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "There is not enough memory to prepare the model.", "Try smaller inputs.");
    }
}

std::vector<UnsupportedNode> unsupportedNodes(const Model& model) {
    std::vector<UnsupportedNode> result;
    const auto expanded = inlineFunctions(model);
    for (const Node& node : expanded ? expanded->graph.nodes : model.graph.nodes) {
        if (auto reason = reasonUnsupported(node, model.opset()))
            result.push_back({node.label(), operatorName(node), std::move(*reason)});
    }
    return result;
}

std::vector<std::string> describePlan(const Plan& plan) {
    std::vector<std::string> lines;
    for (const Step& step : plan.steps) lines.push_back(step.description);
    return lines;
}

std::size_t arenaBytes(const Plan& plan) {
    return plan.arenaBytes;
}

bool mayFailWhileRunning(const Plan& plan) {
    return std::any_of(plan.steps.begin(), plan.steps.end(),
                       [](const Step& step) { return std::holds_alternative<KernelStep>(step.action); });
}

}  // namespace equant
