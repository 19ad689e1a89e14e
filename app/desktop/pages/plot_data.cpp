// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/plot_data.h"

#include <algorithm>
#include <cmath>

#include "app/desktop/compression/compression_view.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

std::vector<plots::ChannelRange> channelRanges(const ChannelRanges& ranges) {
    std::vector<plots::ChannelRange> result(ranges.min.size());
    for (std::size_t i = 0; i < result.size(); ++i)
        result[i] = {double(ranges.min[i]), double(ranges.max[i]), double(ranges.mean[i])};
    return result;
}

double largestMagnitude(const ChannelRanges& ranges) {
    double largest = 0;
    for (std::size_t i = 0; i < ranges.min.size(); ++i)
        largest = std::max({largest, std::abs(double(ranges.min[i])), std::abs(double(ranges.max[i]))});
    return largest;
}

std::vector<double> toDoubles(const std::vector<float>& values) {
    return {values.begin(), values.end()};
}

std::vector<double> magnitudes(const std::vector<float>& values) {
    std::vector<double> result(values.size());
    std::ranges::transform(values, result.begin(), [](float value) { return std::abs(double(value)); });
    return result;
}

bool hasSameChannels(const ChannelRanges& before, const ChannelRanges* after) {
    return after && after->min.size() == before.min.size();
}

std::optional<double> imbalanceOf(const ChannelRanges* ranges) {
    if (!ranges) return std::nullopt;
    const double imbalance = ranges->imbalance();
    return imbalance > 0 ? std::optional(imbalance) : std::nullopt;
}

}  // namespace

std::optional<double> typicalBits(const ChannelRanges* ranges) {
    if (!ranges) return std::nullopt;
    std::vector<float> bits = ranges->effectiveBits;
    std::erase(bits, 0.0F);
    if (bits.empty()) return std::nullopt;
    const auto middle = bits.begin() + static_cast<std::ptrdiff_t>(bits.size() / 2);
    std::ranges::nth_element(bits, middle);
    return double(*middle);
}

namespace {

/// Share of the model's MACs that one choice saves; what pruning saves upstream is in the table only.
double savedMacs(const Document& document, const LayerGeometry& shape, const LayerChoice& choice) {
    if (const auto table = document.sensitivity())
        if (const auto savings = savingsOf(*table, choice)) return 1 - savings->macsRatio;
    const double all = std::max(1.0, static_cast<double>(document.loaded()->inspection.cost.macs));
    return (shape.cost.macs - costAtSize(choice.method, shape, choice.size).macs) / all;
}

/// What the edited plan does to a layer of the model as opened.
void addPlan(const Document& document, const CompressibleLayer& layer, LayerRow& row) {
    const LayerGeometry& shape = layer.geometry;
    const LayerChoice* choice = document.state().plan.find(shape.name);
    const bool canNothing = !layer.can(CompressionMethod::SpatialSvd) && !layer.can(CompressionMethod::WeightSvd) &&
                            !layer.can(CompressionMethod::ChannelPruning);
    row.isPlanLocked = choice && choice->isLocked;
    row.planMethod = canNothing ? Document::tr("cannot") : Document::tr("not compressed");
    if (canNothing) row.planReason = whyNot(layer);
    if (!choice || choice->ratio >= 1) return;
    LayerChoice used = *choice;
    if (used.size <= 0)
        used.size =
            sizeForRatio(used.method, shape, used.ratio, CostMetric::Macs, document.state().compression.multiple).size;
    row.planMethod = methodText(used.method);
    row.planRatio = used.ratio;
    row.planSize = used.size;
    row.planFullSize = maxSize(used.method, shape);
    row.macsSaved = savedMacs(document, shape, used);
}

}  // namespace

QString whyNot(const CompressibleLayer& layer) {
    QStringList reasons;
    for (const CompressionMethod method :
         {CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd, CompressionMethod::ChannelPruning})
        if (!layer.can(method)) reasons << methodText(method) + u": "_s + toQString(layer.reason(method));
    return reasons.join(u'\n');
}

