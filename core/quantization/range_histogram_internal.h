// SPDX-License-Identifier: Apache-2.0
// A histogram that never drops a sample and whose contents do not depend on the order in which samples came.
// Bins are [i * 2^k, (i + 1) * 2^k) for integers i; when the range outgrows the bin budget, k grows and neighbours are
// merged exactly. Smallest and largest sample are kept exactly. Plain value: one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace equant {

class RangeHistogram {
public:
    /// At least half of `maximumBins` are in use as soon as the data have that many distinct values.
    explicit RangeHistogram(std::size_t maximumBins = 2048) : m_maximumBins(maximumBins) {}

    void add(std::span<const float> finiteValues);
    /// The same when the smallest and largest of them are known already.
    void add(std::span<const float> finiteValues, float lowest, float highest);
    void merge(const RangeHistogram& other);

    [[nodiscard]] bool isEmpty() const { return m_samples == 0; }
    [[nodiscard]] double min() const { return static_cast<double>(m_min); }
    [[nodiscard]] double max() const { return static_cast<double>(m_max); }
    [[nodiscard]] std::int64_t samples() const { return m_samples; }
    [[nodiscard]] double binWidth() const;

    /// Where samples lie: real interval [begin, end] (the outer bins are cut to the exact range) and how many.
    struct Bin {
        double begin = 0.0;
        double end = 0.0;
        double count = 0.0;
    };
    [[nodiscard]] std::vector<Bin> filledBins() const;

    /// Counts per bin from the first to the last filled one, and the real value where the first begins.
    [[nodiscard]] const std::vector<std::int64_t>& counts() const { return m_counts; }
    [[nodiscard]] double firstBegin() const;

    friend bool operator==(const RangeHistogram&, const RangeHistogram&) = default;

private:
    void growTo(float lowest, float highest);

    std::size_t m_maximumBins;
    std::vector<std::int64_t> m_counts;
    std::int64_t m_first = 0;  // index i of the first bin
    int m_exponent = 0;        // k
    float m_min = 0.0F, m_max = 0.0F;
    std::int64_t m_samples = 0;
};

}  // namespace equant
