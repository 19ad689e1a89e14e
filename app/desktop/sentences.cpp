// SPDX-License-Identifier: GPL-3.0-or-later
// The plain-words conclusions of plot_data.h.
#include <QLocale>
#include <algorithm>
#include <cmath>
#include <functional>

#include "app/desktop/plot_data.h"
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

QString points(double value) {
    return QLocale().toString(value, 'f', 1);
}

QString percentDiagnosis(const QuantizationResult& result, double floating, double weights, double activations,
                         double both) {
    const double weightLoss = floating - weights;
    const double activationLoss = floating - activations;
    const double loss = floating - both;
    const auto& interval = result.floating.top1Interval;
    const double noise = interval ? (interval->high - interval->low) / 2 : 0.5;
    if (loss <= std::max(0.5, std::min(noise, 1.0)))
        return Document::tr("Quantization costs next to nothing (%1 points): this model is ready to export.")
            .arg(points(std::max(0.0, loss)));
    if (weightLoss > 2 * std::max(activationLoss, 0.0)) {
        const QString text = Document::tr("Weights cost %1 points, activations %2.")
                                 .arg(points(weightLoss), points(std::max(0.0, activationLoss)));
        if (!result.equalized) return text + u' ' + Document::tr("Equalize first: uneven channels share one grid.");
        if (!result.settings.isPerChannel)
            return text + u' ' +
                   Document::tr("Equalization is applied; per-channel weights are the next thing to try.");
        return text + u' ' + Document::tr("Try more bits for the weights, or another range scheme.");
    }
    if (activationLoss > 2 * std::max(weightLoss, 0.0))
        return Document::tr(
                   "Activations cost %1 points, weights %2. Try another range scheme (SQNR or percentile), or "
                   "more calibration samples.")
            .arg(points(activationLoss), points(std::max(0.0, weightLoss)));
    return Document::tr(
               "Weights cost %1 points and activations %2. Cure the weights first, then look at the layers "
               "with the lowest own SQNR.")
        .arg(points(std::max(0.0, weightLoss)), points(std::max(0.0, activationLoss)));
}

}  // namespace

QString diagnosisSentence(const QuantizationResult& result, const QuantizationResult* other) {
    QString text;
    const bool hasTop1 =
        result.floating.top1 && result.weightsOnly.top1 && result.activationsOnly.top1 && result.both.top1;
    const bool hasAgreement = result.weightsOnly.agreement && result.activationsOnly.agreement && result.both.agreement;
    if (hasTop1)
        text = percentDiagnosis(result, *result.floating.top1, *result.weightsOnly.top1, *result.activationsOnly.top1,
                                *result.both.top1);
    else if (hasAgreement)
        text = percentDiagnosis(result, 100, *result.weightsOnly.agreement, *result.activationsOnly.agreement,
                                *result.both.agreement);
    else if (result.both.sqnrDb)
        text = Document::tr("The quantized output keeps %1 dB of signal over noise.").arg(points(*result.both.sqnrDb));
    if (!other) return text;
    const auto now = decisiveScore(result.both);
    const auto then = decisiveScore(other->both);
    if (!now || !then || now->isPercent != then->isPercent) return text;
    const auto value = [&](const DecisiveScore& score) {
        return score.isPercent ? percentOrDash(score.value) : Document::tr("%1 dB").arg(points(score.value));
    };
    const QString change = result.equalized && !other->equalized
                               ? Document::tr("Equalization took quantized %1 from %2 to %3.")
                               : Document::tr("Quantized %1 was %2 in the other variant and is %3 in this one.");
    return change.arg(now->name, value(*then), value(*now)) + u' ' + text;
}

}  // namespace equant::ui
