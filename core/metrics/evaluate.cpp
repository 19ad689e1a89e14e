// SPDX-License-Identifier: Apache-2.0
#include "core/metrics/evaluate.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <mutex>
#include <random>

#include "core/base/load_ahead.h"
#include "core/metrics/tally.h"

namespace equant {

namespace {

using Clock = std::chrono::steady_clock;

Result<std::vector<Sample>> loadBatch(const Dataset& dataset, std::size_t first, std::size_t count) {
    std::vector<Sample> samples;
    for (std::size_t i = first; i < first + count; ++i) {
        auto sample = dataset.load(i);
        if (!sample) return fail(sample.error());
        samples.push_back(std::move(*sample));
    }
    return samples;
}

/// Samples as the models take them. What is left of the samples themselves are their labels.
struct Batch {
    std::vector<Sample> samples;
    std::vector<Tensor> inputs;
};

Result<Batch> stackedBatch(const Dataset& dataset, std::size_t first, std::size_t count) {
    auto samples = loadBatch(dataset, first, count);
    if (!samples) return fail(samples.error());
    auto inputs = stackSamples(*samples);
    if (!inputs) return fail(inputs.error());
    for (Sample& sample : *samples) sample.inputs.clear();
    return Batch{std::move(*samples), std::move(*inputs)};
}

/// Scores all candidates on one batch.
class BatchScorer {
public:
    BatchScorer(const std::vector<std::shared_ptr<Executor>>& candidates, const std::shared_ptr<Executor>& reference)
        : m_candidates(candidates), m_reference(reference) {}

    Result<std::vector<Tally>> score(const Batch& batch, unsigned worker) const {
        const std::vector<Sample>& samples = batch.samples;
        TimedOutputs expected;
        if (m_reference) {
            auto result = timedRun(*m_reference, batch.inputs, worker);
            if (!result) return fail(result.error());
            expected = std::move(*result);
        }
        std::vector<std::optional<std::int64_t>> labels;
        for (const Sample& sample : samples) labels.push_back(sample.label);
        std::vector<Tally> tallies(m_candidates.size());
        for (std::size_t c = 0; c < m_candidates.size(); ++c) {
            auto result = m_candidates[c] == m_reference ? Result<TimedOutputs>(expected)
                                                         : timedRun(*m_candidates[c], batch.inputs, worker);
            if (!result) return fail(result.error());
            tallies[c] = tallyBatch(result->tensors, labels, expected.tensors);
            tallies[c].seconds = result->seconds;
        }
        return tallies;
    }

private:
    struct TimedOutputs {
        std::vector<Tensor> tensors;
        double seconds = 0;
    };

    static Result<TimedOutputs> timedRun(Executor& executor, std::span<const Tensor> inputs, unsigned worker) {
        const auto start = Clock::now();
        auto outputs = executor.run(inputs, worker);
        if (!outputs) return fail(outputs.error());
        return TimedOutputs{std::move(*outputs), std::chrono::duration<double>(Clock::now() - start).count()};
    }

