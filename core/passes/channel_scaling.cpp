// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "core/passes/channel_scaling_internal.h"

namespace equant {

namespace {

// A bias this many times smaller counts as a weight: a channel whose weights have faded is its bias, and balancing the
// weights alone would blow that up, and with it the range of the whole activation.
constexpr double kBiasShare = 1.0 / 32;
constexpr double kConverged = 1.25;  // a third of a bit
constexpr double kWidestCap = 4.0;   // times the median channel's: costs others two bits of the activation's grid

/// Factor for a channel of ranges a and b; 1 where a range is zero or not finite: nothing to balance.
double balance(double numerator, double denominator) {
    const double factor = std::sqrt(numerator / denominator);
    return std::isfinite(factor) && factor > 0 ? factor : 1.0;
}

/// Raises factors so that no channel's output grows to more than kWidestCap times the median channel's. Channels share
/// the grid of their activation, and one of faded weights would stretch it for all: balancing 1e-9 against 13 turns a
/// cap of 6 into 1e7. `growth` is what each output was multiplied with so far.
void limitCaps(const std::vector<double>& growth, std::vector<double>& factors) {
    std::vector<double> grown;
    for (std::size_t i = 0; i < factors.size(); ++i) grown.push_back(growth[i] / factors[i]);
    std::vector<double> sorted = grown;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    const double most = *middle * kWidestCap;
    for (std::size_t i = 0; i < factors.size(); ++i) factors[i] *= std::max(1.0, grown[i] / most);
}

}  // namespace

void ChannelScaling::Layer::outputRanges(std::vector<double>& ranges, bool isBiasCounted) const {
    ranges.assign(output.size(), 0.0);
    weights.forEachBlock([&](std::size_t index, std::size_t o, std::size_t i) {
        ranges[o] = std::max(ranges[o], maxima[index] * input[i]);
    });
    if (weights.bias() && isBiasCounted)
        for (std::size_t o = 0; o < ranges.size(); ++o)
            ranges[o] = std::max(ranges[o], kBiasShare * std::abs((*weights.bias())[o]));
    for (std::size_t o = 0; o < ranges.size(); ++o) ranges[o] *= output[o];
}

void ChannelScaling::Layer::inputRanges(std::int64_t repeat, std::vector<double>& ranges) const {
    std::vector<double> perInput(input.size(), 0.0);
    weights.forEachBlock([&](std::size_t index, std::size_t o, std::size_t i) {
        perInput[i] = std::max(perInput[i], maxima[index] * output[o]);
    });
    const auto step = static_cast<std::size_t>(repeat);
    ranges.assign(input.size() / step, 0.0);
    for (std::size_t i = 0; i < perInput.size(); ++i)
        ranges[i / step] = std::max(ranges[i / step], perInput[i] * input[i]);
}

void ChannelScaling::Layer::divideOutput(const std::vector<double>& factors) {
    for (std::size_t o = 0; o < output.size(); ++o) output[o] /= factors[o];
}

void ChannelScaling::Layer::multiplyInput(const std::vector<double>& factors, std::int64_t repeat) {
    for (std::size_t i = 0; i < input.size(); ++i) input[i] *= factors[i / static_cast<std::size_t>(repeat)];
}

ChannelScaling::Layer& ChannelScaling::layer(std::size_t node) {
    const auto found = m_layers.find(node);
    if (found != m_layers.end()) return found->second;
    Layer layer{*LayerWeights::of(m_graph, node), {}, {}, {}};  // links name only layers with usable weights
    layer.maxima.resize(static_cast<std::size_t>(layer.weights.blockCount()));
    for (std::size_t b = 0; b < layer.maxima.size(); ++b)
        for (const float value : layer.weights.block(b)) layer.maxima[b] = std::max(layer.maxima[b], std::abs(value));
    layer.output.assign(static_cast<std::size_t>(layer.weights.outputChannels()), 1.0);
    layer.input.assign(static_cast<std::size_t>(layer.weights.inputChannels()), 1.0);
    return m_layers.emplace(node, std::move(layer)).first->second;
}

void ChannelScaling::addLink(const ChannelLink& link) {
    layer(link.from);
    layer(link.to);
    m_links.push_back(link);
}

double ChannelScaling::equalizePair(const ChannelLink& link, bool isReference) {
    const bool isCapped = !isReference && link.clipping && link.clipping->upper;
    Layer& from = layer(link.from);
    Layer& to = layer(link.to);
    std::vector<double> produced, consumed;
    from.outputRanges(produced, !isReference);
    to.inputRanges(link.repeat, consumed);
    for (std::size_t i = 0; i < produced.size(); ++i) produced[i] = balance(produced[i], consumed[i]);
    if (isCapped) limitCaps(from.output, produced);
    double largest = 1;
    for (const double factor : produced) largest = std::max({largest, factor, 1 / factor});
    from.divideOutput(produced);
    to.multiplyInput(produced, link.repeat);
    return largest;
}

void ChannelScaling::equalizeTriple(const ChannelLink& first, const ChannelLink& second) {
    Layer& one = layer(first.from);
    Layer& middle = layer(first.to);
    Layer& three = layer(second.to);
    std::vector<double> r1, r2, r3;
    one.outputRanges(r1, false);
    middle.outputRanges(r2, false);
    three.inputRanges(second.repeat, r3);
    for (std::size_t i = 0; i < r1.size(); ++i) {
        const double common = std::cbrt(r1[i] * r2[i] * r3[i]);
        const double s12 = r1[i] / common, s23 = common / r3[i];
        const bool isUsable = std::isfinite(s12) && std::isfinite(s23) && s12 > 0 && s23 > 0;
        r1[i] = isUsable ? s12 : 1.0;
        r2[i] = isUsable ? s23 : 1.0;
    }
    one.divideOutput(r1);
    middle.multiplyInput(r1, first.repeat);
    middle.divideOutput(r2);
    three.multiplyInput(r2, second.repeat);
}

int ChannelScaling::run(int maxSweeps, const JobContext& job) {
    for (int sweep = 1; sweep <= maxSweeps; ++sweep) {
        double largest = 1;
        for (const auto& link : m_links) {
            if (job.stopped()) return sweep;
            largest = std::max(largest, equalizePair(link, false));
        }
        job.advance();
        if (largest < kConverged) return sweep;
    }
    return maxSweeps;
}

int ChannelScaling::runReferenceSweep() {
    for (std::size_t i = 0; i < m_links.size(); ++i) {
        const ChannelLink& link = m_links[i];
        const auto next = std::ranges::find(m_links, link.to, &ChannelLink::from);
        const bool isMiddleDepthwise = layer(link.to).weights.isDepthwise();
        const bool isFirstDepthwise = layer(link.from).weights.isDepthwise();
        if (isMiddleDepthwise) {
            const bool isTriple = !isFirstDepthwise && next != m_links.end() && !layer(next->to).weights.isDepthwise();
            if (isTriple) equalizeTriple(link, *next);
            continue;
        }
        // The second half of a triple was done with its first.
        const auto before = std::ranges::find(m_links, link.from, &ChannelLink::to);
        if (isFirstDepthwise && before != m_links.end() && !layer(before->from).weights.isDepthwise()) continue;
        equalizePair(link, true);
    }
    return 1;
}

std::vector<double> ChannelScaling::factors(const ChannelLink& link) const {
    std::vector<double> result;
    for (const double factor : m_layers.at(link.from).output) result.push_back(1 / factor);
    return result;
}

void ChannelScaling::writeTo(Graph& graph) const {
    for (const auto& [node, state] : m_layers) {
        LayerWeights weights = state.weights;
        weights.scale(state.output, state.input);
        weights.writeTo(graph);
    }
}

}  // namespace equant
