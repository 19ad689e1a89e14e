// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <limits>

#include "core/runtime/ir/operators_internal.h"

namespace equant::ir {
namespace {

/// oneDNN's kernels count in 32 bits; beyond that it does not refuse, it crashes.
constexpr std::int64_t kMostElements = std::numeric_limits<std::int32_t>::max();

bool isDenseFloat(const Program& program, ValueId id) {
    if (id == kNoValue) return true;
    const Value& value = program.values[id];
    return value.dtype == DType::Float && value.shape && value.shape->size() <= 6 && elementCount(*value.shape) > 0 &&
           elementCount(*value.shape) <= kMostElements;
}

const Shape& shapeOf(const Program& program, ValueId id) {
    return *program.values[id].shape;
}

bool isAlias(const Node& node) {
    return node.is("Identity") || node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") ||
           node.is("Unsqueeze") || node.is("Dropout");
}

/// Dropout in training mode is random; its kernel reports it as unsupported.
bool isTraining(const Program& program, const Op& op) {
    if (!op.node->is("Dropout") || op.inputs.size() < 3 || op.inputs[2] == kNoValue) return false;
    const auto& mode = program.values[op.inputs[2]].constant;
    return !mode || mode->dtype() != DType::Bool || mode->count() != 1 || mode->data<bool>()[0];
}

bool isConvUsable(const Program& program, const Op& op) {
    const std::size_t rank = shapeOf(program, op.inputs[0]).size();
    return rank >= 3 && rank <= 5 && shapeOf(program, op.inputs[1]).size() == rank;
}

/// Rows times a constant matrix; Gemm's alpha and beta go into the constants.
bool toInnerProduct(Program& program, Op& op) {
    const Node& node = *op.node;
    const auto& weight = program.values[op.inputs[1]].constant;
    if (!weight || weight->rank() != 2 || shapeOf(program, op.inputs[0]).size() < 2) return false;
    if (node.is("MatMul")) {
        op.isWeightTransposed = true;
        return true;
    }
    if (node.intAttribute("transA", 0) != 0) return false;
    op.isWeightTransposed = node.intAttribute("transB", 0) == 0;
    const float alpha = node.floatAttribute("alpha", 1.0F);
    const float beta = node.floatAttribute("beta", 1.0F);
    const std::int64_t columns = weight->dim(op.isWeightTransposed ? 1 : 0);
    std::optional<Tensor> bias;
    if (node.hasInput(2)) {
        const auto& constant = program.values[op.inputs[2]].constant;
        if (!constant || (constant->count() != 1 && constant->count() != columns)) return false;
        if (constant->count() == columns && columns > 1 && constant->dim(constant->rank() - 1) != columns) return false;
        std::vector<float> values(static_cast<std::size_t>(columns));
        const auto given = constant->data<float>();
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = beta * given[given.size() == 1 ? 0 : i];
        bias = Tensor(Shape{columns}, values);
    }
    if (alpha != 1.0F) {
        Tensor scaled = *weight;
        for (float& value : scaled.mutableData<float>()) value *= alpha;
        op.inputs[1] = addConstant(program, op.label + ".weight", std::move(scaled));
    }
    op.inputs.resize(2);
    if (bias) op.inputs.push_back(addConstant(program, op.label + ".bias", std::move(*bias)));
    return true;
}

/// Batch dimensions that oneDNN can broadcast: equal or 1 on either side, same rank.
bool isMatMulUsable(const Program& program, const Op& op) {
    if (!op.node->is("MatMul")) return false;
    const Shape& a = shapeOf(program, op.inputs[0]);
    const Shape& b = shapeOf(program, op.inputs[1]);
    return a.size() >= 2 && a.size() == b.size() && a.size() <= 5;
}

bool isPoolUsable(const Program& program, const Op& op) {
    const Node& node = *op.node;
    const std::size_t rank = shapeOf(program, op.inputs[0]).size();
    if (rank < 3 || rank > 5 || op.outputs.size() != 1) return false;
    if (isGlobalPool(node)) return true;
    const Window window = windowOf(node, shapeOf(program, op.inputs[0]), shapeOf(program, op.outputs[0]),
                                   node.intsAttribute("kernel_shape"));
    if (window.kernel.size() + 2 != rank) return false;
    for (std::size_t i = 0; i < window.kernel.size(); ++i) {
        if (window.padsBegin[i] >= window.kernel[i] || window.padsEnd[i] >= window.kernel[i]) return false;
        if (node.is("AveragePool") && window.dilations[i] != 1) return false;
        if (window.padsBegin[i] < 0 || window.padsEnd[i] < 0) return false;
    }
    return !(node.is("AveragePool") && window.isPaddedBeyondAttribute &&
             node.intAttribute("count_include_pad", 0) != 0);
}

/// A mean over all spatial axes.
bool isSpatialMean(const Program& program, const Op& op) {
    const Node& node = *op.node;
    const auto rank = static_cast<std::int64_t>(shapeOf(program, op.inputs[0]).size());
    if (!node.is("ReduceMean") || rank < 3 || rank > 5) return false;
    std::vector<std::int64_t> axes = node.intsAttribute("axes");
    if (op.inputs.size() > 1 && op.inputs[1] != kNoValue) {
        const auto& constant = program.values[op.inputs[1]].constant;
        if (!constant || constant->dtype() != DType::Int64) return false;
        axes.assign(constant->data<std::int64_t>().begin(), constant->data<std::int64_t>().end());
    }
    for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
    std::sort(axes.begin(), axes.end());
    if (static_cast<std::int64_t>(axes.size()) != rank - 2) return false;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        if (axes[i] != static_cast<std::int64_t>(i) + 2) return false;
    }
    return true;
}

/// Softmax over exactly one axis: the older definition flattens everything behind `axis`.
bool isSoftmaxUsable(const Program& program, const Op& op) {
    const auto rank = static_cast<std::int64_t>(shapeOf(program, op.inputs[0]).size());
    if (rank == 0) return false;
    if (program.opset >= 13) return true;
    std::int64_t axis = op.node->intAttribute("axis", 1);
    if (axis < 0) axis += rank;
    return axis + 1 == rank;
}

/// Scale and bias are constants, statistics are no outputs: then one pass a row computes it.
bool toRowNorm(const Program& program, Op& op) {
    const Shape& shape = shapeOf(program, op.inputs[0]);
    const auto rank = static_cast<std::int64_t>(shape.size());
    std::int64_t axis = op.node->intAttribute("axis", -1);
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank || op.inputs.size() < 2 || op.inputs[1] == kNoValue) return false;
    const Shape row(shape.begin() + axis, shape.end());
    const std::size_t parameters = op.inputs.size() > 2 && op.inputs[2] != kNoValue ? 2 : 1;
    for (std::size_t i = 1; i <= parameters; ++i) {
        const auto& constant = program.values[op.inputs[i]].constant;
        if (!constant || constant->shape() != row) return false;
    }
    op.inputs.resize(1 + parameters);
    op.rowNorm = {double(op.node->floatAttribute("epsilon", 1e-5F)), row.size(), true};
    return true;
}

