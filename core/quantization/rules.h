// SPDX-License-Identifier: Apache-2.0
// Which values a target quantizes: defaults, exceptions by parameter and operator, groups of operators that the target
// executes as one. The JSON form is the six-section configuration of AIMET's quantization simulation.
// Plain values; parsing and the built-in rules are free functions, safe from any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/quantization/grid.h"

namespace equant {

/// Absent means: not said here, a weaker rule or the user's settings decide.
struct ParameterRule {
    std::optional<bool> isQuantized;
    std::optional<bool> isSymmetric;
};

struct OperatorRule {
    std::optional<bool> isInputQuantized;
    std::optional<bool> isOutputQuantized;
    std::optional<bool> isSymmetric;
    std::optional<bool> isPerChannel;
    std::map<std::string, ParameterRule> parameters;  ///< "weight", "bias"
    std::optional<RealRange> outputRange;             ///< fixed, not calibrated
};

struct QuantizationRules {
    OperatorRule defaults;
    ParameterRule parameterDefaults;
    std::optional<bool> isStrict;
    std::optional<bool> isUnsignedSymmetric;
    std::optional<bool> isPerChannel;
    std::map<std::string, ParameterRule> parameters;  ///< "weight", "bias"
    std::map<std::string, OperatorRule> operators;    ///< by ONNX operator type
    std::vector<std::vector<std::string>> supergroups;
    std::optional<bool> isModelInputQuantized;
    std::optional<bool> isModelOutputQuantized;

    /// The strongest word on a parameter of an operator.
    [[nodiscard]] ParameterRule parameter(std::string_view opType, std::string_view parameter) const;
    [[nodiscard]] OperatorRule operatorRule(std::string_view opType) const;
};

/// All six sections must be there; booleans are "True"/"False" (JSON booleans are taken too). Keys that concern nothing
/// we do (hw_version, supported_kernels) are accepted. InvalidArgument names the section and key.
Result<QuantizationRules> parseRules(std::string_view json);

/// Outputs and weights quantized, bias not; convolution and activation are one. With `isAimetCompatible`, exactly what
/// AIMET's default (or per-channel) file says.
[[nodiscard]] QuantizationRules builtInRules(bool isPerChannel, bool isAimetCompatible);

}  // namespace equant
