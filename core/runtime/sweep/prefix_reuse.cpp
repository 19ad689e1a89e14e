// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/sweep/prefix_reuse.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>

#include "core/base/parallel.h"
#include "core/runtime/exec/batching.h"
#include "core/runtime/exec/executor.h"
#include "core/runtime/sweep/plan_agreement.h"
#include "core/runtime/sweep/snapshots.h"

namespace equant {

namespace sweep {

using Shapes = std::vector<Shape>;
using PlanPtr = std::shared_ptr<const Plan>;
using Runners = std::map<const Plan*, std::unique_ptr<StepRunner>>;

/// A part of a batch that is computed at once, and what is kept of it.
struct Unit {
    std::int64_t first = 0;
    std::int64_t count = 0;
    Shapes shapes;
    Snapshots kept;
};

struct Batch {
    Shapes shapes;            ///< of the whole batch
    std::vector<Unit> units;  ///< empty until the batch was loaded for the first time
};

}  // namespace sweep

namespace {

using namespace sweep;

/// Two plans for the same shapes, compared.
struct Pair {
    PlanPtr base;
    PlanPtr candidate;
    PlanAgreement agreement;
    std::vector<double> baseWork;       ///< see workBefore()
    std::vector<double> candidateWork;  ///< see workBefore()
};

struct Work {
    double done = 0;
    double whole = 0;  ///< of a pass of the base
    bool isFromStart = false;
};

StepRunner& runnerOf(Runners& runners, const PlanPtr& plan) {
    auto& runner = runners[plan.get()];
    if (!runner) runner = std::make_unique<StepRunner>(plan);
    return *runner;
}

Shapes shapesOf(const std::vector<Tensor>& tensors) {
    Shapes shapes;
    for (const Tensor& tensor : tensors) shapes.push_back(tensor.shape());
    return shapes;
}

std::vector<Tensor> inputsOf(const Unit& unit, const std::vector<Tensor>& batch) {
    if (unit.count == 0) return batch;
    std::vector<Tensor> part;
    for (const Tensor& tensor : batch) part.push_back(samplesOf(tensor, unit.first, unit.count));
    return part;
}

}  // namespace

struct PrefixReuse::State {
    PrefixReuseOptions options;
    BatchLoader load;
    std::shared_ptr<Executor> base;
    std::vector<sweep::Batch> batches;
    std::vector<sweep::Runners> baseRunners;  ///< by worker
    std::mutex runMutex;
    BatchRange hull{0, 0};  ///< of all ranges seen: the batches that share the budget

    void divideBudget(const BatchRange& range);
    [[nodiscard]] std::size_t budgetOf(const sweep::Batch& batch) const;
    Status layOut(sweep::Batch& batch, const std::vector<Tensor>& inputs);
};

/// Every batch that was or will be run gets the same share: what is kept does not depend on who comes first.
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

namespace {

/// One candidate on its way through the batches.
class CandidateRun {
public:
    CandidateRun(const Model& model, CompileOptions options, Executor& base, unsigned workers)
        : m_model(model), m_options(std::move(options)), m_base(base), m_runners(workers) {}

    /// The outputs of a batch whose layout is known.
    Result<std::vector<Tensor>> run(Batch& batch, unsigned worker, Runners& baseRunners,
                                    const std::function<Result<std::vector<Tensor>>()>& load, Work& work) {
        auto outputs = runUnits(batch, worker, baseRunners, load, work);
        if (outputs || outputs.error().code == ErrorCode::Cancelled) return outputs;
        // Whatever stands in the way of running it in parts with the base: the candidate alone may do.
        return runAlone(batch, worker, load, work);
    }

    [[nodiscard]] std::string firstChange() {
        const std::scoped_lock lock(m_mutex);
        for (const auto& [shapes, pair] : m_pairs) {
            if (!pair) continue;
            const std::size_t cut = (*pair)->agreement.cut;
            const auto& steps = (*pair)->candidate->steps;
            return cut < steps.size() ? steps[cut].description : std::string();
        }
        return {};
    }

private:
    using PairResult = Result<std::shared_ptr<const Pair>>;

