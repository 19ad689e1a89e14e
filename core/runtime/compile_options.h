// SPDX-License-Identifier: Apache-2.0
// Options of compile() (plan.h), and the functions that receive tapped values of a run. Value types.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/graph/encoding.h"
#include "core/graph/tensor.h"

namespace equant {

/// Fake quantization by value name. A constant (weight) is quantized once while compiling; an activation wherever it
/// is produced (or fed), fused into the producing kernel where possible. Names that do not occur are ignored.
using QuantOverlay = std::unordered_map<std::string, Encoding>;

struct CompileOptions {
    /// Shape of every graph input by name; inputs not named keep their declared shape with a free first dimension = 1.
    std::unordered_map<std::string, Shape> inputShapes;
    QuantOverlay overlay;
    /// Values to hand to the TapFunction when they have been computed (before their fake quantization, if any).
    std::vector<std::string> taps;
    /// Taps go to an ElementsFunction (Runner::observe) and to no TapFunction: nothing is reordered or copied.
    bool areTapsUnordered = false;
    /// Values to compute instead of the graph's outputs; empty means the graph's outputs.
    std::vector<std::string> outputs;
    /// Off: every node runs by itself (tests compare the fused plan with it).
    bool fuse = true;
};

/// Receives a tapped value in the dense row-major layout ONNX describes. Called from the running thread.
using TapFunction = std::function<void(std::size_t tapIndex, const Tensor& value)>;

/// Receives the elements of a tapped float value, each exactly once in a run, in the order they have in memory. They
/// may come in several pieces and must not be used after the call. Other types are not shown.
using ElementsFunction = std::function<void(std::size_t tapIndex, std::span<const float> elements)>;

}  // namespace equant