/// Nearest neighbour by a whole factor: all coordinate modes but these pick floor(output / factor).
bool isResampleUsable(const Program& program, const Op& op) {
    const Node& node = *op.node;
    const Shape& input = shapeOf(program, op.inputs[0]);
    const Shape& output = shapeOf(program, op.outputs[0]);
    if (input.size() != 4 || output.size() != 4 || input[0] != output[0] || input[1] != output[1]) return false;
    if (node.stringAttribute("mode", "nearest") != "nearest") return false;
    if (output[2] % input[2] != 0 || output[3] % input[3] != 0) return false;
    const std::string how =
        node.stringAttribute("coordinate_transformation_mode", program.opset < 11 ? "asymmetric" : "half_pixel");
    const std::string rounding =
        node.stringAttribute("nearest_mode", program.opset < 11 ? "floor" : "round_prefer_floor");
    if (how == "asymmetric") return rounding == "floor";
    return (how == "half_pixel" || how == "pytorch_half_pixel") && rounding.starts_with("round_prefer");
}

/// The same bytes under another shape.
bool toAlias(const Program& program, Op& op) {
    const Value& input = program.values[op.inputs[0]];
    const Value& output = program.values[op.outputs[0]];
    if (!isAlias(*op.node) || isTraining(program, op) || !input.shape || !output.shape || input.constant) return false;
    if ((op.outputs.size() > 1 && op.outputs[1] != kNoValue) || input.dtype != output.dtype) return false;
    op.inputs.resize(1);
    op.outputs.resize(1);
    return true;
}

bool toPointwise(Program& program, Op& op) {
    if (op.outputs.size() != 1) return false;
    const bool areShapesKnown = std::all_of(op.inputs.begin(), op.inputs.end(), [&](ValueId id) {
        return id == kNoValue || program.values[id].shape.has_value();
    });
    if (!areShapesKnown) return false;
    std::size_t mainInput = 0;
    auto posts = pointwisePosts(program, *op.node, op.inputs, mainInput);
    if (!posts || shapeOf(program, op.inputs[mainInput]) != shapeOf(program, op.outputs[0])) return false;
    op.inputs = {op.inputs[mainInput]};
    op.posts = std::move(*posts);
    return true;
}

/// The kind of an operator all of whose inputs are float tensors of known shape.
Kind kindOfDense(Program& program, Op& op) {
    const Node& node = *op.node;
    if (node.is("Conv") && isConvUsable(program, op)) return Kind::Conv;
    if ((node.is("MatMul") || node.is("Gemm")) && toInnerProduct(program, op)) return Kind::InnerProduct;
    if (isMatMulUsable(program, op)) return Kind::MatMul;
    const bool isPool =
        node.is("MaxPool") || node.is("AveragePool") || node.is("GlobalAveragePool") || node.is("GlobalMaxPool");
    if (isPool && isPoolUsable(program, op)) return Kind::Pool;
    if (node.is("LRN") && shapeOf(program, op.inputs[0]).size() == 4) return Kind::Lrn;
    if (node.is("Softmax") && isSoftmaxUsable(program, op)) return Kind::Softmax;
    const bool hasOneOutput =
        std::count_if(op.outputs.begin(), op.outputs.end(), [](ValueId id) { return id != kNoValue; }) == 1;
    if (node.is("LayerNormalization") && hasOneOutput && toRowNorm(program, op)) {
        op.outputs.resize(1);
        return Kind::RowNorm;
    }
    if (node.is("Transpose")) return Kind::Transpose;
    if (node.is("Concat") && op.inputs.size() > 1) return Kind::Concat;
    return Kind::Plain;
}

}  // namespace

