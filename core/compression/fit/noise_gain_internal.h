// SPDX-License-Identifier: Apache-2.0
// What becomes of a layer's error on its way to the outputs of the network: measured by adding a little noise to the
// layer's weights. Private to core/compression (Eigen). Results depend on the seed, not on the number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/search/candidate_scorer.h"
#include "core/statistics/moments.h"

namespace equant {

struct NoiseProbe {
    std::string output;                     ///< of the layer; it has constant weights
    const LayerMoments* moments = nullptr;  ///< of the layer
    /// 0: every weight gets noise of its own, as a split does. Otherwise so many neighbouring columns of the weights,
    /// all of an input channel, are scaled together, as removing it does: such errors look alike at all positions.
    std::int64_t channelColumns = 0;
};

/// For every probe the noise power at the outputs, relative to their power, per noise power at the layer, relative to
/// the power of the value it ends up in (LayerMoments::postAddPower). Noise of a tenth of the layer's own power is
/// used, Gaussian, without a mean. 0: no noise arrives, or the layer gives zeros. Errors of CandidateScorer::score.
Result<std::vector<double>> noiseGains(const Model& model, const std::vector<NoiseProbe>& probes,
                                       CandidateScorer& scorer, std::uint64_t seed, const JobContext& job = {});

}  // namespace equant
