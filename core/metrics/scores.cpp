// SPDX-License-Identifier: Apache-2.0
#include "core/metrics/scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace equant {

Interval wilsonInterval(std::size_t successes, std::size_t trials) {
    if (trials == 0) return {0, 100};
    constexpr double z = 1.959963984540054;  // 97.5 % quantile of the normal distribution
    const auto n = static_cast<double>(trials);
    const double share = static_cast<double>(successes) / n;
    const double denominator = 1 + z * z / n;
    const double centre = (share + z * z / (2 * n)) / denominator;
    const double half = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / denominator;
    return {100 * std::max(0.0, centre - half), 100 * std::min(1.0, centre + half)};
}

std::size_t argmax(std::span<const float> values) {
    return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

bool isInTopK(std::span<const float> values, std::int64_t label, std::size_t k) {
    if (label < 0 || label >= static_cast<std::int64_t>(values.size())) return false;
    const auto index = static_cast<std::size_t>(label);
    std::size_t ahead = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
        ahead += values[i] > values[index] || (values[i] == values[index] && i < index);
    return ahead < k && !std::isnan(values[index]);
}

void SqnrAccumulator::add(std::span<const float> reference, std::span<const float> value) {
    const std::size_t count = std::min(reference.size(), value.size());
    double signal = 0, noise = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double difference = double(reference[i]) - value[i];
        signal += double(reference[i]) * reference[i];
        noise += difference * difference;
    }
    m_signal += signal;
    m_noise += noise;
    m_hasData |= count > 0;
}

void SqnrAccumulator::merge(const SqnrAccumulator& other) {
    m_signal += other.m_signal;
    m_noise += other.m_noise;
    m_hasData |= other.m_hasData;
}

std::optional<double> SqnrAccumulator::db() const {
    if (!m_hasData || m_signal == 0) return std::nullopt;
    if (m_noise == 0) return std::numeric_limits<double>::infinity();
    return 10 * std::log10(m_signal / m_noise);
}

}  // namespace equant
