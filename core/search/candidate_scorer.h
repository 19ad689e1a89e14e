// SPDX-License-Identifier: Apache-2.0
// Scores variants of one network against it, on the same samples, from where they differ.
// One score() at a time; it uses all threads, and no result depends on how many.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/base/progress.h"
#include "core/data/dataset.h"
#include "core/metrics/tally.h"
#include "core/runtime/sweep/prefix_reuse.h"

namespace equant {

class CandidateScorer {
public:
    /// Runs the network itself. `samples` outlive the scorer. `budgetBytes`: PrefixReuseOptions.
    static Result<std::unique_ptr<CandidateScorer>> create(const Model& model, const Dataset& samples,
                                                           std::size_t budgetBytes, unsigned threads,
                                                           const JobContext& job = {});

    [[nodiscard]] const Score& baseline() const { return m_baseline; }
    /// Full forward passes over the samples that the work so far comes to.
    [[nodiscard]] double passes() const { return m_passes; }

    /// Agreement, SQNR and cosine are those against the network.
    Result<Score> score(const Model& candidate, const JobContext& job = {});

private:
    explicit CandidateScorer(const Dataset& samples) : m_samples(samples) {}
    [[nodiscard]] Tally tally(std::size_t batch, const std::vector<Tensor>& outputs) const;

    const Dataset& m_samples;
    std::unique_ptr<PrefixReuse> m_reuse;
    std::vector<std::vector<Tensor>> m_reference;
    Score m_baseline;
    double m_passes = 0;
};

}  // namespace equant
