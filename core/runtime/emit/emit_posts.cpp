// SPDX-License-Identifier: Apache-2.0
// Pointwise chains: as post-operations of a primitive, or as steps of their own.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <limits>

#include "core/runtime/emit/emitter.h"
#include "core/runtime/emit/onednn.h"
#include "core/runtime/kernels/fake_quantize.h"
#include "core/runtime/kernels/pointwise_pass.h"

namespace equant {
namespace {

using dnnl::algorithm;
using ir::BinaryFunction;
using ir::EltwiseFunction;
using ir::Post;
using ir::Spread;

algorithm algorithmOf(EltwiseFunction function) {
    switch (function) {
        case EltwiseFunction::Relu:
            return algorithm::eltwise_relu;
        case EltwiseFunction::Clip:
            return algorithm::eltwise_clip;
        case EltwiseFunction::Linear:
            return algorithm::eltwise_linear;
        case EltwiseFunction::Sigmoid:
            return algorithm::eltwise_logistic;
        case EltwiseFunction::Tanh:
            return algorithm::eltwise_tanh;
        case EltwiseFunction::Elu:
            return algorithm::eltwise_elu;
        case EltwiseFunction::Exp:
            return algorithm::eltwise_exp;
        case EltwiseFunction::Abs:
            return algorithm::eltwise_abs;
        case EltwiseFunction::Sqrt:
            return algorithm::eltwise_sqrt;
        case EltwiseFunction::Swish:
            return algorithm::eltwise_swish;
        case EltwiseFunction::HardSwish:
            return algorithm::eltwise_hardswish;
        case EltwiseFunction::GeluErf:
            return algorithm::eltwise_gelu_erf;
        case EltwiseFunction::GeluTanh:
            return algorithm::eltwise_gelu_tanh;
    }
    return algorithm::undef;
}

algorithm algorithmOf(BinaryFunction function) {
    switch (function) {
        case BinaryFunction::Add:
            return algorithm::binary_add;
        case BinaryFunction::Sub:
            return algorithm::binary_sub;
        case BinaryFunction::Mul:
            return algorithm::binary_mul;
        case BinaryFunction::Div:
            return algorithm::binary_div;
        case BinaryFunction::Max:
            return algorithm::binary_max;
        case BinaryFunction::Min:
            return algorithm::binary_min;
    }
    return algorithm::undef;
}

bool isClamp(const Post& post) {
    return post.kind == Post::Kind::Eltwise &&
           (post.eltwise == EltwiseFunction::Clip || (post.eltwise == EltwiseFunction::Relu && post.alpha == 0.0F));
}

bool isSwish(const Post& post) {
    return post.kind == Post::Kind::Eltwise && post.eltwise == EltwiseFunction::Swish && post.alpha == 1.0F;
}

/// Below this many elements a step of its own costs more than it saves.
constexpr dnnl_dim_t kElementsWorthAPass = 4096;

/// Longer chains run out of what the generated kernels can hold.
constexpr std::size_t kMostPostOps = 24;

/// The layouts are one, or both row-major views of the same elements.
bool areSameBytes(const dnnl::memory::desc& a, const dnnl::memory::desc& b) {
    return a == b || (a.get_size() == b.get_size() && onednn::isPlain(a) && onednn::isPlain(b));
}

bool isFusableGrid(const Encoding& encoding) {
    return !encoding.isPerChannel() && encoding.rounding == Rounding::HalfToEven && encoding.bits <= 16;
}

/// Collects post-operations and merges neighbours where that saves one.
class PostList {
public:
    void eltwise(algorithm how, float alpha, float beta) {
        // A multiplication behind an eltwise operation is its output scale.
        if (how == algorithm::eltwise_linear && beta == 0.0F && !m_entries.empty() && m_entries.back().isEltwise) {
            m_entries.back().scale *= alpha;
            return;
        }
        m_entries.push_back({true, how, 1.0F, alpha, beta, {}});
    }
    void binary(algorithm how, const dnnl::memory::desc& operand) {
        m_entries.push_back({false, how, 1.0F, 0.0F, 0.0F, operand});
    }
    void sum() { m_entries.push_back({false, algorithm::undef, 1.0F, 0.0F, 0.0F, {}}); }
    [[nodiscard]] std::size_t size() const { return m_entries.size(); }

