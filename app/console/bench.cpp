// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <memory>
#include <mutex>

#include "app/console/command.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/base/parallel.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/evaluate.h"
#include "core/passes/fold_batch_norm.h"
#include "core/quantization/quantsim.h"
#include "core/runtime/executor.h"

namespace equant::console {

namespace {

constexpr int kWarmUpRuns = 3;
constexpr std::int64_t kCalibrationSamples = 4;

struct BenchCommand {
    std::string model;
    std::string encodings;
    std::int64_t batch = 1;
    int runs = 30;
    bool hasSteps = false;
};

/// Times of one model's runs, in milliseconds a sample.
struct Timings {
    std::vector<double> values;

    [[nodiscard]] double median() const {
        std::vector<double> sorted = values;
        std::ranges::sort(sorted);
        const std::size_t half = sorted.size() / 2;
        return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }
    [[nodiscard]] double minimum() const { return *std::ranges::min_element(values); }
};

/// Every thread runs the whole batch once.
Result<double> timedRun(Executor& executor, const std::vector<Tensor>& inputs, unsigned threads) {
    std::mutex mutex;
    std::optional<Error> failure;
    const auto start = std::chrono::steady_clock::now();
    const auto work = [&](unsigned worker, std::size_t) {
        const auto outputs = executor.run(inputs, worker);
        if (outputs) return;
        const std::scoped_lock lock(mutex);
        failure = outputs.error();
    };
    if (threads == 1)
        work(0, 0);
    else
        parallelFor(threads, threads, {}, work);
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    if (failure) return fail(*failure);
    return taken.count();
}

/// With encodings, the model that they were made for; otherwise with its batch norms folded, as `quantize` has it.
Result<Model> modelToTime(const BenchCommand& command) {
    auto model = readOnnx(command.model);
    if (!model || !command.encodings.empty()) return model;
    auto folded = foldBatchNorms(*model);
    if (!folded) return fail(folded.error());
    return std::move(folded->model);
}

/// Encodings from the file, or 8 bits per tensor calibrated on random inputs: good enough to time.
Result<QuantOverlay> overlayFor(const BenchCommand& command, const Model& model, const Executor& executor,
                                const CommandContext& context) {
    if (!command.encodings.empty()) return readOverlay(command.encodings, model);
    std::vector<std::vector<Tensor>> batches;
    for (std::uint64_t i = 0; i < kCalibrationSamples; ++i)
        batches.push_back(randomInputs(executor, context.options.seed + 1 + i));
    const auto sim = calibrate(model, batches, {}, {1, 1}, context.job);
    if (!sim) return fail(sim.error());
    return overlay(*sim);
}

/// Where the time goes: every step of the plan for these inputs, the slowest first.
struct StepTime {
    std::string step;
    double milliseconds = 0;
};

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

nlohmann::json timingsJson(const Timings& timings) {
    return {{"ms_per_sample_median", timings.median()}, {"ms_per_sample_min", timings.minimum()}};
}

std::string milliseconds(double value) {
    return fmt::format("{:.3f} ms", value);
}

Result<CommandResult> runBench(const BenchCommand& command, const CommandContext& context) {
    const unsigned threads = context.options.threads == 0 ? 1 : context.options.threads;
    const auto model = modelToTime(command);
    if (!model) return fail(model.error());
    const auto floating = Executor::create(*model);
    if (!floating) return fail(floating.error());
    CompileOptions compile;
    auto encodings = overlayFor(command, *model, **floating, context);
    if (!encodings) return fail(encodings.error());
    compile.overlay = std::move(*encodings);
    const auto quantized = Executor::create(*model, compile);
    if (!quantized) return fail(quantized.error());

    const auto inputs = randomInputs(**floating, context.options.seed, command.batch);
    const std::int64_t batch = inputs.empty() || inputs[0].rank() == 0 ? 1 : inputs[0].dim(0);
    const double samples = double(batch) * threads;
    Timings floatTimes, quantizedTimes;
    context.job.begin("timing", command.runs + kWarmUpRuns);
    for (int run = -kWarmUpRuns; run < command.runs; ++run) {
        // Alternating: what else the machine does then concerns both alike.
        for (const auto& [executor, times] :
             {std::pair{floating->get(), &floatTimes}, std::pair{quantized->get(), &quantizedTimes}}) {
            if (context.job.stopped()) return cancelled();
            const auto taken = timedRun(*executor, inputs, threads);
            if (!taken) return fail(taken.error());
            if (run >= 0) times->values.push_back(*taken / samples);
        }
        context.job.advance();
    }
    const double ratio = quantizedTimes.median() / floatTimes.median();
    CommandResult result{{{"float", timingsJson(floatTimes)},
                          {"quantized", timingsJson(quantizedTimes)},
                          {"ratio", ratio},
                          {"batch", batch},
                          {"threads", threads},
                          {"runs", command.runs}},
                         {}};
    result.text =
        table(
            {"per sample", "median", "minimum"},
            {{"float", milliseconds(floatTimes.median()), milliseconds(floatTimes.minimum())},
             {"simulated quantized", milliseconds(quantizedTimes.median()), milliseconds(quantizedTimes.minimum())}}) +
        fmt::format("Simulating quantization takes {:.2f} times as long ({} runs each, batch {}, {} thread{}, {}).\n",
                    ratio, command.runs, batch, threads, threads == 1 ? "" : "s",
                    command.encodings.empty() ? "8 bits per tensor" : command.encodings);
    if (!command.hasSteps) return result;
    for (const auto& [kind, title, executor, options] :
         {std::tuple{"float", "step (float)", floating->get(), CompileOptions{}},
          std::tuple{"quantized", "step (simulated quantized)", quantized->get(), compile}}) {
        const auto times = stepTimes(*model, options, *executor, inputs, command.runs);
        if (!times) return fail(times.error());
        result.json[kind]["steps"] = stepsJson(*times);
        result.text += stepsText(title, *times);
    }
    return result;
}

}  // namespace

void addBench(CommandRegistry& registry) {
    auto options = std::make_shared<BenchCommand>();
    auto* command = registry.add("bench", "Time float and simulated inference, one thread unless --threads",
                                 [options](const CommandContext& context) { return runBench(*options, context); });
    addModelOption(*command, options->model);
    command->add_option("--batch", options->batch, "Samples in one forward pass (default 1)")
        ->check(CLI::Range(1, 4096).description(""))
        ->type_name("N");
    command->add_option("--runs", options->runs, "Timed runs of each (default 30)")
        ->check(CLI::Range(1, 100000).description(""))
        ->type_name("N");
    command->add_flag("--steps", options->hasSteps, "Also time every step of the compiled model");
    command->add_option("--encodings", options->encodings, "Simulate these (default: 8 bits, ranges of random inputs)")
        ->type_name("FILE");
}

}  // namespace equant::console
