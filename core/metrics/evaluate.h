// SPDX-License-Identifier: Apache-2.0
// Runs models over a data set and scores them. Samples are loaded, run and forgotten batch by batch, on all threads;
// the score does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/progress.h"
#include "core/data/dataset.h"
#include "core/metrics/scores.h"
#include "core/runtime/exec/executor.h"

namespace equant {

struct EvaluateOptions {
    unsigned threads = 0;   ///< 0: all cores
    std::size_t batch = 8;  ///< samples per forward pass
};

/// One score per candidate, all measured in the same pass over the data (images are decoded once). With a reference,
/// agreement, SQNR and cosine compare with it; without one they are absent. Top-k need labels and a classifier: a first
/// output of shape [N, classes] (trailing ones allowed).
Result<std::vector<Score>> evaluateAll(const std::vector<std::shared_ptr<Executor>>& candidates,
                                       const std::shared_ptr<Executor>& reference, const Dataset& dataset,
                                       const EvaluateOptions& options, const JobContext& job = {});

Result<Score> evaluate(const std::shared_ptr<Executor>& candidate, const std::shared_ptr<Executor>& reference,
                       const Dataset& dataset, const EvaluateOptions& options, const JobContext& job = {});

/// The scores of a model before and after a change, on the same samples and beside the model as it was before.
struct ScoredChange {
    Score before;
    Score after;
};
Result<ScoredChange> scoreChange(const Model& before, const Model& after, const Dataset& dataset,
                                 const EvaluateOptions& options, const JobContext& job = {});

/// Seeded inputs for a model, uniform in [-1, 1), the same everywhere; integers are zero. A free first dimension
/// becomes `samples`, other free ones 1.
[[nodiscard]] std::vector<Tensor> randomInputs(const Executor& executor, std::uint64_t seed, std::int64_t samples = 1);

/// How far two models' outputs are apart on the same inputs: the proof that a rewrite kept the function.
struct Equivalence {
    std::size_t samples = 0;
    double maxAbsDiff = 0;
    double meanAbsDiff = 0;
    double outputStd = 0;  ///< standard deviation of the reference's outputs
    bool isOnRandomInputs = false;
};

/// On the data set, or without one on `samples` seeded random inputs (uniform in [-1, 1)).
Result<Equivalence> compareOutputs(const Model& reference, const Model& changed, const Dataset* dataset,
                                   std::size_t samples, std::uint64_t seed, const JobContext& job = {});

}  // namespace equant
