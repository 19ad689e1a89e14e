// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>

#include "core/runtime/kernels/pointwise_pass_internal.h"
#include "core/runtime/kernels/vector_math_internal.h"
#include "core/runtime/kernels/wide.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define EQUANT_HAS_INTRINSICS 1
#include <immintrin.h>
#define EQUANT_BYTE_TABLES __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi")))
#endif

namespace equant {
namespace {

/// Branchless, so that loops over it vectorize. The exponent of exp(-x) is added as bits: the argument is bounded so
/// that it stays in range.
inline float swishOf(float x, float bound) {
    float bounded = -x;
    bounded = bounded < -bound ? -bound : bounded;
    bounded = bounded > bound ? bound : bounded;
    const auto [fraction, power] = kernels::splitExp(bounded);
    const std::uint32_t exponent = static_cast<std::uint32_t>(power) << 23;
    return x / (1.0F + std::bit_cast<float>(std::bit_cast<std::uint32_t>(fraction) + exponent));
}

EQUANT_WIDE void lookUpAny(const float* from, float* to, std::size_t count, const LookupTable& table) {
    const float scale = table.scale;
    const float low = table.low;
    const float high = table.high;
    const float* values = table.values.data();
#pragma GCC ivdep
    for (std::size_t i = 0; i < count; ++i) {
        const float x = from[i];
        float q = std::rint(x / scale);
        q = q > low ? q : low;  // NaN becomes an index like any other
        q = q < high ? q : high;
        const float y = values[static_cast<std::int32_t>(q - low)];
        to[i] = x == x ? y : x;
    }
}

/// The bound is an argument because the compiler would split the loop along a constant one.
EQUANT_WIDE void swishAll(const float* from, float* to, std::size_t count, float bound) {
#pragma GCC ivdep
    for (std::size_t i = 0; i < count; ++i) to[i] = swishOf(from[i], bound);
}

#ifdef EQUANT_HAS_INTRINSICS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own intrinsics, https://gcc.gnu.org/PR105593

struct ByteLookUp {
    __m512 scale, low, high, codeScale;
    __m512i first, firstCode, table[4];
};

/// 64 values: 8-bit indices pick 8-bit codes out of four registers. `left` of them exist.
template <bool kIsWhole>
EQUANT_BYTE_TABLES inline void lookUpBlock(const float* from, float* to, std::size_t left, const ByteLookUp& with) {
    __m512 x[4];
    __mmask16 lanes[4];
    __m128i index[4];
    for (unsigned k = 0; k < 4; ++k) {
        const std::size_t mine = left > 16 * k ? std::min<std::size_t>(left - 16 * k, 16) : 0;
        lanes[k] = static_cast<__mmask16>((1U << mine) - 1U);
        x[k] = kIsWhole ? _mm512_loadu_ps(from + 16 * k) : _mm512_maskz_loadu_ps(lanes[k], from + 16 * k);
        // The second operand is the result where the first is NaN: such an index is in range too.
        const __m512 q = _mm512_min_ps(_mm512_max_ps(_mm512_div_ps(x[k], with.scale), with.low), with.high);
        index[k] = _mm512_cvtepi32_epi8(_mm512_sub_epi32(_mm512_cvtps_epi32(q), with.first));
    }
    __m512i indices = _mm512_castsi128_si512(index[0]);
    indices = _mm512_inserti32x4(indices, index[1], 1);
    indices = _mm512_inserti32x4(indices, index[2], 2);
    indices = _mm512_inserti32x4(indices, index[3], 3);
    const __m512i lower = _mm512_permutex2var_epi8(with.table[0], indices, with.table[1]);
    const __m512i upper = _mm512_permutex2var_epi8(with.table[2], indices, with.table[3]);
    const __m512i codes = _mm512_mask_blend_epi8(_mm512_movepi8_mask(indices), lower, upper);
    const __m128i parts[4] = {_mm512_extracti32x4_epi32(codes, 0), _mm512_extracti32x4_epi32(codes, 1),
                              _mm512_extracti32x4_epi32(codes, 2), _mm512_extracti32x4_epi32(codes, 3)};
    for (unsigned k = 0; k < 4; ++k) {
        const __m512i integers = _mm512_add_epi32(_mm512_cvtepu8_epi32(parts[k]), with.firstCode);
        const __mmask16 isNumber = _mm512_cmp_ps_mask(x[k], x[k], _CMP_ORD_Q);
        const __m512 y = _mm512_mask_mul_ps(x[k], isNumber, _mm512_cvtepi32_ps(integers), with.codeScale);
        if constexpr (kIsWhole)
            _mm512_storeu_ps(to + 16 * k, y);
        else
            _mm512_mask_storeu_ps(to + 16 * k, lanes[k], y);
    }
}

EQUANT_BYTE_TABLES void lookUpBytes(const float* from, float* to, std::size_t count, const LookupTable& table) {
    const std::uint8_t* codes = table.codes.data();
    const ByteLookUp with{_mm512_set1_ps(table.scale),
                          _mm512_set1_ps(table.low),
                          _mm512_set1_ps(table.high),
                          _mm512_set1_ps(table.codeScale),
                          _mm512_set1_epi32(static_cast<int>(table.low)),
                          _mm512_set1_epi32(table.firstCode),
                          {_mm512_loadu_si512(codes), _mm512_loadu_si512(codes + 64), _mm512_loadu_si512(codes + 128),
                           _mm512_loadu_si512(codes + 192)}};
    std::size_t at = 0;
    for (; at + 64 <= count; at += 64) lookUpBlock<true>(from + at, to + at, 64, with);
    if (at < count) lookUpBlock<false>(from + at, to + at, count - at, with);
}

#pragma GCC diagnostic pop

bool hasByteTables() {
    static const bool isThere = __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                                __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vbmi") != 0;
    return isThere;
}
#endif

}  // namespace

void swish(const float* from, float* to, std::size_t count) {
    swishAll(from, to, count, 87.0F);
}

std::vector<float> gridValues(const Encoding& grid) {
    std::vector<float> values;
    for (std::int64_t q = grid.qMin(); q <= grid.qMax(); ++q)
        values.push_back((static_cast<float>(q) - static_cast<float>(grid.zeroPoint[0])) * grid.scale[0]);
    return values;
}

LookupTable makeTable(const Encoding& grid, std::vector<float> values, const Encoding* result) {
    LookupTable table;
    table.scale = grid.scale[0];
    table.low = static_cast<float>(grid.qMin()) - static_cast<float>(grid.zeroPoint[0]);
    table.high = static_cast<float>(grid.qMax()) - static_cast<float>(grid.zeroPoint[0]);
    table.values = std::move(values);
    if (result == nullptr || result->isPerChannel() || result->bits > 8 || table.values.size() > 256) return table;
    table.codeScale = result->scale[0];
    table.firstCode = static_cast<std::int32_t>(result->qMin()) - result->zeroPoint[0];
    table.hasCodes = true;
    for (std::size_t i = 0; i < table.values.size(); ++i) {
        const float code = std::rint(table.values[i] / table.codeScale) - static_cast<float>(table.firstCode);
        const bool isCode = code >= 0.0F && code <= 255.0F;
        table.codes[i] = isCode ? static_cast<std::uint8_t>(code) : std::uint8_t{0};
        const float again = static_cast<float>(table.codes[i] + table.firstCode) * table.codeScale;
        table.hasCodes = table.hasCodes && isCode && again == table.values[i];
    }
    return table;
}

void lookUp(const float* from, float* to, std::size_t count, const LookupTable& table) {
#ifdef EQUANT_HAS_INTRINSICS
    if (table.hasCodes && hasByteTables()) return lookUpBytes(from, to, count, table);
#endif
    lookUpAny(from, to, count, table);
}

}  // namespace equant
