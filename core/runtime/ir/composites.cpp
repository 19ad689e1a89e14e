// SPDX-License-Identifier: Apache-2.0
// Operators that exporters write as chains of smaller ones, found again:
//   (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) [* gamma [+ beta]]  -> row normalization; without the mean too
//   x / 2 * (1 + erf(x / sqrt(2))), and its approximation by tanh         -> gelu(x)
// A link that is tapped, a graph output, fake-quantized or read by others keeps its chain as it is.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/runtime/ir/ir_internal.h"
#include "core/runtime/ir/operators_internal.h"

namespace equant::ir {
namespace {

/// The operator that makes each value of a program, and those that read it.
class Links {
public:
    explicit Links(Program& program)
        : m_program(program), m_producer(program.values.size(), kNoOp), m_readers(program.values.size()) {
        for (std::size_t i = 0; i < program.ops.size(); ++i) {
            const Op& op = program.ops[i];
            if (op.kind == Kind::Dead) continue;
            for (const ValueId id : op.inputs) addReader(id, i);
            for (const Post& post : op.posts) addReader(post.operand, i);
            for (const ValueId id : op.outputs) {
                if (id != kNoValue) m_producer[id] = i;
            }
        }
    }

    [[nodiscard]] Op* producer(ValueId id) const {
        return id == kNoValue || m_producer[id] == kNoOp ? nullptr : &m_program.ops[m_producer[id]];
    }
    /// Read `times` times by operators and not needed outside the program.
    [[nodiscard]] bool isInner(ValueId id, std::size_t times = 1) const {
        return !m_program.values[id].isPinned() && m_readers[id].size() == times;
    }
    /// The only reader of an inner value; null if there are others.
    [[nodiscard]] Op* onlyReader(ValueId id) const {
        return isInner(id) ? &m_program.ops[m_readers[id].front()] : nullptr;
    }

private:
    void addReader(ValueId id, std::size_t op) {
        if (id != kNoValue) m_readers[id].push_back(op);
    }

    Program& m_program;
    std::vector<std::size_t> m_producer;
    std::vector<std::vector<std::size_t>> m_readers;
};

/// Still an operator of its own, with one output.
bool isNode(const Op* op, std::string_view type) {
    return op != nullptr && op->node != nullptr && op->hasNodeSemantics && op->outputs.size() == 1 &&
           op->node->domain.empty() && op->node->opType == type;
}

std::optional<float> scalarOf(const Program& program, ValueId id) {
    if (id == kNoValue) return std::nullopt;
    const auto& constant = program.values[id].constant;
    if (!constant || constant->dtype() != DType::Float || constant->count() != 1) return std::nullopt;
    return constant->data<float>()[0];
}

Op deadOp() {
    Op op;
    op.kind = Kind::Dead;
    return op;
}

/// A binary node with a constant scalar: the other operand and the scalar.
struct WithScalar {
    ValueId other = kNoValue;
    float scalar = 0.0F;
};
std::optional<WithScalar> withScalar(const Program& program, const Op* op, std::string_view type) {
    if (!isNode(op, type) || op->nodeInputs.size() != 2) return std::nullopt;
    for (const std::size_t i : {std::size_t{1}, std::size_t{0}}) {
        if (i == 0 && type != "Add" && type != "Mul") break;
        if (const auto value = scalarOf(program, op->nodeInputs[i])) return WithScalar{op->nodeInputs[1 - i], *value};
    }
    return std::nullopt;
}

// ---- Row normalization

/// The number of trailing axes a mean goes over; 0 if it goes over others, or drops them.
std::size_t trailingMean(const Program& program, const Op* op) {
    if (!isNode(op, "ReduceMean") || op->node->intAttribute("keepdims", 1) == 0) return 0;
    const auto& shape = program.values[op->nodeInputs[0]].shape;
    if (!shape || program.values[op->nodeInputs[0]].dtype != DType::Float) return 0;
    std::vector<std::int64_t> axes = op->node->intsAttribute("axes");
    if (op->nodeInputs.size() > 1 && op->nodeInputs[1] != kNoValue) {
        const auto& constant = program.values[op->nodeInputs[1]].constant;
        if (!constant || constant->dtype() != DType::Int64) return 0;
        axes.assign(constant->data<std::int64_t>().begin(), constant->data<std::int64_t>().end());
    }
    const auto rank = static_cast<std::int64_t>(shape->size());
    std::vector<bool> isReduced(shape->size(), false);
    for (const std::int64_t axis : axes) {
        if (axis < -rank || axis >= rank) return 0;
        isReduced[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)] = true;
    }
    std::size_t count = 0;
    while (count < isReduced.size() && isReduced[isReduced.size() - 1 - count]) ++count;
    return std::count(isReduced.begin(), isReduced.end(), true) == static_cast<std::ptrdiff_t>(count) ? count : 0;
}

/// A constant with one value per element of the last `axes` axes of `shape`.
bool isRowParameter(const Program& program, ValueId id, const Shape& shape, std::size_t axes) {
    const auto& constant = program.values[id].constant;
    if (!constant || constant->dtype() != DType::Float) return false;
    const Shape& own = constant->shape();
    if (own.size() < axes || own.size() > shape.size()) return false;
    if (!std::equal(shape.end() - static_cast<std::ptrdiff_t>(axes), shape.end(),
                    own.end() - static_cast<std::ptrdiff_t>(axes)))
        return false;
    return std::all_of(own.begin(), own.end() - static_cast<std::ptrdiff_t>(axes), [](auto dim) { return dim == 1; });
}

class RowNormMatcher {
public:
    RowNormMatcher(Program& program, const Links& links) : m_program(program), m_links(links) {}

