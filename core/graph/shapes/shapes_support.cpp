// SPDX-License-Identifier: Apache-2.0
// Dimension arithmetic, broadcasting and reading of arguments for the operator families of shape inference.
#include <algorithm>
#include <cmath>

#include "core/graph/shapes/shapes_internal.h"

namespace equant::shapes {

namespace {

/// Longer integer vectors are data, not shapes or indices somebody computes shapes with.
constexpr std::int64_t kMaxEntries = 1 << 16;

/// Elements of a constant read as T, each given to `append`.
template <typename T, typename Append>
void eachElement(const Tensor& tensor, Append append) {
    for (const T value : tensor.data<T>()) append(value);
}

template <typename Append>
bool eachInteger(const Tensor& tensor, Append append) {
    const auto widen = [&](auto value) { append(static_cast<std::int64_t>(value)); };
    switch (tensor.dtype()) {
        case DType::Int64:
            eachElement<std::int64_t>(tensor, widen);
            return true;
        case DType::Int32:
            eachElement<std::int32_t>(tensor, widen);
            return true;
        case DType::Int16:
            eachElement<std::int16_t>(tensor, widen);
            return true;
        case DType::Int8:
            eachElement<std::int8_t>(tensor, widen);
            return true;
        case DType::Uint8:
            eachElement<std::uint8_t>(tensor, widen);
            return true;
        case DType::Uint16:
            eachElement<std::uint16_t>(tensor, widen);
            return true;
        case DType::Uint32:
            eachElement<std::uint32_t>(tensor, widen);
            return true;
        case DType::Bool:
            eachElement<std::uint8_t>(tensor, widen);
            return true;
        default:
            return false;
    }
}

bool isShortVector(const Tensor& tensor) {
    return tensor.rank() <= 1 && tensor.count() <= kMaxEntries;
}

}  // namespace

void reject(std::string text) {
    throw Contradiction{std::move(text)};
}

Inference::Inference(const Node& node, std::span<const Known* const> inputs, std::int64_t opset)
    : m_node(node), m_inputs(inputs), m_opset(opset), m_outputs(node.outputs.size()) {}

DType Inference::type(std::size_t i) const {
    return has(i) && m_inputs[i] ? m_inputs[i]->dtype : DType::Undefined;
}

const MaybeShape& Inference::shape(std::size_t i) const {
    static const MaybeShape kNone;
    return has(i) && m_inputs[i] ? m_inputs[i]->shape : kNone;
}

void Inference::requireRank(std::size_t i, std::size_t least, std::size_t most) const {
    const auto& known = shape(i);
    if (!known) return;
    const auto rank = known->size();
    if (least == most) {
        require(rank == least, "input {} must have {} dimensions, it has {}", i, least, rank);
    } else {
        require(rank >= least, "input {} must have at least {} dimensions, it has {}", i, least, rank);
        require(rank <= most, "input {} must have at most {} dimensions, it has {}", i, most, rank);
    }
}

const Tensor* Inference::constant(std::size_t i) const {
    return has(i) && m_inputs[i] && m_inputs[i]->constant ? &*m_inputs[i]->constant : nullptr;
}

std::optional<Entries> Inference::entries(std::size_t i) const {
    if (const Tensor* tensor = constant(i)) {
        Entries result;
        // The smallest integer (an "end" of Slice) counts as its neighbour: kUnknownEntry has taken its place.
        const auto append = [&](std::int64_t v) { result.push_back(std::max(v, kUnknownEntry + 1)); };
        if (isShortVector(*tensor) && eachInteger(*tensor, append)) return result;
        return std::nullopt;
    }
    return has(i) && m_inputs[i] ? m_inputs[i]->entries : std::nullopt;
}

std::optional<Entries> Inference::integers(std::size_t i) const {
    auto result = entries(i);
    if (result && std::ranges::find(*result, kUnknownEntry) != result->end()) result.reset();
    return result;
}

std::optional<std::vector<double>> Inference::numbers(std::size_t i) const {
    const Tensor* tensor = constant(i);
    if (!tensor || !isShortVector(*tensor)) return std::nullopt;
    std::vector<double> result;
    const auto append = [&](auto value) { result.push_back(static_cast<double>(value)); };
    switch (tensor->dtype()) {
        case DType::Float:
            eachElement<float>(*tensor, append);
            return result;
        case DType::Double:
            eachElement<double>(*tensor, append);
            return result;
        case DType::Float16:
            eachElement<std::uint16_t>(*tensor, [&](std::uint16_t v) { append(halfToFloat(v)); });
            return result;
        default:
            if (eachInteger(*tensor, append)) return result;
            return std::nullopt;
    }
}

std::optional<std::size_t> Inference::length(std::size_t i) const {
    if (const auto known = entries(i)) return known->size();
    const auto& known = shape(i);
    if (!known || known->size() > 1) return std::nullopt;
    if (known->empty()) return 1;
    if (known->front() < 0 || known->front() > kMaxEntries) return std::nullopt;
    return static_cast<std::size_t>(known->front());
}

void Inference::set(std::size_t k, DType type, MaybeShape shape) {
    if (k >= m_outputs.size()) return;
    if (shape) {
        for (auto& dim : *shape) dim = std::max(dim, kUnknown);
        static_cast<void>(productOf(*shape));
    }
    m_outputs[k].dtype = type;
    m_outputs[k].shape = std::move(shape);
}

void Inference::setConstant(std::size_t k, Tensor tensor) {
    if (k >= m_outputs.size()) return;
    m_outputs[k].dtype = tensor.dtype();
    m_outputs[k].shape = tensor.shape();
    m_outputs[k].constant = std::move(tensor);
}

std::int64_t checkedAdd(std::int64_t a, std::int64_t b) {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) reject("a dimension would overflow");
    return sum;
}

