// SPDX-License-Identifier: Apache-2.0
// Rewrites of ir::Program that keep its outputs (up to float rounding):
//   x * sigmoid(x)                                -> swish(x);  x * hardsigmoid(x) -> hardswish(x)
//   functions of one quantized value            -> a table (tabulate.cpp)
//   conv / inner product, then per-channel affine -> affine folded into weights and bias
//   any producer, then pointwise chain            -> the chain as posts of the producer (sums with residuals included)
// A value that is tapped, a graph output, or read more than once stays as it is.
#include <algorithm>
#include <cmath>

#include "core/runtime/ir/ir_internal.h"

namespace equant::ir {
namespace {

struct Consumers {
    std::vector<std::size_t> producer;              ///< by value
    std::vector<std::vector<std::size_t>> readers;  ///< by value: operators
};

Consumers consumersOf(const Program& program) {
    Consumers result{std::vector<std::size_t>(program.values.size(), kNoOp),
                     std::vector<std::vector<std::size_t>>(program.values.size())};
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
        const Op& op = program.ops[i];
        if (op.kind == Kind::Dead) continue;
        for (const ValueId id : op.inputs) {
            if (id != kNoValue) result.readers[id].push_back(i);
        }
        for (const Post& post : op.posts) {
            if (post.operand != kNoValue) result.readers[post.operand].push_back(i);
        }
        for (const ValueId id : op.outputs) {
            if (id != kNoValue) result.producer[id] = i;
        }
    }
    return result;
}

bool isBinary(const Post& post, BinaryFunction function) {
    return post.kind == Post::Kind::Binary && post.binary == function;
}
bool isEltwise(const Post& post, EltwiseFunction function) {
    return post.kind == Post::Kind::Eltwise && post.eltwise == function;
}

bool isSigmoid(const Op& op) {
    return op.kind == Kind::Pointwise && op.posts.size() == 1 && isEltwise(op.posts[0], EltwiseFunction::Sigmoid);
}

/// clip(x / 6 + 1 / 2, 0, 1), the gate of HardSwish.
bool isHardSigmoid(const Op& op) {
    return op.kind == Kind::Pointwise && op.posts.size() == 2 && isEltwise(op.posts[0], EltwiseFunction::Linear) &&
           std::fabs(op.posts[0].alpha - 1.0F / 6.0F) < 1e-6F && op.posts[0].beta == 0.5F &&
           isEltwise(op.posts[1], EltwiseFunction::Clip) && op.posts[1].alpha == 0.0F && op.posts[1].beta == 1.0F;
}

void replaceGatesBySwish(Program& program) {
    const Consumers consumers = consumersOf(program);
    for (Op& product : program.ops) {
        if (product.kind != Kind::Pointwise || product.posts.size() != 1 ||
            !isBinary(product.posts[0], BinaryFunction::Mul))
            continue;
        if (product.posts[0].spread != Spread::Same) continue;
        for (const bool isGateMain : {false, true}) {
            const ValueId gate = isGateMain ? product.inputs[0] : product.posts[0].operand;
            const ValueId x = isGateMain ? product.posts[0].operand : product.inputs[0];
            const Value& gateValue = program.values[gate];
            const std::size_t producer = consumers.producer[gate];
            if (producer == kNoOp || gateValue.isPinned() || gateValue.uses != 1) continue;
            Op& gateOp = program.ops[producer];
            if (gateOp.kind != Kind::Pointwise || gateOp.inputs[0] != x ||
                (!isSigmoid(gateOp) && !isHardSigmoid(gateOp)))
                continue;
            Post swish;
            swish.eltwise = isSigmoid(gateOp) ? EltwiseFunction::Swish : EltwiseFunction::HardSwish;
            swish.alpha = 1.0F;
            gateOp.kind = Kind::Dead;
            product.inputs = {x};
            product.posts = {swish};
            product.hasNodeSemantics = false;
            --program.values[x].uses;
            break;
        }
    }
}

// ---- Folding affine posts into constants
// ------------------------------------------------------------------------------------

struct Affine {
    std::vector<float> factor;
    std::vector<float> offset;
};

/// The post as y = factor * x + offset per output channel; nullopt if it is something else.
std::optional<Affine> affineOf(const Program& program, const Post& post, std::size_t channels) {
    Affine result{std::vector<float>(channels, 1.0F), std::vector<float>(channels, 0.0F)};
    if (isEltwise(post, EltwiseFunction::Linear)) {
        std::fill(result.factor.begin(), result.factor.end(), post.alpha);
        std::fill(result.offset.begin(), result.offset.end(), post.beta);
        return result;
    }
    if (post.kind != Post::Kind::Binary || (post.spread != Spread::Channel && post.spread != Spread::Scalar))
        return std::nullopt;
    const auto& constant = program.values[post.operand].constant;
    if (!constant) return std::nullopt;
    const auto values = constant->data<float>();
    if (values.size() != channels && values.size() != 1) return std::nullopt;
    for (std::size_t i = 0; i < channels; ++i) {
        const float value = values[values.size() == 1 ? 0 : i];
        if (post.binary == BinaryFunction::Add) {
            result.offset[i] = value;
        } else if (post.binary == BinaryFunction::Sub) {
            result.offset[i] = -value;
        } else if (post.binary == BinaryFunction::Mul) {
            result.factor[i] = value;
        } else {
            return std::nullopt;
        }
    }
    return result;
}

bool foldAffine(Program& program, Op& op, const Post& post) {
    if ((op.kind != Kind::Conv && op.kind != Kind::InnerProduct) || !op.posts.empty()) return false;
    const auto weightConstant = program.values[op.inputs[1]].constant;
    const bool hasBias = op.inputs.size() > 2 && op.inputs[2] != kNoValue;
    if (!weightConstant || (hasBias && !program.values[op.inputs[2]].constant)) return false;
    const bool isChannelLast = op.kind == Kind::InnerProduct && op.isWeightTransposed;
    const auto channels = static_cast<std::size_t>(weightConstant->dim(isChannelLast ? 1 : 0));
    const auto affine = affineOf(program, post, channels);
    if (!affine) return false;

    const bool isScaled =
        std::any_of(affine->factor.begin(), affine->factor.end(), [](float factor) { return factor != 1.0F; });
    if (isScaled) {
        Tensor weight = *weightConstant;
        const auto values = weight.mutableData<float>();
        const std::size_t inner = values.size() / channels;
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] *= affine->factor[isChannelLast ? i % channels : i / inner];
        op.inputs[1] = addConstant(program, op.label + ".weight", std::move(weight));
    }
    std::vector<float> bias = affine->offset;
    if (hasBias) {
        const Tensor old = *program.values[op.inputs[2]].constant;
        for (std::size_t i = 0; i < channels; ++i) bias[i] += affine->factor[i] * old.data<float>()[i];
    }
    op.inputs.resize(2);
    op.inputs.push_back(
        addConstant(program, op.label + ".bias", Tensor(Shape{static_cast<std::int64_t>(channels)}, bias)));
    op.nodeInputs = op.inputs;
    return true;
}

