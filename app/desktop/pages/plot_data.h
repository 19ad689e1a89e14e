// SPDX-License-Identifier: GPL-3.0-or-later
// From the engine's results to what plots and tables show. Pure functions.
#pragma once

#include "app/desktop/document/document.h"
#include "widgets/bridge/text.h"
#include "widgets/models/layer_row.h"
#include "widgets/plots/channels/bias_growth.h"
#include "widgets/plots/channels/channel_band.h"
#include "widgets/plots/channels/displacement_field.h"
#include "widgets/plots/channels/effective_bits.h"
#include "widgets/plots/channels/range_dumbbell.h"
#include "widgets/plots/channels/scale_factors.h"
#include "widgets/plots/network/cost_bars.h"
#include "widgets/plots/network/diagnosis_bars.h"
#include "widgets/plots/network/sqnr_profile.h"

namespace equant::ui {

/// Where the line for low SQNR stands at first: layers below it deserve a look.
inline constexpr double kLowSqnrDb = 15.0;

/// The layers of the model as opened, or of what equalization and quantization work on (the compressed model).
std::vector<LayerRow> layerRows(const Document& document, bool isAsOpened = true);
/// The methods that cannot make the layer smaller, a line each: "spatial SVD: a 1x1 kernel has nothing to split".
QString whyNot(const CompressibleLayer& layer);

plots::CostBarsData costData(const LoadedModel& loaded);
plots::RangeDumbbellData dumbbellData(const LoadedModel& loaded, const EqualizedModel* after);
plots::ChannelBandData bandData(const ChannelRanges& before, const ChannelRanges* after, int bits);
plots::EffectiveBitsData bitsData(const ChannelRanges& before, const ChannelRanges* after, int bits);
plots::DisplacementFieldData displacementData(const ChannelRanges& before, const ChannelRanges* after);
plots::BiasGrowthData biasData(const ChannelRanges& before, const ChannelRanges* after);
/// Factors between layers[link] and layers[link + 1] of a pair.
plots::ScaleFactorsData factorData(const EqualizedPair& pair, std::size_t link);
/// Largest over median channel range from which a layer counts as uneven, in words, tables and plots alike.
inline constexpr double kUnevenRatio = 8.0;
plots::DiagnosisData diagnosisData(const QuantizationResult& result);
plots::SqnrProfileData profileData(const QuantizationResult& result);

/// Effective bits of the median channel among those that are not all zero.
std::optional<double> typicalBits(const ChannelRanges* ranges);

/// "52 layers with weights; 5 hold 71 % of the parameters."
QString costSentence(const LoadedModel& loaded);
/// "12 pairs equalized: uneven layers go from 9 to 2."; without `after`, how uneven the channels are.
QString rangesSentence(const LoadedModel& loaded, const EqualizedModel* after);

/// How equal the float outputs are before and after.
struct EquivalenceText {
    enum class Verdict { Good, Fair, Bad };
    Verdict verdict = Verdict::Fair;
    QString text;     ///< "FP32 outputs: max |Δ| = 2e-6 over 16 samples: same network"
    QString details;  ///< all figures, or why nothing could be compared
};
EquivalenceText equivalenceText(const EqualizedModel& equalized);

/// What the four scores mean, in plain words, and what to do next.
QString diagnosisSentence(const QuantizationResult& result, const QuantizationResult* other);
/// "99.5 %" or "31.2 dB": the score that decides, with its unit.
struct DecisiveScore {
    double value = 0;
    bool isPercent = true;
    QString name;
};
std::optional<DecisiveScore> decisiveScore(const Score& score);

}  // namespace equant::ui
