// SPDX-License-Identifier: Apache-2.0
// Decides which values of a model get a quantizer, with which integers, and why the others do not.
// A free function on plain values: safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/graph/model.h"
#include "core/quantization/rules.h"
#include "core/quantization/settings.h"

namespace equant {

enum class QuantizedRole { ModelInput, Activation, Weight, Bias };

struct QuantizerSpec {
    std::string value;  ///< name in the graph
    QuantizedRole role = QuantizedRole::Activation;
    std::string layer;  ///< the node that produces the activation or owns the weight; empty for a model input
    GridOptions grid;
    int axis = -1;                        ///< channel axis, -1: one grid for the tensor
    std::optional<RealRange> fixedRange;  ///< not calibrated

    [[nodiscard]] bool isParameter() const { return role == QuantizedRole::Weight || role == QuantizedRole::Bias; }
};

/// A value that stays in floating point, for the table of what is quantized.
struct UnquantizedValue {
    std::string value;
    std::string layer;
    std::string reason;
};

struct QuantizerPlan {
    std::vector<QuantizerSpec> quantizers;  ///< in execution order, each value once
    std::vector<UnquantizedValue> skipped;
};

/// The rules of the settings: parsed from their JSON text, or the built-in ones.
Result<QuantizationRules> rulesOf(const QuantizationSettings& settings);

/// Corrupt: a graph that is not well-formed. InvalidArgument: bits outside 2..16.
Result<QuantizerPlan> placeQuantizers(const Model& model, const QuantizationRules& rules,
                                      const QuantizationSettings& settings);

}  // namespace equant
