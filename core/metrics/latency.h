// SPDX-License-Identifier: Apache-2.0
// How long a forward pass takes in the engine. Contestants take turns, so that what else the machine does concerns all
// alike and their ratio means something. One job at a time; times differ from run to run, unlike all other figures.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/progress.h"
#include "core/runtime/exec/executor.h"

namespace equant {

/// Times of one contestant's runs, in milliseconds a sample.
struct Timings {
    std::vector<double> values;

    [[nodiscard]] double median() const;  ///< `values` must not be empty
    [[nodiscard]] double minimum() const;
};

struct Contestant {
    Executor& executor;
    unsigned threads = 1;
};

struct TimingOptions {
    int runs = 30;         ///< timed runs of each, after a few to warm up
    int leastRuns = 30;    ///< at least that many, also when `seconds` are over
    double seconds = 1e9;  ///< no further run begins after that long
    /// A contestant's turn goes on for about that long: what it reads is in the caches again.
    double turnMilliseconds = 0;
    std::int64_t samples = 1;  ///< in one batch of `inputs`
};

/// Milliseconds a sample of each contestant, the inverse of throughput: with several threads, each runs batches of its
/// own. Errors of Executor::run(); Cancelled.
Result<std::vector<Timings>> timeInTurns(std::span<const Contestant> contestants, const std::vector<Tensor>& inputs,
                                         const TimingOptions& options, const JobContext& job = {});

/// A network's latency before and after a change: medians on one thread.
struct LatencyChange {
    double before = 0;  ///< milliseconds a sample
    double after = 0;
    std::int64_t batch = 1;
    int runs = 0;  ///< of each
    [[nodiscard]] double ratio() const { return before > 0 ? after / before : 1; }
};

/// On seeded random inputs, batch 1 unless the models fix another. About a second for both together, longer where five
/// runs take longer. Errors of Executor::run(); Cancelled.
Result<LatencyChange> measureLatency(Executor& before, Executor& after, const JobContext& job = {});
/// The same with executors of its own: also the errors of Executor::create().
Result<LatencyChange> measureLatency(const Model& before, const Model& after, const JobContext& job = {});

}  // namespace equant
