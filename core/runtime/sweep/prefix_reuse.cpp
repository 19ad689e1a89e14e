// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/sweep/prefix_reuse.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "core/base/parallel.h"
#include "core/runtime/sweep/candidate_run_internal.h"

namespace equant {

using sweep::Batch;
using sweep::CandidateRun;
using sweep::Runners;
using sweep::Shapes;
using sweep::Unit;
using sweep::Work;

namespace {

Shapes shapesOf(const std::vector<Tensor>& tensors) {
    Shapes shapes;
    for (const Tensor& tensor : tensors) shapes.push_back(tensor.shape());
    return shapes;
}

}  // namespace

struct PrefixReuse::State {
    PrefixReuseOptions options;
    BatchLoader load;
    std::shared_ptr<Executor> base;
    std::vector<Batch> batches;
    std::vector<Runners> baseRunners;  ///< by worker
    std::mutex runMutex;
    BatchRange hull{0, 0};  ///< of all ranges seen: the batches that share the budget

    void divideBudget(const BatchRange& range);
    [[nodiscard]] std::size_t budgetOf(const Batch& batch) const;
    Status layOut(Batch& batch, const std::vector<Tensor>& inputs);
    Status runBatch(CandidateRun& run, std::size_t index, unsigned worker, const SweepSink& sink, Work& work);
};

/// Every batch that was or will be run gets the same share: what is kept does not depend on the order of the batches.
void PrefixReuse::State::divideBudget(const BatchRange& range) {
    if (hull.first == hull.last) hull = range;
    hull = {std::min(hull.first, range.first), std::max(hull.last, range.last)};
    for (Batch& batch : batches) {
        for (Unit& unit : batch.units) unit.kept.setBudget(budgetOf(batch));
    }
}

std::size_t PrefixReuse::State::budgetOf(const Batch& batch) const {
    return options.budgetBytes / std::max<std::size_t>(hull.last - hull.first, 1) /
           std::max<std::size_t>(batch.units.size(), 1);
}

/// Takes the batch apart as Executor::run does.
Status PrefixReuse::State::layOut(Batch& batch, const std::vector<Tensor>& inputs) {
    auto part = base->partOf(inputs);
    if (!part) return fail(part.error());
    if (*part == 0 && !base->planFor(shapesOf(inputs))) {
        // A batch of one baked into the graph: sample by sample it still works.
        const bool hasBatch = std::all_of(inputs.begin(), inputs.end(), [&](const Tensor& input) {
            return input.rank() > 0 && input.dim(0) == inputs[0].dim(0);
        });
        if (!inputs.empty() && hasBatch && inputs[0].dim(0) > 1) part = 1;
    }
    batch.shapes = shapesOf(inputs);
    std::vector<Unit> units;
    if (*part == 0) {
        units.emplace_back().shapes = batch.shapes;
    } else {
        const std::int64_t samples = inputs[0].dim(0);
        for (std::int64_t first = 0; first < samples; first += *part) {
            Unit& unit = units.emplace_back();
            unit.first = first;
            unit.count = std::min(*part, samples - first);
            unit.shapes = batch.shapes;
            for (Shape& shape : unit.shapes) shape[0] = unit.count;
        }
    }
    batch.units = std::move(units);
    for (Unit& unit : batch.units) unit.kept.setBudget(budgetOf(batch));
    return {};
}

/// Runs the candidate on one batch and hands the outputs to `sink`.
Status PrefixReuse::State::runBatch(CandidateRun& run, std::size_t index, unsigned worker, const SweepSink& sink,
                                    Work& work) {
    Batch& batch = batches[index];
    std::optional<std::vector<Tensor>> loaded;
    const auto inputs = [&]() -> Result<std::vector<Tensor>> {
        if (!loaded) {
            auto given = load(index);
            if (!given) return given;
            loaded = std::move(*given);
        }
        return *loaded;
    };
    if (batch.units.empty()) {
        const auto given = inputs();
        if (!given) return fail(given.error());
        if (auto status = layOut(batch, *given); !status) return status;
    }
    const auto outputs = run.run(batch, worker, baseRunners[worker], inputs, work);
    if (!outputs) return fail(outputs.error());
    return sink(index, *outputs);
}

PrefixReuse::PrefixReuse() : m_state(std::make_unique<State>()) {}
PrefixReuse::~PrefixReuse() = default;

Result<std::unique_ptr<PrefixReuse>> PrefixReuse::create(const Model& base, std::size_t batches, BatchLoader load,
                                                         PrefixReuseOptions options) {
    std::unique_ptr<PrefixReuse> reuse(new PrefixReuse());
    State& state = *reuse->m_state;
    options.compile.taps.clear();
    auto executor = Executor::create(base, options.compile);
    if (!executor) return fail(executor.error());
    state.base = std::move(*executor);
    state.batches.resize(batches);
    state.load = std::move(load);
    state.options = std::move(options);
    state.baseRunners.resize(resolveThreads(state.options.threads));
    return reuse;
}

Result<SweepRun> PrefixReuse::run(const Model& candidate, const QuantOverlay& overlay, const SweepSink& sink,
                                  BatchRange range, const JobContext& job) {
    State& state = *m_state;
    const std::scoped_lock lock(state.runMutex);
    range.last = std::min(range.last, state.batches.size());
    range.first = std::min(range.first, range.last);
    state.divideBudget(range);
    CompileOptions options = state.options.compile;
    options.overlay = overlay;
    CandidateRun run(candidate, std::move(options), *state.base, static_cast<unsigned>(state.baseRunners.size()));

    const std::size_t count = range.last - range.first;
    std::vector<Work> work(count);
    std::mutex failureMutex;
    std::optional<std::pair<std::size_t, Error>> failure;  // of the first batch that failed, in order
    parallelFor(count, state.options.threads, job.stop, [&](unsigned worker, std::size_t index) {
        Status status;
        try {
            status = state.runBatch(run, range.first + index, worker, sink, work[index]);
        } catch (const std::bad_alloc&) {
            status = fail(ErrorCode::OutOfMemory, "There is not enough memory to run the model.",
                          "Try a smaller batch or a smaller memory budget.");
        }
        if (status) {
            job.advance();
            return;
        }
        const std::scoped_lock failureLock(failureMutex);
        if (!failure || index < failure->first) failure.emplace(index, status.error());
    });
    if (failure) return fail(failure->second);
    if (job.stopped()) return cancelled();

    SweepRun result;
    result.batches = count;
    Work total;
    for (const Work& one : work) {
        total.done += one.done;
        total.whole += one.whole;
        result.wholeBatches += one.isFromStart;
    }
    result.forwardEquivalents = total.whole > 0 ? total.done / total.whole : 0;
    result.heldBytes = heldBytes();
    result.firstChange = run.firstChange();
    return result;
}

std::size_t PrefixReuse::heldBytes() const {
    std::size_t bytes = 0;
    for (const Batch& batch : m_state->batches) {
        for (const Unit& unit : batch.units) bytes += unit.kept.heldBytes();
    }
    return bytes;
}

}  // namespace equant