std::int64_t checkedMul(std::int64_t a, std::int64_t b) {
    std::int64_t product = 0;
    if (__builtin_mul_overflow(a, b, &product)) reject("a dimension would overflow");
    return product;
}

std::int64_t addDims(std::int64_t a, std::int64_t b) {
    return a < 0 || b < 0 ? kUnknown : checkedAdd(a, b);
}

std::int64_t mulDims(std::int64_t a, std::int64_t b) {
    if (a == 0 || b == 0) return 0;
    return a < 0 || b < 0 ? kUnknown : checkedMul(a, b);
}

std::int64_t productOf(std::span<const std::int64_t> dims) {
    if (std::ranges::find(dims, 0) != dims.end()) return 0;
    std::int64_t known = 1;
    bool isKnown = true;
    for (const auto dim : dims) {
        if (dim < 0) {
            isKnown = false;
        } else {
            known = checkedMul(known, dim);
        }
    }
    return isKnown ? known : kUnknown;
}

std::int64_t floorDiv(std::int64_t a, std::int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
}

std::int64_t sliceCount(std::int64_t dim, std::int64_t start, std::int64_t end, std::int64_t step) {
    require(step != 0, "expected a step other than 0");
    if (dim < 0) return kUnknown;
    if (start < 0) start = checkedAdd(start, dim);
    // Ends below -dim, the smallest integers among them, mean "before the first element".
    if (end < 0) end = end < -dim ? -1 : end + dim;
    if (step > 0) {
        start = std::clamp<std::int64_t>(start, 0, dim);
        end = std::clamp<std::int64_t>(end, 0, dim);
        return end <= start ? 0 : (end - start - 1) / step + 1;
    }
    start = std::clamp<std::int64_t>(start, -1, dim - 1);
    end = std::clamp<std::int64_t>(end, -1, dim - 1);
    if (start <= end) return 0;
    const auto stride = step == std::numeric_limits<std::int64_t>::min() ? dim : -step;
    return (start - end - 1) / stride + 1;
}

std::int64_t dimFromReal(double value) {
    constexpr double kLimit = 9.0e18;
    require(std::isfinite(value) && value >= 0 && value < kLimit, "{} is not a possible dimension", value);
    return static_cast<std::int64_t>(std::floor(value));
}

std::int64_t unify(std::int64_t a, std::int64_t b, std::string_view what) {
    if (a < 0) return b;
    if (b < 0) return a;
    require(a == b, "expected {} to agree, they are {} and {}", what, a, b);
    return a;
}

std::int64_t broadcastDim(std::int64_t a, std::int64_t b) {
    if (a == 1) return b;
    if (b == 1) return a;
    if (a < 0) return b;
    if (b < 0) return a;
    require(a == b, "expected dimensions that broadcast, found {} against {}", a, b);
    return a;
}

Shape broadcastShapes(const Shape& a, const Shape& b) {
    const Shape& longer = a.size() >= b.size() ? a : b;
    const Shape& shorter = a.size() >= b.size() ? b : a;
    Shape result = longer;
    const auto offset = longer.size() - shorter.size();
    for (std::size_t i = 0; i < shorter.size(); ++i) {
        result[offset + i] = broadcastDim(longer[offset + i], shorter[i]);
    }
    return result;
}

MaybeShape broadcastInputs(const Inference& in, std::size_t first, std::size_t count) {
    Shape result;
    bool isKnown = true;
    for (std::size_t i = first; i < first + count; ++i) {
        if (const auto& shape = in.shape(i)) {
            result = broadcastShapes(result, *shape);
        } else {
            isKnown = false;
        }
    }
    return isKnown ? MaybeShape(result) : std::nullopt;
}

void requireBroadcastsTo(const Shape& from, const Shape& to, std::string_view what) {
    require(from.size() <= to.size(), "expected {} to have at most {} dimensions", what, to.size());
    const auto offset = to.size() - from.size();
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto source = from[i];
        const auto target = to[offset + i];
        require(source < 0 || source == 1 || target < 0 || source == target, "expected {} to broadcast to {}, found {}",
                what, toString(to), toString(from));
    }
}

std::size_t axisOf(std::int64_t axis, std::size_t rank) {
    const auto signedRank = static_cast<std::int64_t>(rank);
    require(axis >= -signedRank && axis < signedRank, "axis {} is outside the {} dimensions of the input", axis, rank);
    return static_cast<std::size_t>(axis < 0 ? axis + signedRank : axis);
}

Axes axesOf(std::span<const std::int64_t> axes, std::size_t rank) {
    Axes result;
    for (const auto axis : axes) {
        const auto index = axisOf(axis, rank);
        require(std::ranges::find(result, index) == result.end(), "axis {} is named twice", axis);
        result.push_back(index);
    }
    return result;
}

Shape unknownDims(std::size_t rank) {
    return Shape(rank, kUnknown);
}

std::optional<Entries> integersFrom(const Inference& in, std::string_view attribute, std::size_t slot,
                                    std::int64_t since) {
    if (in.opset() < since) return in.node().intsAttribute(attribute);
    if (in.has(slot)) return in.integers(slot);
    // Some exporters keep the attribute in newer opsets; runtimes ignore it, so does this.
    return Entries{};
}

void inferSame(Inference& in) {
    in.set(0, in.type(0), in.shape(0));
}

}  // namespace equant::shapes