    /// Fake quantization. A clamp right before it moves onto the integer grid: rounding is monotonic, so
    /// round(clamp(x, a, b) / s) = clamp(round(x / s), round(a / s), round(b / s)).
    void fakeQuant(const Encoding& encoding, std::span<const Post> clamps) {
        const float scale = encoding.scale[0];
        float low = static_cast<float>(encoding.qMin() - encoding.zeroPoint[0]);
        float high = static_cast<float>(encoding.qMax() - encoding.zeroPoint[0]);
        // From the last clamp to the first: each result passes through the narrower range that follows it.
        for (auto clamp = clamps.rbegin(); clamp != clamps.rend(); ++clamp) {
            const bool isRelu = clamp->eltwise == EltwiseFunction::Relu;
            const float from = isRelu ? 0.0F : std::rint(clamp->alpha / scale);
            const float to = isRelu ? std::numeric_limits<float>::max() : std::rint(clamp->beta / scale);
            const float newLow = std::clamp(from, low, high);
            high = std::clamp(to, low, high);
            low = newLow;
        }
        eltwise(algorithm::eltwise_linear, 1.0F / scale, 0.0F);
        eltwise(algorithm::eltwise_round, 0.0F, 0.0F);
        eltwise(algorithm::eltwise_clip, low, high);
        eltwise(algorithm::eltwise_linear, scale, 0.0F);
    }

    /// Takes a leading multiplication out of the list; 1 if there is none.
    float takeLeadingFactor() {
        if (m_entries.empty() || !m_entries[0].isEltwise || m_entries[0].how != algorithm::eltwise_linear ||
            m_entries[0].beta != 0.0F)
            return 1.0F;
        const float factor = m_entries[0].alpha * m_entries[0].scale;
        m_entries.erase(m_entries.begin());
        return factor;
    }

    /// oneDNN 2.6 generates one piece of code per eltwise algorithm: a second operation of the same kind silently uses
    /// the parameters of the first. Finds other names for clamps; false when there are not enough of them.
    [[nodiscard]] bool makeDistinct() {
        for (std::size_t i = 0; i < m_entries.size(); ++i) {
            while (clashes(i)) {
                Entry& entry = m_entries[i];
                if (entry.how == algorithm::eltwise_clip) {
                    entry.how = algorithm::eltwise_clip_v2;
                } else if (entry.how == algorithm::eltwise_clip_v2 && entry.alpha == 0.0F) {
                    entry.how = algorithm::eltwise_bounded_relu;
                    entry.alpha = entry.beta;
                    entry.beta = 0.0F;
                } else {
                    return false;
                }
            }
        }
        return true;
    }

    /// The descriptors of binary operands with their argument roles, in order, go to `arguments`.
    [[nodiscard]] dnnl::post_ops build(std::vector<PrimitiveArgument>& arguments) const {
        dnnl::post_ops operations;
        for (std::size_t i = 0; i < m_entries.size(); ++i) {
            const Entry& entry = m_entries[i];
            if (entry.isEltwise) {
                operations.append_eltwise(entry.scale, entry.how, entry.alpha, entry.beta);
            } else if (entry.how == algorithm::undef) {
                operations.append_sum(1.0F);
            } else {
                operations.append_binary(entry.how, entry.operand);
                arguments.push_back(
                    {DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(i)) | DNNL_ARG_SRC_1, entry.operand, {}});
            }
        }
        return operations;
    }

private:
    struct Entry {
        bool isEltwise;
        algorithm how;
        float scale;
        float alpha;
        float beta;
        dnnl::memory::desc operand;
    };
    [[nodiscard]] bool clashes(std::size_t index) const {
        const Entry& entry = m_entries[index];
        return entry.isEltwise &&
               std::any_of(
                   m_entries.begin(), m_entries.begin() + static_cast<std::ptrdiff_t>(index), [&](const Entry& other) {
                       return other.isEltwise && other.how == entry.how &&
                              (other.alpha != entry.alpha || other.beta != entry.beta || other.scale != entry.scale);
                   });
    }

