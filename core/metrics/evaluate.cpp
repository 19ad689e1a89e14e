// SPDX-License-Identifier: Apache-2.0
#include "core/metrics/evaluate.h"

#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <mutex>
#include <random>

#include "core/base/parallel.h"

namespace equant {

namespace {

using Clock = std::chrono::steady_clock;

/// What one batch contributes to one candidate's score; batches are merged in order.
struct Tally {
    std::size_t samples = 0, labelled = 0, top1 = 0, top5 = 0, classified = 0, agreeing = 0, comparable = 0;
    double cosineSum = 0;
    SqnrAccumulator sqnr;
    double seconds = 0;

    void merge(const Tally& other) {
        samples += other.samples;
        labelled += other.labelled;
        top1 += other.top1;
        top5 += other.top5;
        classified += other.classified;
        agreeing += other.agreeing;
        comparable += other.comparable;
        cosineSum += other.cosineSum;
        sqnr.merge(other.sqnr);
        seconds += other.seconds;
    }
};

std::span<const float> sampleOf(const Tensor& output, std::size_t index, std::size_t samples) {
    const auto values = output.data<float>();
    const std::size_t size = values.size() / samples;
    return values.subspan(index * size, size);
}

/// [N, classes], or with trailing dimensions of 1.
bool isClassifier(const Tensor& output) {
    if (output.dtype() != DType::Float || output.rank() < 2 || output.dim(1) < 2) return false;
    return output.count() == output.dim(0) * output.dim(1);
}

double cosine(std::span<const float> a, std::span<const float> b) {
    double dot = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        dot += double(a[i]) * b[i];
        aa += double(a[i]) * a[i];
        bb += double(b[i]) * b[i];
    }
    return aa > 0 && bb > 0 ? dot / std::sqrt(aa * bb) : (aa == bb ? 1.0 : 0.0);
}

void compareWithReference(const std::vector<Tensor>& outputs, const std::vector<Tensor>& reference, std::size_t samples,
                          Tally& tally) {
    const bool hasClasses = isClassifier(outputs[0]) && isClassifier(reference[0]);
    for (std::size_t s = 0; s < samples; ++s) {
        double cosineSum = 0;
        int compared = 0;
        for (std::size_t o = 0; o < outputs.size() && o < reference.size(); ++o) {
            if (outputs[o].dtype() != DType::Float || outputs[o].shape() != reference[o].shape()) continue;
            const auto mine = sampleOf(outputs[o], s, samples), theirs = sampleOf(reference[o], s, samples);
            tally.sqnr.add(theirs, mine);
            cosineSum += cosine(mine, theirs);
            ++compared;
        }
        if (compared > 0) tally.cosineSum += cosineSum / compared;
        tally.comparable += compared > 0;
        if (!hasClasses) continue;
        ++tally.classified;
        tally.agreeing += argmax(sampleOf(outputs[0], s, samples)) == argmax(sampleOf(reference[0], s, samples));
    }
}

void compareWithLabels(const Tensor& output, std::span<const Sample> samples, Tally& tally) {
    if (!isClassifier(output)) return;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        if (!samples[s].label) continue;
        const auto values = sampleOf(output, s, samples.size());
        ++tally.labelled;
        tally.top1 += isInTopK(values, *samples[s].label, 1);
        tally.top5 += isInTopK(values, *samples[s].label, 5);
    }
}

Score asScore(const Tally& tally) {
    const auto percent = [](std::size_t part, std::size_t whole) { return 100.0 * double(part) / double(whole); };
    Score score;
    score.samples = tally.samples;
    score.msPerSample = tally.samples > 0 ? 1000 * tally.seconds / double(tally.samples) : 0;
    if (tally.labelled > 0) {
        score.top1 = percent(tally.top1, tally.labelled);
        score.top5 = percent(tally.top5, tally.labelled);
        score.top1Interval = wilsonInterval(tally.top1, tally.labelled);
    }
    if (tally.comparable == 0) return score;
    score.sqnrDb = tally.sqnr.db();
    score.cosine = tally.cosineSum / double(tally.comparable);
    if (tally.classified > 0) {
        score.agreement = percent(tally.agreeing, tally.classified);
        score.agreementInterval = wilsonInterval(tally.agreeing, tally.classified);
    }
    return score;
}

Result<std::vector<Sample>> loadBatch(const Dataset& dataset, std::size_t first, std::size_t count) {
    std::vector<Sample> samples;
    for (std::size_t i = first; i < first + count; ++i) {
        auto sample = dataset.load(i);
        if (!sample) return fail(sample.error());
        samples.push_back(std::move(*sample));
    }
    return samples;
}

/// Scores all candidates on one batch.
class BatchScorer {
public:
    BatchScorer(const std::vector<std::shared_ptr<Executor>>& candidates, const std::shared_ptr<Executor>& reference)
        : m_candidates(candidates), m_reference(reference) {}

    Result<std::vector<Tally>> score(const std::vector<Sample>& samples, unsigned worker) const {
        const auto inputs = stackSamples(samples);
        if (!inputs) return fail(inputs.error());
        TimedOutputs expected;
        if (m_reference) {
            auto result = timedRun(*m_reference, *inputs, worker);
            if (!result) return fail(result.error());
            expected = std::move(*result);
        }
        std::vector<Tally> tallies(m_candidates.size());
        for (std::size_t c = 0; c < m_candidates.size(); ++c) {
            Tally& tally = tallies[c];
            auto result = m_candidates[c] == m_reference ? Result<TimedOutputs>(expected)
                                                         : timedRun(*m_candidates[c], *inputs, worker);
            if (!result) return fail(result.error());
            const auto& outputs = result->tensors;
            tally.seconds = result->seconds;
            tally.samples = samples.size();
            if (outputs.empty() || outputs[0].count() == 0) continue;
            if (outputs[0].rank() == 0 || outputs[0].count() % std::int64_t(samples.size()) != 0) continue;
            compareWithLabels(outputs[0], samples, tally);
            if (m_reference) compareWithReference(outputs, expected.tensors, samples.size(), tally);
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
    std::mutex failureMutex;
    std::optional<std::pair<std::size_t, Error>> failure;  // of the first batch that failed, in order

    parallelFor(batches, options.threads, job.stop, [&](unsigned worker, std::size_t index) {
        const std::size_t first = index * batch, count = std::min(batch, dataset.size() - first);
        auto samples = loadBatch(dataset, first, count);
        auto result = samples ? scorer.score(*samples, worker) : Result<std::vector<Tally>>(fail(samples.error()));
        if (result) {
            tallies[index] = std::move(*result);
            job.advance(static_cast<std::int64_t>(count));
            return;
        }
        const std::scoped_lock lock(failureMutex);
        if (!failure || index < failure->first) failure.emplace(index, result.error());
    });
    if (failure) return fail(failure->second);
    if (job.stopped()) return cancelled();

    std::vector<Score> scores;
    for (std::size_t c = 0; c < candidates.size(); ++c) {
        Tally total;
        for (const auto& tally : tallies) total.merge(tally[c]);
        scores.push_back(asScore(total));
    }
    return scores;
}

Result<Score> evaluate(const std::shared_ptr<Executor>& candidate, const std::shared_ptr<Executor>& reference,
                       const Dataset& dataset, const EvaluateOptions& options, const JobContext& job) {
    auto scores = evaluateAll({candidate}, reference, dataset, options, job);
    if (!scores) return fail(scores.error());
    return scores->front();
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
