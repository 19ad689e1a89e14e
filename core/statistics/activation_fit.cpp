// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/activation_fit.h"

#include <algorithm>
#include <cmath>

#include "core/base/parallel.h"
#include "core/passes/channel_links.h"

namespace equant {

namespace {

using Eigen::Index;

constexpr Index kRows = 1024;  ///< rows of one task

/// A x for all rows.
RowMatrix predicted(const ActivationView& view, const Eigen::MatrixXd& map, const std::stop_token& stop) {
    const LayerRows& rows = *view.rows;
    const Index inputs = rows.inputs(), outputs = rows.outputs();
    const Eigen::MatrixXf transposed = map.transpose().cast<float>();
    RowMatrix result(rows.x.rows(), map.rows());
    parallelFor(static_cast<std::size_t>((rows.x.rows() + kRows - 1) / kRows), view.threads, stop,
                [&](unsigned, std::size_t index) {
                    const Index first = static_cast<Index>(index) * kRows;
                    const Index count = std::min(kRows, rows.x.rows() - first);
                    for (Index group = 0; group < rows.groups; ++group)
                        result.block(first, group * outputs, count, outputs).noalias() =
                            rows.x.block(first, group * inputs, count, inputs) *
                            transposed.middleCols(group * outputs, outputs);
                });
    return result;
}

float otherAt(const LayerRows& rows, Index i) {
    return rows.other.size() > 0 ? rows.other.data()[i] : 0.0F;
}

}  // namespace

Clamp Clamp::behind(const Graph& graph, const Topology& topology, const std::string& value) {
    Clamp clamp;
    const auto consumer = topology.soleConsumer(value);
    if (consumer == Topology::kNone) return clamp;
    const Node& node = graph.nodes[consumer];
    if (!node.is("Relu") && !node.is("Clip")) return clamp;
    const Bounds bounds = boundsOf(graph, topology, node.outputs[0]);
    if (bounds.lower > -kAssumedMagnitude) clamp.low = static_cast<float>(bounds.lower);
    if (bounds.upper < kAssumedMagnitude) clamp.high = static_cast<float>(bounds.upper);
    return clamp;
}

double errorBehind(const ActivationView& view, const Eigen::MatrixXd& map) {
    const RowMatrix values = predicted(view, map, {});
    const LayerRows& rows = *view.rows;
    double error = 0, power = 0;
    for (Index i = 0; i < values.size(); ++i) {
        const float other = otherAt(rows, i);
        const double wanted = std::clamp(rows.y.data()[i] + other, view.clamp.low, view.clamp.high);
        const double got = std::clamp(values.data()[i] + other, view.clamp.low, view.clamp.high);
        error += (wanted - got) * (wanted - got);
        power += wanted * wanted;
    }
    return power > 0 ? error / power : 0.0;
}

LayerMoments momentsBehind(const ActivationView& view, const LayerMoments& moments, const Eigen::MatrixXd& map,
                           const std::stop_token& stop) {
    RowMatrix targets = predicted(view, map, stop);
    const LayerRows& rows = *view.rows;
    for (Index i = 0; i < targets.size(); ++i) {
        const float other = otherAt(rows, i);
        const float wanted = rows.y.data()[i] + other, got = targets.data()[i] + other;
        float target = wanted;
        if (wanted <= view.clamp.low) target = std::min(got, view.clamp.low);
        if (wanted >= view.clamp.high) target = std::max(got, view.clamp.high);
        targets.data()[i] = target - other;
    }
    LayerMoments result;
    result.gram = moments.gram;
    result.count = moments.count;
    result.ridge = moments.ridge;
    setTargets(result, rows, targets, view.threads, stop);
    return result;
}

}  // namespace equant