    std::vector<Entry> m_entries;
};

const char* describeEltwise(EltwiseFunction function) {
    switch (function) {
        case EltwiseFunction::Relu:
            return "relu";
        case EltwiseFunction::Clip:
            return "clip";
        case EltwiseFunction::Linear:
            return "linear";
        case EltwiseFunction::Sigmoid:
            return "sigmoid";
        case EltwiseFunction::Tanh:
            return "tanh";
        case EltwiseFunction::Elu:
            return "elu";
        case EltwiseFunction::Exp:
            return "exp";
        case EltwiseFunction::Abs:
            return "abs";
        case EltwiseFunction::Sqrt:
            return "sqrt";
        case EltwiseFunction::Swish:
            return "swish";
        case EltwiseFunction::HardSwish:
            return "hardswish";
        case EltwiseFunction::GeluErf:
        case EltwiseFunction::GeluTanh:
            return "gelu";
    }
    return "";
}

const char* describeBinary(BinaryFunction function) {
    switch (function) {
        case BinaryFunction::Add:
            return "add";
        case BinaryFunction::Sub:
            return "sub";
        case BinaryFunction::Mul:
            return "mul";
        case BinaryFunction::Div:
            return "div";
        case BinaryFunction::Max:
            return "max";
        case BinaryFunction::Min:
            return "min";
    }
    return "";
}

/// All that lookUp() uses.
StepKey keyOf(const LookupTable& table) {
    std::vector<double> numbers{table.scale,    table.low, table.high, double(table.hasCodes), double(table.firstCode),
                                table.codeScale};
    numbers.insert(numbers.end(), table.values.begin(), table.values.end());
    numbers.insert(numbers.end(), table.codes.begin(), table.codes.end());
    return numbersKey("table", numbers);
}

}  // namespace

std::string describePost(const Post& post) {
    switch (post.kind) {
        case Post::Kind::FakeQuant:
            return "fake-quant";
        case Post::Kind::Table:
            return "table";
        case Post::Kind::Binary:
            return describeBinary(post.binary);
        case Post::Kind::Eltwise:
            return post.eltwise == EltwiseFunction::Relu && post.alpha != 0.0F ? "leaky-relu"
                                                                               : describeEltwise(post.eltwise);
    }
    return {};
}

Placed Emitter::operandOf(const Post& post, const dnnl::memory::desc& like) {
    if (post.spread == Spread::Same) {
        // A view of the same elements under other dimensions (rows of a matrix product) exists only densely.
        if (like.dims() == primary(post.operand).desc.dims()) return inLayout(post.operand, like);
        return {like, dense(post.operand).where};
    }
    Shape shape(like.dims().size(), 1);
    if (post.spread == Spread::Channel) shape[1] = like.dims()[1];
    return {onednn::denseDesc(shape), dense(post.operand).where};
}

