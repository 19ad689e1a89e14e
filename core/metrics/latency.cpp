// SPDX-License-Identifier: Apache-2.0
#include "core/metrics/latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <optional>

#include "core/base/parallel.h"
#include "core/metrics/evaluate.h"

namespace equant {

namespace {

constexpr int kWarmUpRuns = 3;
/// Several threads are timed for at least that long: starting and ending together must not count.
constexpr double kSharedMilliseconds = 50;
constexpr TimingOptions kQuickly{.runs = 30, .leastRuns = 5, .seconds = 1.0, .turnMilliseconds = 8};
constexpr std::uint64_t kSeed = 1;

using Clock = std::chrono::steady_clock;

/// Milliseconds a batch when the threads run `batches` of them as fast as each can: the inverse of throughput.
Result<double> timedRun(const Contestant& contestant, const std::vector<Tensor>& inputs, std::size_t batches) {
    std::mutex mutex;
    std::optional<Error> failure;
    const auto start = Clock::now();
    const auto work = [&](unsigned worker, std::size_t) {
        const auto outputs = contestant.executor.run(inputs, worker);
        if (outputs) return;
        const std::scoped_lock lock(mutex);
        failure = outputs.error();
    };
    parallelFor(batches, contestant.threads, {}, work);
    const std::chrono::duration<double, std::milli> taken = Clock::now() - start;
    if (failure) return fail(*failure);
    return taken.count() / double(batches);
}

/// Batches for each thread in one timed run, from the milliseconds that one takes.
std::size_t batchesPerThread(unsigned threads, double milliseconds, double turnMilliseconds) {
    const bool isShared = threads > 1;
    const double least = isShared ? std::max(kSharedMilliseconds, turnMilliseconds) : turnMilliseconds;
    return static_cast<std::size_t>(std::clamp(std::ceil(least / milliseconds), isShared ? 2.0 : 1.0, 1000.0));
}

}  // namespace

double Timings::median() const {
    std::vector<double> sorted = values;
    std::ranges::sort(sorted);
    const std::size_t half = sorted.size() / 2;
    return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

double Timings::minimum() const {
    return *std::ranges::min_element(values);
}

Result<std::vector<Timings>> timeInTurns(std::span<const Contestant> contestants, const std::vector<Tensor>& inputs,
                                         const TimingOptions& options, const JobContext& job) {
    std::vector<Timings> times(contestants.size());
    unsigned mostThreads = 1;
    for (const Contestant& each : contestants) mostThreads = std::max(mostThreads, each.threads);
    std::size_t perThread = 1;
    const auto start = Clock::now();
    const auto isOver = [&] { return std::chrono::duration<double>(Clock::now() - start).count() > options.seconds; };
    job.begin("timing", options.runs + kWarmUpRuns);
    for (int run = -kWarmUpRuns; run < options.runs; ++run) {
        if (run >= options.leastRuns && isOver()) break;
        double slowest = 0;
        for (std::size_t i = 0; i < contestants.size(); ++i) {
            if (job.stopped()) return cancelled();
            const unsigned threads = contestants[i].threads;
            const auto taken = timedRun(contestants[i], inputs, threads * perThread);
            if (!taken) return fail(taken.error());
            if (run >= 0) times[i].values.push_back(*taken / double(options.samples));
            slowest = std::max(slowest, *taken * threads);
        }
        if (run == -1) perThread = batchesPerThread(mostThreads, slowest, options.turnMilliseconds);
        job.advance();
    }
    return times;
}

Result<LatencyChange> measureLatency(Executor& before, Executor& after, const JobContext& job) {
    const auto inputs = randomInputs(before, kSeed);
    TimingOptions options = kQuickly;
    options.samples = inputs.empty() || inputs[0].rank() == 0 ? 1 : inputs[0].dim(0);
    const std::vector<Contestant> both{{before, 1}, {after, 1}};
    const auto times = timeInTurns(both, inputs, options, job);
    if (!times) return fail(times.error());
    return LatencyChange{(*times)[0].median(), (*times)[1].median(), options.samples,
                         static_cast<int>((*times)[0].values.size())};
}

Result<LatencyChange> measureLatency(const Model& before, const Model& after, const JobContext& job) {
    const auto old = Executor::create(before);
    if (!old) return fail(old.error());
    const auto now = Executor::create(after);
    if (!now) return fail(now.error());
    return measureLatency(**old, **now, job);
}

}  // namespace equant
