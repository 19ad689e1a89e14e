// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>

#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/post_operations_internal.h"
#include "core/runtime/emit/post_steps_internal.h"
#include "core/runtime/kernels/fake_quantize.h"
#include "core/runtime/kernels/pointwise_pass_internal.h"

namespace equant {
namespace {

using ir::Post;
using ir::Spread;

/// Below this many elements a step of its own costs more than it saves.
constexpr dnnl_dim_t kElementsWorthAPass = 4096;

/// All that lookUp() uses.
StepKey keyOf(const LookupTable& table) {
    std::vector<double> numbers{table.scale,    table.low, table.high, double(table.hasCodes), double(table.firstCode),
                                table.codeScale};
    numbers.insert(numbers.end(), table.values.begin(), table.values.end());
    numbers.insert(numbers.end(), table.codes.begin(), table.codes.end());
    return numbersKey("table", numbers);
}

bool isReadByRest(Emission& emission, Location where, std::span<const Post> rest) {
    return std::any_of(rest.begin(), rest.end(), [&](const Post& post) {
        if (post.operand == ir::kNoValue) return false;
        const auto& versions = emission.values.versions(post.operand);
        return std::any_of(versions.begin(), versions.end(),
                           [&](const Placed& version) { return version.where == where; });
    });
}

/// A loop of our own over raw memory, `count` floats from one place to another or to the same. `key` says what else
/// it depends on.
Placed emitPass(Emission& emission, Placed current, bool mayOverwrite, std::string description, const StepKey& key,
                std::function<void(const float* from, float* to, std::size_t count)> pass) {
    const std::size_t count = current.desc.get_size() / sizeof(float);
    const Location where = mayOverwrite ? current.where : emission.plan.newBuffer(current.desc.get_size());
    NativeStep step;
    step.operands = {current.where, where};
    step.run = [pass = std::move(pass), count](std::span<std::byte* const> operands) {
        pass(reinterpret_cast<const float*>(operands[0]), reinterpret_cast<float*>(operands[1]), count);
    };
    emission.plan.addStep(
        {std::move(step), std::move(description), key + '/' + std::to_string(count), static_cast<double>(count)},
        std::array{current.where, where});
    return {current.desc, where};
}

Placed emitEltwise(Emission& emission, Placed current, const Post& post, bool mayOverwrite, const std::string& label) {
    if (isSwish(post)) {
        return emitPass(emission, current, mayOverwrite, fmt::format("swish {} [own]", label), numbersKey("swish", {}),
                        swish);
    }
    const dnnl::eltwise_forward::desc what(dnnl::prop_kind::forward_inference, algorithmOf(post.eltwise), current.desc,
                                           post.alpha, post.beta);
    const dnnl::eltwise_forward::primitive_desc descriptor(what, onednn::userScratchpad(), onednn::engine());
    const Location where = mayOverwrite ? current.where : emission.plan.newBuffer(current.desc.get_size());
    emission.plan.addPrimitive(
        descriptor, {{DNNL_ARG_SRC, current.desc, current.where}, {DNNL_ARG_DST, current.desc, where}},
        fmt::format("{} {} [{}]", describePost(post), label, onednn::implementation(descriptor)));
    return {current.desc, where};
}

Placed emitTable(Emission& emission, Placed current, const Post& post, bool mayOverwrite, const std::string& label) {
    const auto table = post.table;
    float atZero = 0.0F;
    lookUp(&atZero, &atZero, 1, *table);
    if (atZero != 0.0F && onednn::isPadded(current.desc)) {  // padding must stay zero
        current = emission.plan.reordered(current, onednn::denseDesc(current.desc.dims()));
        mayOverwrite = true;
    }
    return emitPass(emission, current, mayOverwrite, fmt::format("table {} [own]", label), keyOf(*table),
                    [table](const float* from, float* to, std::size_t count) { lookUp(from, to, count, *table); });
}

Placed emitFakeQuant(Emission& emission, Placed current, const Post& post, bool mayOverwrite,
                     const std::string& label) {
    const auto encoding = post.encoding;
    const Shape shape = current.desc.dims();
    // Loops over raw memory need every element to be alike; padding must stay zero.
    const bool keepsZero = !encoding->isPerChannel() && encoding->zeroPoint[0] >= encoding->qMin() &&
                           encoding->zeroPoint[0] <= encoding->qMax();
    const bool isRaw = onednn::isRowMajor(current.desc) ||
                       (!encoding->isPerChannel() && (keepsZero || !onednn::isPadded(current.desc)));
    if (!isRaw) {
        current = emission.plan.reordered(current, onednn::denseDesc(shape));
        mayOverwrite = true;
    }
    return emitPass(emission, current, mayOverwrite, fmt::format("fake-quant {} [own]", label),
                    encodingKey(*encoding, shape), [encoding, shape](const float* from, float* to, std::size_t count) {
                        if (!encoding->isPerChannel()) {
                            fakeQuantizePerTensor(from, to, count, *encoding);
                            return;
                        }
                        if (from != to) std::memcpy(to, from, count * sizeof(float));
                        // The encoding was checked against the shape when the model was read.
                        static_cast<void>(fakeQuantize({to, count}, shape, *encoding));
                    });
}

/// A binary primitive with the posts behind it that it takes as post-operations.
struct BinaryChoice {
    dnnl::primitive_desc_base descriptor;
    PostOperations operations;
    std::size_t used = 1;  ///< posts computed, the binary one included
};

/// As many posts as leave the implementation the same.
BinaryChoice chooseBinary(const dnnl::binary::desc& what, std::span<const Post> posts,
                          const dnnl::memory::desc& destination) {
    BinaryChoice choice;
    choice.descriptor = dnnl::binary::primitive_desc(what, onednn::userScratchpad(), onednn::engine());
    const std::string implementation = onednn::implementation(choice.descriptor);
    const auto others = posts.subspan(1);
    for (std::size_t count = mostPostOperations(others, destination, false); count > 0; --count) {
        auto candidate = toPostOperations(others.first(count), destination, false, false);
        if (!candidate) continue;
        try {
            const dnnl::binary::primitive_desc descriptor(what, candidate->attributes, onednn::engine());
            if (onednn::implementation(descriptor) != implementation) continue;
            choice.descriptor = descriptor;
        } catch (const dnnl::error&) {
            continue;
        }
        choice.operations = std::move(*candidate);
        choice.used = count + 1;
        break;
    }
    return choice;
}

Placed emitBinary(Emission& emission, Placed current, std::span<const Post> posts, bool mayOverwrite,
                  const std::string& label, std::size_t& used) {
    const Post& first = posts[0];
    const bool isSame = first.spread == Spread::Same;
    if (isSame && onednn::isRowMajor(current.desc)) {
        const dnnl::memory::desc other = emission.values.primary(first.operand).desc;
        // Both in the operand's layout rather than both row-major: channel blocks are not unpacked.
        if (current.desc.dims() == other.dims() && !onednn::isRowMajor(other)) {
            current = emission.plan.reordered(current, other);
            mayOverwrite = true;
        }
    }
    const Placed operand = operandOf(emission, first, current.desc);
    BinaryChoice choice =
        chooseBinary({algorithmOf(first.binary), current.desc, operand.desc, current.desc}, posts, current.desc);
    used = choice.used;
    std::vector<PrimitiveArgument> arguments{{DNNL_ARG_SRC_0, current.desc, current.where},
                                             {DNNL_ARG_SRC_1, operand.desc, operand.where}};
    std::size_t next = 0;
    bool isReadAgain = operand.where == current.where && !isSame;
    for (const Post& post : posts.subspan(1, used - 1)) {
        if (post.kind != Post::Kind::Binary) continue;
        const Placed other = operandOf(emission, post, current.desc);
        choice.operations.arguments[next].location = other.where;
        isReadAgain |= other.where == current.where;
        ++next;
    }
    arguments.insert(arguments.end(), choice.operations.arguments.begin(), choice.operations.arguments.end());
    const bool isInPlace = mayOverwrite && !isReadAgain && !isReadByRest(emission, current.where, posts.subspan(used));
    const Location where = isInPlace ? current.where : emission.plan.newBuffer(current.desc.get_size());
    arguments.push_back({DNNL_ARG_DST, current.desc, where});
    emission.plan.addPrimitive(choice.descriptor, std::move(arguments),
                               fmt::format("{}{} {} [{}]", describePost(first), choice.operations.description, label,
                                           onednn::implementation(choice.descriptor)));
    return {current.desc, where};
}

}  // namespace

Placed operandOf(Emission& emission, const Post& post, const dnnl::memory::desc& like) {
    if (post.spread == Spread::Same) {
        // A view of the same elements under other dimensions (rows of a matrix product) exists only densely.
        if (like.dims() == emission.values.primary(post.operand).desc.dims())
            return emission.values.inLayout(post.operand, like);
        return {like, emission.values.dense(post.operand).where};
    }
    Shape shape(like.dims().size(), 1);
    if (post.spread == Spread::Channel) shape[1] = like.dims()[1];
    return {onednn::denseDesc(shape), emission.values.dense(post.operand).where};
}

std::size_t postsForPrimitive(std::span<const Post> posts, const dnnl::memory::desc& destination, bool takeFactor) {
    const bool isPassWorthwhile = elementCount(destination.dims()) >= kElementsWorthAPass;
    const auto own = std::find_if(posts.begin(), posts.end(), [&](const Post& post) {
        return post.kind == Post::Kind::Table || (isSwish(post) && isPassWorthwhile);
    });
    const auto before = static_cast<std::size_t>(own - posts.begin());
    return mostPostOperations(posts.first(before), destination, takeFactor);
}

Placed emitPosts(Emission& emission, Placed current, std::span<const Post> posts, bool mayOverwrite,
                 const std::string& label) {
    while (!posts.empty()) {
        std::size_t used = 1;
        const bool isOwn = mayOverwrite && !isReadByRest(emission, current.where, posts);
        const Post& post = posts[0];
        if (post.kind == Post::Kind::Binary) {
            current = emitBinary(emission, current, posts, mayOverwrite, label, used);
        } else if (post.kind == Post::Kind::Eltwise) {
            current = emitEltwise(emission, current, post, isOwn, label);
        } else if (post.kind == Post::Kind::Table) {
            current = emitTable(emission, current, post, isOwn, label);
        } else {
            current = emitFakeQuant(emission, current, post, isOwn, label);
        }
        mayOverwrite = true;
        posts = posts.subspan(used);
    }
    return current;
}

}  // namespace equant
