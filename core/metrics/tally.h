// SPDX-License-Identifier: Apache-2.0
// Counts from which a score is made: filled batch by batch on any thread, merged in the order of the batches so that
// the score does not depend on the number of threads. Values.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/graph/tensor.h"
#include "core/metrics/scores.h"

namespace equant {

struct Tally {
    std::size_t samples = 0, labelled = 0, top1 = 0, top5 = 0, classified = 0, agreeing = 0, comparable = 0;
    double cosineSum = 0;
    SqnrAccumulator sqnr;
    double seconds = 0;
    std::size_t notFinite = 0;                  ///< samples with NaN or infinity in their outputs
    std::optional<std::size_t> firstNotFinite;  ///< counted from the batch's first; evaluateAll() adds where it begins

    void merge(const Tally& other);
    [[nodiscard]] Score score() const;
};

/// A model's outputs on a batch: top-k against the labels (absent ones are skipped), agreement, SQNR and cosine against
/// the reference's outputs (none: empty). Top-k and agreement need a classifier: a first output of shape [N, classes]
/// (trailing dimensions of 1 allowed). Outputs that are not by sample count as samples only;
/// NaN or infinity in them counts for every sample.
[[nodiscard]] Tally tallyBatch(std::span<const Tensor> outputs, std::span<const std::optional<std::int64_t>> labels,
                               std::span<const Tensor> reference);

}  // namespace equant
