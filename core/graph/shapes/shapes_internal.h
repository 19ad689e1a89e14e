// SPDX-License-Identifier: Apache-2.0
// What the operator families of shape inference (shapes_*.cpp) share; nobody outside core/graph/shapes* includes it.
// A family function reads its inputs from an Inference and sets the outputs it knows. It reports contradictions with
// reject()/require(), which throw Contradiction; inferKnown() turns that into an Error, so it never leaves the room.
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/graph/shapes/shapes.h"

namespace equant::shapes {

inline constexpr std::int64_t kUnknown = -1;  ///< a dimension nobody knows yet
/// An entry of a shape-like vector nobody knows yet (-1 means something to Reshape, so it cannot be that).
inline constexpr std::int64_t kUnknownEntry = std::numeric_limits<std::int64_t>::min();

/// Contents of a short integer scalar or vector, entry by entry known or kUnknownEntry.
using Entries = std::vector<std::int64_t>;
using Axes = std::vector<std::size_t>;
using MaybeShape = std::optional<Shape>;

/// ValueFacts plus what is partly known of the contents.
struct Known : ValueFacts {
    std::optional<Entries> entries;
};

struct Contradiction {
    std::string text;
};

[[noreturn]] void reject(std::string text);

template <typename... Args>
void require(bool isTrue, fmt::format_string<Args...> text, Args&&... args) {
    if (!isTrue) reject(fmt::format(text, std::forward<Args>(args)...));
}

/// One node, what is known of its inputs, and what its family function found out about its outputs.
class Inference {
public:
    /// `inputs` has one pointer per node input, null where nothing is known or the input is omitted.
    Inference(const Node& node, std::span<const Known* const> inputs, std::int64_t opset);

    [[nodiscard]] const Node& node() const { return m_node; }
    [[nodiscard]] std::int64_t opset() const { return m_opset; }

    [[nodiscard]] std::size_t inputCount() const { return m_inputs.size(); }
    [[nodiscard]] bool has(std::size_t i) const { return i < m_inputs.size() && m_node.hasInput(i); }
    [[nodiscard]] DType type(std::size_t i) const;
    [[nodiscard]] const MaybeShape& shape(std::size_t i) const;
    /// Rejects when the rank of input i is known and outside [least, most].
    void requireRank(std::size_t i, std::size_t least,
                     std::size_t most = std::numeric_limits<std::size_t>::max()) const;
    [[nodiscard]] const Tensor* constant(std::size_t i) const;
    /// Contents of an integer scalar or vector as far as known.
    [[nodiscard]] std::optional<Entries> entries(std::size_t i) const;
    /// The same, only if known completely.
    [[nodiscard]] std::optional<Entries> integers(std::size_t i) const;
    /// Contents of a constant numeric scalar or vector.
    [[nodiscard]] std::optional<std::vector<double>> numbers(std::size_t i) const;
    /// Number of entries of a scalar or vector input, known from its shape or contents.
    [[nodiscard]] std::optional<std::size_t> length(std::size_t i) const;

    [[nodiscard]] std::size_t outputCount() const { return m_outputs.size(); }
    /// Ignored for outputs the node does not have. Rejects shapes whose element count overflows.
    void set(std::size_t k, DType type, MaybeShape shape);
    void setConstant(std::size_t k, Tensor tensor);
    [[nodiscard]] Known& output(std::size_t k) { return m_outputs[k]; }
    [[nodiscard]] std::vector<Known> takeOutputs() { return std::move(m_outputs); }

private:
    const Node& m_node;
    std::span<const Known* const> m_inputs;
    std::int64_t m_opset;
    std::vector<Known> m_outputs;
};

// Arithmetic on dimensions: unknown in, unknown out; overflow is rejected.
[[nodiscard]] std::int64_t addDims(std::int64_t a, std::int64_t b);
[[nodiscard]] std::int64_t mulDims(std::int64_t a, std::int64_t b);
[[nodiscard]] std::int64_t productOf(std::span<const std::int64_t> dims);
// The same on plain numbers, which may be negative.
[[nodiscard]] std::int64_t checkedAdd(std::int64_t a, std::int64_t b);
[[nodiscard]] std::int64_t checkedMul(std::int64_t a, std::int64_t b);
/// Elements of [0, dim) that start:end:step visits, with Python's clamping; `dim` may be unknown.
[[nodiscard]] std::int64_t sliceCount(std::int64_t dim, std::int64_t start, std::int64_t end, std::int64_t step);
[[nodiscard]] std::int64_t floorDiv(std::int64_t a, std::int64_t b);  ///< b > 0
/// floor(value) as a dimension; rejects what is negative, not finite or too large.
[[nodiscard]] std::int64_t dimFromReal(double value);

/// The common value of two dimensions that must be equal; rejects with `what` when they are known and differ.
[[nodiscard]] std::int64_t unify(std::int64_t a, std::int64_t b, std::string_view what);
[[nodiscard]] std::int64_t broadcastDim(std::int64_t a, std::int64_t b);
/// Multidirectional broadcasting (ONNX Broadcasting.md).
[[nodiscard]] Shape broadcastShapes(const Shape& a, const Shape& b);
/// Broadcast of inputs [first, first + count); nullopt when a rank is unknown.
[[nodiscard]] MaybeShape broadcastInputs(const Inference& in, std::size_t first, std::size_t count);
/// Rejects unless `from` broadcasts to `to` without changing it.
void requireBroadcastsTo(const Shape& from, const Shape& to, std::string_view what);

/// `axis` in [-rank, rank) as an index.
[[nodiscard]] std::size_t axisOf(std::int64_t axis, std::size_t rank);
/// As axisOf for several; rejects duplicates.
[[nodiscard]] Axes axesOf(std::span<const std::int64_t> axes, std::size_t rank);
[[nodiscard]] Shape unknownDims(std::size_t rank);
/// Contents of an integer attribute (opsets below `since`) or input `slot` (from `since` on); nullopt when the input
/// is there but its contents are not known completely; empty when absent.
[[nodiscard]] std::optional<Entries> integersFrom(const Inference& in, std::string_view attribute, std::size_t slot,
                                                  std::int64_t since);

using InferFunction = void (*)(Inference&);
using Table = std::unordered_map<std::string_view, InferFunction>;

/// The family function of an operator of ai.onnx; null for operators nobody knows.
[[nodiscard]] InferFunction findInferFunction(std::string_view opType);

/// Output 0 has type and shape of input 0.
void inferSame(Inference& in);

// The families; each adds its operators.
void addConvolution(Table& table);
void addPooling(Table& table);
void addElementwise(Table& table);
void addNormalization(Table& table);
void addReduction(Table& table);
void addMatrix(Table& table);
void addReshaping(Table& table);
void addMovement(Table& table);
void addSelection(Table& table);
void addGeneration(Table& table);
void addImage(Table& table);
void addQuantized(Table& table);
void addRecurrent(Table& table);
void addControl(Table& table);

/// Carries contents of shape-like vectors through Gather, Concat, Slice, arithmetic ... (shapes_entries.cpp). Contents
/// known completely become constants.
void propagateEntries(Inference& in);

/// inferNode with partly known contents.
Result<std::vector<Known>> inferKnown(const Node& node, std::span<const Known* const> inputs, std::int64_t opset);

}  // namespace equant::shapes
