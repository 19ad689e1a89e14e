// SPDX-License-Identifier: Apache-2.0
#include "core/compression/compress.h"

#include <optional>

#include "core/compression/fit/compressor_internal.h"
#include "core/statistics/batch_cache.h"

namespace equant {

Result<Outcome<CompressionReport>> compress(const Model& model, const CompressionPlan& plan, const BatchSource* source,
                                            const CompressOptions& options, const JobContext& job) {
    if (const auto fits = checkPlan(plan, model); !fits) return fail(fits.error());
    std::optional<BatchCache> cache;
    if (source) cache.emplace(*source);
    const auto compressor = Compressor::create(model, cache ? &cache->view() : nullptr, options);
    if (!compressor) return fail(compressor.error());
    if (const auto done = (*compressor)->factorize(plan, job); !done) return fail(done.error());
    if (const auto done = (*compressor)->prune(plan, job); !done) return fail(done.error());
    auto outcome = (*compressor)->finish();
    if (outcome && cache) outcome->report.samples = cache->samples();
    return outcome;
}

Status addLatency(const Model& before, Outcome<CompressionReport>& outcome, const JobContext& job) {
    if (const auto latency = measureLatency(before, outcome.model, job))
        outcome.report.latency = *latency;
    else if (latency.error().code == ErrorCode::Cancelled)
        return cancelled();
    return {};
}

}  // namespace equant
