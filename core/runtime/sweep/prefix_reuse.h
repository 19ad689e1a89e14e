// SPDX-License-Identifier: Apache-2.0
// Runs many variants of one model over the same data for about half the price: what a variant ("candidate") computes
// before its first difference from the base model is taken from snapshots of the base model's run, within a stated
// memory budget. Results have the bits of a run of the whole candidate. One run() at a time; it uses all its threads.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/runtime/plan.h"

namespace equant {

struct PrefixReuseOptions {
    /// For snapshots and inputs (decoded images) of all batches together; 0: nothing is kept, all is computed again.
    /// The arenas of the runners come on top: one of the base and one of the candidate for each thread.
    std::size_t budgetBytes = std::size_t{1} << 30;
    unsigned threads = 0;  ///< 0: all cores; no result depends on it
    /// Of the base model; candidates get the same with an overlay of their own. Taps are not called.
    CompileOptions compile;
};

/// Gives a batch of inputs, in the order of Graph::requiredInputs(); the same ones at every call for that batch. Called
/// from several threads (BatchSource::load of core/data is one).
using BatchLoader = std::function<Result<std::vector<Tensor>>(std::size_t batch)>;

/// Batches [first, last), clipped to what there is.
struct BatchRange {
    std::size_t first = 0;
    std::size_t last = std::numeric_limits<std::size_t>::max();
};

/// Receives the outputs of one batch, in the order of CompileOptions::outputs (or the graph's). Called once for each
/// batch, from several threads at once, in any order: write results by `batch`. An error ends the run.
using SweepSink = std::function<Status(std::size_t batch, const std::vector<Tensor>& outputs)>;

struct SweepRun {
    std::size_t batches = 0;
    /// Work done (multiply-accumulates) over the work of one pass of the base model over the same batches: what the
    /// candidate executed and what the base had to compute for it. Depends on earlier runs, not on threads.
    double forwardEquivalents = 0;
    std::size_t heldBytes = 0;     ///< kept for later runs
    std::size_t wholeBatches = 0;  ///< batches for which nothing could be compared; the candidate ran from the start
    std::string firstChange;       ///< the candidate's first step that differs; empty when none does
};

class PrefixReuse {
public:
    /// Errors of compile(). What `load` reads must stay valid as long as the object lives.
    static Result<std::unique_ptr<PrefixReuse>> create(const Model& base, std::size_t batches, BatchLoader load,
                                                       PrefixReuseOptions options = {});
    ~PrefixReuse();

    /// Runs the candidate (it may be the base model itself) over a range of the batches. Batches are computed in the
    /// parts in which Executor::run computes them with the base model. Any order of candidates is right; from the
    /// first layer to the last is the cheapest: L candidates that change one of L equal layers cost L / 2 + 1.5 passes.
    /// Errors: of compile() and Executor::run() with the candidate, of the loader, of the sink; Cancelled.
    /// Advances the progress by one a batch; the stage is the caller's.
    Result<SweepRun> run(const Model& candidate, const QuantOverlay& overlay, const SweepSink& sink,
                         BatchRange range = {}, const JobContext& job = {});

    [[nodiscard]] std::size_t heldBytes() const;

private:
    PrefixReuse();
    struct State;
    std::unique_ptr<State> m_state;
};

}  // namespace equant
