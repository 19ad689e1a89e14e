// SPDX-License-Identifier: Apache-2.0
// Compiles and runs models in tests, and compares results by the size of what is compared.
#pragma once

#include <QtTest>
#include <algorithm>
#include <cmath>
#include <map>

#include "core/runtime/plan.h"
#include "tests/unit/support/model_builder.h"

namespace equant::test {

struct RunResult {
    std::vector<Tensor> outputs;
    std::vector<std::string> steps;
    std::map<std::size_t, Tensor> taps;
    std::string error;
};

inline RunResult compileAndRun(const Model& model, const std::vector<Tensor>& inputs,
                               const CompileOptions& options = {}, int times = 1) {
    RunResult result;
    const auto plan = compile(model, options);
    if (!plan) {
        result.error = describe(plan.error());
        return result;
    }
    result.steps = describePlan(**plan);
    Runner runner(*plan);
    for (int i = 0; i < times; ++i) {
        auto outputs = runner.run(inputs, [&](std::size_t index, const Tensor& value) { result.taps[index] = value; });
        if (!outputs) {
            result.error = describe(outputs.error());
            return result;
        }
        result.outputs = std::move(*outputs);
    }
    return result;
}

/// Largest difference relative to the largest magnitude in `expected`; infinite when the shapes differ.
inline double relativeDifference(const Tensor& expected, const Tensor& actual) {
    if (expected.shape() != actual.shape() || expected.dtype() != actual.dtype())
        return std::numeric_limits<double>::infinity();
    const auto a = expected.data<float>();
    const auto b = actual.data<float>();
    double largest = 1e-20;
    double difference = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest = std::max(largest, std::fabs(double(a[i])));
        difference = std::max(difference, std::fabs(double(a[i]) - double(b[i])));
        if (std::isnan(a[i]) != std::isnan(b[i])) return std::numeric_limits<double>::infinity();
    }
    return difference / largest;
}

/// The fused plan must compute what the operators compute one by one. Returns a message, empty when all is well.
inline std::string compareWithUnfused(const Model& model, const std::vector<Tensor>& inputs,
                                      CompileOptions options = {}, double tolerance = 2e-5) {
    const RunResult fused = compileAndRun(model, inputs, options, 2);
    options.fuse = false;
    const RunResult single = compileAndRun(model, inputs, options);
    if (!fused.error.empty()) return "fused: " + fused.error;
    if (!single.error.empty()) return "single: " + single.error;
    for (std::size_t i = 0; i < single.outputs.size(); ++i) {
        const double difference = relativeDifference(single.outputs[i], fused.outputs[i]);
        if (difference <= tolerance) continue;
        std::string message = "output " + std::to_string(i) + " differs by " + std::to_string(difference) + "; steps:";
        for (const std::string& step : fused.steps) message += "\n  " + step;
        return message;
    }
    return {};
}

inline bool hasStep(const RunResult& result, const std::string& text) {
    return std::any_of(result.steps.begin(), result.steps.end(),
                       [&](const std::string& step) { return step.find(text) != std::string::npos; });
}

inline Encoding asymmetricGrid(float low, float high, int bits = 8) {
    Encoding encoding;
    encoding.bits = bits;
    const float steps = static_cast<float>((1 << bits) - 1);
    encoding.scale = {(high - low) / steps};
    encoding.zeroPoint = {static_cast<std::int32_t>(std::lrint(-low / encoding.scale[0]))};
    return encoding;
}

}  // namespace equant::test
