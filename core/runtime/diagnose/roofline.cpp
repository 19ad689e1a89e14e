// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/diagnose/roofline.h"

#include <algorithm>

#include "core/layers/layers.h"
#include "core/runtime/kernels/evaluate.h"

namespace equant {

namespace {

double bytesOf(const FactMap& facts, const std::string& value) {
    const auto found = facts.find(value);
    if (found == facts.end() || !found->second.isFullyKnown()) return 0;
    return double(elementCount(*found->second.shape)) * bitWidth(found->second.dtype) / 8;
}

}  // namespace

Result<SampleCost> sampleCost(const Model& model, std::span<const Shape> inputs) {
    const auto topology = Topology::of(model.graph);
    if (!topology) return fail(topology.error());
    const auto required = model.graph.requiredInputs();
    ShapeOptions options{.inputShapes = {}, .batch = 1, .evaluate = constantEvaluator()};
    for (std::size_t i = 0; i < std::min(required.size(), inputs.size()); ++i)
        options.inputShapes[required[i]->name] = inputs[i];
    const auto facts = inferShapes(model, options);
    if (!facts) return fail(facts.error());

    SampleCost cost;
    const auto layers = describeLayers(model.graph, *topology, *facts);
    cost.flops = 2.0 * double(totalCost(model.graph, layers).macs);
    for (const LayerInfo& layer : layers) {
        cost.weightBytes += double(layer.weightBytes);
        cost.activationBytes += double(layer.activationBytes);
    }
    for (const ValueInfo* input : required) cost.inputOutputBytes += bytesOf(*facts, input->name);
    for (const ValueInfo& output : model.graph.outputs) cost.inputOutputBytes += bytesOf(*facts, output.name);
    const double samples = inputs.empty() || inputs[0].empty() ? 1 : double(std::max<std::int64_t>(inputs[0][0], 1));
    for (double* perSample : {&cost.flops, &cost.inputOutputBytes, &cost.activationBytes}) *perSample /= samples;
    return cost;
}

double boundSeconds(const SampleCost& cost, std::int64_t batch, const MachineLimits& limits) {
    const double computing = cost.flops / (limits.peakGflops * 1e9);
    const bool isCached = cost.weightBytes <= double(limits.cacheBytes);
    const double fetching = isCached ? 0 : cost.weightBytes / double(batch) / (limits.bandwidthGbs * 1e9);
    return std::max(computing, fetching);
}

}  // namespace equant
