// SPDX-License-Identifier: Apache-2.0
// Keys to compare steps of different plans: with equal keys and equal operand layouts, two steps run equal code with
// equal parameters. Made while a plan is emitted. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <span>
#include <string>
#include <string_view>

#include "core/graph/encoding.h"
#include "core/graph/model.h"

namespace equant {

/// A step whose key is empty equals no other step.
using StepKey = std::string;

/// Kind, implementation, parameters and post-operations. The layouts of the operands are not part of it. Empty for
/// kinds of primitives the runtime does not emit today.
[[nodiscard]] StepKey primitiveKey(const dnnl::primitive_desc_base& descriptor);

/// Operator, opset and attributes; names of node and values do not count.
[[nodiscard]] StepKey kernelKey(const Node& node, std::int64_t opset);

/// Fake quantization by a loop of our own over `shape`.
[[nodiscard]] StepKey encodingKey(const Encoding& encoding, const Shape& shape);

/// Any other loop of our own: its name and all numbers that decide what it computes from its operands.
[[nodiscard]] StepKey numbersKey(std::string_view name, std::span<const double> numbers);

}  // namespace equant
