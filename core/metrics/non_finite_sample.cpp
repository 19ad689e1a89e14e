// SPDX-License-Identifier: Apache-2.0
#include "core/metrics/non_finite_sample.h"

#include <fmt/format.h>

namespace equant {

std::string describe(const NonFiniteSample& found) {
    return fmt::format("Sample \"{}\": {}", found.sample, describe(found.origin));
}

Result<std::optional<NonFiniteSample>> findNonFinite(const Model& model, const Dataset& dataset, std::size_t sample,
                                                     const QuantOverlay& overlay, const JobContext& job) {
    const auto loaded = dataset.load(sample);
    if (!loaded) return fail(loaded.error());
    const auto inputs = stackSamples({&*loaded, 1});
    if (!inputs) return fail(inputs.error());
    const auto origin = findNonFinite(model, *inputs, overlay, job);
    if (!origin) return fail(origin.error());
    if (!*origin) return std::optional<NonFiniteSample>();
    return NonFiniteSample{dataset.sampleName(sample), **origin};
}

}  // namespace equant
