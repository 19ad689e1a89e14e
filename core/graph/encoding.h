// SPDX-License-Identifier: Apache-2.0
// How real values map to integers: the quantization grid of one tensor, as a plain value.
// Source: ONNX QuantizeLinear / DequantizeLinear; Nagel et al., "A White Paper on Neural Network Quantization", 2021.
#pragma once

#include <cstdint>
#include <vector>

namespace equant {

enum class Rounding {
    HalfToEven,       ///< ONNX QuantizeLinear, oneDNN, PyTorch
    HalfAwayFromZero  ///< C round(); AIMET's C++ kernels
};

/// x is represented by q = clamp(round(x / scale) + zeroPoint, qMin, qMax) and reconstructed as
/// (q - zeroPoint) * scale. One scale and zero point for the tensor, or one per index of `axis`.
struct Encoding {
    int bits = 8;
    bool isSigned = false;     ///< integers are two's complement (qMin < 0)
    bool isSymmetric = false;  ///< zero is in the middle of the grid
    bool isStrict = false;     ///< symmetric without the lowest integer: [-127, 127] for 8 bits
    int axis = -1;             ///< channel axis, -1 for per tensor
    std::vector<float> scale;
    std::vector<std::int32_t> zeroPoint;
    Rounding rounding = Rounding::HalfToEven;

    [[nodiscard]] bool isPerChannel() const { return axis >= 0; }
    [[nodiscard]] std::int32_t qMin() const {
        return isSigned ? -(std::int32_t{1} << (bits - 1)) + (isStrict ? 1 : 0) : 0;
    }
    [[nodiscard]] std::int32_t qMax() const {
        return isSigned ? (std::int32_t{1} << (bits - 1)) - 1
                        : static_cast<std::int32_t>((std::int64_t{1} << bits) - 1) - (isStrict ? 1 : 0);
    }
    /// Smallest and largest representable real value of channel i.
    [[nodiscard]] double min(std::size_t i = 0) const { return (double(qMin()) - zeroPoint[i]) * double(scale[i]); }
    [[nodiscard]] double max(std::size_t i = 0) const { return (double(qMax()) - zeroPoint[i]) * double(scale[i]); }

    friend bool operator==(const Encoding&, const Encoding&) = default;
};

}  // namespace equant
