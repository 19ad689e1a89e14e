// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <string_view>

#include "core/runtime/exec/batching_internal.h"
#include "core/runtime/ir/operators_internal.h"

namespace equant {
namespace {

using ir::isElementwise;
using ir::Kind;
using ir::Op;
using ir::Post;
using ir::Spread;
using ir::ValueId;

bool isOneOf(const Node& node, std::span<const std::string_view> names) {
    return node.domain.empty() && std::find(names.begin(), names.end(), node.opType) != names.end();
}

/// The first input's samples one by one, given that all other inputs are constants.
bool isPerSample(const Node& node) {
    static constexpr auto kNames =
        std::to_array<std::string_view>({"AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace",
                                         "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "GroupNormalization",
                                         "InstanceNormalization", "LRN", "LpPool", "MaxPool", "SpaceToDepth"});
    return isOneOf(node, kNames) && node.intAttribute("training_mode", 0) == 0;
}

bool isReduction(const Node& node) {
    return node.domain.empty() && node.opType.starts_with("Reduce");
}

/// Two constants that mean the same for every sample: equal, or the one sample repeated.
bool isRepeated(const Tensor& single, const Tensor& batch) {
    if (single.dtype() != batch.dtype() || single.rank() != batch.rank()) return false;
    const auto one = single.bytes();
    const auto all = batch.bytes();
    for (int axis = 0; axis < single.rank(); ++axis) {
        if (single.dim(axis) != batch.dim(axis) && (axis != 0 || single.dim(0) != 1)) return false;
    }
    if (one.empty()) return all.empty();
    for (std::size_t at = 0; at < all.size(); at += one.size()) {
        if (std::memcmp(one.data(), all.data() + at, one.size()) != 0) return false;
    }
    return true;
}

class Samples {
public:
    Samples(const ir::Program& single, const ir::Program& program)
        : m_single(single), m_program(program), m_isBySample(program.values.size(), false) {}

