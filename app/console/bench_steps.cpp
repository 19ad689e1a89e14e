// SPDX-License-Identifier: Apache-2.0
#include "app/console/bench_steps.h"

#include <algorithm>
#include <fmt/format.h>

#include "app/console/format.h"

namespace equant::console {

Result<std::vector<StepTime>> stepTimes(const Model& model, const CompileOptions& given, const Executor& executor,
                                        const std::vector<Tensor>& inputs, int runs) {
    CompileOptions options = given;
    for (std::size_t i = 0; i < inputs.size(); ++i) options.inputShapes[executor.inputs()[i].name] = inputs[i].shape();
    const auto plan = compile(model, options);
    if (!plan) return fail(plan.error());
    const auto seconds = Runner(*plan).timeSteps(inputs, runs);
    if (!seconds) return fail(seconds.error());
    std::vector<StepTime> times;
    const auto descriptions = describePlan(**plan);
    for (std::size_t i = 0; i < descriptions.size(); ++i) times.push_back({descriptions[i], (*seconds)[i] * 1e3});
    std::ranges::stable_sort(times, std::ranges::greater{}, &StepTime::milliseconds);
    return times;
}

nlohmann::json stepsJson(const std::vector<StepTime>& times) {
    auto result = nlohmann::json::array();
    for (const StepTime& time : times) result.push_back({{"step", time.step}, {"ms", time.milliseconds}});
    return result;
}

std::string stepsText(const std::string& title, const std::vector<StepTime>& times) {
    constexpr std::size_t kShown = 25;
    double total = 0;
    for (const StepTime& time : times) total += time.milliseconds;
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < std::min(times.size(), kShown); ++i) {
        rows.push_back({times[i].step, fmt::format("{:.3f} ms", times[i].milliseconds),
                        fmt::format("{:.1f} %", 100 * times[i].milliseconds / total)});
    }
    if (times.size() > kShown)
        rows.push_back({fmt::format("... {} more (all in --json)", times.size() - kShown), "", ""});
    return "\n" + table({title, "one run", "share"}, rows);
}

}  // namespace equant::console
