// SPDX-License-Identifier: Apache-2.0
#include "core/quantization/diagnosis.h"

#include <algorithm>

namespace equant {

namespace {

constexpr double kGoodSqnrDb = 30.0;
constexpr double kMostSqnrDb = 100.0;  // exact results have none

double toleranceOf(const std::optional<Interval>& interval) {
    return interval ? std::clamp((interval->high - interval->low) / 2, 0.5, 1.0) : 0.5;
}

void addWeightRemedies(std::vector<LossRemedy>& remedies, const QuantizationSettings& settings, bool isEqualized) {
    if (!isEqualized) remedies.push_back(LossRemedy::Equalize);
    if (!settings.isPerChannel) remedies.push_back(LossRemedy::PerChannelWeights);
    if (!remedies.empty()) return;
    if (settings.scheme == RangeScheme::MinMax)
        remedies.push_back(LossRemedy::MseRanges);
    else if (settings.weightBits < 16)
        remedies.push_back(LossRemedy::MoreWeightBits);
}

void addActivationRemedies(std::vector<LossRemedy>& remedies, const QuantizationSettings& settings) {
    const auto add = [&](LossRemedy remedy) {
        if (std::ranges::find(remedies, remedy) == remedies.end()) remedies.push_back(remedy);
    };
    if (settings.scheme == RangeScheme::MinMax) add(LossRemedy::MseRanges);
    if (settings.activationBits < 16) add(LossRemedy::MoreActivationBits);
}

/// Losses in the unit that was measured; absent: none.
std::optional<LossDiagnosis> lossesOf(const QuantizationScores& scores) {
    LossDiagnosis losses;
    const Score& before = scores.prepared ? *scores.prepared : scores.floating;
    const auto fill = [&](double reference, auto value) {
        losses.total = reference - value(scores.both);
        losses.weights = reference - value(scores.weightsOnly);
        losses.activations = reference - value(scores.activationsOnly);
    };
    const auto all = [&](auto member) {
        return (scores.weightsOnly.*member).has_value() && (scores.activationsOnly.*member).has_value() &&
               (scores.both.*member).has_value();
    };
    if (before.top1 && all(&Score::top1)) {
        losses.tolerance = toleranceOf(scores.floating.top1Interval);
        fill(*before.top1, [](const Score& score) { return *score.top1; });
    } else if (all(&Score::agreement)) {
        losses.unit = LossUnit::AgreementPoints;
        losses.tolerance = toleranceOf(scores.both.agreementInterval);
        fill(scores.prepared ? scores.prepared->agreement.value_or(100.0) : 100.0,
             [](const Score& score) { return *score.agreement; });
    } else if (all(&Score::sqnrDb)) {
        losses.unit = LossUnit::Decibels;
        fill(kGoodSqnrDb, [](const Score& score) { return std::min(*score.sqnrDb, kMostSqnrDb); });
    } else {
        return std::nullopt;
    }
    return losses;
}

}  // namespace

std::optional<LossDiagnosis> diagnoseLoss(const QuantizationScores& scores, const QuantizationSettings& settings,
                                          bool isEqualized) {
    auto diagnosis = lossesOf(scores);
    if (!diagnosis || diagnosis->total <= diagnosis->tolerance) return diagnosis;
    const double weights = std::max(diagnosis->weights, 0.0), activations = std::max(diagnosis->activations, 0.0);
    diagnosis->cause = diagnosis->weights > 2 * activations   ? LossCause::Weights
                       : diagnosis->activations > 2 * weights ? LossCause::Activations
                                                              : LossCause::Both;
    if (diagnosis->cause != LossCause::Activations) addWeightRemedies(diagnosis->remedies, settings, isEqualized);
    if (diagnosis->cause != LossCause::Weights) addActivationRemedies(diagnosis->remedies, settings);
    return diagnosis;
}

}  // namespace equant
