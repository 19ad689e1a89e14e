// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/quantization/aimet_histogram_internal.h"
#include "core/quantization/entropy_search_internal.h"

namespace equant {

void AimetEntropyHistogram::rebin(float lowest, float highest) {
    const float oldWidth = (m_max - m_min) / static_cast<float>(kAimetBins);
    const float newWidth = (highest - lowest) / static_cast<float>(kAimetBins);
    std::array<std::int64_t, kAimetBins> counts{};
    const auto binOf = [&](float value) {
        const float bin = std::floor((value - lowest) / newWidth);
        return static_cast<std::size_t>(std::clamp(bin, 0.0F, static_cast<float>(kAimetBins - 1)));
    };
    for (std::size_t i = 0; i < kAimetBins; ++i) {
        if (m_counts[i] == 0) continue;
        const float begin = m_min + static_cast<float>(i) * oldWidth;
        const float end = begin + oldWidth;
        const std::size_t bin = binOf(begin);
        const float border = lowest + static_cast<float>(bin + 1) * newWidth;
        std::int64_t here = m_counts[i];
        if (border < end) {
            here =
                std::min(here, static_cast<std::int64_t>(std::round(static_cast<double>((border - begin) / oldWidth) *
                                                                    static_cast<double>(m_counts[i]))));
        }
        counts[bin] += here;
        counts[std::min(bin + 1, kAimetBins - 1)] += m_counts[i] - here;
    }
    m_counts = counts;
    m_min = lowest;
    m_max = highest;
}

void AimetEntropyHistogram::add(std::span<const float> batch) {
    if (batch.empty()) return;
    const auto [lowest, highest] = std::minmax_element(batch.begin(), batch.end());
    if (m_isEmpty) {
        m_min = *lowest;
        m_max = *highest;
        m_isEmpty = false;
    } else if (*lowest < m_min || *highest > m_max) {
        rebin(std::min(*lowest, m_min), std::max(*highest, m_max));
    }
    const float width = (m_max - m_min) / static_cast<float>(kAimetBins);
    for (const float value : batch) {
        const float bin = width > 0.0F ? std::floor((value - m_min) / width) : 0.0F;
        ++m_counts[static_cast<std::size_t>(std::clamp(bin, 0.0F, static_cast<float>(kAimetBins - 1)))];
    }
}

GridRange AimetEntropyHistogram::grid(const GridOptions& options) const {
    if (m_min == 0.0F && m_max == 0.0F) return aimetZeroGrid(gridSteps(options));
    AimetEntropyHistogram own = *this;
    const bool isMirrored = options.isSymmetric && (m_min < 0.0F || !options.isUnsignedAllowed);
    if (isMirrored) {
        const float magnitude = std::max(std::abs(m_min), std::abs(m_max));
        own.rebin(-magnitude, magnitude);
    }
    double min = static_cast<double>(own.m_min);
    double max = static_cast<double>(own.m_max);
    if (options.bits == 8) {
        const std::vector<double> counts(own.m_counts.begin(), own.m_counts.end());
        const double width = (max - min) / static_cast<double>(kAimetBins);
        EntropySearch search;
        search.isSymmetric = options.isSymmetric;
        search.isMassRequired = false;
        search.keepFirst = min < 0.0 ? static_cast<std::size_t>(std::min(-min / width, 512.0)) : 0;
        search.keepLast = max > 0.0 ? static_cast<std::size_t>(std::ceil(std::max(-min / width, 0.0))) : kAimetBins;
        const BinWindow window = leastDivergentWindow(counts, search);
        max = min + static_cast<double>(window.last) * width;
        min = min + static_cast<double>(window.first) * width;
    }
    const RealRange range = widenRange({min, max}, 0.01);
    return gridFromRange(range.min, range.max, options);
}

}  // namespace equant
