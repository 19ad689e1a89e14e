// SPDX-License-Identifier: Apache-2.0
#include "core/graph/tensor.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <new>
#include <numeric>

namespace equant {

namespace {

constexpr std::size_t kAlignment = 64;

std::shared_ptr<std::byte> allocate(std::size_t sizeBytes) {
    if (sizeBytes == 0) return nullptr;
    auto* memory = static_cast<std::byte*>(::operator new (sizeBytes, std::align_val_t{kAlignment}));
    return {memory, [](std::byte* p) { ::operator delete (p, std::align_val_t{kAlignment}); }};
}

std::size_t bytesFor(std::int64_t count, DType type) {
    return (static_cast<std::size_t>(count) * static_cast<std::size_t>(bitWidth(type)) + 7) / 8;
}

/// Calls `use` with a value of the C++ type that holds `type`; false for types without one.
template <typename Use>
bool withNativeType(DType type, Use&& use) {
    switch (type) {
        case DType::Float:
            use(float{});
            return true;
        case DType::Double:
            use(double{});
            return true;
        case DType::Uint8:
            use(std::uint8_t{});
            return true;
        case DType::Int8:
            use(std::int8_t{});
            return true;
        case DType::Uint16:
            use(std::uint16_t{});
            return true;
        case DType::Int16:
            use(std::int16_t{});
            return true;
        case DType::Int32:
            use(std::int32_t{});
            return true;
        case DType::Int64:
            use(std::int64_t{});
            return true;
        case DType::Uint32:
            use(std::uint32_t{});
            return true;
        case DType::Uint64:
            use(std::uint64_t{});
            return true;
        case DType::Bool:
            use(bool{});
            return true;
        default:
            return false;
    }
}

/// float -> integer without undefined behaviour: truncation, saturating; NaN becomes 0.
template <typename To, typename From>
To convertValue(From value) {
    if constexpr (std::is_same_v<To, bool>) {
        return value != From{};
    } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
        if (std::isnan(value)) return To{};
        const auto wide = static_cast<long double>(value);
        if (wide <= static_cast<long double>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
        if (wide >= static_cast<long double>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
        return static_cast<To>(value);
    } else {
        return static_cast<To>(value);
    }
}

bool isSixteenBitFloat(DType type) {
    return type == DType::Float16 || type == DType::Bfloat16;
}

Tensor widenToFloat(const Tensor& tensor) {
    Tensor result(DType::Float, tensor.shape());
    const auto source = tensor.data<std::uint16_t>();
    const auto target = result.mutableData<float>();
    const auto widen = tensor.dtype() == DType::Float16 ? halfToFloat : bfloat16ToFloat;
    std::transform(source.begin(), source.end(), target.begin(), widen);
    return result;
}

Tensor narrowFromFloat(const Tensor& tensor, DType type) {
    Tensor result(type, tensor.shape());
    const auto source = tensor.data<float>();
    const auto target = result.mutableData<std::uint16_t>();
    const auto narrow = type == DType::Float16 ? floatToHalf : floatToBfloat16;
    std::transform(source.begin(), source.end(), target.begin(), narrow);
    return result;
}

template <typename Element>
void permute(const Tensor& from, Tensor& to, std::span<const std::int64_t> strides) {
    const auto* source = reinterpret_cast<const Element*>(from.bytes().data());
    auto* target = reinterpret_cast<Element*>(to.mutableBytes().data());
    const auto rank = static_cast<std::size_t>(to.rank());
    std::vector<std::int64_t> index(rank, 0);
    std::int64_t offset = 0;
    for (std::int64_t i = 0; i < to.count(); ++i) {
        target[i] = source[offset];
        for (std::size_t axis = rank; axis-- > 0;) {
            offset += strides[axis];
            if (++index[axis] < to.shape()[axis]) break;
            offset -= strides[axis] * to.shape()[axis];
            index[axis] = 0;
        }
    }
}

}  // namespace

std::string_view name(DType type) {
    static constexpr std::string_view kNames[] = {
        "undefined",      "float",      "uint8",          "int8",       "uint16",   "int16",
        "int32",          "int64",      "string",         "bool",       "float16",  "double",
        "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
        "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4"};
    const auto index = static_cast<std::size_t>(type);
    return index < std::size(kNames) ? kNames[index] : "unknown type";
}

int bitWidth(DType type) {
    switch (type) {
        case DType::Float:
        case DType::Int32:
        case DType::Uint32:
            return 32;
        case DType::Double:
        case DType::Int64:
        case DType::Uint64:
        case DType::Complex64:
            return 64;
        case DType::Uint8:
        case DType::Int8:
        case DType::Bool:
            return 8;
        case DType::Float8E4M3FN:
        case DType::Float8E4M3FNUZ:
        case DType::Float8E5M2:
        case DType::Float8E5M2FNUZ:
            return 8;
        case DType::Uint16:
        case DType::Int16:
        case DType::Float16:
        case DType::Bfloat16:
            return 16;
        case DType::Complex128:
            return 128;
        case DType::Uint4:
        case DType::Int4:
            return 4;
        case DType::String:
        case DType::Undefined:
            return 0;
    }
    return 0;
}

std::int64_t elementCount(const Shape& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

Result<std::int64_t> checkedElementCount(const Shape& shape, DType type) {
    const auto limit = std::numeric_limits<std::int64_t>::max() / std::max(8, bitWidth(type));
    std::int64_t count = 1;
    bool isEmpty = false;  // what is not empty must fit nevertheless: partial products are formed everywhere
    for (const auto dim : shape) {
        if (dim < 0)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("The shape {} has a negative dimension.", toString(shape)));
        isEmpty |= dim == 0;
        if (dim != 0 && count > limit / dim)
            return fail(ErrorCode::OutOfRange,
                        fmt::format("A tensor of shape {} would be too large.", toString(shape)));
        count *= std::max<std::int64_t>(dim, 1);
    }
    return isEmpty ? 0 : count;
}

std::string toString(const Shape& shape) {
    if (shape.empty()) return "scalar";
    std::string text;
    for (const auto dim : shape) {
        if (!text.empty()) text += 'x';
        text += dim < 0 ? std::string("?") : fmt::format("{}", dim);
    }
    return text;
}

Tensor::Tensor(DType type, Shape shape)
    : m_type(type),
      m_shape(std::move(shape)),
      m_count(elementCount(m_shape)),
      m_sizeBytes(bytesFor(m_count, type)),
      m_buffer(allocate(m_sizeBytes)) {
    if (m_buffer) std::memset(m_buffer.get(), 0, m_sizeBytes);
}

void Tensor::assign(const void* source, std::size_t sizeBytes) {
    assert(sizeBytes == m_sizeBytes);
    if (m_buffer) std::memcpy(m_buffer.get(), source, std::min(sizeBytes, m_sizeBytes));
}

std::span<const std::byte> Tensor::bytes() const {
    return {m_buffer.get(), m_sizeBytes};
}

std::span<std::byte> Tensor::mutableBytes() {
    if (m_buffer && m_buffer.use_count() > 1) {
        auto own = allocate(m_sizeBytes);
        std::memcpy(own.get(), m_buffer.get(), m_sizeBytes);
        m_buffer = std::move(own);
    }
    return {m_buffer.get(), m_sizeBytes};
}

Tensor Tensor::reshaped(Shape shape) const {
    assert(elementCount(shape) == m_count);
    Tensor result = *this;
    result.m_shape = std::move(shape);
    return result;
}

Tensor Tensor::transposed(std::span<const std::int64_t> permutation) const {
    const auto rank = m_shape.size();
    assert(permutation.size() == rank);
    std::vector<std::int64_t> sourceStrides(rank, 1);
    for (std::size_t axis = rank; axis-- > 1;) sourceStrides[axis - 1] = sourceStrides[axis] * m_shape[axis];
    Shape shape(rank);
    std::vector<std::int64_t> strides(rank);
    for (std::size_t axis = 0; axis < rank; ++axis) {
        shape[axis] = m_shape[static_cast<std::size_t>(permutation[axis])];
        strides[axis] = sourceStrides[static_cast<std::size_t>(permutation[axis])];
    }
    Tensor result(m_type, std::move(shape));
    switch (bitWidth(m_type)) {
        case 8:
            permute<std::uint8_t>(*this, result, strides);
            break;
        case 16:
            permute<std::uint16_t>(*this, result, strides);
            break;
        case 32:
            permute<std::uint32_t>(*this, result, strides);
            break;
        case 64:
            permute<std::uint64_t>(*this, result, strides);
            break;
        default:
            assert(m_count == 0);
            break;
    }
    return result;
}

Result<Tensor> Tensor::converted(DType type) const {
    if (type == m_type) return *this;
    if (isSixteenBitFloat(m_type)) return widenToFloat(*this).converted(type);
    if (isSixteenBitFloat(type)) {
        auto asFloat = converted(DType::Float);
        if (!asFloat) return asFloat;
        return narrowFromFloat(*asFloat, type);
    }
    Tensor result;
    const bool known = withNativeType(m_type, [&](auto from) {
        withNativeType(type, [&](auto to) {
            using From = decltype(from);
            using To = decltype(to);
            result = Tensor(type, m_shape);
            const auto source = data<From>();
            std::transform(source.begin(), source.end(), result.mutableData<To>().begin(), convertValue<To, From>);
        });
    });
    if (!known || result.isEmpty())
        return fail(ErrorCode::Unsupported,
                    fmt::format("Values of type {} cannot be converted to {}.", name(m_type), name(type)));
    return result;
}

bool operator==(const Tensor& a, const Tensor& b) {
    if (a.m_type != b.m_type || a.m_shape != b.m_shape) return false;
    return a.m_buffer == b.m_buffer || std::memcmp(a.m_buffer.get(), b.m_buffer.get(), a.m_sizeBytes) == 0;
}

// IEEE 754-2008 binary16, by the conversion of the exponent and rounding the dropped 13 bits to nearest even.
float halfToFloat(std::uint16_t bits) {
    const std::uint32_t sign = std::uint32_t{bits} >> 15 << 31;
    const std::uint32_t exponent = (std::uint32_t{bits} >> 10) & 0x1F;
    const std::uint32_t fraction = bits & 0x3FFU;
    if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
    if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -magnitude : magnitude;
}

std::uint16_t floatToHalf(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
    const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
    if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);   // NaN
    if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // rounds beyond 65504
    if (magnitude < 0x38800000U) {  // subnormal: units of 2^-24; the default rounding mode is nearest even
        const float scaled = std::ldexp(std::bit_cast<float>(magnitude), 24);
        return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyint(scaled)));
    }
    const std::uint32_t rounded = magnitude + 0xFFFU + (magnitude >> 13 & 1U);
    return static_cast<std::uint16_t>(sign | (rounded - (112U << 23)) >> 13);
}

std::uint16_t floatToBfloat16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

}  // namespace equant
