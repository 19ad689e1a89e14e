// SPDX-License-Identifier: Apache-2.0
// Runner (plan.h): all steps of a plan, from the inputs to the outputs.
#include <algorithm>
#include <chrono>
#include <limits>

#include "core/runtime/exec/step_runner_internal.h"
#include "core/runtime/plan.h"

namespace equant {

struct Runner::State {
    StepRunner steps;
};

Runner::Runner(std::shared_ptr<const Plan> plan) : m_state(new State{StepRunner(std::move(plan))}) {}
Runner::~Runner() = default;
Runner::Runner(Runner&&) noexcept = default;
Runner& Runner::operator=(Runner&&) noexcept = default;

Result<std::vector<Tensor>> Runner::run(std::span<const Tensor> inputs, const TapFunction& tap) {
    StepRunner& steps = m_state->steps;
    if (auto status = steps.feed(inputs); !status) return fail(status.error());
    if (auto status = steps.run(0, steps.plan().steps.size(), tap); !status) return fail(status.error());
    return steps.outputs();
}

Result<std::vector<Tensor>> Runner::observe(std::span<const Tensor> inputs, const ElementsFunction& elements) {
    StepRunner& steps = m_state->steps;
    struct Reset {
        StepRunner& steps;
        ~Reset() { steps.observe(nullptr); }
    };
    steps.observe(&elements);
    const Reset reset{steps};
    return run(inputs);
}

Result<std::vector<double>> Runner::timeSteps(std::span<const Tensor> inputs, int runs) {
    using Clock = std::chrono::steady_clock;
    StepRunner& steps = m_state->steps;
    if (auto status = steps.feed(inputs); !status) return fail(status.error());
    std::vector<double> fastest(steps.plan().steps.size(), std::numeric_limits<double>::infinity());
    for (int run = 0; run < runs; ++run) {
        for (std::size_t i = 0; i < fastest.size(); ++i) {
            const auto start = Clock::now();
            if (auto status = steps.run(i, i + 1); !status) return fail(status.error());
            fastest[i] = std::min(fastest[i], std::chrono::duration<double>(Clock::now() - start).count());
        }
    }
    return fastest;
}

}  // namespace equant