    CompileOptions optionsFor(const Shapes& shapes) const {
        CompileOptions options = m_options;
        const auto inputs = m_model.graph.requiredInputs();
        for (std::size_t i = 0; i < inputs.size() && i < shapes.size(); ++i)
            options.inputShapes[inputs[i]->name] = shapes[i];
        return options;
    }

    PairResult pairFor(const Shapes& shapes) {
        const std::scoped_lock lock(m_mutex);
        if (const auto found = m_pairs.find(shapes); found != m_pairs.end()) return found->second;
        return m_pairs.emplace(shapes, makePair(shapes)).first->second;
    }

    PairResult makePair(const Shapes& shapes) {
        auto base = m_base.planFor(shapes);
        if (!base) return fail(base.error());
        auto candidate = compile(m_model, optionsFor(shapes));
        if (!candidate) return fail(candidate.error());
        Pair pair{*base, *candidate, agreementOf(**base, **candidate), workBefore(**base), workBefore(**candidate)};
        return std::make_shared<const Pair>(std::move(pair));
    }

    /// The base's parts are right for the candidate, too.
    bool mayTakeApart(const Batch& batch) {
        if (batch.units.size() < 2 || m_base.hasFixedBatch()) return true;
        const std::scoped_lock lock(m_mutex);
        const auto found = m_areIndependent.find(batch.shapes);
        if (found != m_areIndependent.end()) return found->second;
        Shapes single = batch.shapes;
        for (Shape& shape : single) shape[0] = 1;
        CompileOptions one = optionsFor(single), all = optionsFor(batch.shapes);
        for (CompileOptions* options : {&one, &all}) {  // the grids of weights do not matter here, but take time
            for (const Initializer& initializer : m_model.graph.initializers) options->overlay.erase(initializer.name);
        }
        return m_areIndependent.emplace(batch.shapes, areSamplesIndependent(m_model, one, all)).first->second;
    }

    Result<std::vector<Tensor>> runUnits(Batch& batch, unsigned worker, Runners& baseRunners,
                                         const std::function<Result<std::vector<Tensor>>()>& load, Work& work) {
        if (!mayTakeApart(batch)) return fail(ErrorCode::Unsupported, "The samples of a batch depend on one another.");
        std::vector<std::vector<Tensor>> results;
        for (Unit& unit : batch.units) {
            const auto pair = pairFor(unit.shapes);
            if (!pair) return fail(pair.error());
            auto outputs = runUnit(unit, **pair, worker, baseRunners, load, work);
            if (!outputs) return outputs;
            results.resize(outputs->size());
            for (std::size_t i = 0; i < outputs->size(); ++i) results[i].push_back(std::move((*outputs)[i]));
        }
        std::vector<Tensor> joined;
        for (auto& parts : results) {
            if (parts.size() == 1) {
                joined.push_back(std::move(parts[0]));
                continue;
            }
            auto whole = concatenated(parts, "output");
            if (!whole) return fail(whole.error());
            joined.push_back(std::move(*whole));
        }
        return joined;
    }

