// SPDX-License-Identifier: Apache-2.0
// Merges BatchNormalization nodes into the layer before or after them.
//
// Before:  layer(W, b) -> BN(gamma, beta, mu, var)          After:  layer(W', b')
//          BN -> layer(W, b)                                        layer(W', b')
// Needs :  (1) constant parameters (2) nobody else reads the value between the two
//          (3) BN before a layer: no padding (the border would see a shifted zero), groups = 1
// Keeps :  the function, up to rounding
// With sigma = sqrt(var + epsilon), s = gamma / sigma, o output and i input channels:
//          behind:  W'_o = s_o W_o,  b' = beta + (b - mu) s
//          before:  W'_i = s_i W_i,  b' = b + sum_i (sum_k W_oik)(beta_i - mu_i s_i)
// A BN that cannot be merged becomes the plain affine it is (mean 0, variance 1, epsilon 0).
// Source: Jacob et al., "Quantization and Training of Neural Networks", 2018, section 3.2.
#pragma once

#include <string>
#include <vector>

#include "core/passes/outcome.h"

namespace equant {

/// A BN merged into `layer`. gamma and beta describe the distribution of the layer's output channels (mean beta,
/// standard deviation |gamma|), which bias absorption and analytic bias correction need; they are empty for a BN that
/// stood before its layer.
struct FoldedBatchNorm {
    std::string layer;
    std::string batchNorm;
    std::vector<float> gamma;
    std::vector<float> beta;
};

struct KeptBatchNorm {
    std::string batchNorm;
    std::string reason;
};

struct FoldReport {
    std::vector<FoldedBatchNorm> folded;
    std::vector<KeptBatchNorm> kept;
};

Result<Outcome<FoldReport>> foldBatchNorms(const Model& model);

}  // namespace equant
