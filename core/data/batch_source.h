// SPDX-License-Identifier: Apache-2.0
// Batches of input tensors, from a data set or from memory. load() may be called from several threads.
// The data must outlive the source.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "core/data/dataset.h"

namespace equant {

struct BatchSource {
    std::size_t batches = 0;
    std::function<Result<std::vector<Tensor>>(std::size_t batch)> load;
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
    return source;
}

[[nodiscard]] inline BatchSource batchesOf(std::span<const std::vector<Tensor>> batches) {
    BatchSource source;
    source.batches = batches.size();
    source.load = [batches](std::size_t batch) -> Result<std::vector<Tensor>> { return batches[batch]; };
    return source;
}

}  // namespace equant