    /// Starts at the square root; true when the chain around it has been replaced.
    bool replace(Op& root) {
        m_dead = {&root};
        ValueId varianceId = root.nodeInputs[0];
        if (const auto sum = withScalar(m_program, take(varianceId), "Add")) {
            m_norm.epsilon = double(sum->scalar);
            varianceId = sum->other;
        } else {
            return false;
        }
        const Op* mean = take(varianceId);
        m_norm.axes = trailingMean(m_program, mean);
        if (m_norm.axes == 0 || !matchSquare(mean->nodeInputs[0])) return false;
        Op* last = quotient(root.outputs[0]);
        if (last == nullptr || !matchDistance()) return false;
        const Shape shape = *m_program.values[m_x].shape;
        if (m_program.values[last->outputs[0]].shape != shape) return false;
        std::vector<ValueId> inputs{m_x};
        for (const std::string_view type : {"Mul", "Add"}) {
            Op* next = m_links.onlyReader(last->outputs[0]);
            if (!isNode(next, type) || next->nodeInputs.size() != 2) break;
            const ValueId parameter = next->nodeInputs[next->nodeInputs[0] == last->outputs[0] ? 1 : 0];
            if (!isRowParameter(m_program, parameter, shape, m_norm.axes)) break;
            inputs.push_back(parameter);
            m_dead.push_back(last);
            last = next;
        }
        for (Op* op : m_dead) *op = deadOp();
        last->kind = Kind::RowNorm;
        last->inputs = std::move(inputs);
        last->posts.clear();
        last->rowNorm = m_norm;
        last->hasNodeSemantics = false;
        return true;
    }

private:
    /// The producer of an inner value, to be removed if all matches; null if the value has to stay.
    Op* take(ValueId id, std::size_t readers = 1) {
        Op* op = m_links.producer(id);
        if (op == nullptr || !m_links.isInner(id, readers)) return nullptr;
        m_dead.push_back(op);
        return op;
    }

    bool matchSquare(ValueId id) {
        const Op* square = take(id);
        if (const auto power = withScalar(m_program, square, "Pow"); power && power->scalar == 2.0F) {
            m_distance = power->other;
            m_readersOfDistance = 2;
        } else if (isNode(square, "Mul") && square->nodeInputs[0] == square->nodeInputs[1]) {
            m_distance = square->nodeInputs[0];
            m_readersOfDistance = 3;
        } else {
            return false;
        }
        return true;
    }

    /// distance / root, or distance * (1 / root).
    Op* quotient(ValueId root) {
        Op* op = m_links.onlyReader(root);
        if (isNode(op, "Div") && op->nodeInputs[1] == root) return op->nodeInputs[0] == m_distance ? op : nullptr;
        const bool isInverse =
            isNode(op, "Reciprocal") || (isNode(op, "Div") && scalarOf(m_program, op->nodeInputs[0]) == 1.0F);
        if (!isInverse) return nullptr;
        const ValueId inverse = op->outputs[0];
        m_dead.push_back(op);
        op = m_links.onlyReader(inverse);
        if (!isNode(op, "Mul")) return nullptr;
        const bool isFirst = op->nodeInputs[0] == inverse;
        return op->nodeInputs[isFirst ? 1 : 0] == m_distance ? op : nullptr;
    }

    /// Either x - mean(x), or x itself.
    bool matchDistance() {
        const Op* difference = m_links.producer(m_distance);
        if (isNode(difference, "Sub") && m_links.isInner(m_distance, m_readersOfDistance)) {
            const Op* mean = m_links.producer(difference->nodeInputs[1]);
            if (trailingMean(m_program, mean) == m_norm.axes && mean->nodeInputs[0] == difference->nodeInputs[0] &&
                m_links.isInner(difference->nodeInputs[1])) {
                m_x = difference->nodeInputs[0];
                m_norm.isCentered = true;
                take(difference->nodeInputs[1]);
                take(m_distance, m_readersOfDistance);
                return true;
            }
        }
        m_x = m_distance;
        m_norm.isCentered = false;
        return true;
    }

