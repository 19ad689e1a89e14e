// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <memory>

#include "app/console/bench_calibration.h"
#include "app/console/bench_limits.h"
#include "app/console/bench_steps.h"
#include "app/console/command.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "app/console/quantization_options.h"
#include "core/graph/onnx_io.h"
#include "core/metrics/evaluate.h"
#include "core/metrics/latency.h"
#include "core/passes/fold_batch_norm.h"
#include "core/quantization/quantsim.h"
#include "core/runtime/exec/executor.h"

namespace equant::console {

namespace {

constexpr std::int64_t kTimedSamples = 4;

struct BenchCommand {
    std::string model;
    std::string encodings;
    std::int64_t batch = 1;
    int runs = 30;
    bool hasSteps = false;
    bool hasLimits = true;
    bool isCalibration = false;
    QuantizationSettings settings;
};

/// With encodings, the model that they were made for; otherwise with its batch norms folded, as `quantize` has it.
Result<Model> modelToTime(const BenchCommand& command) {
    auto model = readOnnx(command.model);
    if (!model || !command.encodings.empty()) return model;
    auto folded = foldBatchNorms(*model);
    if (!folded) return fail(folded.error());
    return std::move(folded->model);
}

/// Encodings from the file, or calibrated on random inputs: good enough to time.
Result<QuantOverlay> overlayFor(const BenchCommand& command, const Model& model, const Executor& executor,
                                const CommandContext& context) {
    if (!command.encodings.empty()) return readOverlay(command.encodings, model);
    std::vector<std::vector<Tensor>> batches;
    for (std::uint64_t i = 0; i < kTimedSamples; ++i)
        batches.push_back(randomInputs(executor, context.options.seed + 1 + i));
    const auto sim = calibrate(model, batches, command.settings, {1, 1, false}, context.job);
    if (!sim) return fail(sim.error());
    return overlay(*sim);
}

nlohmann::json timingsJson(const Timings& timings) {
    return {{"ms_per_sample_median", timings.median()}, {"ms_per_sample_min", timings.minimum()}};
}

std::string milliseconds(double value) {
    return fmt::format("{:.3f} ms", value);
}

/// A model ready to be timed both ways.
struct Contestants {
    std::shared_ptr<Executor> floating;
    std::shared_ptr<Executor> quantized;
    CompileOptions quantizedOptions;
    Timings floatTimes, quantizedTimes;
    Timings singleTimes;  ///< float on one thread, where several are timed: what the others add
};

Result<Contestants> prepare(const BenchCommand& command, const Model& model, const CommandContext& context) {
    Contestants result;
    auto floating = Executor::create(model);
    if (!floating) return fail(floating.error());
    result.floating = std::move(*floating);
    auto encodings = overlayFor(command, model, *result.floating, context);
    if (!encodings) return fail(encodings.error());
    result.quantizedOptions.overlay = std::move(*encodings);
    auto quantized = Executor::create(model, result.quantizedOptions);
    if (!quantized) return fail(quantized.error());
    result.quantized = std::move(*quantized);
    return result;
}

Status timeAll(Contestants& all, const std::vector<Tensor>& inputs, std::int64_t samples, int runs, unsigned threads,
               const JobContext& job) {
    std::vector<Contestant> turns{{*all.floating, threads}, {*all.quantized, threads}};
    if (threads > 1) turns.push_back({*all.floating, 1});
    TimingOptions options;
    options.runs = options.leastRuns = runs;
    options.samples = samples;
    auto times = timeInTurns(turns, inputs, options, job);
    if (!times) return fail(times.error());
    all.floatTimes = std::move((*times)[0]);
    all.quantizedTimes = std::move((*times)[1]);
    if (threads > 1) all.singleTimes = std::move((*times)[2]);
    return {};
}

CommandResult describeTimes(const BenchCommand& command, const Contestants& both, std::int64_t batch,
                            unsigned threads) {
    const Timings &floating = both.floatTimes, &quantized = both.quantizedTimes;
    const double ratio = quantized.median() / floating.median();
    CommandResult result{{{"float", timingsJson(floating)},
                          {"quantized", timingsJson(quantized)},
                          {"ratio", ratio},
                          {"batch", batch},
                          {"threads", threads},
                          {"runs", command.runs}},
                         {}};
    result.text =
        table({"per sample", "median", "minimum"},
              {{"float", milliseconds(floating.median()), milliseconds(floating.minimum())},
               {"simulated quantized", milliseconds(quantized.median()), milliseconds(quantized.minimum())}}) +
        fmt::format("Simulating quantization takes {:.2f} times as long ({} runs each, batch {}, {} thread{}, {}).\n",
                    ratio, command.runs, batch, threads, threads == 1 ? "" : "s",
                    command.encodings.empty() ? describe(command.settings) : command.encodings);
    if (threads == 1) return result;
    const double scaling = both.singleTimes.median() / floating.median();
    result.json["scaling"] = scaling;
    result.text += fmt::format("{} threads give {:.2f} times the throughput of one.\n", threads, scaling);
    return result;
}

Status addLimits(const Model& model, const Contestants& both, std::int64_t batch, const CommandContext& context,
                 CommandResult& result) {
    std::vector<Shape> shapes;
    for (const Tensor& input : randomInputs(*both.floating, context.options.seed)) shapes.push_back(input.shape());
    const auto cost = sampleCost(model, shapes);
    if (!cost) return fail(cost.error());
    const unsigned threads = context.options.threads == 0 ? 1 : context.options.threads;
    const auto machine = measureMachineLimits(threads, context.job);
    if (!machine) return fail(machine.error());
    const SpeedOfModel speed{*machine, *cost, batch, both.floatTimes.median()};
    result.json["limits"] = limitsJson(speed);
    result.text += limitsText(speed);
    return {};
}

Status addSteps(const Model& model, const Contestants& both, const std::vector<Tensor>& inputs, int runs,
                CommandResult& result) {
    for (const auto& [kind, title, executor, options] :
         {std::tuple{"float", "step (float)", both.floating.get(), CompileOptions{}},
          std::tuple{"quantized", "step (simulated quantized)", both.quantized.get(), both.quantizedOptions}}) {
        const auto times = stepTimes(model, options, *executor, inputs, runs);
        if (!times) return fail(times.error());
        result.json[kind]["steps"] = stepsJson(*times);
        result.text += stepsText(title, *times);
    }
    return {};
}

Result<CommandResult> runBench(const BenchCommand& command, const CommandContext& context) {
    const unsigned threads = context.options.threads == 0 ? 1 : context.options.threads;
    const auto model = modelToTime(command);
    if (!model) return fail(model.error());
    if (command.isCalibration) return benchCalibration(*model, command.batch, command.runs, context);
    auto both = prepare(command, *model, context);
    if (!both) return fail(both.error());
    const auto inputs = randomInputs(*both->floating, context.options.seed, command.batch);
    const std::int64_t batch = inputs.empty() || inputs[0].rank() == 0 ? 1 : inputs[0].dim(0);
    if (auto status = timeAll(*both, inputs, batch, command.runs, threads, context.job); !status)
        return fail(status.error());

    CommandResult result = describeTimes(command, *both, batch, threads);
    if (command.hasLimits)
        if (auto status = addLimits(*model, *both, batch, context, result); !status) return fail(status.error());
    if (command.hasSteps)
        if (auto status = addSteps(*model, *both, inputs, command.runs, result); !status) return fail(status.error());
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
    addBitOptions(*command, options->settings);
    command->add_option("--encodings", options->encodings, "Simulate these (default: ranges of random inputs)")
        ->excludes("--weight-bits", "--activation-bits", "--granularity")
        ->type_name("FILE");
    command->add_flag("--calibration", options->isCalibration, "Time calibration passes of every range scheme instead")
        ->excludes("--encodings");
    command->add_flag("--steps", options->hasSteps, "Also time every step of the compiled model");
    command->add_flag("--no-limits{false}", options->hasLimits, "Do not measure what the machine can do at most");
}

}  // namespace equant::console