bool Emitter::maySum(const Post& post, const dnnl::memory::desc& destination,
                     std::span<const BasePrimitive::Input> inputs, std::span<const Post> posts) {
    if (post.kind != Post::Kind::Binary || post.binary != BinaryFunction::Add || post.spread != Spread::Same)
        return false;
    if (m_program.values[post.operand].constant) return false;
    // What the primitive reads itself (x + conv(x)) may be reordered for it into the very layout of the destination
    // later on; writing there would overwrite the input while it is being read.
    const bool isInput =
        std::any_of(inputs.begin(), inputs.end(), [&](const auto& input) { return input.value == post.operand; });
    const bool isOtherOperand = std::any_of(posts.begin(), posts.end(), [&](const Post& other) {
        return &other != &post && other.kind == Post::Kind::Binary && other.operand == post.operand;
    });
    if (isInput || isOtherOperand) return false;
    if (primary(post.operand).desc.dims() != destination.dims() && !onednn::isPlain(destination)) return false;
    for (const Placed& version : m_states[post.operand].versions) {
        if (!areSameBytes(version.desc, destination)) continue;
        if (!isFree(version.where)) return false;
        const auto isThere = [&](ir::ValueId id) {
            if (id == ir::kNoValue || m_program.values[id].constant) return false;
            const auto& versions = m_states[id].versions;
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

Placed Emitter::sumTarget(ir::ValueId operand, const dnnl::memory::desc& destination) {
    for (const Placed& version : m_states[operand].versions) {
        if (areSameBytes(version.desc, destination)) return {destination, version.where};
    }
    // Not kept among the operand's versions: the sum overwrites it.
    const Placed from = primary(operand);
    const bool isView = from.desc.dims() != destination.dims();
    return {destination, reordered(from, isView ? onednn::denseDesc(from.desc.dims()) : destination).where};
}

std::optional<Emitter::Chain> Emitter::expand(std::span<const Post> posts, const dnnl::memory::desc& destination,
                                              bool useSum, bool takeFactor) {
    Chain chain;
    PostList list;
    for (std::size_t i = 0; i < posts.size(); ++i) {
        const Post& post = posts[i];
        if (post.kind == Post::Kind::Table) return std::nullopt;
        // With older instruction sets oneDNN 2.6 gets operands of binary post-ops wrong in some layouts.
        if (post.kind == Post::Kind::Binary && !onednn::hasWideVectors()) return std::nullopt;
        chain.description += " +" + describePost(post);
        if (post.kind == Post::Kind::FakeQuant) {
            if (!isFusableGrid(*post.encoding)) return std::nullopt;
            list.fakeQuant(*post.encoding, {});
        } else if (post.kind == Post::Kind::Eltwise) {
            std::size_t end = i;
            while (end < posts.size() && isClamp(posts[end])) ++end;
            if (end > i && end < posts.size() && posts[end].kind == Post::Kind::FakeQuant &&
                isFusableGrid(*posts[end].encoding)) {
                for (std::size_t k = i + 1; k <= end; ++k) chain.description += " +" + describePost(posts[k]);
                list.fakeQuant(*posts[end].encoding, posts.subspan(i, end - i));
                i = end;
            } else {
                list.eltwise(algorithmOf(post.eltwise), post.alpha, post.beta);
            }
        } else if (useSum && !chain.sum && post.binary == BinaryFunction::Add && post.spread == Spread::Same) {
            list.sum();
            chain.sum = i;
        } else {
            if (post.spread == Spread::LastAxis || post.spread == Spread::Other) return std::nullopt;
            Shape shape(destination.dims().size(), 1);
            if (post.spread == Spread::Channel) shape[1] = destination.dims()[1];
            list.binary(algorithmOf(post.binary), post.spread == Spread::Same ? destination : onednn::denseDesc(shape));
        }
    }
    if (takeFactor) chain.factor = list.takeLeadingFactor();
    if (list.size() > kMostPostOps || !list.makeDistinct()) return std::nullopt;
    chain.attributes = onednn::userScratchpad();
    chain.attributes.set_post_ops(list.build(chain.arguments));
    return chain;
}

// ---- Chains as steps of their own
// ---------------------------------------------------------------------------------------------

bool Emitter::isReadByRest(Location where, std::span<const Post> rest) const {
    return std::any_of(rest.begin(), rest.end(), [&](const Post& post) {
        if (post.operand == ir::kNoValue) return false;
        const auto& versions = m_states[post.operand].versions;
        return std::any_of(versions.begin(), versions.end(),
                           [&](const Placed& version) { return version.where == where; });
    });
}

Placed Emitter::emitEltwise(Placed current, const Post& post, bool mayOverwrite, const std::string& label) {
    if (isSwish(post)) {
        return emitPass(current, mayOverwrite, fmt::format("swish {} [own]", label), numbersKey("swish", {}), swish);
    }
    const dnnl::eltwise_forward::desc what(dnnl::prop_kind::forward_inference, algorithmOf(post.eltwise), current.desc,
                                           post.alpha, post.beta);
    const dnnl::eltwise_forward::primitive_desc descriptor(what, onednn::userScratchpad(), onednn::engine());
    const Location where = mayOverwrite ? current.where : newBuffer(current.desc.get_size());
    addPrimitive(descriptor, {{DNNL_ARG_SRC, current.desc, current.where}, {DNNL_ARG_DST, current.desc, where}},
                 fmt::format("{} {} [{}]", describePost(post), label, onednn::implementation(descriptor)));
    return {current.desc, where};
}

std::size_t Emitter::postsForPrimitive(std::span<const Post> posts, const dnnl::memory::desc& destination) {
    dnnl_dim_t count = 1;
    for (const auto dim : destination.dims()) count *= dim;
    for (std::size_t i = 0; i < posts.size(); ++i) {
        if (posts[i].kind == Post::Kind::Table) return i;
        if (isSwish(posts[i]) && count >= kElementsWorthAPass) return i;
    }
    return posts.size();
}

Placed Emitter::emitPass(Placed current, bool mayOverwrite, std::string description, const StepKey& key,
                         std::function<void(const float* from, float* to, std::size_t count)> pass) {
    const std::size_t count = current.desc.get_size() / sizeof(float);
    const Location where = mayOverwrite ? current.where : newBuffer(current.desc.get_size());
    NativeStep step;
    step.operands = {current.where, where};
    step.run = [pass = std::move(pass), count](std::span<std::byte* const> operands) {
        pass(reinterpret_cast<const float*>(operands[0]), reinterpret_cast<float*>(operands[1]), count);
    };
    addStep({std::move(step), std::move(description), key + '/' + std::to_string(count), static_cast<double>(count)},
            std::array{current.where, where});
    return {current.desc, where};
}

Placed Emitter::emitTable(Placed current, const Post& post, bool mayOverwrite, const std::string& label) {
    const auto table = post.table;
    float atZero = 0.0F;
    lookUp(&atZero, &atZero, 1, *table);
    if (atZero != 0.0F && onednn::isPadded(current.desc)) {  // padding must stay zero
        current = reordered(current, onednn::denseDesc(current.desc.dims()));
        mayOverwrite = true;
    }
    return emitPass(current, mayOverwrite, fmt::format("table {} [own]", label), keyOf(*table),
                    [table](const float* from, float* to, std::size_t count) { lookUp(from, to, count, *table); });
}

Placed Emitter::emitFakeQuant(Placed current, const Post& post, bool mayOverwrite, const std::string& label) {
    const auto encoding = post.encoding;
    const Shape shape = current.desc.dims();
    // Loops over raw memory need every element to be alike; padding must stay zero.
    const bool keepsZero = !encoding->isPerChannel() && encoding->zeroPoint[0] >= encoding->qMin() &&
                           encoding->zeroPoint[0] <= encoding->qMax();
    const bool isRaw =
        onednn::isPlain(current.desc) || (!encoding->isPerChannel() && (keepsZero || !onednn::isPadded(current.desc)));
    if (!isRaw) {
        current = reordered(current, onednn::denseDesc(shape));
        mayOverwrite = true;
    }
    return emitPass(current, mayOverwrite, fmt::format("fake-quant {} [own]", label), encodingKey(*encoding, shape),
                    [encoding, shape](const float* from, float* to, std::size_t count) {
                        if (!encoding->isPerChannel()) {
                            fakeQuantizePerTensor(from, to, count, *encoding);
                            return;
                        }
                        if (from != to) std::memcpy(to, from, count * sizeof(float));
                        // The encoding was checked against the shape when the model was read.
                        static_cast<void>(fakeQuantize({to, count}, shape, *encoding));
                    });
}

Placed Emitter::emitBinary(Placed current, std::span<const Post> posts, bool mayOverwrite, const std::string& label,
                           std::size_t& used) {
    const Post& first = posts[0];
    const bool isSame = first.spread == Spread::Same;
    if (isSame && onednn::isPlain(current.desc) && current.desc.dims() == primary(first.operand).desc.dims()) {
        // Rather unpack nothing: follow the operand's blocks.
        const dnnl::memory::desc other = primary(first.operand).desc;
        if (!onednn::isPlain(other)) {
            current = reordered(current, other);
            mayOverwrite = true;
        }
    }
    const Placed operand = operandOf(first, current.desc);
    const dnnl::binary::desc what(algorithmOf(first.binary), current.desc, operand.desc, current.desc);
    const dnnl::binary::primitive_desc plain(what, onednn::userScratchpad(), onednn::engine());
    std::string implementation = onednn::implementation(plain);
    dnnl::primitive_desc_base chosen = plain;
    Chain chain;
    used = 1;
    for (std::size_t count = posts.size(); count > 1; --count) {
        auto candidate = expand(posts.subspan(1, count - 1), current.desc, false, false);
        if (!candidate) continue;
        try {
            const dnnl::binary::primitive_desc descriptor(what, candidate->attributes, onednn::engine());
            if (onednn::implementation(descriptor) != implementation) continue;
            chosen = descriptor;
        } catch (const dnnl::error&) {
            continue;
        }
        chain = std::move(*candidate);
        used = count;
        break;
    }
    std::vector<PrimitiveArgument> arguments{{DNNL_ARG_SRC_0, current.desc, current.where},
                                             {DNNL_ARG_SRC_1, operand.desc, operand.where}};
    std::size_t next = 0;
    bool isReadAgain = operand.where == current.where && !isSame;
    for (const Post& post : posts.subspan(1, used - 1)) {
        if (post.kind != Post::Kind::Binary) continue;
        const Placed other = operandOf(post, current.desc);
        chain.arguments[next].location = other.where;
        isReadAgain |= other.where == current.where;
        ++next;
    }
    arguments.insert(arguments.end(), chain.arguments.begin(), chain.arguments.end());
    const Location where = mayOverwrite && !isReadAgain && !isReadByRest(current.where, posts.subspan(used))
                               ? current.where
                               : newBuffer(current.desc.get_size());
    arguments.push_back({DNNL_ARG_DST, current.desc, where});
    addPrimitive(chosen, std::move(arguments),
                 fmt::format("{}{} {} [{}]", describePost(first), chain.description, label, implementation));
    return {current.desc, where};
}

Placed Emitter::emitPosts(Placed current, std::span<const Post> posts, bool mayOverwrite, const std::string& label) {
    while (!posts.empty()) {
        std::size_t used = 1;
        const bool isOwn = mayOverwrite && !isReadByRest(current.where, posts);
        const Post& post = posts[0];
        if (post.kind == Post::Kind::Binary) {
            current = emitBinary(current, posts, mayOverwrite, label, used);
        } else if (post.kind == Post::Kind::Eltwise) {
            current = emitEltwise(current, post, isOwn, label);
        } else if (post.kind == Post::Kind::Table) {
            current = emitTable(current, post, isOwn, label);
        } else {
            current = emitFakeQuant(current, post, isOwn, label);
        }
        mayOverwrite = true;
        posts = posts.subspan(used);
    }
    return current;
}

void Emitter::emitPointwise(ir::Op& op) {
    const Placed source = primary(op.inputs[0]);
    const Placed result = emitPosts(source, op.posts, isFree(source.where), op.label);
    define(op.outputs[0], result.desc, result.where);
}

void Emitter::defineView(ir::ValueId id, Placed result) {
    const Shape& shape = shapeOf(id);
    if (result.desc.dims() != shape) {
        if (!onednn::isDense(result.desc)) result = reordered(result, onednn::denseDesc(result.desc.dims()));
        result.desc = onednn::denseDesc(shape);
    }
    define(id, result.desc, result.where);
}

}  // namespace equant
