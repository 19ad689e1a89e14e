// SPDX-License-Identifier: Apache-2.0
// The graph between ONNX and the plan: constants folded and quantized, operators sorted into a few kinds, pointwise
// chains explicit so that they can be fused. A value without oneDNN types; refers to nodes of the model, or of
// ownModel, and lives while compile() runs. Functions on different programs: any thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/model.h"
#include "core/runtime/compile_options.h"

namespace equant {
struct LookupTable;
}

namespace equant::ir {

using ValueId = std::size_t;
inline constexpr ValueId kNoValue = static_cast<ValueId>(-1);
/// No operator: where an index into Program::ops may be absent.
inline constexpr std::size_t kNoOp = static_cast<std::size_t>(-1);

struct Value {
    std::string name;
    DType dtype = DType::Undefined;
    std::optional<Shape> shape;      ///< absent: known only while running
    std::optional<Tensor> constant;  ///< already fake-quantized
    bool isOutput = false;
    std::optional<std::size_t> tap;
    std::size_t uses = 0;  ///< reads by operators; kept up to date by the rewrites

    /// Needed in memory outside the program, so that no fusion may remove it.
    [[nodiscard]] bool isPinned() const { return isOutput || tap.has_value(); }
};

/// How a second operand spreads over the values of a chain.
enum class Spread {
    Same,      ///< one per element
    Scalar,    ///< one for all
    Channel,   ///< one per index of axis 1
    LastAxis,  ///< one per index of the last axis (rank > 2)
    Other
};

/// y = f(x), element by element, with the parameters Post::alpha (a) and Post::beta (b).
enum class EltwiseFunction {
    Relu,     ///< x where x > 0, else a x
    Clip,     ///< min(max(x, a), b)
    Linear,   ///< a x + b
    Sigmoid,  ///< 1 / (1 + exp(-x))
    Tanh,
    Elu,  ///< x where x > 0, else a (exp(x) - 1)
    Exp,
    Abs,
    Sqrt,
    Swish,      ///< x / (1 + exp(-a x))
    HardSwish,  ///< x min(max(x / 6 + 1 / 2, 0), 1)
    GeluErf,    ///< x / 2 (1 + erf(x / sqrt(2)))
    GeluTanh    ///< x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
};

/// z = f(x, y), element by element; y is Post::operand.
enum class BinaryFunction { Add, Sub, Mul, Div, Max, Min };

/// One link of a pointwise chain.
struct Post {
    enum class Kind { Eltwise, Binary, FakeQuant, Table };
    Kind kind = Kind::Eltwise;
    EltwiseFunction eltwise = EltwiseFunction::Relu;  ///< of Kind::Eltwise
    BinaryFunction binary = BinaryFunction::Add;      ///< of Kind::Binary
    float alpha = 0.0F;
    float beta = 0.0F;
    ValueId operand = kNoValue;
    Spread spread = Spread::Scalar;
    std::shared_ptr<const Encoding> encoding;
    std::shared_ptr<const LookupTable> table;  ///< of Kind::Table
};

enum class Kind {
    Plain,         ///< by the kernel of its node
    Alias,         ///< the same bytes under another shape
    Transpose,     ///< a reorder
    Pointwise,     ///< inputs[0] through `posts`
    Conv,          ///< x, w, bias?
    InnerProduct,  ///< x, constant w, bias?; x as rows
    MatMul,
    Pool,
    Lrn,
    Softmax,
    Concat,
    Resample,
    RowNorm,  ///< x, gamma?, beta? (constants): see RowNorm
    Dead
};

/// (x - mean) / sqrt(variance + epsilon), then times gamma, plus beta, over rows of the last `axes` axes.
struct RowNorm {
    double epsilon = 0.0;
    std::size_t axes = 1;
    bool isCentered = true;  ///< false: no mean is subtracted, the mean square replaces the variance
};

struct Op {
    Kind kind = Kind::Plain;
    const Node* node = nullptr;  ///< attributes, and the kernel to fall back to; null for inserted operators
    std::string label;
    std::vector<ValueId> inputs;
    std::vector<ValueId> outputs;
    std::vector<Post> posts;
    std::vector<ValueId> nodeInputs;  ///< what the node's own kernel would read
    bool hasNodeSemantics = true;     ///< still equals `node` (nothing fused in): may fall back to its kernel
    bool isWeightTransposed = false;  ///< InnerProduct: w is [K, N] rather than [N, K]
    RowNorm rowNorm;
};

struct Program {
    std::int64_t opset = 1;
    bool fuse = true;
    std::deque<Value> values;  ///< references stay valid while constants are added
    std::vector<Op> ops;       ///< in execution order
    std::vector<ValueId> inputs;
    std::vector<ValueId> outputs;
    std::vector<ValueId> taps;
    std::vector<std::shared_ptr<const Node>> ownNodes;
    std::shared_ptr<const Model> ownModel;  ///< what the operators' nodes belong to, where the given model was expanded
};

/// Reads the model: resolves shapes, folds constants, applies the overlay, classifies operators.
Result<Program> lower(const Model& model, const CompileOptions& options);

/// Rewrites the program so that fewer operators do the same (see fusion.cpp for the list).
void fuseOperators(Program& program);

/// Recognises operators written as chains of smaller ones (see composites.cpp).
void fuseComposites(Program& program);

/// Replaces what is computed from one quantized value alone (its gate, their product, their quantizers) by a table.
void tabulateQuantized(Program& program);

/// The posts that replace a pointwise node, or nullopt. May append constants to the program.
std::optional<std::vector<Post>> pointwisePosts(Program& program, const Node& node, const std::vector<ValueId>& inputs,
                                                std::size_t& mainInput);

/// How an operand of shape `operand` spreads over `shape`.
Spread spreadOf(const Shape& operand, const Shape& shape);

/// Adds a constant value.
ValueId addConstant(Program& program, std::string name, Tensor tensor);

}  // namespace equant::ir
