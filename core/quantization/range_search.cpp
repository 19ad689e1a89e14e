// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

#include "core/quantization/entropy_search_internal.h"
#include "core/quantization/range_search_internal.h"

namespace equant {

namespace {

/// Integral of (u - round(u))^2 from 0 to t: 1/12 for every whole step, and the rest of the last one.
double roundingIntegral(double t) {
    const double whole = std::round(t);
    const double rest = t - whole;
    return whole / 12.0 + rest * rest * rest / 3.0;
}

/// Integral of (x - edge)^2 over [begin, end].
double distanceIntegral(double begin, double end, double edge) {
    const double a = begin - edge;
    const double b = end - edge;
    return (b * b * b - a * a * a) / 3.0;
}

/// Mean squared error of one value that is not spread.
double pointCost(double value, const GridRange& grid, double clippingWeight) {
    if (value < grid.min) return clippingWeight * (value - grid.min) * (value - grid.min);
    if (value > grid.max) return clippingWeight * (value - grid.max) * (value - grid.max);
    const double error = value - grid.scale * std::round(value / grid.scale);
    return error * error;
}

double binCost(const RangeHistogram::Bin& bin, const GridRange& grid, double clippingWeight) {
    const double width = bin.end - bin.begin;
    // Very narrow against the grid: the integrals below would cancel, the value is as good as a point.
    if (width < 1e-3 * grid.scale) return pointCost(0.5 * (bin.begin + bin.end), grid, clippingWeight);
    double sum = 0.0;
    if (bin.begin < grid.min) {
        sum += clippingWeight * distanceIntegral(bin.begin, std::min(bin.end, grid.min), grid.min);
    }
    if (bin.end > grid.max) {
        sum += clippingWeight * distanceIntegral(std::max(bin.begin, grid.max), bin.end, grid.max);
    }
    const double begin = std::max(bin.begin, grid.min);
    const double end = std::min(bin.end, grid.max);
    if (begin < end) {
        const double cube = grid.scale * grid.scale * grid.scale;
        sum += cube * (roundingIntegral(end / grid.scale) - roundingIntegral(begin / grid.scale));
    }
    return sum / width;
}

/// Candidate grids are the exact range with its ends shrunk by factors of its own.
struct Shrink {
    double low = 1.0;
    double high = 1.0;
};

}  // namespace

double quantizationCost(std::span<const RangeHistogram::Bin> bins, const GridRange& grid, double clippingWeight) {
    double sum = 0.0;
    double count = 0.0;
    for (const RangeHistogram::Bin& bin : bins) {
        sum += bin.count * binCost(bin, grid, clippingWeight);
        count += bin.count;
    }
    return count > 0.0 ? sum / count : 0.0;
}

GridRange leastCostGrid(const RangeHistogram& histogram, const GridOptions& options, double clippingWeight) {
    const std::vector<RangeHistogram::Bin> bins = histogram.filledBins();
    const RealRange full = usableRange({histogram.min(), histogram.max()}, options);
    GridRange best = gridFromRange(full.min, full.max, options);
    double bestCost = quantizationCost(bins, best, clippingWeight);
    Shrink bestShrink;
    const auto consider = [&](Shrink shrink) {
        if (shrink.low <= 0.0 || shrink.high <= 0.0 || shrink.low > 1.0 || shrink.high > 1.0) return;
        const GridRange grid = gridFromRange(full.min * shrink.low, full.max * shrink.high, options);
        const double cost = quantizationCost(bins, grid, clippingWeight);
        if (cost < bestCost) {
            bestCost = cost;
            best = grid;
            bestShrink = shrink;
        }
    };
    const bool isOneSided = options.isSymmetric || full.min == 0.0 || full.max == 0.0;
    if (isOneSided) {
        for (int k = 99; k >= 1; --k) consider({k / 100.0, k / 100.0});
        const double centre = bestShrink.low;
        for (int k = -9; k <= 9; ++k) consider({centre + k / 1000.0, centre + k / 1000.0});
        return best;
    }
    for (int low = 20; low >= 1; --low) {
        for (int high = 20; high >= 1; --high) consider({low / 20.0, high / 20.0});
    }
    for (const double step : {0.0125, 0.003}) {
        const Shrink centre = bestShrink;
        for (int low = -4; low <= 4; ++low) {
            for (int high = -4; high <= 4; ++high) consider({centre.low + low * step, centre.high + high * step});
        }
    }
    return best;
}

RealRange percentileRange(const RangeHistogram& histogram, double percentile) {
    RealRange range{histogram.min(), histogram.max()};
    if (percentile >= 100.0) return range;
    const double cut = (1.0 - percentile / 100.0) * static_cast<double>(histogram.samples());
    const std::vector<RangeHistogram::Bin> bins = histogram.filledBins();
    double left = cut;
    for (const RangeHistogram::Bin& bin : bins) {
        if (left < bin.count) {
            range.min = bin.begin + (bin.end - bin.begin) * left / bin.count;
            break;
        }
        left -= bin.count;
    }
    double right = cut;
    for (auto bin = bins.rbegin(); bin != bins.rend(); ++bin) {
        if (right < bin->count) {
            range.max = bin->end - (bin->end - bin->begin) * right / bin->count;
            break;
        }
        right -= bin->count;
    }
    return range;
}

RealRange entropyRange(const RangeHistogram& histogram, const GridOptions& options) {
    const RealRange exact{histogram.min(), histogram.max()};
    const auto levels = static_cast<std::size_t>(gridSteps(options));
    std::vector<double> counts(histogram.counts().begin(), histogram.counts().end());
    double begin = histogram.firstBegin();
    const double width = histogram.binWidth();
    const double end = begin + width * static_cast<double>(counts.size());
    const bool isMirrored = options.isSymmetric && (exact.min < 0.0 || !options.isUnsignedAllowed);
    // Zero is a bin border, so both the mirrored and the zero-including range are whole numbers of bins.
    const double wantedBegin = isMirrored ? -std::max(-begin, end) : std::min(begin, 0.0);
    const double wantedEnd = isMirrored ? -wantedBegin : std::max(end, 0.0);
    counts.insert(counts.begin(), static_cast<std::size_t>(std::llround((begin - wantedBegin) / width)), 0.0);
    counts.resize(static_cast<std::size_t>(std::llround((wantedEnd - wantedBegin) / width)), 0.0);
    begin = wantedBegin;
    if (counts.size() <= levels) return exact;

    EntropySearch search;
    search.levels = levels;
    search.isSymmetric = isMirrored;
    search.keepFirst = static_cast<std::size_t>(std::llround(-begin / width));
    search.keepLast = search.keepFirst;
    const BinWindow window = leastDivergentWindow(counts, search);
    return {std::max(begin + static_cast<double>(window.first) * width, exact.min),
            std::min(begin + static_cast<double>(window.last) * width, exact.max)};
}

RealRange usableRange(RealRange range, const GridOptions& options) {
    range.min = std::min(range.min, 0.0);
    range.max = std::max(range.max, 0.0);
    // A scale has to be a normal number in single precision, and so does its inverse.
    constexpr double kSmallestScale = 1e-30;
    const double steps = gridSteps(options);
    if (range.max - range.min < steps * kSmallestScale)
        range.max = range.min + steps * static_cast<double>(FLT_EPSILON);
    return range;
}

}  // namespace equant
