// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fmt/format.h>

#include "core/runtime/emit/fused_primitive_internal.h"
#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/post_operations_internal.h"
#include "core/runtime/emit/post_steps_internal.h"

namespace equant {
namespace {

using ir::Post;

/// A primitive with the first `fused` posts as its post-operations.
struct FusedChoice {
    dnnl::primitive_desc_base descriptor;
    std::string implementation;
    PostOperations operations;
    std::size_t fused = 0;
};

/// The layouts are one, or both row-major views of the same elements.
bool areSameBytes(const dnnl::memory::desc& a, const dnnl::memory::desc& b) {
    return a == b || (a.get_size() == b.get_size() && onednn::isRowMajor(a) && onednn::isRowMajor(b));
}

/// A sum overwrites its operand: allowed where no later operator reads that, or where it has to be reordered anyway.
/// `posts`: all posts of the operator, `post` among them.
bool mayOverwriteAddend(Emission& emission, const Post& post, const dnnl::memory::desc& destination,
                        std::span<const BasePrimitive::Input> inputs, std::span<const Post> posts) {
    if (emission.program.values[post.operand].constant) return false;
    // What the primitive reads itself (x + conv(x)) may be reordered for it into the very layout of the destination
    // later on; writing there would overwrite the input while it is being read.
    const bool isInput =
        std::any_of(inputs.begin(), inputs.end(), [&](const auto& input) { return input.value == post.operand; });
    const bool isOtherOperand = std::any_of(posts.begin(), posts.end(), [&](const Post& other) {
        return &other != &post && other.kind == Post::Kind::Binary && other.operand == post.operand;
    });
    if (isInput || isOtherOperand) return false;
    if (emission.values.primary(post.operand).desc.dims() != destination.dims() && !onednn::isRowMajor(destination))
        return false;
    for (const Placed& version : emission.values.versions(post.operand)) {
        if (!areSameBytes(version.desc, destination)) continue;
        if (!emission.values.isFree(version.where)) return false;
        const auto isThere = [&](ir::ValueId id) {
            if (id == ir::kNoValue || emission.program.values[id].constant) return false;
            const auto& versions = emission.values.versions(id);
            return std::any_of(versions.begin(), versions.end(),
                               [&](const Placed& other) { return other.where == version.where; });
        };
        if (std::any_of(inputs.begin(), inputs.end(), [&](const auto& input) {
                return isThere(input.value) || input.given.where == version.where;
            })) {
            return false;
        }
        return std::none_of(posts.begin(), posts.end(),
                            [&](const Post& other) { return &other != &post && isThere(other.operand); });
    }
    return true;
}

/// Weights and bias are constants, so they can absorb a factor.
bool isScalable(const BasePrimitive& base) {
    return base.inputs.size() > 1 && std::all_of(base.inputs.begin() + 1, base.inputs.end(), [](const auto& input) {
               return input.role != DNNL_ARG_SRC && input.given.where.space == Location::Space::Constant;
           });
}

/// The longest prefix of the posts with which neither implementation nor layout of the result change.
FusedChoice choosePosts(Emission& emission, const ir::Op& op, const BasePrimitive& base) {
    FusedChoice choice;
    choice.descriptor = base.make(onednn::userScratchpad());
    choice.implementation = onednn::implementation(choice.descriptor);
    const dnnl::memory::desc target = choice.descriptor.query_md(dnnl::query::dst_md, 0);
    const bool takeFactor = isScalable(base);
    for (std::size_t count = postsForPrimitive(op.posts, target, takeFactor); count > 0; --count) {
        const auto posts = std::span<const Post>(op.posts).first(count);
        const auto addend = std::find_if(posts.begin(), posts.end(), isSameShapeAdd);
        const bool canSum =
            addend != posts.end() && mayOverwriteAddend(emission, *addend, target, base.inputs, op.posts);
        for (const bool useSum : {true, false}) {
            if (useSum && !canSum) continue;
            auto operations = toPostOperations(posts, target, useSum, takeFactor);
            if (!operations) continue;
            try {
                const dnnl::primitive_desc_base descriptor = base.make(operations->attributes);
                if (onednn::implementation(descriptor) != choice.implementation ||
                    descriptor.query_md(dnnl::query::dst_md, 0) != target)
                    continue;
                choice.descriptor = descriptor;
            } catch (const dnnl::error&) {
                continue;
            }
            choice.operations = std::move(*operations);
            choice.fused = count;
            return choice;
        }
    }
    return choice;
}

/// The primitive's inputs in the layouts it wants; weights and bias times the factor it leaves to them.
std::vector<PrimitiveArgument> prepareInputs(Emission& emission, const BasePrimitive& base, const FusedChoice& choice) {
    std::vector<PrimitiveArgument> arguments;
    const float factor = choice.operations.factor;
    for (const BasePrimitive::Input& input : base.inputs) {
        Placed source = input.given;
        if (factor != 1.0F && input.role != DNNL_ARG_SRC) source = emission.plan.scaledConstant(source, factor);
        if (input.what != dnnl::query::undef) {
            const dnnl::memory::desc wanted = choice.descriptor.query_md(input.what, 0);
            const bool isView = input.value == ir::kNoValue || source.where != input.given.where;
            source = isView ? emission.plan.reordered(source, wanted) : emission.values.inLayout(input.value, wanted);
        }
        arguments.push_back({input.role, source.desc, source.where});
    }
    return arguments;
}

/// Memory of layout `destination` that holds the operand and is overwritten by the sum.
Location sumTarget(Emission& emission, ir::ValueId operand, const dnnl::memory::desc& destination) {
    for (const Placed& version : emission.values.versions(operand)) {
        if (areSameBytes(version.desc, destination)) return version.where;
    }
    // Not kept among the operand's versions: the sum overwrites it.
    const Placed from = emission.values.primary(operand);
    const bool isView = from.desc.dims() != destination.dims();
    return emission.plan.reordered(from, isView ? onednn::denseDesc(from.desc.dims()) : destination).where;
}

/// Fills in where the post-operations find their operands; returns the destination that a sum overwrites, if any.
Location bindOperands(Emission& emission, const ir::Op& op, FusedChoice& choice, const dnnl::memory::desc& target) {
    Location destination;
    std::size_t next = 0;
    for (std::size_t i = 0; i < choice.fused; ++i) {
        const Post& post = op.posts[i];
        if (post.kind != Post::Kind::Binary) continue;
        if (choice.operations.sum == i) {
            destination = sumTarget(emission, post.operand, target);
        } else {
            choice.operations.arguments[next++].location = operandOf(emission, post, target).where;
        }
    }
    return destination;
}

}  // namespace

void emitFused(Emission& emission, const ir::Op& op, const BasePrimitive& base) {
    FusedChoice choice = choosePosts(emission, op, base);
    const dnnl::memory::desc target = choice.descriptor.query_md(dnnl::query::dst_md, 0);
    std::vector<PrimitiveArgument> arguments = prepareInputs(emission, base, choice);
    Location where = bindOperands(emission, op, choice, target);
    const auto& operands = choice.operations.arguments;
    arguments.insert(arguments.end(), operands.begin(), operands.end());
    if (where.space == Location::Space::None) where = emission.plan.newBuffer(target.get_size());
    arguments.push_back({DNNL_ARG_DST, target, where});
    emission.plan.addPrimitive(
        choice.descriptor, std::move(arguments),
        fmt::format("{} {}{} [{}]", op.node->opType, op.label, choice.operations.description, choice.implementation));
    const auto rest = std::span<const Post>(op.posts).subspan(choice.fused);
    emission.values.defineView(op.outputs[0], emitPosts(emission, {target, where}, rest, true, op.label));
}

}  // namespace equant
