// SPDX-License-Identifier: Apache-2.0
#include "core/metrics/correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace equant {

namespace {

std::vector<double> ranksOf(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
    std::vector<double> ranks(values.size());
    for (std::size_t first = 0; first < order.size();) {
        std::size_t last = first;
        while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
        for (std::size_t i = first; i <= last; ++i) ranks[order[i]] = double(first + last) / 2;
        first = last + 1;
    }
    return ranks;
}

}  // namespace

std::optional<double> rankCorrelation(std::span<const double> a, std::span<const double> b) {
    if (a.size() != b.size() || a.size() < 3) return std::nullopt;
    const auto x = ranksOf(a), y = ranksOf(b);
    const double mean = double(a.size() - 1) / 2;
    double xy = 0, xx = 0, yy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xy += (x[i] - mean) * (y[i] - mean);
        xx += (x[i] - mean) * (x[i] - mean);
        yy += (y[i] - mean) * (y[i] - mean);
    }
    if (xx <= 0 || yy <= 0) return std::nullopt;
    return xy / std::sqrt(xx * yy);
}

}  // namespace equant
