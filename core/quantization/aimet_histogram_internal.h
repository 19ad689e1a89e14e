// SPDX-License-Identifier: Apache-2.0
// Statistics and range searches that reproduce AIMET's C++ encoding analyzers number by number, weaknesses included:
// 512 bins laid out by the first batch, values outside dropped, batches averaged with equal weight, single precision.
// Used only where figures must be comparable; range_histogram.h is what the engine uses by default.
// Plain values without locks: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/quantization/grid.h"

namespace equant {

inline constexpr std::size_t kAimetBins = 512;

/// The histogram of the sqnr ("tf-enhanced"), percentile and mse schemes.
class AimetHistogram {
public:
    void add(std::span<const float> batch);

    [[nodiscard]] bool hasBins() const { return m_batches > 0; }  ///< false as long as all data were zero
    [[nodiscard]] bool isEmpty() const { return m_batches == 0 && !m_hasZeros; }

    [[nodiscard]] GridRange sqnrGrid(const GridOptions& options) const;
    [[nodiscard]] GridRange percentileGrid(double percentile, const GridOptions& options) const;
    [[nodiscard]] GridRange mseGrid(const GridOptions& options) const;

private:
    struct Observed {
        float min = 0.0F, max = 0.0F;
    };
    [[nodiscard]] Observed observedRange() const;
    [[nodiscard]] double sqnrCost(float scale, float offset, float steps) const;
    void layOut(float lowest, float highest);

    std::array<float, kAimetBins> m_left{};
    std::array<double, kAimetBins> m_density{};
    float m_width = 0.0F;
    std::int64_t m_batches = 0;
    bool m_hasZeros = false;
};

/// The count histogram of the entropy scheme: exact range, re-binned when a later batch is wider.
class AimetEntropyHistogram {
public:
    void add(std::span<const float> batch);

    [[nodiscard]] bool isEmpty() const { return m_isEmpty; }
    [[nodiscard]] GridRange grid(const GridOptions& options) const;

private:
    void rebin(float lowest, float highest);

    std::array<std::int64_t, kAimetBins> m_counts{};
    float m_min = 0.0F, m_max = 0.0F;
    bool m_isEmpty = true;
};

/// The grid AIMET falls back to when all data are zero.
[[nodiscard]] GridRange aimetZeroGrid(std::int32_t steps);

}  // namespace equant