bool isGlobalPool(const Node& node) {
    return node.opType.starts_with("Global") || node.is("ReduceMean");
}

bool isElementwise(const Node& node) {
    static constexpr auto kNames = std::to_array<std::string_view>({"Abs",
                                                                    "Add",
                                                                    "And",
                                                                    "Cast",
                                                                    "Ceil",
                                                                    "Celu",
                                                                    "Clip",
                                                                    "Cos",
                                                                    "Div",
                                                                    "Elu",
                                                                    "Equal",
                                                                    "Erf",
                                                                    "Exp",
                                                                    "Floor",
                                                                    "Gelu",
                                                                    "Greater",
                                                                    "HardSigmoid",
                                                                    "HardSwish",
                                                                    "GreaterOrEqual",
                                                                    "Identity",
                                                                    "LeakyRelu",
                                                                    "Less",
                                                                    "LessOrEqual",
                                                                    "Log",
                                                                    "Max",
                                                                    "Mean",
                                                                    "Min",
                                                                    "Mish",
                                                                    "Mul",
                                                                    "Neg",
                                                                    "Not",
                                                                    "Or",
                                                                    "PRelu",
                                                                    "Pow",
                                                                    "Reciprocal",
                                                                    "Relu",
                                                                    "Round",
                                                                    "Selu",
                                                                    "Sigmoid",
                                                                    "Sign",
                                                                    "Sin",
                                                                    "Softplus",
                                                                    "Softsign",
                                                                    "Sqrt",
                                                                    "Sub",
                                                                    "Sum",
                                                                    "Tanh",
                                                                    "ThresholdedRelu",
                                                                    "Where",
                                                                    "Xor"});
    return node.domain.empty() && std::find(kNames.begin(), kNames.end(), node.opType) != kNames.end();
}

Window windowOf(const Node& node, const Shape& input, const Shape& output, const Shape& kernel) {
    const std::size_t spatial = input.size() - 2;
    Window window;
    window.kernel = kernel;
    window.strides = node.intsAttribute("strides", std::vector<std::int64_t>(spatial, 1));
    window.dilations = node.intsAttribute("dilations", std::vector<std::int64_t>(spatial, 1));
    const auto pads = node.intsAttribute("pads", std::vector<std::int64_t>(2 * spatial, 0));
    const std::string autoPad = node.stringAttribute("auto_pad", "NOTSET");
    if (window.kernel.size() != spatial || window.strides.size() != spatial || window.dilations.size() != spatial ||
        pads.size() != 2 * spatial) {
        window.kernel.clear();
        return window;
    }
    window.padsBegin.resize(spatial);
    window.padsEnd.resize(spatial);
    for (std::size_t i = 0; i < spatial; ++i) {
        const std::int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
        const std::int64_t total = (output[i + 2] - 1) * window.strides[i] + reach - input[i + 2];
        if (autoPad == "NOTSET" || autoPad.empty()) {
            window.padsBegin[i] = pads[i];
            window.isPaddedBeyondAttribute |= total - pads[i] > pads[i + spatial];
        } else if (autoPad == "VALID") {
            window.padsBegin[i] = 0;
        } else {
            const std::int64_t needed = std::max<std::int64_t>(total, 0);
            window.padsBegin[i] = autoPad == "SAME_LOWER" ? needed - needed / 2 : needed / 2;
        }
        window.padsEnd[i] = total - window.padsBegin[i];
    }
    return window;
}

void classify(Program& program, Op& op) {
    const Node& node = *op.node;
    op.kind = Kind::Plain;
    if (!program.fuse || !node.domain.empty() || op.inputs.empty() || op.inputs[0] == kNoValue || op.outputs.empty() ||
        op.outputs[0] == kNoValue)
        return;
    if (toAlias(program, op)) {
        op.kind = Kind::Alias;
        return;
    }
    if (!isDenseFloat(program, op.inputs[0]) || !isDenseFloat(program, op.outputs[0])) return;
    if (toPointwise(program, op)) {
        op.kind = Kind::Pointwise;
        return;
    }
    const bool isResize = node.is("Resize") || node.is("Upsample");
    const bool isMean = isSpatialMean(program, op);
    if (isResize || isMean) {
        if (isResize && !isResampleUsable(program, op)) return;
        op.kind = isResize ? Kind::Resample : Kind::Pool;
        op.inputs.resize(1);
        return;
    }
    if (std::all_of(op.inputs.begin(), op.inputs.end(), [&](ValueId id) { return isDenseFloat(program, id); }))
        op.kind = kindOfDense(program, op);
}

}  // namespace equant::ir
