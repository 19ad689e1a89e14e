// SPDX-License-Identifier: Apache-2.0
#include "core/search/candidate_scorer.h"

#include <algorithm>

#include "core/data/batch_source.h"

namespace equant {

namespace {

constexpr std::size_t kScoringBatch = 8;

Score mergedScore(const std::vector<Tally>& parts) {
    Tally total;
    for (const Tally& part : parts) total.merge(part);
    return total.score();
}

}  // namespace

Result<std::unique_ptr<CandidateScorer>> CandidateScorer::create(const Model& model, const Dataset& samples,
                                                                 std::size_t budgetBytes, unsigned threads,
                                                                 const JobContext& job) {
    auto scorer = std::unique_ptr<CandidateScorer>(new CandidateScorer(samples));
    const BatchSource source = batchesOf(samples, kScoringBatch);
    auto reuse = PrefixReuse::create(model, source.batches, source.load, {budgetBytes, threads, {}});
    if (!reuse) return fail(reuse.error());
    scorer->m_reuse = std::move(*reuse);
    scorer->m_reference.resize(source.batches);
    const auto ran = scorer->m_reuse->run(model, {},
                                          [&](std::size_t batch, const std::vector<Tensor>& outputs) {
                                              scorer->m_reference[batch] = outputs;
                                              return Status{};
                                          },
                                          {}, {job.stop, nullptr});
    if (!ran) return fail(ran.error());
    scorer->m_passes = ran->forwardEquivalents;
    std::vector<Tally> tallies;
    for (std::size_t batch = 0; batch < source.batches; ++batch)
        tallies.push_back(scorer->tally(batch, scorer->m_reference[batch]));
    scorer->m_baseline = mergedScore(tallies);
    return scorer;
}

Result<Score> CandidateScorer::score(const Model& candidate, const JobContext& job) {
    std::vector<Tally> tallies(m_reference.size());
    const auto ran = m_reuse->run(candidate, {},
                                  [&](std::size_t batch, const std::vector<Tensor>& outputs) {
                                      tallies[batch] = tally(batch, outputs);
                                      return Status{};
                                  },
                                  {}, {job.stop, nullptr});
    if (!ran) return fail(ran.error());
    m_passes += ran->forwardEquivalents;
    return mergedScore(tallies);
}

Tally CandidateScorer::tally(std::size_t batch, const std::vector<Tensor>& outputs) const {
    std::vector<std::optional<std::int64_t>> labels;
    const std::size_t first = batch * kScoringBatch;
    for (std::size_t i = first; i < std::min(first + kScoringBatch, m_samples.size()); ++i)
        labels.push_back(m_samples.label(i));
    return tallyBatch(outputs, labels, m_reference[batch]);
}

}  // namespace equant
