// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/quantization/aimet_histogram_internal.h"

namespace equant {

namespace {

constexpr float kMinimumWidth = 0.01F;
constexpr double kClippingWeight = 3.0;

struct Candidate {
    float scale;
    float offset;
};

std::vector<Candidate> symmetricCandidates(float lowest, float highest, float steps, bool isUnsignedAllowed) {
    std::vector<Candidate> candidates;
    float largestScale = 0.0F;
    float offset = 0.0F;
    if (lowest == 0.0F && isUnsignedAllowed) {
        largestScale = highest / steps;
    } else {
        largestScale = std::max(std::abs(lowest), std::abs(highest)) / (steps / 2.0F);
        offset = std::floor(-steps / 2.0F);
    }
    for (int k = 1; k <= 101; ++k) candidates.push_back({largestScale * static_cast<float>(k) / 100.0F, offset});
    return candidates;
}

std::vector<Candidate> asymmetricCandidates(float lowest, float highest, float steps) {
    std::vector<Candidate> candidates;
    const float fullScale = (highest - lowest) / steps;
    const float fullOffset = std::round(lowest / fullScale);
    const float gridMin = fullScale * fullOffset;
    const float gridMax = gridMin + fullScale * steps;
    for (int f = 1; f <= 17; ++f) {
        const float scale = fullScale * static_cast<float>(f) / 16.0F;
        for (int i = 0; i <= 20; ++i) {
            const float offset = std::trunc(-steps + steps * static_cast<float>(i) / 20.0F);
            float min = scale * offset;
            float max = scale * (offset + steps);
            if (min < gridMin && max > gridMax) continue;
            min = std::max(min, gridMin);
            max = std::min(max, gridMax);
            if (!(min < max)) continue;
            const float ownScale = (max - min) / steps;
            candidates.push_back({ownScale, std::round(min / ownScale)});
        }
    }
    candidates.push_back({fullScale, fullOffset});
    return candidates;
}

}  // namespace

GridRange aimetZeroGrid(std::int32_t steps) {
    GridRange grid;
    grid.scale = 2.0 / steps;
    grid.offset = static_cast<std::int32_t>(std::floor(-1.0 / grid.scale));
    grid.min = grid.scale * grid.offset;
    grid.max = grid.scale * (grid.offset + steps);
    return grid;
}

void AimetHistogram::layOut(float lowest, float highest) {
    if (lowest == highest) highest += kMinimumWidth;
    const float centre = (highest + lowest) / 2.0F;
    const float half = (highest - lowest) / 2.0F;
    const float start = centre - 3.0F * half;
    const float end = centre + 3.0F * half;
    m_width = (end - start) / static_cast<float>(kAimetBins);
    for (std::size_t i = 0; i < kAimetBins; ++i) m_left[i] = start + static_cast<float>(i) * m_width;
}

void AimetHistogram::add(std::span<const float> batch) {
    if (batch.empty()) return;
    if (m_batches == 0) {
        const auto [lowest, highest] = std::minmax_element(batch.begin(), batch.end());
        if (*lowest == 0.0F && *highest == 0.0F) {
            m_hasZeros = true;
            return;
        }
        layOut(*lowest, *highest);
    }
    std::array<std::int64_t, kAimetBins> counts{};
    const float shift = m_left[0] / m_width;
    for (const float value : batch) {
        const float bin = std::round(value / m_width - shift);
        if (bin >= 0.0F && bin < static_cast<float>(kAimetBins)) ++counts[static_cast<std::size_t>(bin)];
    }
    const auto seen = static_cast<double>(m_batches);
    for (std::size_t i = 0; i < kAimetBins; ++i) {
        const double density = static_cast<double>(counts[i]) / static_cast<double>(batch.size());
        m_density[i] = (m_density[i] * seen + density) / (seen + 1.0);
    }
    ++m_batches;
}

AimetHistogram::Observed AimetHistogram::observedRange() const {
    Observed range;
    const auto isFilled = [](double density) { return density > 0.0; };
    const auto first = std::find_if(m_density.begin(), m_density.end(), isFilled);
    const auto last = std::find_if(m_density.rbegin(), m_density.rend(), isFilled);
    if (first != m_density.end()) {
        // Rounded once, unlike the edges themselves: their difference decides ties.
        range.min = std::fma(static_cast<float>(first - m_density.begin()), m_width, m_left[0]);
        range.max = std::fma(static_cast<float>(m_density.rend() - last - 1), m_width, m_left[0]);
    }
    range.min = std::min(range.min, 0.0F);
    range.max = std::max(range.max, 0.0F);
    range.max = std::max(range.max, range.min + kMinimumWidth);
    return range;
}

double AimetHistogram::sqnrCost(float scale, float offset, float steps) const {
    const float min = scale * offset;
    const float max = scale * (offset + steps);
    const auto binOf = [this](float value) {
        const float bin = std::floor((value - m_left[0]) / m_width);
        return static_cast<std::size_t>(std::clamp(bin, 0.0F, static_cast<float>(kAimetBins - 1)));
    };
    const std::size_t first = binOf(min);
    const std::size_t last = binOf(max);
    const float half = m_width / 2.0F;

    double clipping = 0.0;
    const float lowest = m_left[first] + half;
    for (std::size_t i = 0; i < first; ++i) {
        const float error = m_left[i] + half - lowest;
        clipping += m_density[i] * static_cast<double>(error * error);
    }
    const float highest = m_left[last] + half;
    for (std::size_t i = last; i < kAimetBins; ++i) {
        const float error = m_left[i] + half - highest;
        clipping += m_density[i] * static_cast<double>(error * error);
    }
    double rounding = 0.0;
    for (std::size_t i = first; i < last; ++i) {
        const float middle = m_left[i] + half;
        const float reconstructed = scale * (std::round(middle / scale - offset) + offset);
        const float error = middle - reconstructed;
        rounding += m_density[i] * static_cast<double>(error * error);
    }
    return rounding + kClippingWeight * clipping;
}

GridRange AimetHistogram::sqnrGrid(const GridOptions& options) const {
    if (!hasBins()) return aimetZeroGrid((std::int32_t{1} << options.bits) - 1);
    const Observed observed = observedRange();
    const std::int32_t steps = gridSteps(options);
    // The search always spans the full grid; only the result knows that a strict grid lacks its lowest integer.
    const auto fullSteps = static_cast<float>((std::int32_t{1} << options.bits) - 1);
    const auto ownSteps = static_cast<float>(steps);
    const std::vector<Candidate> candidates =
        options.isSymmetric ? symmetricCandidates(observed.min, observed.max, ownSteps, options.isUnsignedAllowed)
                            : asymmetricCandidates(observed.min, observed.max, ownSteps);
    double bestCost = std::numeric_limits<double>::max();
    Candidate best = candidates.back();
    for (const Candidate& candidate : candidates) {
        const double cost = sqnrCost(candidate.scale, candidate.offset, fullSteps);
        if (cost < bestCost) {
            bestCost = cost;
            best = candidate;
        }
    }
    GridRange grid;
    grid.scale = static_cast<double>(best.scale);
    grid.offset = static_cast<std::int32_t>(best.offset);
    grid.min = static_cast<double>(best.scale * best.offset);
    grid.max = static_cast<double>(best.scale * (best.offset + ownSteps));
    grid.isSigned = options.isSymmetric && grid.offset != 0;
    return grid;
}

GridRange AimetHistogram::percentileGrid(double percentile, const GridOptions& options) const {
    if (!hasBins()) return aimetZeroGrid(gridSteps(options));
    const Observed observed = observedRange();
    if (percentile >= 100.0) return gridFromRange(observed.min, observed.max, options);

    const auto kept = static_cast<double>(static_cast<float>(percentile) / 100.0F);
    std::array<double, kAimetBins> cumulative{};
    double sum = 0.0;
    for (std::size_t i = 0; i < kAimetBins; ++i) cumulative[i] = (sum += m_density[i]);

    std::size_t first = 0;
    while (first + 1 < kAimetBins && cumulative[first] < 1.0 - kept) ++first;
    std::size_t last = kAimetBins - 1;
    while (last > 0 && !(cumulative[last] < kept && m_left[last] < observed.max)) --last;

    float min = m_left[first];
    const float step = m_left[1] - m_left[0];
    float max = m_left[last] + step;
    if (min == max) max += step;
    min = std::min(min, 0.0F);
    max = std::max(max, 0.0F);
    max = std::max(max, min + kMinimumWidth);
    return gridFromRange(min, max, options);
}

GridRange AimetHistogram::mseGrid(const GridOptions& options) const {
    if (!hasBins()) return aimetZeroGrid(gridSteps(options));
    const Observed observed = observedRange();
    std::vector<float> lowEnds;
    std::vector<float> highEnds;
    float edge = m_left[0];
    for (std::size_t i = 0; i < kAimetBins; ++i, edge += m_width) {  // summed up, as the reference does
        if (edge < observed.min || edge > observed.max + m_width) continue;
        if (edge < 0.0F) lowEnds.push_back(edge);
        if (edge > 0.0F) highEnds.push_back(edge);
    }
    lowEnds.push_back(0.0F);
    highEnds.push_back(0.0F);

    GridRange best = gridFromRange(observed.min, observed.max, options);
    double bestCost = std::numeric_limits<double>::max();
    for (const float low : lowEnds) {
        for (const float high : highEnds) {
            if (low == 0.0F && high == 0.0F) continue;
            const GridRange grid = gridFromRange(low, high, options);
            double cost = 0.0;
            for (std::size_t i = 0; i < kAimetBins; ++i) {
                if (m_density[i] == 0.0) continue;
                const auto middle = static_cast<double>(m_left[i] + m_width / 2.0F);
                // Clamped to the candidate, not to its grid, which may reach one step further.
                const double clamped = std::clamp(middle, static_cast<double>(low), static_cast<double>(high));
                const double error = middle - grid.scale * std::round(clamped / grid.scale);
                cost += m_density[i] * error * error;
            }
            if (cost < bestCost) {
                bestCost = cost;
                best = grid;
            }
        }
    }
    return best;
}

}  // namespace equant
