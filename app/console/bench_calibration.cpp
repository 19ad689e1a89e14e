// SPDX-License-Identifier: Apache-2.0
#include "app/console/bench_calibration.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <fmt/format.h>

#include "app/console/format.h"
#include "core/base/parallel.h"
#include "core/metrics/evaluate.h"
#include "core/quantization/quantsim.h"
#include "core/quantization/range_estimator.h"

namespace equant::console {

namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;
using Batches = std::vector<std::vector<Tensor>>;

constexpr std::size_t kBatches = 16;
constexpr std::array kSchemes{RangeScheme::MinMax, RangeScheme::Sqnr, RangeScheme::Percentile, RangeScheme::Mse,
                              RangeScheme::Entropy};

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t half = values.size() / 2;
    return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Milliseconds for all batches, each run by one thread.
Result<double> timedPass(Executor& executor, const Batches& batches, unsigned threads) {
    std::atomic<bool> hasFailed = false;
    const auto start = std::chrono::steady_clock::now();
    parallelFor(batches.size(), threads, {}, [&](unsigned worker, std::size_t index) {
        if (!executor.run(batches[index], worker)) hasFailed = true;
    });
    const Milliseconds taken = std::chrono::steady_clock::now() - start;
    if (hasFailed) return fail(ErrorCode::Internal, "The model does not run on random inputs.");
    return taken.count();
}

/// Milliseconds a sample, run by run.
struct SchemeTimes {
    std::vector<double> floating, pass, whole;
};

/// A float pass, then a calibration.
Status timeTurn(const Model& model, Executor& floating, const Batches& batches, RangeScheme scheme, unsigned threads,
                double samples, SchemeTimes& times) {
    const auto taken = timedPass(floating, batches, threads);
    if (!taken) return fail(taken.error());
    QuantizationSettings settings;
    settings.scheme = scheme;
    const auto start = std::chrono::steady_clock::now();
    const auto sim = calibrate(model, batches, settings, {threads, 1}, {});
    if (!sim) return fail(sim.error());
    const Milliseconds whole = std::chrono::steady_clock::now() - start;
    times.floating.push_back(*taken / samples);
    times.pass.push_back(1000 * sim->passSeconds / samples);
    times.whole.push_back(whole.count() / samples);
    return {};
}

}  // namespace

Result<CommandResult> benchCalibration(const Model& model, std::int64_t batch, int runs,
                                       const CommandContext& context) {
    const unsigned threads = context.options.threads == 0 ? 1 : context.options.threads;
    const auto floating = Executor::create(model);
    if (!floating) return fail(floating.error());
    Batches batches;
    for (std::size_t i = 0; i < kBatches; ++i)
        batches.push_back(randomInputs(**floating, context.options.seed + i, batch));
    const double samples = double(batch) * kBatches;
    if (const auto warmUp = timedPass(**floating, batches, threads); !warmUp) return fail(warmUp.error());

    std::array<SchemeTimes, kSchemes.size()> times;
    context.job.begin("timing", runs);
    for (int run = 0; run < runs; ++run) {
        for (std::size_t i = 0; i < kSchemes.size(); ++i) {
            if (context.job.stopped()) return cancelled();
            if (auto status = timeTurn(model, **floating, batches, kSchemes[i], threads, samples, times[i]); !status)
                return fail(status.error());
        }
        context.job.advance();
    }

    CommandResult result;
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < kSchemes.size(); ++i) {
        const std::string scheme(name(kSchemes[i]));
        const double plain = median(times[i].floating), pass = median(times[i].pass), whole = median(times[i].whole);
        result.json[scheme] = {{"float_ms_per_sample", plain},
                               {"pass_ms_per_sample", pass},
                               {"whole_ms_per_sample", whole},
                               {"ratio", pass / plain}};
        rows.push_back({scheme, fmt::format("{:.3f} ms", plain), fmt::format("{:.3f} ms", pass),
                        fmt::format("{:.2f}", pass / plain), fmt::format("{:.3f} ms", whole)});
    }
    result.text = table({"scheme", "float pass", "calibration pass", "ratio", "with compiling and searching"}, rows) +
                  fmt::format("Medians of {} passes over {} random samples, batch {}, {} thread{}.\n", runs, samples,
                              batch, threads, threads == 1 ? "" : "s");
    return result;
}

}  // namespace equant::console