std::vector<LayerRow> layerRows(const Document& document, bool isAsOpened) {
    std::vector<LayerRow> rows;
    if (!document.hasModel()) return rows;
    const Inspection& inspection = (isAsOpened ? document.loaded() : document.base())->inspection;
    const auto quantization = document.isQuantizationFresh() ? document.quantization() : nullptr;
    const double parameters = std::max<double>(1, static_cast<double>(inspection.cost.parameters));
    const double macs = std::max<double>(1, static_cast<double>(inspection.cost.macs));
    for (const LayerInfo& layer : inspection.layers) {
        LayerRow row;
        row.position = static_cast<int>(rows.size()) + 1;
        row.name = toQString(layer.name);
        row.type = toQString(layer.opType);
        row.outputShape = toQString(toString(layer.outputShape));
        row.weightShape = layer.weightShape.empty() ? QString() : toQString(toString(layer.weightShape));
        row.parameters = layer.parameters;
        row.macs = layer.macs;
        row.activationBytes = layer.activationBytes;
        row.parameterShare = static_cast<double>(layer.parameters) / parameters;
        row.macShare = static_cast<double>(layer.macs) / macs;
        row.imbalanceBefore = imbalanceOf(document.rangesBefore(row.name));
        row.typicalBitsBefore = typicalBits(document.rangesBefore(row.name));
        row.imbalanceAfter = imbalanceOf(document.rangesAfter(row.name));
        row.typicalBitsAfter = typicalBits(document.rangesAfter(row.name));
        if (isAsOpened) {
            const auto& layers = document.loaded()->compressible;
            const auto found =
                std::ranges::find(layers, layer.name, [](const CompressibleLayer& each) { return each.geometry.name; });
            if (found != layers.end()) addPlan(document, *found, row);
        }
        if (quantization) {
            const auto noise = std::ranges::find(quantization->layers, row.name, &LayerNoise::layer);
            if (noise != quantization->layers.end()) {
                row.localSqnrDb = noise->localDb;
                row.accumulatedSqnrDb = noise->accumulatedDb;
                QStringList bits;
                if (!noise->weightGrid.isEmpty()) bits << u"W%1"_s.arg(quantization->settings.weightBits);
                if (!noise->outputGrid.isEmpty()) bits << u"A%1"_s.arg(quantization->settings.activationBits);
                row.bits = bits.isEmpty() ? Document::tr("float") : bits.join(u' ');
            }
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

plots::CostBarsData costData(const LoadedModel& loaded) {
    plots::CostBarsData data;
    for (const LayerInfo& layer : loaded.inspection.layers) {
        if (layer.weightShape.empty() && layer.macs == 0) continue;
        const QString name = toQString(layer.name);
        data.layers.push_back({name, shortName(name), toQString(layer.opType), static_cast<double>(layer.parameters),
                               static_cast<double>(layer.macs), static_cast<double>(layer.activationBytes)});
    }
    return data;
}

plots::RangeDumbbellData dumbbellData(const LoadedModel& loaded, const EqualizedModel* after) {
    plots::RangeDumbbellData data;
    data.threshold = kUnevenRatio;
    for (const ChannelRanges& ranges : loaded.ranges) {
        const QString name = toQString(ranges.layer);
        const auto before = imbalanceOf(&ranges);
        const auto now = after ? imbalanceOf(findRanges(after->ranges, name)) : std::nullopt;
        data.layers.push_back({name, shortName(name), before.value_or(plots::kNone), now.value_or(plots::kNone)});
    }
    return data;
}

plots::ChannelBandData bandData(const ChannelRanges& before, const ChannelRanges* after, int bits) {
    plots::ChannelBandData data;
    data.layer = shortName(toQString(before.layer));
    data.before = channelRanges(before);
    const bool hasAfter = hasSameChannels(before, after);
    if (hasAfter) data.after = channelRanges(*after);
    const double reach = largestMagnitude(hasAfter ? *after : before);
    data.gridMin = -reach;
    data.gridMax = reach;
    data.bits = bits;
    return data;
}

plots::EffectiveBitsData bitsData(const ChannelRanges& before, const ChannelRanges* after, int bits) {
    plots::EffectiveBitsData data;
    data.layer = shortName(toQString(before.layer));
    data.before = toDoubles(before.effectiveBits);
    if (hasSameChannels(before, after)) data.after = toDoubles(after->effectiveBits);
    data.bits = bits;
    return data;
}

plots::DisplacementFieldData displacementData(const ChannelRanges& before, const ChannelRanges* after) {
    plots::DisplacementFieldData data;
    data.layer = shortName(toQString(before.layer));
    data.before = channelRanges(before);
    if (hasSameChannels(before, after)) {
        data.after = channelRanges(*after);
        const double reach = largestMagnitude(*after);
        data.representableMin = -reach;
        data.representableMax = reach;
    }
    return data;
}

plots::BiasGrowthData biasData(const ChannelRanges& before, const ChannelRanges* after) {
    plots::BiasGrowthData data;
    data.layer = shortName(toQString(before.layer));
    data.before = magnitudes(before.bias);
    if (after && after->bias.size() == before.bias.size()) data.after = magnitudes(after->bias);
    // A layer whose bias came with batch norm folding had none before.
    if (after && before.bias.empty() && !after->bias.empty()) {
        data.before.assign(after->bias.size(), 0.0);
        data.after = magnitudes(after->bias);
    }
    return data;
}

plots::ScaleFactorsData factorData(const EqualizedPair& pair, std::size_t link) {
    plots::ScaleFactorsData data;
    if (link + 1 >= pair.layers.size() || link >= pair.scales.size()) return data;
    data.pair = shortName(toQString(pair.layers[link])) + u" → "_s + shortName(toQString(pair.layers[link + 1]));
    data.factors = toDoubles(pair.scales[link]);
    if (link == 0 && !pair.constantChannels.empty()) {
        data.isConstant.assign(data.factors.size(), false);
        for (const auto channel : pair.constantChannels)
            if (static_cast<std::size_t>(channel) < data.isConstant.size())
                data.isConstant[static_cast<std::size_t>(channel)] = true;
    }
    return data;
}

std::optional<DecisiveScore> decisiveScore(const Score& score) {
    if (score.top1) return DecisiveScore{*score.top1, true, Document::tr("top-1 accuracy")};
    if (score.sqnrDb) return DecisiveScore{*score.sqnrDb, false, Document::tr("output SQNR")};
    if (score.agreement) return DecisiveScore{*score.agreement, true, Document::tr("agreement with float")};
    return std::nullopt;
}

plots::DiagnosisData diagnosisData(const QuantizationResult& result) {
    plots::DiagnosisData data;
    const bool hasTop1 = result.floating.top1.has_value();
    const bool hasAgreement = !hasTop1 && result.both.agreement.has_value();
    const auto add = [&](QStringView key, const QString& label, const Score& score, bool isFloat) {
        plots::DiagnosisItem item{key.toString(), label};
        if (hasTop1) {
            item.value = score.top1.value_or(plots::kNone);
            if (score.top1Interval) item.low = score.top1Interval->low, item.high = score.top1Interval->high;
        } else if (hasAgreement) {
            item.value = isFloat ? 100.0 : score.agreement.value_or(plots::kNone);
            if (!isFloat && score.agreementInterval)
                item.low = score.agreementInterval->low, item.high = score.agreementInterval->high;
        } else {
            if (isFloat) return;  // its SQNR is infinite
            item.value = score.sqnrDb.value_or(plots::kNone);
        }
        data.bars.push_back(std::move(item));
    };
    data.metric = hasTop1        ? Document::tr("Top-1 accuracy (%)")
                  : hasAgreement ? Document::tr("Agreement with float (%)")
                                 : Document::tr("Output SQNR (dB)");
    add(plots::DiagnosisBars::kFloat, Document::tr("float"), result.floating, true);
    if (result.prepared)
        add(plots::DiagnosisBars::kPrepared, Document::tr("float, compressed"), *result.prepared, false);
    add(plots::DiagnosisBars::kWeights, Document::tr("weights only"), result.weightsOnly, false);
    add(plots::DiagnosisBars::kActivations, Document::tr("activations only"), result.activationsOnly, false);
    add(plots::DiagnosisBars::kBoth, Document::tr("both"), result.both, false);
    return data;
}

plots::SqnrProfileData profileData(const QuantizationResult& result) {
    plots::SqnrProfileData data;
    for (const LayerNoise& noise : result.layers)
        data.layers.push_back({noise.layer, shortName(noise.layer), noise.localDb.value_or(plots::kNone),
                               noise.accumulatedDb.value_or(plots::kNone)});
    return data;
}

}  // namespace equant::ui
