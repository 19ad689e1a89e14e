// SPDX-License-Identifier: Apache-2.0
// High-bias absorption: moves the part of a bias that the activation nearly always lets through into the next layer,
// which shrinks the activation range that equalization may have stretched.
//
// Before:  layer1(W1, b1) -> Relu (or nothing) -> layer2(W2, b2)
// After :  layer1(W1, b1 - c) -> ... -> layer2(W2, b2 + W2 c)            c_i = max(0, beta_i - 3 |gamma_i|)
// Needs :  (1) the output distribution of layer1 (mean beta, deviation gamma: a folded BatchNormalization)
//          (2) no padding in layer2: the border would miss the constant
// Keeps :  the function exactly when nothing lies between (then the whole mean moves); behind a Relu only where
//          x >= c, that is on 99.87 % of a normal distribution, if the folded statistics still describe the data
// Source: Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", 2019, section 4.1.3.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/passes/channel_links.h"

namespace equant {

/// A layer whose high biases were moved into its consumer.
struct AbsorbedBias {
    std::string layer;
    std::string consumer;
    std::vector<float> amounts;  ///< per channel, what was subtracted from the bias
    std::vector<float> biasBefore;
    std::vector<float> biasAfter;
};

/// beta and gamma of a layer's output channels, as they are after all scaling.
struct OutputDistribution {
    std::vector<double> mean;
    std::vector<double> deviation;
};

enum class Absorption {
    Exact,        ///< only where the function is kept
    Statistical,  ///< behind a Relu too, by the three-sigma rule
    Reference     ///< as AIMET: also into padded layers, and only where both layers have a bias
};

/// Absorbs along one link; empty when nothing could or needed to move. The caps of a clipping activation must be
/// lowered by the returned amounts.
std::optional<AbsorbedBias> absorbBias(Graph& graph, const ChannelLink& link, const OutputDistribution& distribution,
                                       Absorption mode);

}  // namespace equant
