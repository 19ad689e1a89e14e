// SPDX-License-Identifier: Apache-2.0
// AIMET's choice of ratios: one score threshold for all layers, found by bisection (aimet_torch
// GreedyCompRatioSelectAlgo). Kept as it is, weaknesses included, so that its results can be reproduced. Private to
// core/compression.
#pragma once

#include <optional>
#include <vector>

namespace equant {

struct GreedyLayer {
    std::vector<double> scores;  ///< by ratio, ascending
    std::vector<double> saved;   ///< cost saved at each ratio
};

/// Per layer the index of the ratio, or nothing: leave the layer alone. `total` is the whole model's cost, `target` the
/// share of it that may remain.
[[nodiscard]] std::vector<std::optional<std::size_t>> selectGreedily(const std::vector<GreedyLayer>& layers,
                                                                     double total, double target);

/// Polynomial of degree 7 through scores over ratios in [0, 1] with a derivative >= 0 at 0, 0.02 ... 0.98, in the least
/// squares sense; evaluated at the ratios.
[[nodiscard]] std::vector<double> monotoneFit(const std::vector<double>& ratios, const std::vector<double>& scores);

}  // namespace equant
