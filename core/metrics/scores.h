// SPDX-License-Identifier: Apache-2.0
// How good outputs are: against labels (top-k) and against a reference model (agreement, SQNR, cosine).
// Percentages are 0..100; what does not apply is absent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/graph/tensor.h"

namespace equant {

struct Interval {
    double low = 0;
    double high = 0;
};

struct Score {
    std::size_t samples = 0;
    std::optional<double> top1;
    std::optional<double> top5;
    std::optional<double> agreement;  ///< share of samples whose top-1 equals the reference's
    std::optional<double> sqnrDb;     ///< 10 log10(sum ref^2 / sum (ref - out)^2) over all outputs and samples
    std::optional<double> cosine;     ///< mean over samples of the cosine between output and reference
    double msPerSample = 0;
    std::optional<Interval> top1Interval;       ///< 95 %
    std::optional<Interval> agreementInterval;  ///< 95 %
    std::size_t notFinite = 0;                  ///< samples with NaN or infinity in their outputs
    std::optional<std::size_t> firstNotFinite;  ///< index of the first of them in the data set
};

/// Wilson's 95 % interval for `successes` of `trials`, in percent. Source: Wilson, 1927.
[[nodiscard]] Interval wilsonInterval(std::size_t successes, std::size_t trials);

/// Index of the largest element; the first of equals.
[[nodiscard]] std::size_t argmax(std::span<const float> values);
/// Whether `label` is among the k largest (ties count in favour of lower indices, as a stable sort would).
[[nodiscard]] bool isInTopK(std::span<const float> values, std::int64_t label, std::size_t k);

/// Adds up squared signal and squared error.
class SqnrAccumulator {
public:
    void add(std::span<const float> reference, std::span<const float> value);
    void merge(const SqnrAccumulator& other);
    /// In dB; +infinity when equal; absent when nothing was added or the reference is all zero.
    [[nodiscard]] std::optional<double> db() const;

private:
    double m_signal = 0;
    double m_noise = 0;
    bool m_hasData = false;
};

}  // namespace equant
