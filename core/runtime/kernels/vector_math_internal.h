// SPDX-License-Identifier: Apache-2.0
// exp, tanh and erf without branches or calls, so that loops over them vectorize. Float versions are within 3 ulp
// (checked by test_kernels_elementwise); double versions are the library's. Any thread.
// Source: argument reduction and polynomials as in S. L. Moshier, Cephes Mathematical Library (expf, tanhf).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace equant::kernels {

/// exp(x) = fraction * 2^exponent, for |x| <= 104 or so.
struct SplitExp {
    float fraction;
    std::int32_t exponent;
};

[[nodiscard]] inline SplitExp splitExp(float x) {
    constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer in the low mantissa bits
    const float shifted = x * 1.44269504088896341F + kMagic;
    const float whole = shifted - kMagic;
    float r = x - whole * 0.693359375F;
    r -= whole * -2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    return {p * (r * r) + r + 1.0F, std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kMagic)};
}

[[nodiscard]] inline float fastExp(float x) {
    x = x < -104.0F ? -104.0F : x;  // both comparisons keep NaN
    x = x > 89.0F ? 89.0F : x;
    const auto [y, n] = splitExp(x);
    // 2^n in two factors, so that overflow and subnormal results come out right. The shifts wrap only for NaN.
    const std::int32_t half = n >> 1;
    const auto power = [](std::int32_t e) { return std::bit_cast<float>(static_cast<std::uint32_t>(e + 127) << 23); };
    return y * power(half) * power(n - half);
}
[[nodiscard]] inline double fastExp(double x) {
    return std::exp(x);
}

[[nodiscard]] inline float fastTanh(float x) {
    const float magnitude = std::fabs(x);
    const float z = x * x;
    float p = -5.70498872745e-3F;
    p = p * z + 2.06390887954e-2F;
    p = p * z - 5.37397155531e-2F;
    p = p * z + 1.33314422036e-1F;
    p = p * z - 3.33332819422e-1F;
    const float nearZero = p * z * x + x;
    const float far = std::copysign(1.0F - 2.0F / (fastExp(2.0F * magnitude) + 1.0F), x);
    return magnitude < 0.625F ? nearZero : far;
}
[[nodiscard]] inline double fastTanh(double x) {
    return std::tanh(x);
}

/// Near zero an odd polynomial, else 1 - exp(-q(|x|)); both fitted to be minimax in double precision. From 4 on, the
/// result rounds to 1.
[[nodiscard]] inline float fastErf(float x) {
    const float z = x * x;
    float p = 7.889119297033176e-5F;
    p = p * z - 8.020841050893068e-4F;
    p = p * z + 5.189535208046436e-3F;
    p = p * z - 2.6854444295167923e-2F;
    p = p * z + 1.1283600330352783e-1F;
    p = p * z - 3.761262595653534e-1F;
    p = p * z + 1.2837916709551257e-1F;
    const float nearZero = p * x + x;
    const float magnitude = std::fabs(x);
    const float a = magnitude > 4.0F ? 4.0F : magnitude;
    float q = -2.5132672476502194e-7F;
    q = q * a + 2.5314810045529157e-5F;
    q = q * a - 4.637880192603916e-4F;
    q = q * a + 4.282382782548666e-3F;
    q = q * a - 2.5373555719852448e-2F;
    q = q * a + 1.0863899439573288e-1F;
    q = q * a + 6.330395936965942e-1F;
    q = q * a + 1.129661202430725F;
    q = q * a - 2.043598797172308e-4F;
    const float far = std::copysign(1.0F - fastExp(-q), x);
    return magnitude < 1.0F ? nearZero : far;
}
[[nodiscard]] inline double fastErf(double x) {
    return std::erf(x);
}

template <typename T>
[[nodiscard]] T fastSigmoid(T x) {
    return T{1} / (T{1} + fastExp(-x));
}

/// Rounds half to even without a call; exact for |x| <= 2^22, and larger floats are clamped by all callers.
[[nodiscard]] inline float roundSmall(float x) {
    constexpr float kMagic = 12582912.0F;
    return (x + kMagic) - kMagic;
}

}  // namespace equant::kernels
