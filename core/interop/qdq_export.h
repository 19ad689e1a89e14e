// SPDX-License-Identifier: Apache-2.0
// Writes a simulated-quantized model down as ONNX with QuantizeLinear / DequantizeLinear pairs, so that any runtime
// computes what was simulated, and with true integer weights, so that the file is really smaller.
//
// Before:  w, x -> layer -> y -> next
// After:   w_int -> DequantizeLinear -> w', (w', x) -> layer -> QuantizeLinear -> DequantizeLinear -> y -> next
// Needs :  opset 10, 13 per channel, 21 for more than 8 bits
// Keeps :  names of inputs, outputs and values that layers read
// Source: ONNX QuantizeLinear, DequantizeLinear (opsets 10, 13, 21).
#pragma once

#include <string>
#include <vector>

#include "core/passes/outcome.h"
#include "core/runtime/plan.h"

namespace equant {

struct QdqReport {
    std::size_t weights = 0;      ///< constants stored as integers
    std::size_t activations = 0;  ///< pairs inserted
    std::size_t initializerBytesBefore = 0;
    std::size_t initializerBytesAfter = 0;
    std::int64_t opset = 0;             ///< declared by the exported model
    std::vector<std::string> notFound;  ///< encodings whose value is not in the model
};

/// Grids of less than 8 bits are stored in 8-bit integers; a Clip keeps activations on them. Ties round half to even,
/// whatever the encodings say: ONNX knows nothing else. Unsupported: the opset is too old and cannot be raised safely.
/// InvalidArgument: an encoding that does not fit its tensor.
Result<Outcome<QdqReport>> exportQdq(const Model& model, const QuantOverlay& encodings);

}  // namespace equant
