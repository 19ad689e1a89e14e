// SPDX-License-Identifier: Apache-2.0
// Batches of input tensors, from a data set or from memory. load() may be called from several threads.
// The data must outlive the source.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/data/dataset.h"

namespace equant {

struct BatchSource {
    std::size_t batches = 0;
    std::function<Result<std::vector<Tensor>>(std::size_t batch)> load;
    // Samples by themselves, for diagnoses (calibration needs them); batches in memory are not cut, each counts as one.
    std::size_t samples = 0;
    std::size_t samplesPerBatch = 1;
    std::function<Result<std::vector<Tensor>>(std::size_t sample)> loadSample{};
    std::function<std::string(std::size_t sample)> sampleName{};
};

[[nodiscard]] inline BatchSource batchesOf(const Dataset& dataset, std::size_t batchSize) {
    const std::size_t perBatch = std::max<std::size_t>(batchSize, 1);
    BatchSource source;
    source.batches = (dataset.size() + perBatch - 1) / perBatch;
    source.load = [&dataset, perBatch](std::size_t batch) -> Result<std::vector<Tensor>> {
        std::vector<Sample> samples;
        for (std::size_t i = batch * perBatch; i < std::min((batch + 1) * perBatch, dataset.size()); ++i) {
            auto sample = dataset.load(i);
            if (!sample) return tl::unexpected(sample.error());
            samples.push_back(std::move(*sample));
        }
        return stackSamples(samples);
    };
    source.samples = dataset.size();
    source.samplesPerBatch = perBatch;
    source.loadSample = [&dataset](std::size_t index) -> Result<std::vector<Tensor>> {
        auto sample = dataset.load(index);
        if (!sample) return tl::unexpected(sample.error());
        return stackSamples({&*sample, 1});
    };
    source.sampleName = [&dataset](std::size_t index) { return dataset.sampleName(index); };
    return source;
}

[[nodiscard]] inline BatchSource batchesOf(std::span<const std::vector<Tensor>> batches) {
    BatchSource source;
    source.batches = batches.size();
    source.load = [batches](std::size_t batch) -> Result<std::vector<Tensor>> { return batches[batch]; };
    source.samples = batches.size();
    source.loadSample = source.load;
    source.sampleName = [](std::size_t index) { return "batch " + std::to_string(index); };
    return source;
}

}  // namespace equant
