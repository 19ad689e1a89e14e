// SPDX-License-Identifier: Apache-2.0
// What the plain kernels share: argument checks, axes, strides, broadcasting loops and dispatch over element types.
// Private to core/runtime. Everything here is a pure function or a short-lived value; any thread may use it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/runtime/kernels/kernel_internal.h"

namespace equant::kernels {

using Dims = std::span<const std::int64_t>;

template <typename... Args>
[[nodiscard]] tl::unexpected<Error> invalid(fmt::format_string<Args...> text, Args&&... args) {
    return fail(ErrorCode::InvalidArgument, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> unsupported(fmt::format_string<Args...> text, Args&&... args) {
    return fail(ErrorCode::Unsupported, fmt::format(text, std::forward<Args>(args)...));
}

/// The inputs of one call; indices beyond the node's inputs read as omitted.
class Inputs {
public:
    explicit Inputs(std::span<const TensorView> views) : m_views(views) {}
    [[nodiscard]] std::size_t size() const { return m_views.size(); }
    [[nodiscard]] std::span<const TensorView> all() const { return m_views; }
    [[nodiscard]] bool has(std::size_t i) const { return i < m_views.size() && !m_views[i].isOmitted(); }
    const TensorView& operator[](std::size_t i) const { return i < m_views.size() ? m_views[i] : kOmitted; }

private:
    inline static const TensorView kOmitted{};
    std::span<const TensorView> m_views;
};

/// Fails unless the first `count` inputs are there.
Status requireInputs(std::span<const TensorView> inputs, std::size_t count);

/// A Kernel from a body `Status(Inputs, KernelOutputs&)` that needs its first `required` inputs.
template <typename F>
[[nodiscard]] Kernel makeChecked(std::size_t required, F body) {
    return [required, body = std::move(body)](std::span<const TensorView> views, KernelOutputs& outputs) -> Status {
        if (auto status = requireInputs(views, required); !status) return status;
        try {
            return body(Inputs(views), outputs);
        } catch (const std::bad_alloc&) {
            return fail(ErrorCode::OutOfMemory, "There is not enough memory for an operator's intermediate results.");
        } catch (const std::length_error&) {
            return fail(ErrorCode::OutOfMemory, "An operator's intermediate result is too large for this machine.");
        }
    };
}

/// A kernel for float that also takes and gives float16 and bfloat16, converting at its borders.
[[nodiscard]] Kernel withHalfTypes(Kernel kernel);
template <KernelFactory make>
Result<Kernel> halfToo(const Node& node, std::int64_t opset) {
    auto kernel = make(node, opset);
    if (!kernel) return kernel;
    return withHalfTypes(std::move(*kernel));
}

/// Tables of a family that is spread over several files, in one.
[[nodiscard]] std::vector<KernelEntry> joinTables(std::initializer_list<std::span<const KernelEntry>> tables);

// --- outputs -----------------------------------------------------------------------------------------------------

/// Memory for output `index`: null when the output is omitted. Refuses shapes whose size overflows.
Result<std::byte*> makeOutput(KernelOutputs& outputs, std::size_t index, DType type, const Shape& shape);
template <typename T>
Result<T*> makeOutputAs(KernelOutputs& outputs, std::size_t index, const Shape& shape) {
    auto memory = makeOutput(outputs, index, kDTypeOf<T>, shape);
    if (!memory) return fail(std::move(memory.error()));
    return reinterpret_cast<T*>(*memory);
}
/// Output `index` is input `view` under another shape of equal count (or the same).
Status copyAs(const TensorView& view, const Shape& shape, KernelOutputs& outputs, std::size_t index = 0);

// --- small arguments ---------------------------------------------------------------------------------------------

/// Values of an int32 / int64 (or narrower) tensor, flattened.
Result<std::vector<std::int64_t>> readIntegers(const TensorView& view);
/// Values of any numeric tensor as double, flattened.
Result<std::vector<double>> readNumbers(const TensorView& view);
/// An integer list that newer opsets take as input `slot` and older ones as attribute `key`; empty if neither is there.
Result<std::vector<std::int64_t>> integersFrom(const Inputs& inputs, std::size_t slot,
                                               const std::vector<std::int64_t>& attribute);

// --- shapes ------------------------------------------------------------------------------------------------------

[[nodiscard]] inline Shape shapeOf(const TensorView& view) {
    return {view.shape.begin(), view.shape.end()};
}
[[nodiscard]] inline std::int64_t rankOf(const TensorView& view) {
    return static_cast<std::int64_t>(view.shape.size());
}
[[nodiscard]] inline std::int64_t product(Dims dims) {
    return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
}
[[nodiscard]] inline std::string show(Dims dims) {
    return toString(Shape(dims.begin(), dims.end()));
}
[[nodiscard]] inline std::size_t bytesPerElement(DType type) {
    return static_cast<std::size_t>(bitWidth(type)) / 8;
}

/// Axis in [0, rank) of one that may be counted from the end.
Result<std::int64_t> normalizeAxis(std::int64_t axis, std::int64_t rank);
/// The same for a list, which must not repeat an axis; the order is kept.
Result<std::vector<std::int64_t>> normalizeAxes(const std::vector<std::int64_t>& axes, std::int64_t rank);
/// Row-major strides in elements.
[[nodiscard]] Shape stridesOf(Dims dims);
/// Numpy-style broadcast of two shapes.
Result<Shape> broadcastShapes(Dims a, Dims b);
/// Strides that walk a tensor of shape `dims` as if it had shape `target` (0 where it is repeated).
[[nodiscard]] Shape broadcastStrides(Dims dims, Dims target);

// --- loops -------------------------------------------------------------------------------------------------------

/// A nest of loops over `dims` for N operands with their strides; dims.back() is the innermost.
template <std::size_t N>
struct LoopNest {
    Shape dims;
    std::array<Shape, N> strides;
};

/// The same loops with axes of extent 1 dropped and axes merged where every operand allows it. Never without an axis.
template <std::size_t N>
[[nodiscard]] LoopNest<N> collapsed(const LoopNest<N>& nest) {
    LoopNest<N> result;
    for (std::size_t axis = 0; axis < nest.dims.size(); ++axis) {
        if (nest.dims[axis] == 1) continue;
        bool canMerge = !result.dims.empty();
        for (std::size_t k = 0; k < N && canMerge; ++k) {
            canMerge = result.strides[k].back() == nest.strides[k][axis] * nest.dims[axis];
        }
        if (canMerge) {
            result.dims.back() *= nest.dims[axis];
        } else {
            result.dims.push_back(nest.dims[axis]);
        }
        for (std::size_t k = 0; k < N; ++k) {
            if (canMerge) {
                result.strides[k].back() = nest.strides[k][axis];
            } else {
                result.strides[k].push_back(nest.strides[k][axis]);
            }
        }
    }
    if (result.dims.empty()) {
        result.dims.push_back(1);
        for (auto& strides : result.strides) strides.push_back(0);
    }
    return result;
}

/// Calls `body(offsets)` for every row, that is every index of all axes but the innermost.
template <std::size_t N, typename F>
void forEachRow(const LoopNest<N>& nest, F body) {
    if (product(nest.dims) == 0) return;
    const std::size_t outer = nest.dims.size() - 1;
    std::array<std::int64_t, N> offsets{};
    Shape index(outer, 0);
    for (;;) {
        body(std::as_const(offsets));
        std::size_t axis = outer;
        while (axis > 0) {
            --axis;
            for (std::size_t k = 0; k < N; ++k) offsets[k] += nest.strides[k][axis];
            if (++index[axis] < nest.dims[axis]) break;
            for (std::size_t k = 0; k < N; ++k) offsets[k] -= nest.strides[k][axis] * nest.dims[axis];
            index[axis] = 0;
            if (axis == 0) return;
        }
        if (outer == 0) return;
    }
}

/// Calls `body(offsets)` for every index of the nest.
template <std::size_t N, typename F>
void forEachElement(const LoopNest<N>& nest, F body) {
    forEachRow(nest, [&](std::array<std::int64_t, N> offsets) {
        for (std::int64_t i = 0; i < nest.dims.back(); ++i) {
            body(std::as_const(offsets));
            for (std::size_t k = 0; k < N; ++k) offsets[k] += nest.strides[k].back();
        }
    });
}

/// A tensor seen around one axis: [outer, extent, inner].
struct AxisSplit {
    std::int64_t outer = 1;
    std::int64_t extent = 1;
    std::int64_t inner = 1;
};
[[nodiscard]] inline AxisSplit splitAt(Dims dims, std::int64_t axis) {
    const auto at = static_cast<std::size_t>(axis);
    return {product(dims.first(at)), dims[at], product(dims.subspan(at + 1))};
}

// --- element types -----------------------------------------------------------------------------------------------

template <typename... Ts>
struct Types {};
using FloatTypes = Types<float, double>;
using SignedTypes = Types<float, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t>;
using IntegerTypes = Types<std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint64_t, std::uint32_t,
                           std::uint16_t, std::uint8_t>;
using NumberTypes = Types<float, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint64_t,
                          std::uint32_t, std::uint16_t, std::uint8_t>;
using NumberAndBoolTypes = Types<float, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint64_t,
                                 std::uint32_t, std::uint16_t, std::uint8_t, bool>;

/// Calls `body.operator()<T>()` for the element type; Unsupported when it is not in the list.
template <typename... Ts, typename F>
Status dispatch(Types<Ts...>, DType type, F&& body) {
    Status status;
    const bool isFound = ((type == kDTypeOf<Ts> && (status = body.template operator()<Ts>(), true)) || ...);
    if (!isFound) return unsupported("Elements of type {} are not supported by this operator.", name(type));
    return status;
}

/// Calls `body.operator()<U>()` with the unsigned integer of the element's size: for kernels that only move data.
template <typename F>
Status dispatchBySize(DType type, F&& body) {
    switch (bitWidth(type)) {
        case 8:
            return body.template operator()<std::uint8_t>();
        case 16:
            return body.template operator()<std::uint16_t>();
        case 32:
            return body.template operator()<std::uint32_t>();
        case 64:
            return body.template operator()<std::uint64_t>();
        default:
            return unsupported("Elements of type {} are not supported by this operator.", name(type));
    }
}

/// The nearest T, saturating (NaN becomes 0): conversions that C++ leaves undefined are defined here.
template <typename T>
[[nodiscard]] T saturated(double value) {
    if constexpr (std::is_same_v<T, bool>) {
        return value != 0;
    } else if constexpr (std::is_floating_point_v<T>) {
        return static_cast<T>(value);
    } else {
        if (std::isnan(value)) return T{0};
        if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
        if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
        return static_cast<T>(value);
    }
}

/// Integers wide enough that two T can be added and multiplied in them without undefined overflow.
template <typename T>
using Wrapping = std::conditional_t<(sizeof(T) < 4), std::uint32_t, std::make_unsigned_t<T>>;

template <typename T>
[[nodiscard]] T wrapAdd(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
        return a + b;
    } else {
        return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
    }
}
template <typename T>
[[nodiscard]] T wrapSubtract(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
        return a - b;
    } else {
        return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
    }
}
template <typename T>
[[nodiscard]] T wrapMultiply(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
        return a * b;
    } else {
        return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
    }
}

}  // namespace equant::kernels
