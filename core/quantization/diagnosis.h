// SPDX-License-Identifier: Apache-2.0
// Where the loss by quantization comes from and what was not tried yet, as codes and numbers: the programs make the
// words. Pure; safe from any thread.
#pragma once

#include <optional>
#include <vector>

#include "core/metrics/scores.h"
#include "core/quantization/settings.h"

namespace equant {

/// What losses are counted in: the first of these that was measured.
enum class LossUnit {
    Top1Points,       ///< of top-1 accuracy, against the float model
    AgreementPoints,  ///< of agreement with the float model, against 100 %
    Decibels          ///< of output SQNR, against 30 dB, where the noise is 3 % of the signal
};

enum class LossCause {
    Negligible,   ///< the total is within the tolerance
    Weights,      ///< more than twice the loss of the activations
    Activations,  ///< more than twice the loss of the weights
    Both
};

/// What to try next, in this order.
enum class LossRemedy { Equalize, PerChannelWeights, MseRanges, MoreWeightBits, MoreActivationBits };

/// The scores of one simulation, on the same samples.
struct QuantizationScores {
    const Score& floating;
    const Score* prepared = nullptr;  ///< float after compression: its loss is no loss by quantization; null: none
    const Score& weightsOnly;
    const Score& activationsOnly;
    const Score& both;
};

struct LossDiagnosis {
    LossUnit unit = LossUnit::Top1Points;
    LossCause cause = LossCause::Negligible;
    double total = 0, weights = 0, activations = 0;  ///< negative: a gain
    double tolerance = 0;                            ///< smaller totals count as none
    std::vector<LossRemedy> remedies;  ///< that `settings` leave to try, for the cause; empty when negligible
};

/// The tolerance is half the confidence interval of the score, at least 0.5 and at most 1 point; 0 dB. Absent: nothing
/// was scored.
[[nodiscard]] std::optional<LossDiagnosis> diagnoseLoss(const QuantizationScores& scores,
                                                        const QuantizationSettings& settings, bool isEqualized);

}  // namespace equant
