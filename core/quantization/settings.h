// SPDX-License-Identifier: Apache-2.0
// What a user decides about quantization: bit widths, grids, range schemes. A plain value, part of a recipe.
#pragma once

#include <string>

namespace equant {

enum class RangeScheme {
    MinMax,      ///< the whole range ("tf")
    Sqnr,        ///< least squared error, clipped values counting three times ("tf-enhanced")
    Percentile,  ///< cuts the given share off both tails
    Mse,         ///< least squared error
    Entropy      ///< least Kullback-Leibler divergence
};

struct QuantizationSettings {
    int weightBits = 8;
    int activationBits = 8;
    bool isPerChannel = false;  ///< weights: one scale per output channel
    bool hasSymmetricWeights = true;
    RangeScheme scheme = RangeScheme::MinMax;  ///< activations and weights
    double percentile = 99.99;                 ///< for RangeScheme::Percentile, in percent of the values kept
    std::string rules;                         ///< JSON text of the six-section rules; empty: the built-in ones
    bool isAimetCompatible = false;  ///< grids, histograms and rounding exactly as the reference computes them

    friend bool operator==(const QuantizationSettings&, const QuantizationSettings&) = default;
};

}  // namespace equant
