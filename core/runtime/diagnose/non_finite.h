// SPDX-License-Identifier: Apache-2.0
// Why a result holds NaN or infinity: the operator that made the first of them. Runs the model once with
// every value tapped, so it is meant for results known to be wrong, not for every run.
// Plain functions; any thread may call them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/graph/model.h"
#include "core/runtime/plan.h"

namespace equant {

/// Of one tensor.
struct NonFiniteCount {
    std::size_t nan = 0;
    std::size_t infinite = 0;
    std::size_t first = 0;  ///< row-major index of the first value that is not finite

    [[nodiscard]] bool isFinite() const { return nan == 0 && infinite == 0; }
};

/// Zero for tensors of integers. Knows float, double, float16 and bfloat16.
[[nodiscard]] NonFiniteCount countNonFinite(const Tensor& tensor);
/// The same question, quick: meant for every output of every run.
[[nodiscard]] bool isAllFinite(std::span<const float> values);
[[nodiscard]] bool isAllFinite(const Tensor& tensor);
/// "3 NaN and 1 infinity".
[[nodiscard]] std::string describe(const NonFiniteCount& count);

/// Where it begins.
struct NonFiniteOrigin {
    std::string layer;   ///< label of the operator; empty: the model was fed such values
    std::string opType;  ///< with the domain, if it is not ai.onnx
    std::string value;   ///< the operator's output, or the model's input
    Shape shape;         ///< of the value
    NonFiniteCount count;
    std::string constant;  ///< weights with NaN or infinity that the operator reads; empty: none
    NonFiniteCount inConstant;
    std::string nanLayer;  ///< where infinity becomes NaN further on; empty when it does not
};

/// `Log "/head/Log" makes 3 NaN of finite inputs (the first at index 17 of 1x10).`
[[nodiscard]] std::string describe(const NonFiniteOrigin& origin);
/// What to try.
[[nodiscard]] std::string hintFor(const NonFiniteOrigin& origin);

/// The first operator, in execution order, whose output holds NaN although no input does; where the NaN comes of an
/// infinity that was computed, the operator that computed it. Infinity alone counts only when it reaches the model's
/// outputs: masks of attention are infinite on purpose. nullopt: everything is in order. Errors as of Executor::run;
/// Cancelled. Inputs as for Executor::run, best of one sample.
Result<std::optional<NonFiniteOrigin>> findNonFinite(const Model& model, std::span<const Tensor> inputs,
                                                     const QuantOverlay& overlay = {}, const JobContext& job = {});

}  // namespace equant