// ---- Chains
// -------------------------------------------------------------------------------------------------------------------

bool takesPosts(const Program& program, const Op& op) {
    switch (op.kind) {
        case Kind::Conv:
        case Kind::InnerProduct:
        case Kind::MatMul:
        case Kind::Resample:
            return true;
        case Kind::Pool:  // a mean that drops its axes has two shapes
            return program.values[op.inputs[0]].shape->size() == program.values[op.outputs[0]].shape->size();
        case Kind::Pointwise:
            // These run by the node's own kernel.
            return std::none_of(op.posts.begin(), op.posts.end(),
                                [](const Post& post) { return post.spread == Spread::LastAxis; });
        default:
            return false;
    }
}

bool isCommutative(const Post& post) {
    return isBinary(post, BinaryFunction::Add) || isBinary(post, BinaryFunction::Mul) ||
           isBinary(post, BinaryFunction::Max) || isBinary(post, BinaryFunction::Min);
}

/// The consumer's posts with `value` as their first input; empty when they cannot be appended to its producer.
std::vector<Post> postsAppliedTo(const Op& consumer, ValueId value) {
    if (consumer.kind != Kind::Pointwise) return {};
    if (consumer.inputs[0] == value) return consumer.posts;
    if (consumer.posts[0].operand != value || consumer.posts[0].spread != Spread::Same ||
        !isCommutative(consumer.posts[0]))
        return {};
    std::vector<Post> posts = consumer.posts;
    posts[0].operand = consumer.inputs[0];
    return posts;
}

