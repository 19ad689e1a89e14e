// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "core/runtime/kernels/row_norm_internal.h"
#include "core/runtime/kernels/wide.h"

namespace equant {
namespace {

constexpr std::size_t kLanes = 16;

double total(const double* lanes) {
    double sum = 0.0;
    for (std::size_t l = 0; l < kLanes; ++l) sum += lanes[l];
    return sum;
}

EQUANT_WIDE double sumOf(const float* x, std::size_t n) {
    double lanes[kLanes] = {};
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) lanes[l] += static_cast<double>(x[i + l]);
    }
    for (; i < n; ++i) lanes[0] += static_cast<double>(x[i]);
    return total(lanes);
}

EQUANT_WIDE double squaresOf(const float* x, std::size_t n, double mean) {
    double lanes[kLanes] = {};
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const double distance = static_cast<double>(x[i + l]) - mean;
            lanes[l] += distance * distance;
        }
    }
    for (; i < n; ++i) lanes[0] += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean);
    return total(lanes);
}

EQUANT_WIDE void shiftAndScale(const float* x, std::size_t n, float mean, float factor, float* out) {
    for (std::size_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * factor;
}

EQUANT_WIDE void multiply(std::size_t n, const float* __restrict gamma, float* __restrict out) {
    for (std::size_t i = 0; i < n; ++i) out[i] *= gamma[i];
}

EQUANT_WIDE void multiplyAndAdd(std::size_t n, const float* __restrict gamma, const float* __restrict beta,
                                float* __restrict out) {
    for (std::size_t i = 0; i < n; ++i) out[i] = out[i] * gamma[i] + beta[i];
}

}  // namespace

void normalizeRows(const float* x, const NormalizedRows& rows, const float* gamma, const float* beta, float* out) {
    const std::size_t n = rows.length;
    for (std::size_t row = 0; row < rows.count; ++row, x += n, out += n) {
        const double mean = rows.isCentered ? sumOf(x, n) / static_cast<double>(n) : 0.0;
        const double variance = squaresOf(x, n, mean) / static_cast<double>(n);
        shiftAndScale(x, n, static_cast<float>(mean), static_cast<float>(1.0 / std::sqrt(variance + rows.epsilon)),
                      out);
        if (beta != nullptr) {
            multiplyAndAdd(n, gamma, beta, out);
        } else if (gamma != nullptr) {
            multiply(n, gamma, out);
        }
    }
}

}  // namespace equant