    Result<std::vector<Tensor>> runUnit(Unit& unit, const Pair& pair, unsigned worker, Runners& baseRunners,
                                        const std::function<Result<std::vector<Tensor>>()>& load, Work& work) {
        const std::size_t cut = pair.agreement.cut, end = pair.candidate->steps.size();
        const std::size_t start = unit.kept.nearest(cut);
        StepRunner& candidate = runnerOf(m_runners[worker], pair.candidate);
        std::vector<Tensor> inputs;  // alive while steps read them
        if (readsInputs(*pair.base, start, cut) || readsInputs(*pair.candidate, cut, end)) {
            inputs = unit.kept.inputs();
            if (inputs.empty()) {
                const auto loaded = load();
                if (!loaded) return fail(loaded.error());
                inputs = inputsOf(unit, *loaded);
                unit.kept.offerInputs(inputs);
            }
            if (auto status = candidate.feed(inputs); !status) return fail(status.error());
        }
        work.whole += pair.baseWork.back();
        if (start == cut) {
            unit.kept.restore(cut, candidate, pair.agreement.baseBuffers);
        } else {
            StepRunner& base = runnerOf(baseRunners, pair.base);
            if (auto status = advance(unit, pair, base, inputs, start); !status) return fail(status.error());
            handOver(base, candidate, cut, pair.agreement.baseBuffers);
            work.done += pair.baseWork[cut] - pair.baseWork[start];
        }
        if (auto status = candidate.run(cut, end); !status) return fail(status.error());
        work.done += pair.candidateWork.back() - pair.candidateWork[cut];
        return candidate.outputs();
    }

    /// Takes the base from a snapshot at `start` to the cut, and keeps the latest place that fits.
    static Status advance(Unit& unit, const Pair& pair, StepRunner& base, const std::vector<Tensor>& inputs,
                          std::size_t start) {
        const std::size_t cut = pair.agreement.cut;
        if (!inputs.empty()) {
            if (auto status = base.feed(inputs); !status) return status;
        }
        unit.kept.restore(start, base);
        const std::size_t stop = unit.kept.lastFitting(*pair.base, start, cut);
        if (auto status = base.run(start, stop); !status) return status;
        if (stop > start) unit.kept.save(base, stop, pair.baseWork);
        return base.run(stop, cut);
    }

    Result<std::vector<Tensor>> runAlone(const Batch& batch, unsigned worker,
                                         const std::function<Result<std::vector<Tensor>>()>& load, Work& work) {
        const auto executor = alone();
        if (!executor) return fail(executor.error());
        const auto inputs = load();
        if (!inputs) return fail(inputs.error());
        double whole = 0;
        for (const Unit& unit : batch.units) {
            if (const auto plan = m_base.planFor(unit.shapes)) whole += workBefore(**plan).back();
        }
        work = {std::max(whole, 1.0), std::max(whole, 1.0), true};
        return (*executor)->run(*inputs, worker);
    }

    Result<std::shared_ptr<Executor>> alone() {
        const std::scoped_lock lock(m_mutex);
        if (!m_alone) m_alone.emplace(Executor::create(m_model, m_options));
        return *m_alone;
    }

    const Model& m_model;
    CompileOptions m_options;
    Executor& m_base;
    std::vector<Runners> m_runners;  ///< by worker

    std::mutex m_mutex;
    std::map<Shapes, PairResult> m_pairs;
    std::map<Shapes, bool> m_areIndependent;  ///< by shapes of whole batches
    std::optional<Result<std::shared_ptr<Executor>>> m_alone;
};

}  // namespace

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
    const auto runBatch = [&](unsigned worker, std::size_t index) -> Status {
        Batch& batch = state.batches[range.first + index];
        std::optional<std::vector<Tensor>> loaded;
        const auto load = [&]() -> Result<std::vector<Tensor>> {
            if (!loaded) {
                auto inputs = state.load(range.first + index);
                if (!inputs) return inputs;
                loaded = std::move(*inputs);
            }
            return *loaded;
        };
        if (batch.units.empty()) {
            const auto inputs = load();
            if (!inputs) return fail(inputs.error());
            if (auto status = state.layOut(batch, *inputs); !status) return status;
        }
        const auto outputs = run.run(batch, worker, state.baseRunners[worker], load, work[index]);
        if (!outputs) return fail(outputs.error());
        return sink(range.first + index, *outputs);
    };
    parallelFor(count, state.options.threads, job.stop, [&](unsigned worker, std::size_t index) {
        Status status;
        try {
            status = runBatch(worker, index);
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