/// Adapts the spreads to the dimensions of the producer's own result; false when that has no such axis.
bool fitSpreads(const Program& program, const Op& producer, std::vector<Post>& posts) {
    const std::size_t rank = program.values[producer.outputs[0]].shape->size();
    for (Post& post : posts) {
        if (post.kind != Post::Kind::Binary) continue;
        if (producer.kind == Kind::InnerProduct && rank > 2) {
            if (post.spread == Spread::Channel) return false;
            if (post.spread == Spread::LastAxis) post.spread = Spread::Channel;
        } else if (post.spread == Spread::LastAxis) {
            return false;
        }
    }
    return true;
}

class ChainFuser {
public:
    explicit ChainFuser(Program& program) : m_program(program) {}

    void run() {
        m_consumers = consumersOf(m_program);
        for (std::size_t i = 0; i < m_program.ops.size(); ++i) {
            std::size_t at = i;
            while (at != kNoOp && takesPosts(m_program, m_program.ops[at])) at = absorbConsumer(at);
        }
    }

private:
    /// Merges the only reader of ops[at] into it; returns where the merged operator is now, kNoOp if nothing merged.
    std::size_t absorbConsumer(std::size_t at) {
        Op& op = m_program.ops[at];
        const ValueId value = op.outputs[0];
        if (op.outputs.size() != 1 || m_program.values[value].isPinned() || m_program.values[value].uses != 1)
            return kNoOp;
        const std::size_t reader = m_consumers.readers[value].front();
        Op& consumer = m_program.ops[reader];
        std::vector<Post> posts = postsAppliedTo(consumer, value);
        if (posts.empty() || !fitSpreads(m_program, op, posts) || belongsToLaterProducer(at, posts)) return kNoOp;
        for (Post& post : posts) {
            if (foldAffine(m_program, op, post)) continue;
            op.posts.push_back(std::move(post));
        }
        op.outputs = consumer.outputs;
        op.hasNodeSemantics = false;
        m_program.ops[reader] = std::move(op);
        m_program.ops[at] = Op{};
        m_program.ops[at].kind = Kind::Dead;
        rewire(m_program.ops[reader], reader);
        return reader;
    }

    /// A residual that is produced later by an operator which could take the sum itself: then nothing has to wait.
    bool belongsToLaterProducer(std::size_t at, const std::vector<Post>& posts) const {
        const Post& first = posts.front();
        if (first.kind != Post::Kind::Binary || first.spread != Spread::Same || !isCommutative(first)) return false;
        const std::size_t producer =
            first.operand < m_consumers.producer.size() ? m_consumers.producer[first.operand] : kNoOp;
        if (producer == kNoOp || producer <= at) return false;
        const Value& operand = m_program.values[first.operand];
        return takesPosts(m_program, m_program.ops[producer]) && !operand.isPinned() && operand.uses == 1;
    }

    void rewire(const Op& op, std::size_t at) {
        m_consumers.producer.resize(m_program.values.size(), kNoOp);
        m_consumers.readers.resize(m_program.values.size());
        for (const ValueId id : op.outputs) m_consumers.producer[id] = at;
        const auto reads = [&](ValueId id) {
            if (id == kNoValue) return;
            auto& readers = m_consumers.readers[id];
            std::erase_if(readers,
                          [&](std::size_t reader) { return reader == at || m_program.ops[reader].kind == Kind::Dead; });
            readers.push_back(at);
        };
        for (const ValueId id : op.inputs) reads(id);
        for (const Post& post : op.posts) reads(post.operand);
    }

    Program& m_program;
    Consumers m_consumers;
};

void countUses(Program& program) {
    for (Value& value : program.values) value.uses = 0;
    for (const Op& op : program.ops) {
        if (op.kind == Kind::Dead) continue;
        for (const ValueId id : op.inputs) {
            if (id != kNoValue) ++program.values[id].uses;
        }
        for (const Post& post : op.posts) {
            if (post.operand != kNoValue) ++program.values[post.operand].uses;
        }
    }
}

}  // namespace

void fuseOperators(Program& program) {
    tabulateQuantized(program);
    countUses(program);
    fuseComposites(program);
    countUses(program);
    replaceGatesBySwish(program);
    ChainFuser(program).run();
    std::erase_if(program.ops, [](const Op& op) { return op.kind == Kind::Dead; });
    countUses(program);
}

}  // namespace equant::ir
