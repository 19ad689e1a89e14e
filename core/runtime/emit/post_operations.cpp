// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/post_operations_internal.h"

namespace equant {
namespace {

using dnnl::algorithm;
using ir::BinaryFunction;
using ir::EltwiseFunction;
using ir::Post;
using ir::Spread;

/// Longer chains run out of what the generated kernels can hold.
constexpr std::size_t kMostPostOps = 24;

bool isClamp(const Post& post) {
    return post.kind == Post::Kind::Eltwise &&
           (post.eltwise == EltwiseFunction::Clip || (post.eltwise == EltwiseFunction::Relu && post.alpha == 0.0F));
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

    /// Whether more operations can be appended with success: the entries so far fit, and those that can no longer
    /// change (all but the last, which may take in a multiplication) have parameters of their own.
    [[nodiscard]] bool canGrow(bool takeFactor) const {
        PostList settled = *this;
        if (takeFactor) settled.takeLeadingFactor();
        if (settled.size() > kMostPostOps) return false;
        if (settled.size() > 0) settled.m_entries.pop_back();
        return settled.makeDistinct();
    }

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

/// Appends posts[at], with clamps also the fake quantization behind them. The index behind what was appended; nullopt
/// when it cannot be expressed.
std::optional<std::size_t> append(PostList& list, std::span<const Post> posts, std::size_t at,
                                  const dnnl::memory::desc& destination, bool asSum) {
    const Post& post = posts[at];
    if (post.kind == Post::Kind::Table) return std::nullopt;
    if (post.kind == Post::Kind::Binary) {
        // With older instruction sets oneDNN 2.6 gets operands of binary post-ops wrong in some layouts.
        if (!onednn::hasWideVectors()) return std::nullopt;
        if (asSum) {
            list.sum();
            return at + 1;
        }
        if (post.spread == Spread::LastAxis || post.spread == Spread::Other) return std::nullopt;
        Shape shape(destination.dims().size(), 1);
        if (post.spread == Spread::Channel) shape[1] = destination.dims()[1];
        list.binary(algorithmOf(post.binary), post.spread == Spread::Same ? destination : onednn::denseDesc(shape));
        return at + 1;
    }
    std::size_t end = at;
    while (end < posts.size() && isClamp(posts[end])) ++end;
    if (end < posts.size() && posts[end].kind == Post::Kind::FakeQuant && isFusableGrid(*posts[end].encoding)) {
        list.fakeQuant(*posts[end].encoding, posts.subspan(at, end - at));
        return end + 1;
    }
    if (post.kind == Post::Kind::FakeQuant) return std::nullopt;
    list.eltwise(algorithmOf(post.eltwise), post.alpha, post.beta);
    return at + 1;
}

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

}  // namespace

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

bool isSameShapeAdd(const Post& post) {
    return post.kind == Post::Kind::Binary && post.binary == BinaryFunction::Add && post.spread == Spread::Same;
}

bool isSwish(const Post& post) {
    return post.kind == Post::Kind::Eltwise && post.eltwise == EltwiseFunction::Swish && post.alpha == 1.0F;
}

std::optional<PostOperations> toPostOperations(std::span<const Post> posts, const dnnl::memory::desc& destination,
                                               bool useSum, bool takeFactor) {
    PostOperations result;
    PostList list;
    for (std::size_t at = 0; at < posts.size();) {
        const bool asSum = useSum && !result.sum && isSameShapeAdd(posts[at]);
        const auto next = append(list, posts, at, destination, asSum);
        if (!next) return std::nullopt;
        if (asSum) result.sum = at;
        for (; at < *next; ++at) result.description += " +" + describePost(posts[at]);
    }
    if (takeFactor) result.factor = list.takeLeadingFactor();
    if (list.size() > kMostPostOps || !list.makeDistinct()) return std::nullopt;
    result.attributes = onednn::userScratchpad();
    result.attributes.set_post_ops(list.build(result.arguments));
    return result;
}

std::size_t mostPostOperations(std::span<const Post> posts, const dnnl::memory::desc& destination, bool takeFactor) {
    PostList list;
    for (std::size_t at = 0; at < posts.size();) {
        const std::size_t before = list.size();
        const auto next = append(list, posts, at, destination, false);
        if (!next) return at;
        // A prefix that ends within a group (clamps without their fake quantization) may still do.
        if (list.size() != before && !list.canGrow(takeFactor)) return *next - 1;
        at = *next;
    }
    return posts.size();
}

}  // namespace equant
