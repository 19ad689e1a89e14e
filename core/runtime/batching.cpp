// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/batching.h"

#include <algorithm>

#include "core/runtime/ir.h"

namespace equant {
namespace {

using ir::Kind;
using ir::Op;
using ir::Post;
using ir::Spread;
using ir::ValueId;

class Samples {
public:
    explicit Samples(const ir::Program& program) : m_program(program), m_isBySample(program.values.size(), false) {}

    bool areIndependent() {
        if (m_program.inputs.empty()) return false;
        for (const ValueId id : m_program.inputs) {
            const Shape& shape = *m_program.values[id].shape;
            if (shape.empty() || (m_batch != 0 && shape[0] != m_batch)) return false;
            m_batch = shape[0];
            m_isBySample[id] = true;
        }
        for (const Op& op : m_program.ops) {
            if (!keepsSamplesApart(op)) return false;
            for (const ValueId id : op.outputs) {
                if (id == ir::kNoValue) continue;
                const auto& shape = m_program.values[id].shape;
                if (!shape || shape->empty() || (*shape)[0] != m_batch) return false;
                m_isBySample[id] = true;
            }
        }
        return std::all_of(m_program.outputs.begin(), m_program.outputs.end(),
                           [&](ValueId id) { return m_isBySample[id]; });
    }

private:
    [[nodiscard]] bool isConstant(ValueId id) const {
        return id == ir::kNoValue || m_program.values[id].constant.has_value();
    }
    [[nodiscard]] bool areOthersConstant(const Op& op) const {
        return std::all_of(op.inputs.begin() + 1, op.inputs.end(), [&](ValueId id) { return isConstant(id); });
    }
    [[nodiscard]] bool areAllBySample(const Op& op) const {
        return std::all_of(op.inputs.begin(), op.inputs.end(),
                           [&](ValueId id) { return id != ir::kNoValue && m_isBySample[id]; });
    }
    [[nodiscard]] std::int64_t axisOf(const Op& op, std::int64_t fallback) const {
        const std::int64_t axis = op.node->intAttribute("axis", fallback);
        return axis < 0 ? axis + static_cast<std::int64_t>(m_program.values[op.inputs[0]].shape->size()) : axis;
    }
    /// A second operand belongs to its sample, or is one constant for all of them.
    [[nodiscard]] bool isPostSafe(const Post& post, const Shape& shape) const {
        if (post.kind == Post::Kind::FakeQuant) return !(post.encoding->isPerChannel() && post.encoding->axis == 0);
        if (post.kind != Post::Kind::Binary) return true;
        if (m_isBySample[post.operand]) return post.spread == Spread::Same;
        return isConstant(post.operand) && shape.size() > 1 &&
               (post.spread == Spread::Channel || post.spread == Spread::Scalar || post.spread == Spread::LastAxis);
    }

    [[nodiscard]] bool keepsSamplesApart(const Op& op) const {
        if (op.inputs.empty() || op.inputs[0] == ir::kNoValue || !m_isBySample[op.inputs[0]]) return false;
        switch (op.kind) {
            case Kind::Conv:
            case Kind::Pool:
            case Kind::Lrn:
            case Kind::Resample:
            case Kind::InnerProduct:
                return areOthersConstant(op);
            case Kind::Alias:
                return true;  // row-major: where axis 0 keeps its length, its slices keep their elements
            case Kind::Pointwise:
                return std::all_of(op.posts.begin(), op.posts.end(), [&](const Post& post) {
                    return isPostSafe(post, *m_program.values[op.inputs[0]].shape);
                });
            case Kind::MatMul:
                return areAllBySample(op) && m_program.values[op.inputs[0]].shape->size() > 2;
            case Kind::Concat:
                return areAllBySample(op) && axisOf(op, 0) != 0;
            case Kind::Softmax:
                return axisOf(op, m_program.opset >= 13 ? -1 : 1) != 0;
            case Kind::Transpose: {
                const auto permutation = op.node->intsAttribute("perm");
                return !permutation.empty() && permutation[0] == 0;
            }
            case Kind::Plain:
            case Kind::Dead:
                return false;
        }
        return false;
    }

    const ir::Program& m_program;
    std::vector<bool> m_isBySample;
    std::int64_t m_batch = 0;
};

}  // namespace

bool areSamplesIndependent(const Model& model, const CompileOptions& options) {
    const auto program = ir::lower(model, options);
    return program && Samples(*program).areIndependent();
}

}  // namespace equant
