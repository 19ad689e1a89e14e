// SPDX-License-Identifier: Apache-2.0
// A dense tensor as a value: element type, shape, and bytes shared copy-on-write between copies.
// Copying is cheap and thread-safe; mutableData() on one copy never changes another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace equant {

/// Element types with the numbers of ONNX TensorProto.DataType (up to IR version 10).
enum class DType : std::int32_t {
    Undefined = 0,
    Float = 1,
    Uint8 = 2,
    Int8 = 3,
    Uint16 = 4,
    Int16 = 5,
    Int32 = 6,
    Int64 = 7,
    String = 8,
    Bool = 9,
    Float16 = 10,
    Double = 11,
    Uint32 = 12,
    Uint64 = 13,
    Complex64 = 14,
    Complex128 = 15,
    Bfloat16 = 16,
    Float8E4M3FN = 17,
    Float8E4M3FNUZ = 18,
    Float8E5M2 = 19,
    Float8E5M2FNUZ = 20,
    Uint4 = 21,
    Int4 = 22,
};

/// ONNX's name of the type in lower case: "float", "int64", ...
[[nodiscard]] std::string_view name(DType type);
/// Bits one element takes in memory: 4 for int4, 0 for string and undefined.
[[nodiscard]] int bitWidth(DType type);

using Shape = std::vector<std::int64_t>;

/// Number of elements; 1 for a scalar. The shape must be known (no negative dimension).
[[nodiscard]] std::int64_t elementCount(const Shape& shape);
/// The count, or OutOfRange when it or its bytes would overflow; InvalidArgument for negative dimensions.
Result<std::int64_t> checkedElementCount(const Shape& shape, DType type);
/// "1x3x224x224"; "scalar" for rank 0; unknown dimensions as "?".
[[nodiscard]] std::string toString(const Shape& shape);

template <typename T>
inline constexpr DType kDTypeOf = DType::Undefined;
template <>
inline constexpr DType kDTypeOf<float> = DType::Float;
template <>
inline constexpr DType kDTypeOf<double> = DType::Double;
template <>
inline constexpr DType kDTypeOf<std::uint8_t> = DType::Uint8;
template <>
inline constexpr DType kDTypeOf<std::int8_t> = DType::Int8;
template <>
inline constexpr DType kDTypeOf<std::uint16_t> = DType::Uint16;
template <>
inline constexpr DType kDTypeOf<std::int16_t> = DType::Int16;
template <>
inline constexpr DType kDTypeOf<std::int32_t> = DType::Int32;
template <>
inline constexpr DType kDTypeOf<std::uint32_t> = DType::Uint32;
template <>
inline constexpr DType kDTypeOf<std::int64_t> = DType::Int64;
template <>
inline constexpr DType kDTypeOf<std::uint64_t> = DType::Uint64;
template <>
inline constexpr DType kDTypeOf<bool> = DType::Bool;

class Tensor {
public:
    Tensor() = default;
    /// Zero-filled. The shape must be fully known and pass checkedElementCount.
    Tensor(DType type, Shape shape);
    /// Copies the values.
    template <typename T>
    Tensor(Shape shape, std::span<const T> values) : Tensor(kDTypeOf<T>, std::move(shape)) {
        assign(values.data(), values.size() * sizeof(T));
    }
    template <typename T>
    Tensor(Shape shape, const std::vector<T>& values) : Tensor(std::move(shape), std::span<const T>(values)) {}
    template <typename T>
    Tensor(Shape shape, std::initializer_list<T> values)
        : Tensor(std::move(shape), std::span<const T>(values.begin(), values.size())) {}

    [[nodiscard]] DType dtype() const { return m_type; }
    [[nodiscard]] const Shape& shape() const { return m_shape; }
    [[nodiscard]] int rank() const { return static_cast<int>(m_shape.size()); }
    [[nodiscard]] std::int64_t dim(int axis) const { return m_shape[static_cast<std::size_t>(axis)]; }
    [[nodiscard]] std::int64_t count() const { return m_count; }
    [[nodiscard]] std::size_t sizeBytes() const { return m_sizeBytes; }
    [[nodiscard]] bool isEmpty() const { return m_type == DType::Undefined; }  ///< default-constructed

    [[nodiscard]] std::span<const std::byte> bytes() const;
    [[nodiscard]] std::span<std::byte> mutableBytes();  ///< detaches from other copies

    /// Elements as T; T must match dtype() in size (asserted).
    template <typename T>
    [[nodiscard]] std::span<const T> data() const {
        const auto raw = bytes();
        return {reinterpret_cast<const T*>(raw.data()), raw.size() / sizeof(T)};
    }
    template <typename T>
    [[nodiscard]] std::span<T> mutableData() {
        const auto raw = mutableBytes();
        return {reinterpret_cast<T*>(raw.data()), raw.size() / sizeof(T)};
    }

    /// The same bytes under another shape of equal count.
    [[nodiscard]] Tensor reshaped(Shape shape) const;
    /// Axes permuted: result axis k is this tensor's axis permutation[k].
    [[nodiscard]] Tensor transposed(std::span<const std::int64_t> permutation) const;
    /// Every numeric type converted to `type` (value conversion as C++ does; float16 and bfloat16 included).
    [[nodiscard]] Result<Tensor> converted(DType type) const;
    /// Whether both share the same memory (a cheap "certainly equal").
    [[nodiscard]] bool sharesDataWith(const Tensor& other) const { return m_buffer && m_buffer == other.m_buffer; }

    /// Type, shape and bytes equal.
    friend bool operator==(const Tensor& a, const Tensor& b);

private:
    void assign(const void* source, std::size_t sizeBytes);

    DType m_type = DType::Undefined;
    Shape m_shape;
    std::int64_t m_count = 0;
    std::size_t m_sizeBytes = 0;
    std::shared_ptr<std::byte> m_buffer;  // 64-byte aligned; null when sizeBytes is 0
};

[[nodiscard]] float halfToFloat(std::uint16_t bits);
[[nodiscard]] std::uint16_t floatToHalf(float value);  ///< round to nearest even
[[nodiscard]] inline float bfloat16ToFloat(std::uint16_t bits);
[[nodiscard]] std::uint16_t floatToBfloat16(float value);  ///< round to nearest even

}  // namespace equant

#include <bit>
inline float equant::bfloat16ToFloat(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
