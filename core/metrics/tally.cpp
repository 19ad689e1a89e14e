// SPDX-License-Identifier: Apache-2.0
#include "core/metrics/tally.h"

#include <algorithm>
#include <cmath>

#include "core/runtime/diagnose/non_finite.h"

namespace equant {

namespace {

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

void compareWithReference(std::span<const Tensor> outputs, std::span<const Tensor> reference, std::size_t samples,
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

void compareWithLabels(const Tensor& output, std::span<const std::optional<std::int64_t>> labels, Tally& tally) {
    if (!isClassifier(output)) return;
    for (std::size_t s = 0; s < labels.size(); ++s) {
        if (!labels[s]) continue;
        const auto values = sampleOf(output, s, labels.size());
        ++tally.labelled;
        tally.top1 += isInTopK(values, *labels[s], 1);
        tally.top5 += isInTopK(values, *labels[s], 5);
    }
}

void countNotFinite(std::span<const Tensor> outputs, std::size_t samples, Tally& tally) {
    std::vector<bool> isBad(samples, false);
    for (const Tensor& output : outputs) {
        if (isAllFinite(output)) continue;
        const bool isCut =
            output.dtype() == DType::Float && output.rank() > 0 && output.dim(0) == std::int64_t(samples);
        for (std::size_t s = 0; s < samples; ++s)
            if (!isCut || !isAllFinite(sampleOf(output, s, samples))) isBad[s] = true;
    }
    const auto first = std::ranges::find(isBad, true);
    if (first == isBad.end()) return;
    tally.notFinite = static_cast<std::size_t>(std::ranges::count(isBad, true));
    tally.firstNotFinite = static_cast<std::size_t>(first - isBad.begin());
}

}  // namespace

void Tally::merge(const Tally& other) {
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
    notFinite += other.notFinite;
    if (!firstNotFinite) firstNotFinite = other.firstNotFinite;
}

Score Tally::score() const {
    const auto percent = [](std::size_t part, std::size_t whole) { return 100.0 * double(part) / double(whole); };
    Score result;
    result.samples = samples;
    result.notFinite = notFinite;
    result.firstNotFinite = firstNotFinite;
    result.msPerSample = samples > 0 ? 1000 * seconds / double(samples) : 0;
    if (labelled > 0) {
        result.top1 = percent(top1, labelled);
        result.top5 = percent(top5, labelled);
        result.top1Interval = wilsonInterval(top1, labelled);
    }
    if (comparable == 0) return result;
    result.sqnrDb = sqnr.db();
    result.cosine = cosineSum / double(comparable);
    if (classified > 0) {
        result.agreement = percent(agreeing, classified);
        result.agreementInterval = wilsonInterval(agreeing, classified);
    }
    return result;
}

Tally tallyBatch(std::span<const Tensor> outputs, std::span<const std::optional<std::int64_t>> labels,
                 std::span<const Tensor> reference) {
    Tally tally;
    tally.samples = labels.size();
    countNotFinite(outputs, labels.size(), tally);
    if (outputs.empty() || labels.empty() || outputs[0].count() == 0 || outputs[0].rank() == 0) return tally;
    if (outputs[0].count() % static_cast<std::int64_t>(labels.size()) != 0) return tally;
    compareWithLabels(outputs[0], labels, tally);
    if (!reference.empty()) compareWithReference(outputs, reference, labels.size(), tally);
    return tally;
}

}  // namespace equant