    Program& m_program;
    const Links& m_links;
    std::vector<Op*> m_dead;
    RowNorm m_norm;
    ValueId m_x = kNoValue;
    ValueId m_distance = kNoValue;
    std::size_t m_readersOfDistance = 0;
};

void findRowNorms(Program& program) {
    const Links links(program);
    for (Op& op : program.ops) {
        if (isNode(&op, "Sqrt")) RowNormMatcher(program, links).replace(op);
    }
}

// ---- Gelu

struct GateHead {
    ValueId x = kNoValue;
    ValueId gate = kNoValue;
    EltwiseFunction function = EltwiseFunction::GeluErf;
    std::vector<Op*> inner;  ///< what makes the gate
};

bool isNear(float value, double wanted) {
    return std::fabs(double(value) - wanted) <= 1e-5 * std::fabs(wanted);
}

/// `op` as x times a factor known now; nullopt if it is something else.
std::optional<float> factorOf(const Program& program, const Op* op, ValueId x) {
    if (const auto product = withScalar(program, op, "Mul"); product && product->other == x) return product->scalar;
    if (const auto quotient = withScalar(program, op, "Div");
        quotient && quotient->other == x && quotient->scalar != 0.0F)
        return 1.0F / quotient->scalar;
    return std::nullopt;
}

/// erf(x / sqrt(2))
std::optional<GateHead> erfHead(const Program& program, const Links& links, Op& erf) {
    if (!links.isInner(erf.nodeInputs[0])) return std::nullopt;
    Op* scaled = links.producer(erf.nodeInputs[0]);
    GateHead head{kNoValue, erf.outputs[0], EltwiseFunction::GeluErf, {scaled, &erf}};
    if (scaled == nullptr) return std::nullopt;
    for (const ValueId candidate : scaled->nodeInputs) {
        const auto factor = factorOf(program, scaled, candidate);
        if (factor && isNear(*factor, std::numbers::sqrt2 / 2.0)) head.x = candidate;
    }
    return head.x == kNoValue ? std::nullopt : std::optional(head);
}

/// tanh(sqrt(2 / pi) * (x + 0.044715 x^3))
std::optional<GateHead> tanhHead(const Program& program, const Links& links, Op& tanh) {
    GateHead head{kNoValue, tanh.outputs[0], EltwiseFunction::GeluTanh, {&tanh}};
    const auto step = [&](ValueId id) {
        Op* op = links.isInner(id) ? links.producer(id) : nullptr;
        head.inner.push_back(op);
        return op;
    };
    const auto scaled = withScalar(program, step(tanh.nodeInputs[0]), "Mul");
    if (!scaled || !isNear(scaled->scalar, std::numbers::sqrt2 * std::numbers::inv_sqrtpi)) return std::nullopt;
    const Op* sum = step(scaled->other);
    if (!isNode(sum, "Add")) return std::nullopt;
    for (const std::size_t i : {0, 1}) {
        const ValueId x = sum->nodeInputs[i];
        const Op* outer = links.producer(sum->nodeInputs[1 - i]);
        const auto term = withScalar(program, outer, "Mul");
        if (!term || !isNear(term->scalar, 0.044715)) continue;
        const auto cube = withScalar(program, links.producer(term->other), "Pow");
        if (!cube || cube->other != x || cube->scalar != 3.0F) continue;
        const bool isOwn = step(sum->nodeInputs[1 - i]) != nullptr && step(term->other) != nullptr;
        if (!isOwn) return std::nullopt;
        head.x = x;
        return head;
    }
    return std::nullopt;
}

/// Follows (1 + gate) * x with a factor of one half in any place; the last operator becomes gelu(x).
void replaceGelu(const Program& program, const Links& links, GateHead head) {
    Op* last = links.onlyReader(head.gate);
    const auto sum = withScalar(program, last, "Add");
    if (!sum || sum->scalar != 1.0F || sum->other != head.gate) return;
    float factor = 1.0F;
    bool hasProduct = false;
    while (!hasProduct || !isNear(factor, 0.5)) {
        const ValueId value = last->outputs[0];
        Op* next = links.onlyReader(value);
        if (next == nullptr) return;
        head.inner.push_back(last);
        last = next;
        if (const auto known = factorOf(program, last, value)) {
            factor *= *known;
        } else if (isNode(last, "Mul") && !hasProduct) {
            const ValueId other = last->nodeInputs[last->nodeInputs[0] == value ? 1 : 0];
            hasProduct = true;
            if (other == head.x) continue;
            Op* scaled = links.isInner(other) ? links.producer(other) : nullptr;
            const auto own = factorOf(program, scaled, head.x);
            if (!own) return;
            factor *= *own;
            head.inner.push_back(scaled);
        } else {
            return;
        }
    }
    if (last->kind != Kind::Pointwise || program.values[head.x].shape != program.values[last->outputs[0]].shape) return;
    for (Op* op : head.inner) *op = deadOp();
    Post gelu;
    gelu.eltwise = head.function;
    last->inputs = {head.x};
    last->posts = {gelu};
    last->hasNodeSemantics = false;
}

void findGelus(Program& program) {
    const Links links(program);
    for (Op& op : program.ops) {
        std::optional<GateHead> head;
        if (isNode(&op, "Erf")) head = erfHead(program, links, op);
        if (isNode(&op, "Tanh")) head = tanhHead(program, links, op);
        if (head) replaceGelu(program, links, std::move(*head));
    }
}

}  // namespace

void fuseComposites(Program& program) {
    findRowNorms(program);
    findGelus(program);
    std::erase_if(program.ops, [](const Op& op) { return op.kind == Kind::Dead; });
}

}  // namespace equant::ir