    bool areIndependent() {
        if (m_program.inputs.empty() || m_single.ops.size() != m_program.ops.size()) return false;
        for (const ValueId id : m_program.inputs) {
            const Shape& shape = *m_program.values[id].shape;
            if (shape.empty() || (m_batch != 0 && shape[0] != m_batch)) return false;
            m_batch = shape[0];
            m_isBySample[id] = true;
        }
        for (std::size_t i = 0; i < m_program.ops.size(); ++i) {
            const Op& op = m_program.ops[i];
            if (!differsOnlyInBatch(m_single.ops[i], op) || !keepsSamplesApart(op)) return false;
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
    [[nodiscard]] const Shape& shapeOf(ValueId id) const { return *m_program.values[id].shape; }
    [[nodiscard]] bool isConstant(ValueId id) const {
        return id == ir::kNoValue || m_program.values[id].constant.has_value();
    }
    [[nodiscard]] bool areOthersConstant(const Op& op) const {
        return std::all_of(op.inputs.begin() + 1, op.inputs.end(), [&](ValueId id) { return isConstant(id); });
    }
    [[nodiscard]] bool isBySample(ValueId id) const { return id != ir::kNoValue && m_isBySample[id]; }
    /// Its samples are along axis 0 of a result of that rank.
    [[nodiscard]] bool isAligned(ValueId id, std::size_t rank) const {
        return isBySample(id) && shapeOf(id).size() == rank;
    }
    /// One sample's values for all of them: nothing along axis 0 of a result of that rank, or copies (isRepeated).
    [[nodiscard]] bool isShared(ValueId id, std::size_t rank) const {
        if (!isConstant(id) || id == ir::kNoValue) return id == ir::kNoValue;
        const Tensor& tensor = *m_program.values[id].constant;
        const auto size = static_cast<std::size_t>(tensor.rank());
        if (size != rank || rank == 0) return size < rank || rank == 0;
        if (tensor.dim(0) == 1) return true;
        return tensor.dim(0) == m_batch && isRepeated(firstOf(tensor), tensor);
    }
    static Tensor firstOf(const Tensor& tensor) {
        Shape shape = tensor.shape();
        shape[0] = 1;
        Tensor first(tensor.dtype(), shape);
        std::memcpy(first.mutableBytes().data(), tensor.bytes().data(), first.sizeBytes());
        return first;
    }
    [[nodiscard]] std::int64_t axisOf(const Op& op, std::int64_t fallback) const {
        const std::int64_t axis = op.node->intAttribute("axis", fallback);
        return axis < 0 ? axis + static_cast<std::int64_t>(shapeOf(op.inputs[0]).size()) : axis;
    }
    /// The axes of input `index` or of the attribute are known and axis 0 is not among them.
    [[nodiscard]] bool keepsSampleAxis(const Op& op, std::size_t index) const {
        std::vector<std::int64_t> axes = op.node->intsAttribute("axes");
        if (op.nodeInputs.size() > index && op.nodeInputs[index] != ir::kNoValue) {
            const auto& constant = m_program.values[op.nodeInputs[index]].constant;
            if (!constant || constant->dtype() != DType::Int64) return false;
            const auto values = constant->data<std::int64_t>();
            axes.assign(values.begin(), values.end());
        }
        const auto rank = static_cast<std::int64_t>(shapeOf(op.inputs[0]).size());
        return !axes.empty() &&
               std::all_of(axes.begin(), axes.end(), [&](std::int64_t axis) { return axis != 0 && axis != -rank; });
    }

    /// The operator for one sample and the one for the batch differ in nothing but the batch.
    [[nodiscard]] bool differsOnlyInBatch(const Op& single, const Op& op) const {
        if (single.node != nullptr && op.node != nullptr && single.label != op.label) return false;
        if (op.kind == Kind::Alias) return true;  // target shapes differ, results are checked
        for (std::size_t i = 0; i < op.nodeInputs.size() && i < single.nodeInputs.size(); ++i) {
            const bool isTargetSize = i == 3 && op.node != nullptr && op.node->is("Resize");
            if (!isTargetSize && !isSameConstant(single.nodeInputs[i], op.nodeInputs[i])) return false;
        }
        return single.nodeInputs.size() == op.nodeInputs.size();
    }
    [[nodiscard]] bool isSameConstant(ValueId single, ValueId batch) const {
        if (single == ir::kNoValue || batch == ir::kNoValue) return single == batch;
        const auto& one = m_single.values[single].constant;
        const auto& all = m_program.values[batch].constant;
        return one.has_value() == all.has_value() && (!one || isRepeated(*one, *all));
    }

    [[nodiscard]] bool isPostSafe(const Post& post, std::size_t rank) const {
        if (post.kind == Post::Kind::FakeQuant) return !(post.encoding->isPerChannel() && post.encoding->axis == 0);
        if (post.kind != Post::Kind::Binary) return true;
        return isAligned(post.operand, rank) || (rank > 1 && isShared(post.operand, rank));
    }
    [[nodiscard]] bool arePostsSafe(const Op& op) const {
        const std::size_t rank = shapeOf(op.inputs[0]).size();
        return std::all_of(op.posts.begin(), op.posts.end(), [&](const Post& post) { return isPostSafe(post, rank); });
    }
    [[nodiscard]] bool isEachAlignedOrShared(std::span<const ValueId> inputs, std::size_t rank) const {
        return std::all_of(inputs.begin(), inputs.end(),
                           [&](ValueId id) { return isAligned(id, rank) || isShared(id, rank); });
    }
    /// Rows of the first operand (a sample's, as its rank is above 2 or the batch is its rows) by one matrix, or both
    /// operands sample by sample.
    [[nodiscard]] bool isMatMulSafe(const Op& op) const {
        const std::size_t rank = shapeOf(op.outputs[0]).size();
        const auto fits = [&](ValueId id) {
            return isAligned(id, rank) || (isShared(id, rank) && shapeOf(id).size() >= 2);
        };
        return rank > 2 && fits(op.inputs[0]) && fits(op.inputs[1]);
    }

    [[nodiscard]] bool keepsSamplesApart(const Op& op) const {
        if (op.kind != Kind::Plain && (op.inputs.empty() || !isBySample(op.inputs[0])) && op.kind != Kind::Concat &&
            op.kind != Kind::MatMul)
            return false;
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
                return arePostsSafe(op);
            case Kind::MatMul:
                return isMatMulSafe(op);
            case Kind::Concat:
                return axisOf(op, 0) != 0 && isEachAlignedOrShared(op.inputs, shapeOf(op.outputs[0]).size()) &&
                       std::any_of(op.inputs.begin(), op.inputs.end(), [&](ValueId id) { return isBySample(id); });
            case Kind::Softmax:
                return axisOf(op, m_program.opset >= 13 ? -1 : 1) != 0;
            case Kind::Transpose: {
                const auto permutation = op.node->intsAttribute("perm");
                return !permutation.empty() && permutation[0] == 0;
            }
            case Kind::RowNorm:
                return op.rowNorm.axes < m_program.values[op.inputs[0]].shape->size();
            case Kind::Plain:
                return isPlainSafe(op);
            case Kind::Dead:
                return false;
        }
        return false;
    }

    [[nodiscard]] bool isPlainSafe(const Op& op) const {
        const Node& node = *op.node;
        if (op.outputs.empty() || op.inputs.empty()) return false;
        const auto& output = m_program.values[op.outputs[0] == ir::kNoValue ? op.inputs[0] : op.outputs[0]].shape;
        if (!output || !node.domain.empty()) return false;
        const std::size_t rank = output->size();
        if (isElementwise(node)) return isEachAlignedOrShared(op.inputs, rank);
        if (node.is("Concat")) return axisOf(op, 0) != 0 && isEachAlignedOrShared(op.inputs, rank);
        if (node.is("MatMul")) return isMatMulSafe(op);
        if (!isBySample(op.inputs[0]) || !areOthersConstant(op)) return false;
        if (isPerSample(node)) return op.outputs.size() == 1;  // indices of MaxPool count through the batch
        if (node.is("Resize") || node.is("Upsample"))
            return node.stringAttribute("coordinate_transformation_mode", "") != "tf_crop_and_resize";
        if (isReduction(node)) return keepsSampleAxis(op, 1);
        if (node.is("Slice")) return keepsSampleAxis(op, 3);
        if (node.is("Gather") || node.is("Split")) return axisOf(op, 0) != 0;
        if (node.is("LayerNormalization") || node.is("RMSNormalization") || node.is("LpNormalization"))
            return axisOf(op, -1) != 0;
        if (node.is("Softmax") || node.is("LogSoftmax") || node.is("Hardmax"))
            return axisOf(op, m_program.opset >= 13 ? -1 : 1) != 0;
        if (node.is("ArgMax") || node.is("ArgMin")) return axisOf(op, 0) != 0;
        if (node.is("Transpose")) {
            const auto permutation = node.intsAttribute("perm");
            return !permutation.empty() && permutation[0] == 0;
        }
        return isAliasLike(node);
    }
    static bool isAliasLike(const Node& node) {
        return node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze");
    }

    const ir::Program& m_single;
    const ir::Program& m_program;
    std::vector<bool> m_isBySample;
    std::int64_t m_batch = 0;
};

}  // namespace

bool areSamplesIndependent(const Model& model, const CompileOptions& single, const CompileOptions& batch) {
    const auto one = ir::lower(model, single);
    const auto all = ir::lower(model, batch);
    return one && all && Samples(*one, *one).areIndependent() && Samples(*one, *all).areIndependent();
}

Tensor samplesOf(const Tensor& batch, std::int64_t first, std::int64_t count) {
    Shape shape = batch.shape();
    const std::int64_t total = shape[0];
    if (first == 0 && count == total) return batch;
    shape[0] = count;
    Tensor part(batch.dtype(), shape);
    if (part.sizeBytes() > 0) {
        const std::size_t each = batch.sizeBytes() / static_cast<std::size_t>(total);
        std::memcpy(part.mutableBytes().data(), batch.bytes().data() + each * static_cast<std::size_t>(first),
                    part.sizeBytes());
    }
    return part;
}

Result<Tensor> concatenated(std::span<const Tensor> parts, const std::string& outputName) {
    Shape shape = parts.front().shape();
    if (shape.empty()) {
        return fail(
            ErrorCode::Unsupported,
            fmt::format("Output \"{}\" is a scalar, so results of several samples cannot be joined.", outputName),
            "Feed one sample at a time.", outputName);
    }
    shape[0] = 0;
    for (const Tensor& part : parts) {
        if (part.rank() != static_cast<int>(shape.size()) ||
            !std::equal(shape.begin() + 1, shape.end(), part.shape().begin() + 1)) {
            return fail(ErrorCode::Unsupported,
                        fmt::format("Output \"{}\" has another shape for every sample.", outputName),
                        "Feed one sample at a time.", outputName);
        }
        shape[0] += part.dim(0);
    }
    Tensor result(parts.front().dtype(), shape);
    std::byte* target = result.mutableBytes().data();
    for (const Tensor& part : parts) {
        if (part.sizeBytes() > 0) std::memcpy(target, part.bytes().data(), part.sizeBytes());
        target += part.sizeBytes();
    }
    return result;
}

}  // namespace equant
