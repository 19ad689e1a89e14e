// SPDX-License-Identifier: GPL-3.0-or-later
// The plain-words conclusions of plot_data.h.
#include <QLocale>
#include <algorithm>
#include <cmath>
#include <functional>

#include "app/desktop/pages/plot_data.h"
#include "core/quantization/diagnosis.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

QString costSentence(const LoadedModel& loaded) {
    std::vector<double> parameters;
    for (const LayerInfo& layer : loaded.inspection.layers)
        if (!layer.weightShape.empty()) parameters.push_back(static_cast<double>(layer.parameters));
    if (parameters.empty()) return Document::tr("This model has no layers with weights.");
    const double total = std::max(1.0, static_cast<double>(loaded.inspection.cost.parameters));
    std::ranges::sort(parameters, std::greater{});
    // As few layers as hold half of the parameters, at most five.
    double held = 0;
    std::size_t count = 0;
    while (count < std::min<std::size_t>(5, parameters.size()) && held < 0.7 * total) held += parameters[count++];
    QString text = Document::tr("%n layer(s) with weights", nullptr, static_cast<int>(parameters.size()));
    if (parameters.size() > 1 && count < parameters.size())
        text +=
            (count == 1 ? Document::tr("; one of them holds %1 % of the parameters")
                        : Document::tr("; %n of them hold %1 % of the parameters", nullptr, static_cast<int>(count)))
                .arg(std::lround(100 * held / total));
    return text + u'.';
}

namespace {

// Largest difference over the outputs' standard deviation: rounding stays below the first, the second may flip a class.
constexpr double kGoodDifference = 1e-3;
constexpr double kFairDifference = 5e-2;

qsizetype unevenCount(const std::vector<ChannelRanges>& ranges) {
    return std::ranges::count_if(ranges, [](const ChannelRanges& layer) { return layer.imbalance() > kUnevenRatio; });
}

}  // namespace

QString rangesSentence(const LoadedModel& loaded, const EqualizedModel* after) {
    const auto before = unevenCount(loaded.ranges);
    if (!after)
        return before == 0 ? Document::tr("No layer has uneven channel ranges.")
                           : Document::tr("In %n layer(s) the largest channel range is over 8 times the median.",
                                          nullptr, static_cast<int>(before));
    const auto equalized = std::ranges::count_if(after->report.pairs, &EqualizedPair::isEqualized);
    const auto left = unevenCount(after->ranges);
    return Document::tr("%n pair(s) equalized", nullptr, static_cast<int>(equalized)) + u": "_s +
           (before == 0 && left == 0 ? Document::tr("no layer had uneven channel ranges before.")
            : before == left ? Document::tr("%n layer(s) are uneven before and after.", nullptr, static_cast<int>(left))
                             : Document::tr("uneven layers go from %1 to %2.").arg(before).arg(left));
}

EquivalenceText equivalenceText(const EqualizedModel& equalized) {
    using Verdict = EquivalenceText::Verdict;
    if (!equalized.equivalence)
        return {Verdict::Fair, Document::tr("Float outputs not compared: the model does not run"),
                equalized.equivalenceProblem};
    const Equivalence& proof = *equalized.equivalence;
    const double relative = proof.outputStd > 0 ? proof.maxAbsDiff / proof.outputStd : proof.maxAbsDiff;
    const Verdict verdict = relative <= kGoodDifference   ? Verdict::Good
                            : relative <= kFairDifference ? Verdict::Fair
                                                          : Verdict::Bad;
    const QString words = verdict == Verdict::Good   ? Document::tr("same network")
                          : verdict == Verdict::Fair ? Document::tr("slightly changed")
                                                     : Document::tr("changed");
    const auto count = static_cast<int>(proof.samples);
    const QString samples = proof.isOnRandomInputs ? Document::tr("%n random input(s)", nullptr, count)
                                                   : Document::tr("%n sample(s)", nullptr, count);
    return {verdict,
            Document::tr("FP32 outputs: max |Δ| = %1 over %2: %3")
                .arg(plots::numberText(proof.maxAbsDiff, 2), samples, words),
            Document::tr("Largest difference of any output: %1; mean: %2; standard deviation of the outputs: %3")
                .arg(plots::numberText(proof.maxAbsDiff, 3), plots::numberText(proof.meanAbsDiff, 3),
                     plots::numberText(proof.outputStd, 3))};
}

namespace {

QString points(double value) {
    return QLocale().toString(value, 'f', 1);
}

QString remedyText(const std::vector<LossRemedy>& remedies) {
    QStringList words;
    for (const LossRemedy remedy : remedies) switch (remedy) {
            case LossRemedy::Equalize:
                words << Document::tr("cross-layer equalization");
                break;
            case LossRemedy::PerChannelWeights:
                words << Document::tr("per-channel weights");
                break;
            case LossRemedy::MseRanges:
                words << Document::tr("MSE ranges");
                break;
            case LossRemedy::MoreWeightBits:
                words << Document::tr("more bits for the weights");
                break;
            case LossRemedy::MoreActivationBits:
                words << Document::tr("more bits for the activations");
                break;
        }
    return words.isEmpty() ? Document::tr("Look at the layers with the lowest local SQNR.")
                           : Document::tr("Next: try %1.").arg(words.join(Document::tr(" or ")));
}

QString lossText(const LossDiagnosis& loss) {
    const QString weights = points(std::max(0.0, loss.weights)), activations = points(std::max(0.0, loss.activations));
    switch (loss.cause) {
        case LossCause::Negligible:
            return Document::tr("Quantization costs %1 points: this model is ready to export.")
                .arg(points(std::max(0.0, loss.total)));
        case LossCause::Weights:
        case LossCause::Both:
            return Document::tr("Weights cost %1 points, activations %2.").arg(weights, activations);
        case LossCause::Activations:
            break;
    }
    return Document::tr("Activations cost %1 points, weights %2.").arg(activations, weights);
}

/// Cause and remedies; empty: nothing was scored.
QString causeSentence(const QuantizationResult& result) {
    const auto loss = diagnoseLoss({result.floating, result.prepared ? &*result.prepared : nullptr, result.weightsOnly,
                                    result.activationsOnly, result.both},
                                   result.settings, result.equalized.has_value());
    if (!loss) return {};
    const QString text =
        loss->unit == LossUnit::Decibels
            ? Document::tr("The quantized output has an SQNR of %1 dB.").arg(points(*result.both.sqnrDb))
            : lossText(*loss);
    return loss->cause == LossCause::Negligible ? text : text + u' ' + remedyText(loss->remedies);
}

}  // namespace

QString diagnosisSentence(const QuantizationResult& result, const QuantizationResult* other) {
    const QString text = causeSentence(result);
    if (!other) return text;
    const auto now = decisiveScore(result.both);
    const auto then = decisiveScore(other->both);
    if (!now || !then || now->isPercent != then->isPercent) return text;
    const auto value = [&](const DecisiveScore& score) {
        return score.isPercent ? percentOrDash(score.value) : Document::tr("%1 dB").arg(points(score.value));
    };
    if (value(*then) == value(*now))
        return Document::tr("Quantized %1 is %2 in both variants.").arg(now->name, value(*now)) + u' ' + text;
    const QString change = result.equalized && !other->equalized && result.compressed == other->compressed
                               ? Document::tr("Equalization took quantized %1 from %2 to %3.")
                               : Document::tr("Quantized %1 was %2 in the other variant and is %3 in this one.");
    return change.arg(now->name, value(*then), value(*now)) + u' ' + text;
}

}  // namespace equant::ui
