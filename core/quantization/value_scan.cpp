// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "core/quantization/value_scan_internal.h"
#include "core/runtime/kernels/wide.h"

// Intrinsics are used where EQUANT_WIDE means something.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EQUANT_HAS_COMPRESSION 1
// GCC 12 takes the undefined pass-through operands in its own header for mistakes.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace equant {

namespace {

constexpr std::int32_t kMagnitude = 0x7FFFFFFF;
constexpr std::int32_t kInfinity = 0x7F800000;

/// Single precision numbers in the order of integers: what loops over floats may not assume (NaN), these may.
std::int32_t keyOf(float value) {
    const auto bits = std::bit_cast<std::int32_t>(value);
    return bits ^ ((bits >> 31) & kMagnitude);
}

float valueOf(std::int32_t key) {
    return std::bit_cast<float>(key ^ ((key >> 31) & kMagnitude));
}

EQUANT_WIDE void keyRange(const float* values, std::size_t count, std::int32_t* range) {
    std::int32_t lowest = std::numeric_limits<std::int32_t>::max();
    std::int32_t highest = std::numeric_limits<std::int32_t>::min();
    for (std::size_t i = 0; i < count; ++i) {
        const auto bits = std::bit_cast<std::int32_t>(values[i]);
        const std::int32_t key = bits ^ ((bits >> 31) & kMagnitude);
        lowest = key < lowest ? key : lowest;
        highest = key > highest ? key : highest;
    }
    range[0] = lowest;
    range[1] = highest;
}

/// A grid whose arithmetic is exact in single precision and 32-bit integers.
struct NarrowGrid {
    float perBin;  ///< 2^-exponent
    float width;   ///< 2^exponent
    std::int32_t first;
};

constexpr std::size_t kMostNarrowBins = 4096;
constexpr int kLargestExponent = 100;  // powers of two and what they are multiplied with stay normal numbers
constexpr std::int64_t kLargestIndex = std::int64_t{1} << 26;

bool isNarrow(const BinGrid& grid, std::size_t bins) {
    return bins <= kMostNarrowBins && std::abs(grid.exponent) <= kLargestExponent &&
           std::abs(grid.first) <= kLargestIndex;
}

using Index = std::uint16_t;
constexpr std::size_t kIndicesAtATime = 1024;

EQUANT_WIDE void indexAll(const float* values, std::size_t count, const NarrowGrid& grid, Index* indices) {
    const float perBin = grid.perBin;
    const float width = grid.width;
    const std::int32_t first = grid.first;
    for (std::size_t i = 0; i < count; ++i) {
        const float value = values[i];
        const auto towardsZero = static_cast<std::int32_t>(value * perBin);
        // Compared with the value itself, because a tiny negative one may have become zero by the multiplication.
        const std::int32_t floor = towardsZero - (value < static_cast<float>(towardsZero) * width ? 1 : 0);
        indices[i] = static_cast<Index>(floor - first);
    }
}

#ifdef EQUANT_HAS_COMPRESSION
/// The same, leaving out values of one bin: half of what a ReLU gives is zero. Returns how many indices are left.
/// Needs perBin >= 1: then the product is exact, and rounding it down is the bin.
__attribute__((target("avx512f,avx512bw,avx512vl"))) std::size_t indexOthers(const float* values, std::size_t count,
                                                                             const NarrowGrid& grid,
                                                                             std::int32_t omitted, Index* indices) {
    const __m512 perBin = _mm512_set1_ps(grid.perBin);
    const __m512i first = _mm512_set1_epi32(grid.first);
    const __m512i skipped = _mm512_set1_epi32(omitted);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; i += 16) {
        const std::size_t rest = count - i;
        const auto present = static_cast<__mmask16>(rest >= 16 ? 0xFFFF : (1U << rest) - 1);
        const __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(present, values + i), perBin);
        const __m512i index =
            _mm512_sub_epi32(_mm512_cvt_roundps_epi32(scaled, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC), first);
        const __mmask16 isKept = _mm512_mask_cmpneq_epi32_mask(present, index, skipped);
        const __m256i packed = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(isKept, index));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(indices + kept), packed);
        kept += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(isKept)));
    }
    return kept;
}

