// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/runtime/exec/batching_internal.h"
#include "core/runtime/plan.h"
#include "core/runtime/sweep/candidate_run_internal.h"

namespace equant::sweep {
namespace {

StepRunner& runnerOf(Runners& runners, const std::shared_ptr<const Plan>& plan) {
    auto& runner = runners[plan.get()];
    if (!runner) runner = std::make_unique<StepRunner>(plan);
    return *runner;
}

std::vector<Tensor> inputsOf(const Unit& unit, const std::vector<Tensor>& batch) {
    if (unit.count == 0) return batch;
    std::vector<Tensor> part;
    for (const Tensor& tensor : batch) part.push_back(samplesOf(tensor, unit.first, unit.count));
    return part;
}

/// Takes the base from a snapshot at `start` to the cut, and keeps the latest place that fits.
Status advance(Unit& unit, const PlanPair& pair, StepRunner& base, const std::vector<Tensor>& inputs,
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

}  // namespace

CandidateRun::CandidateRun(const Model& model, CompileOptions options, Executor& base, unsigned workers)
    : m_model(model), m_options(std::move(options)), m_base(base), m_runners(workers) {}

Result<std::vector<Tensor>> CandidateRun::run(Batch& batch, unsigned worker, Runners& baseRunners,
                                              const InputLoader& load, Work& work) {
    auto outputs = runUnits(batch, worker, baseRunners, load, work);
    if (outputs || outputs.error().code == ErrorCode::Cancelled) return outputs;
    // The candidate by itself may run where its plans cannot be compared with the base in the parts of the batch.
    return runAlone(batch, worker, load, work);
}

std::string CandidateRun::firstChange() {
    const std::scoped_lock lock(m_mutex);
    for (const auto& [shapes, pair] : m_pairs) {
        if (!pair) continue;
        const std::size_t cut = (*pair)->agreement.cut;
        const auto& steps = (*pair)->candidate->steps;
        return cut < steps.size() ? steps[cut].description : std::string();
    }
    return {};
}

CompileOptions CandidateRun::optionsFor(const Shapes& shapes) const {
    CompileOptions options = m_options;
    const auto inputs = m_model.graph.requiredInputs();
    for (std::size_t i = 0; i < inputs.size() && i < shapes.size(); ++i)
        options.inputShapes[inputs[i]->name] = shapes[i];
    return options;
}

CandidateRun::PairResult CandidateRun::pairFor(const Shapes& shapes) {
    const std::scoped_lock lock(m_mutex);
    if (const auto found = m_pairs.find(shapes); found != m_pairs.end()) return found->second;
    return m_pairs.emplace(shapes, makePair(shapes)).first->second;
}

CandidateRun::PairResult CandidateRun::makePair(const Shapes& shapes) {
    auto base = m_base.planFor(shapes);
    if (!base) return fail(base.error());
    auto candidate = compile(m_model, optionsFor(shapes));
    if (!candidate) return fail(candidate.error());
    PlanPair pair{*base, *candidate, agreementOf(**base, **candidate), workBefore(**base), workBefore(**candidate)};
    return std::make_shared<const PlanPair>(std::move(pair));
}

bool CandidateRun::canTakeApart(const Batch& batch) {
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

Result<std::vector<Tensor>> CandidateRun::runUnits(Batch& batch, unsigned worker, Runners& baseRunners,
                                                   const InputLoader& load, Work& work) {
    if (!canTakeApart(batch)) return fail(ErrorCode::Unsupported, "The samples of a batch depend on one another.");
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

Result<std::vector<Tensor>> CandidateRun::runUnit(Unit& unit, const PlanPair& pair, unsigned worker,
                                                  Runners& baseRunners, const InputLoader& load, Work& work) {
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

Result<std::vector<Tensor>> CandidateRun::runAlone(const Batch& batch, unsigned worker, const InputLoader& load,
                                                   Work& work) {
    const auto own = executor();
    if (!own) return fail(own.error());
    const auto inputs = load();
    if (!inputs) return fail(inputs.error());
    double whole = 0;
    for (const Unit& unit : batch.units) {
        if (const auto plan = m_base.planFor(unit.shapes)) whole += workBefore(**plan).back();
    }
    work = {std::max(whole, 1.0), std::max(whole, 1.0), true};
    return (*own)->run(*inputs, worker);
}

Result<std::shared_ptr<Executor>> CandidateRun::executor() {
    const std::scoped_lock lock(m_mutex);
    if (!m_executor) m_executor.emplace(Executor::create(m_model, m_options));
    return *m_executor;
}

}  // namespace equant::sweep
