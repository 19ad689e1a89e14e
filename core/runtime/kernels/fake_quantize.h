// SPDX-License-Identifier: Apache-2.0
// Fake quantization: real values replaced by their nearest representable ones. The only implementation of the grid
// outside oneDNN's post-operations; everything that simulates or exports integers uses it. Pure functions,
// any thread.
#pragma once

#include <span>

#include "core/graph/encoding.h"
#include "core/graph/tensor.h"

namespace equant {

/// In place, y = (clamp(round(x / scale) + zeroPoint, qMin, qMax) - zeroPoint) * scale in float arithmetic, as ONNX
/// QuantizeLinear followed by DequantizeLinear. `shape`: of the tensor, for the encoding's axis (ignored per tensor).
/// InvalidArgument when a per-channel encoding does not fit the shape.
Status fakeQuantize(std::span<float> values, const Shape& shape, const Encoding& encoding);

/// The same as a new tensor; only Float tensors.
Result<Tensor> fakeQuantized(const Tensor& tensor, const Encoding& encoding);

/// The integers of a Float tensor (Int32, same shape): clamp(round(x / scale) + zeroPoint, qMin, qMax).
Result<Tensor> quantizedIntegers(const Tensor& tensor, const Encoding& encoding);

/// Per-tensor grid on raw values of any order.
void fakeQuantizePerTensor(float* values, std::size_t count, const Encoding& encoding, std::size_t channel = 0);
/// From one place to another (or to the same, but not to one that overlaps).
void fakeQuantizePerTensor(const float* from, float* to, std::size_t count, const Encoding& encoding,
                           std::size_t channel = 0);

/// InvalidArgument when scale / zero point counts do not fit the shape or are not usable (scale <= 0, not finite).
Status checkEncoding(const Encoding& encoding, const Shape& shape);

}  // namespace equant