bool canCompress() {
    static const bool isAble =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    return isAble;
}
#endif

/// Several copies of the counts: incrementing what was incremented just before would wait for that.
constexpr std::size_t kCopies = 4;
/// No copy can overflow: each gets a fourth of the values.
constexpr std::size_t kValuesAtATime = std::size_t{1} << 16;

void countNarrow(std::span<const float> values, const NarrowGrid& grid, std::span<std::int64_t> counts) {
    const std::size_t bins = counts.size();
    std::array<Index, kCopies * kMostNarrowBins> copies;
    Index* const copy[kCopies] = {copies.data(), copies.data() + bins, copies.data() + 2 * bins,
                                  copies.data() + 3 * bins};
    std::fill_n(copies.data(), kCopies * bins, Index{0});
    // A store of 16 indices may begin at the last one.
    alignas(64) std::array<Index, kIndicesAtATime + 16> indices;
    const auto zeroBin = -static_cast<std::int64_t>(grid.first);
    const bool hasZeroBin = zeroBin >= 0 && zeroBin < static_cast<std::int64_t>(bins);
    std::size_t omitted = 0;
    for (std::size_t at = 0; at < values.size(); at += kIndicesAtATime) {
        const auto part = values.subspan(at, std::min(kIndicesAtATime, values.size() - at));
        std::size_t count = part.size();
#ifdef EQUANT_HAS_COMPRESSION
        if (hasZeroBin && grid.perBin >= 1 && canCompress()) {
            count = indexOthers(part.data(), part.size(), grid, -grid.first, indices.data());
            omitted += part.size() - count;
        } else
#endif
            indexAll(part.data(), count, grid, indices.data());
        std::size_t i = 0;
        for (; i + kCopies <= count; i += kCopies)
            for (std::size_t c = 0; c < kCopies; ++c) ++copy[c][indices[i + c]];
        for (; i < count; ++i) ++copy[0][indices[i]];
    }
    for (std::size_t bin = 0; bin < bins; ++bin) {
        std::int64_t sum = 0;
        for (std::size_t c = 0; c < kCopies; ++c) sum += copy[c][bin];
        counts[bin] += sum;
    }
    if (hasZeroBin) counts[static_cast<std::size_t>(zeroBin)] += static_cast<std::int64_t>(omitted);
}

void countAny(std::span<const float> values, const BinGrid& grid, std::span<std::int64_t> counts) {
    const double perBin = std::ldexp(1.0, -grid.exponent);
    const auto first = static_cast<double>(grid.first);
    for (const float value : values) {
        const double bin = std::floor(static_cast<double>(value) * perBin) - first;
        ++counts[static_cast<std::size_t>(bin)];
    }
}

}  // namespace

ValueRange scanRange(std::span<const float> values) {
    std::int32_t range[2];
    keyRange(values.data(), values.size(), range);
    ValueRange result;
    // Adding zero turns the negative zero into the positive one.
    result.lowest = valueOf(range[0]) + 0.0F;
    result.highest = valueOf(range[1]) + 0.0F;
    result.isFinite = range[1] < kInfinity && range[0] > keyOf(-std::numeric_limits<float>::infinity());
    return result;
}

void countBins(std::span<const float> values, const BinGrid& grid, std::span<std::int64_t> counts) {
    if (!isNarrow(grid, counts.size()) || values.size() < counts.size()) {
        countAny(values, grid, counts);
        return;
    }
    const NarrowGrid narrow{std::ldexp(1.0F, -grid.exponent), std::ldexp(1.0F, grid.exponent),
                            static_cast<std::int32_t>(grid.first)};
    for (std::size_t at = 0; at < values.size(); at += kValuesAtATime)
        countNarrow(values.subspan(at, std::min(kValuesAtATime, values.size() - at)), narrow, counts);
}

}  // namespace equant
