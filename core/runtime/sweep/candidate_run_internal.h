// SPDX-License-Identifier: Apache-2.0
// One candidate of a sweep (prefix_reuse.h): its plans, compared with the base model's, and its runs over single
// batches. Refers to the candidate's model and the base, which must outlive it. run() may be called by several threads
// at once, each with a batch and a worker number of its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/runtime/exec/executor.h"
#include "core/runtime/sweep/plan_agreement_internal.h"
#include "core/runtime/sweep/snapshots_internal.h"

namespace equant::sweep {

using Shapes = std::vector<Shape>;
using Runners = std::map<const Plan*, std::unique_ptr<StepRunner>>;
/// Gives the inputs of the batch that is run; loads them at the first call.
using InputLoader = std::function<Result<std::vector<Tensor>>()>;

/// A part of a batch that is computed at once, and what is kept of it.
struct Unit {
    std::int64_t first = 0;  ///< sample
    std::int64_t count = 0;  ///< samples; 0: the batch is not taken apart
    Shapes shapes;           ///< of the part's inputs
    Snapshots kept;
};

struct Batch {
    Shapes shapes;            ///< of the whole batch
    std::vector<Unit> units;  ///< empty until the batch was loaded for the first time
};

/// Two plans for the same shapes, compared.
struct PlanPair {
    std::shared_ptr<const Plan> base;
    std::shared_ptr<const Plan> candidate;
    PlanAgreement agreement;
    std::vector<double> baseWork;       ///< see workBefore()
    std::vector<double> candidateWork;  ///< see workBefore()
};

/// Multiply-accumulates; see Step::work.
struct Work {
    double done = 0;
    double whole = 0;          ///< of a pass of the base
    bool isFromStart = false;  ///< the plans could not be compared: the candidate ran alone
};

class CandidateRun {
public:
    /// `workers`: threads that will call run().
    CandidateRun(const Model& model, CompileOptions options, Executor& base, unsigned workers);

    /// The outputs of a batch whose units are known; adds to `work`. `baseRunners`: of this worker. Errors of compile()
    /// and Executor::run().
    Result<std::vector<Tensor>> run(Batch& batch, unsigned worker, Runners& baseRunners, const InputLoader& load,
                                    Work& work);
    /// The first step that differs from the base; empty when none does, or nothing was run.
    [[nodiscard]] std::string firstChange();

private:
    using PairResult = Result<std::shared_ptr<const PlanPair>>;

    [[nodiscard]] CompileOptions optionsFor(const Shapes& shapes) const;
    PairResult pairFor(const Shapes& shapes);
    PairResult makePair(const Shapes& shapes);
    /// Samples can be computed in the base's parts by the candidate, too.
    bool canTakeApart(const Batch& batch);
    Result<std::vector<Tensor>> runUnits(Batch& batch, unsigned worker, Runners& baseRunners, const InputLoader& load,
                                         Work& work);
    Result<std::vector<Tensor>> runUnit(Unit& unit, const PlanPair& pair, unsigned worker, Runners& baseRunners,
                                        const InputLoader& load, Work& work);
    /// The whole batch by an executor of the candidate, from the start.
    Result<std::vector<Tensor>> runAlone(const Batch& batch, unsigned worker, const InputLoader& load, Work& work);
    Result<std::shared_ptr<Executor>> executor();

    const Model& m_model;
    CompileOptions m_options;
    Executor& m_base;
    std::vector<Runners> m_runners;  ///< by worker

    std::mutex m_mutex;  ///< for all below
    std::map<Shapes, PairResult> m_pairs;
    std::map<Shapes, bool> m_areIndependent;  ///< by shapes of whole batches
    std::optional<Result<std::shared_ptr<Executor>>> m_executor;
};

}  // namespace equant::sweep
