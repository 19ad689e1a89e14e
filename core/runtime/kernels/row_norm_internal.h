// SPDX-License-Identifier: Apache-2.0
// Rows brought to zero mean and unit variance (layer normalization), or to unit mean square (RMS normalization).
// A pure function, any thread.
#pragma once

#include <cstddef>

namespace equant {

struct NormalizedRows {
    std::size_t count = 1;
    std::size_t length = 1;
    double epsilon = 1e-5;
    bool isCentered = true;  ///< false: no mean is subtracted, the mean square replaces the variance
};

/// out = (x - mean) / sqrt(variance + epsilon) * gamma + beta for each row; statistics in double. `out` may be `x`;
/// gamma and beta have one value per element of a row, or are null. beta needs gamma.
/// Source: J. L. Ba, J. R. Kiros, G. E. Hinton, Layer Normalization, 2016; B. Zhang, R. Sennrich, Root Mean Square
/// Layer Normalization, 2019.
void normalizeRows(const float* x, const NormalizedRows& rows, const float* gamma, const float* beta, float* out);

}  // namespace equant
