// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "core/quantization/entropy_search_internal.h"

namespace equant {

namespace {

constexpr double kSmoothing = 1e-4;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// Gives empty bins a little of what the others have, so that logarithms exist. False when there is too little to give.
bool condition(std::vector<double>& counts) {
    const auto empty = static_cast<double>(std::count(counts.begin(), counts.end(), 0.0));
    const double filled = static_cast<double>(counts.size()) - empty;
    if (filled == 0.0) return false;
    const double reduction = kSmoothing * empty / filled;
    if (reduction >= 1.0) return false;
    for (double& count : counts) count += count == 0.0 ? kSmoothing : -reduction;
    return true;
}

std::vector<double> mergedIntoLevels(std::span<const double> window, std::size_t levels) {
    std::vector<double> merged(window.size(), 0.0);
    const double binsPerLevel = static_cast<double>(window.size()) / static_cast<double>(levels);
    for (std::size_t level = 0; level < levels; ++level) {
        const auto begin = static_cast<std::size_t>(std::ceil(static_cast<double>(level) * binsPerLevel));
        const auto end = level + 1 == levels
                             ? window.size()
                             : static_cast<std::size_t>(std::ceil(static_cast<double>(level + 1) * binsPerLevel));
        double sum = 0.0;
        double filled = 0.0;
        for (std::size_t i = begin; i < end; ++i) {
            sum += window[i];
            filled += window[i] != 0.0 ? 1.0 : 0.0;
        }
        if (filled == 0.0) continue;
        for (std::size_t i = begin; i < end; ++i) {
            if (window[i] != 0.0) merged[i] = sum / filled;
        }
    }
    return merged;
}

}  // namespace

double windowDivergence(std::span<const double> counts, BinWindow window, std::size_t levels) {
    const auto inside = counts.subspan(window.first, window.last - window.first);
    std::vector<double> saturated(inside.begin(), inside.end());
    for (std::size_t i = 0; i < window.first; ++i) saturated.front() += counts[i];
    for (std::size_t i = window.last; i < counts.size(); ++i) saturated.back() += counts[i];
    std::vector<double> merged = mergedIntoLevels(inside, levels);
    if (!condition(saturated) || !condition(merged)) return kInfinite;

    const double saturatedSum = std::accumulate(saturated.begin(), saturated.end(), 0.0);
    const double mergedSum = std::accumulate(merged.begin(), merged.end(), 0.0);
    double divergence = 0.0;
    for (std::size_t i = 0; i < saturated.size(); ++i) {
        const double p = saturated[i] / saturatedSum;
        const double q = merged[i] / mergedSum;
        if (p > 0.0 && q > 0.0) divergence += p * std::log(p / q);
    }
    return divergence;
}

namespace {

/// The next smaller window, by the cheapest allowed step; nullopt when none is left.
std::optional<BinWindow> shrunk(std::span<const double> counts, BinWindow window, const EntropySearch& search) {
    if (window.last - window.first < 3) return std::nullopt;
    const BinWindow bothSides{window.first + 1, window.last - 1};
    if (search.isSymmetric) return bothSides;

    const double lossBoth = counts[window.first] + counts[window.last - 1];
    const double lossLeft = counts[window.first] + counts[window.first + 1];
    const double lossRight = counts[window.last - 1] + counts[window.last - 2];
    struct Step {
        BinWindow window;
        double loss;
    };
    std::optional<Step> best;
    for (const Step& step : {Step{bothSides, lossBoth}, Step{{window.first + 2, window.last}, lossLeft},
                             Step{{window.first, window.last - 2}, lossRight}}) {
        if (step.window.first > search.keepFirst || step.window.last < search.keepLast) continue;
        if (!best || step.loss < best->loss) best = step;
    }
    if (!best) return std::nullopt;
    return best->window;
}

}  // namespace

BinWindow leastDivergentWindow(std::span<const double> counts, const EntropySearch& search) {
    BinWindow window{0, counts.size()};
    BinWindow best = window;
    double bestDivergence = kInfinite;
    const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
    while (window.last - window.first >= search.levels) {
        const auto inside = counts.subspan(window.first, window.last - window.first);
        // What was cut off has no counterpart in the merged window; most of the mass must stay.
        if (search.isMassRequired && std::accumulate(inside.begin(), inside.end(), 0.0) < 0.5 * total) break;
        const double divergence = windowDivergence(counts, window, search.levels);
        if (divergence < bestDivergence) {
            bestDivergence = divergence;
            best = window;
        }
        const auto next = shrunk(counts, window, search);
        if (!next) break;
        window = *next;
    }
    return best;
}

}  // namespace equant
