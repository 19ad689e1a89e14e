// SPDX-License-Identifier: Apache-2.0
// Finds the scale factors of cross-layer equalization. Works on one matrix of kernel maxima per layer, so that sweeps
// do not touch the weights; these are scaled once at the end, in double, and rounded once.
#pragma once

#include <map>
#include <vector>

#include "core/base/progress.h"
#include "core/layers/layer_weights.h"
#include "core/passes/channel_links.h"

namespace equant {

class ChannelScaling {
public:
    explicit ChannelScaling(const Graph& graph) : m_graph(graph) {}
    void addLink(const ChannelLink& link);

    /// Sweeps over all links, s_i = sqrt(r1_i / r2_i) each, until no factor is off 1 by more than a quarter (a third of
    /// a bit). Returns sweeps.
    int run(int maxSweeps, const JobContext& job);
    /// One sweep as the reference does it: Conv-depthwise-Conv at once by cube roots, pairs otherwise (docs/algorithms/equalization.md).
    int runReferenceSweep();

    /// s_i of the link: layer `from` was divided by it, layer `to` multiplied.
    [[nodiscard]] std::vector<double> factors(const ChannelLink& link) const;
    void writeTo(Graph& graph) const;

private:
    struct Layer {
        LayerWeights weights;
        std::vector<float> maxima;          // max |w| of each block
        std::vector<double> output, input;  // factors applied so far
        void outputRanges(std::vector<double>& ranges, bool isBiasCounted) const;
        void inputRanges(std::int64_t repeat, std::vector<double>& ranges) const;
        void divideOutput(const std::vector<double>& factors);
        void multiplyInput(const std::vector<double>& factors, std::int64_t repeat);
    };
    Layer& layer(std::size_t node);
    /// Returns how far from 1 the factors were. `isReference`: weights alone decide, as in the reference.
    double equalizePair(const ChannelLink& link, bool isReference);
    void equalizeTriple(const ChannelLink& first, const ChannelLink& second);

    const Graph& m_graph;
    std::map<std::size_t, Layer> m_layers;  // by node index: in file order
    std::vector<ChannelLink> m_links;
};

}  // namespace equant
