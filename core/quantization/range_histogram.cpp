// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "core/quantization/range_histogram_internal.h"
#include "core/quantization/value_scan_internal.h"

namespace equant {

namespace {

/// The bin of a value at width 2^exponent. Exact: scaling by a power of two loses nothing, in double.
std::int64_t binOf(float value, int exponent) {
    return static_cast<std::int64_t>(std::floor(std::ldexp(static_cast<double>(value), -exponent)));
}

/// The finest exponent that covers [lowest, highest] with at most `maximumBins` bins. It depends on the range only and
/// never falls when the range grows, which is what makes the histogram independent of the order of samples.
int finestExponent(float lowest, float highest, std::size_t maximumBins) {
    const float magnitude = std::max(std::abs(lowest), std::abs(highest));
    if (magnitude == 0.0F) return -200;
    // Single precision resolves 24 bits: finer bins than these cannot be told apart.
    int exponent = std::ilogb(magnitude) - 24;
    while (static_cast<std::size_t>(binOf(highest, exponent) - binOf(lowest, exponent)) + 1 > maximumBins) ++exponent;
    return exponent;
}

}  // namespace

double RangeHistogram::binWidth() const {
    return std::ldexp(1.0, m_exponent);
}

double RangeHistogram::firstBegin() const {
    return std::ldexp(static_cast<double>(m_first), m_exponent);
}

void RangeHistogram::growTo(float lowest, float highest) {
    if (isEmpty()) {
        m_exponent = finestExponent(lowest, highest, m_maximumBins);
        m_first = binOf(lowest, m_exponent);
        m_counts.assign(static_cast<std::size_t>(binOf(highest, m_exponent) - m_first) + 1, 0);
        m_min = lowest;
        m_max = highest;
        return;
    }
    lowest = std::min(lowest, m_min);
    highest = std::max(highest, m_max);
    if (lowest == m_min && highest == m_max) return;
    const int exponent = finestExponent(lowest, highest, m_maximumBins);
    // Shifting right rounds towards minus infinity, as merging neighbours does; beyond 62 only the sign is left.
    const int shift = std::min(exponent - m_exponent, 62);
    const std::int64_t first = binOf(lowest, exponent);
    std::vector<std::int64_t> counts(static_cast<std::size_t>(binOf(highest, exponent) - first) + 1, 0);
    for (std::size_t i = 0; i < m_counts.size(); ++i) {
        const std::int64_t bin = (m_first + static_cast<std::int64_t>(i)) >> shift;
        if (m_counts[i] != 0) counts[static_cast<std::size_t>(bin - first)] += m_counts[i];
    }
    m_counts = std::move(counts);
    m_first = first;
    m_exponent = exponent;
    m_min = lowest;
    m_max = highest;
}

void RangeHistogram::add(std::span<const float> finiteValues) {
    if (finiteValues.empty()) return;
    const ValueRange range = scanRange(finiteValues);
    add(finiteValues, range.lowest, range.highest);
}

void RangeHistogram::add(std::span<const float> finiteValues, float lowest, float highest) {
    if (finiteValues.empty()) return;
    growTo(lowest, highest);
    countBins(finiteValues, {m_exponent, m_first}, m_counts);
    m_samples += static_cast<std::int64_t>(finiteValues.size());
}

void RangeHistogram::merge(const RangeHistogram& other) {
    if (other.isEmpty()) return;
    if (isEmpty()) {
        *this = other;
        return;
    }
    growTo(other.m_min, other.m_max);
    const int shift = std::min(m_exponent - other.m_exponent, 62);
    for (std::size_t i = 0; i < other.m_counts.size(); ++i) {
        const std::int64_t bin = (other.m_first + static_cast<std::int64_t>(i)) >> shift;
        if (other.m_counts[i] != 0) m_counts[static_cast<std::size_t>(bin - m_first)] += other.m_counts[i];
    }
    m_samples += other.m_samples;
}

std::vector<RangeHistogram::Bin> RangeHistogram::filledBins() const {
    std::vector<Bin> bins;
    for (std::size_t i = 0; i < m_counts.size(); ++i) {
        if (m_counts[i] == 0) continue;
        const std::int64_t index = m_first + static_cast<std::int64_t>(i);
        Bin bin;
        bin.begin = std::max(std::ldexp(static_cast<double>(index), m_exponent), min());
        bin.end = std::min(std::ldexp(static_cast<double>(index + 1), m_exponent), max());
        bin.count = static_cast<double>(m_counts[i]);
        bins.push_back(bin);
    }
    return bins;
}

}  // namespace equant