    const std::vector<std::shared_ptr<Executor>>& m_candidates;
    const std::shared_ptr<Executor>& m_reference;
};

}  // namespace

Result<std::vector<Score>> evaluateAll(const std::vector<std::shared_ptr<Executor>>& candidates,
                                       const std::shared_ptr<Executor>& reference, const Dataset& dataset,
                                       const EvaluateOptions& options, const JobContext& job) {
    const std::size_t batch = std::max<std::size_t>(1, options.batch);
    const std::size_t batches = (dataset.size() + batch - 1) / batch;
    if (batches == 0)
        return fail(ErrorCode::InvalidArgument, "The data set is empty.", "Choose another folder or file.");
    job.begin("evaluating", static_cast<std::int64_t>(dataset.size()));
    const BatchScorer scorer(candidates, reference);
    std::vector<std::vector<Tally>> tallies(batches);
    // The error of the first batch that fails, in order: those before it are scored, those behind it are skipped.
    std::mutex failureMutex;
    std::optional<Error> failure;
    std::atomic<std::size_t> firstFailed = batches;

    const auto countOf = [&](std::size_t index) { return std::min(batch, dataset.size() - index * batch); };
    const auto load = [&](std::size_t index) {
        return index > firstFailed ? Result<Batch>(Batch{}) : stackedBatch(dataset, index * batch, countOf(index));
    };
    const auto work = [&](unsigned worker, std::size_t index, const Result<Batch>& loaded) {
        if (index > firstFailed) return;
        auto result = loaded ? scorer.score(*loaded, worker) : Result<std::vector<Tally>>(fail(loaded.error()));
        if (result) {
            tallies[index] = std::move(*result);
            job.advance(static_cast<std::int64_t>(countOf(index)));
            return;
        }
        const std::scoped_lock lock(failureMutex);
        if (index > firstFailed) return;
        failure = result.error();
        firstFailed = index;
    };
    LoadAhead<Result<Batch>>(batches, options.threads, job.stop, load, work).run();
    if (failure) return fail(*failure);
    if (job.stopped()) return cancelled();

    std::vector<Score> scores;
    for (std::size_t c = 0; c < candidates.size(); ++c) {
        Tally total;
        for (std::size_t index = 0; index < batches; ++index) {
            Tally& part = tallies[index][c];
            if (part.firstNotFinite) *part.firstNotFinite += index * batch;
            total.merge(part);
        }
        scores.push_back(total.score());
    }
    return scores;
}

Result<Score> evaluate(const std::shared_ptr<Executor>& candidate, const std::shared_ptr<Executor>& reference,
                       const Dataset& dataset, const EvaluateOptions& options, const JobContext& job) {
    auto scores = evaluateAll({candidate}, reference, dataset, options, job);
    if (!scores) return fail(scores.error());
    return scores->front();
}

Result<ScoredChange> scoreChange(const Model& before, const Model& after, const Dataset& dataset,
                                 const EvaluateOptions& options, const JobContext& job) {
    const auto reference = Executor::create(before);
    if (!reference) return fail(reference.error());
    const auto candidate = Executor::create(after);
    if (!candidate) return fail(candidate.error());
    auto scores = evaluateAll({*reference, *candidate}, *reference, dataset, options, job);
    if (!scores) return fail(scores.error());
    return ScoredChange{std::move((*scores)[0]), std::move((*scores)[1])};
}

std::vector<Tensor> randomInputs(const Executor& executor, std::uint64_t seed, std::int64_t samples) {
    std::mt19937_64 random(seed);
    std::vector<Tensor> inputs;
    for (const auto& info : executor.inputs()) {
        Shape shape;
        if (info.shape)
            for (const auto& dim : *info.shape)
                shape.push_back(dim.value > 0 ? dim.value : shape.empty() ? samples : std::int64_t{1});
        Tensor tensor(info.dtype, shape);
        if (info.dtype == DType::Float)
            for (float& value : tensor.mutableData<float>())
                value = static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-52 - 1.0);
        inputs.push_back(std::move(tensor));
    }
    return inputs;
}

Result<Equivalence> compareOutputs(const Model& reference, const Model& changed, const Dataset* dataset,
                                   std::size_t samples, std::uint64_t seed, const JobContext& job) {
    const auto expected = Executor::create(reference);
    if (!expected) return fail(expected.error());
    const auto actual = Executor::create(changed);
    if (!actual) return fail(actual.error());
    Equivalence result;
    result.isOnRandomInputs = dataset == nullptr;
    result.samples = dataset ? std::min(samples, dataset->size()) : samples;
    job.begin("comparing outputs", static_cast<std::int64_t>(result.samples));

    double sum = 0, squares = 0, differences = 0, count = 0;
    for (std::size_t i = 0; i < result.samples; ++i) {
        if (job.stopped()) return cancelled();
        std::vector<Tensor> inputs;
        if (dataset) {
            const auto sample = loadBatch(*dataset, i * dataset->size() / result.samples, 1);
            if (!sample) return fail(sample.error());
            auto stacked = stackSamples(*sample);
            if (!stacked) return fail(stacked.error());
            inputs = std::move(*stacked);
        } else {
            inputs = randomInputs(**expected, seed + i);
        }
        const auto before = (*expected)->run(inputs);
        if (!before) return fail(before.error());
        const auto after = (*actual)->run(inputs);
        if (!after) return fail(after.error());
        for (std::size_t o = 0; o < before->size() && o < after->size(); ++o) {
            if ((*before)[o].dtype() != DType::Float || (*before)[o].shape() != (*after)[o].shape()) continue;
            const auto a = (*before)[o].data<float>(), b = (*after)[o].data<float>();
            for (std::size_t k = 0; k < a.size(); ++k) {
                const double difference = std::abs(double(a[k]) - b[k]);
                result.maxAbsDiff = std::isnan(difference) ? difference : std::max(result.maxAbsDiff, difference);
                differences += difference;
                sum += a[k];
                squares += double(a[k]) * a[k];
                count += 1;
            }
        }
        job.advance();
    }
    if (count > 0) {
        result.meanAbsDiff = differences / count;
        result.outputStd = std::sqrt(std::max(0.0, squares / count - sum / count * (sum / count)));
    }
    return result;
}

}  // namespace equant
