// SPDX-License-Identifier: Apache-2.0
// The parts of the matrix family, one file (matrix_*.cpp) each. Constant tables, any thread.
#pragma once

#include "core/runtime/kernels/support_internal.h"

namespace equant::kernels {

std::span<const KernelEntry> productKernels();    ///< MatMul, Gemm, MatMulInteger, QLinearMatMul, Det
std::span<const KernelEntry> einsumKernels();     ///< Einsum
std::span<const KernelEntry> recurrentKernels();  ///< RNN, GRU, LSTM

/// out [m, n] += a [m, k] * b [k, n], all row-major and dense.
template <typename T>
void multiplyAdd(const T* a, const T* b, std::int64_t m, std::int64_t k, std::int64_t n, T* out) {
    for (std::int64_t i = 0; i < m; ++i) {
        T* __restrict row = out + i * n;
        const T* left = a + i * k;
        std::int64_t p = 0;
        for (; p + 4 <= k; p += 4) {
            const T a0 = left[p], a1 = left[p + 1], a2 = left[p + 2], a3 = left[p + 3];
            const T* b0 = b + p * n;
            const T* b1 = b0 + n;
            const T* b2 = b1 + n;
            const T* b3 = b2 + n;
            for (std::int64_t j = 0; j < n; ++j) row[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j];
        }
        for (; p < k; ++p) {
            const T value = left[p];
            for (std::int64_t j = 0; j < n; ++j) row[j] += value * b[p * n + j];
        }
    }
}

}  // namespace equant::kernels
