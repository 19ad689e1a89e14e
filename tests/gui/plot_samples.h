// SPDX-License-Identifier: GPL-3.0-or-later
// Synthetic but realistic data for every plot, shared by the plot tests. Deterministic: every call gives the same.
#pragma once

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "widgets/plots/channels/bias_growth.h"
#include "widgets/plots/channels/channel_band.h"
#include "widgets/plots/channels/displacement_field.h"
#include "widgets/plots/channels/effective_bits.h"
#include "widgets/plots/channels/range_dumbbell.h"
#include "widgets/plots/channels/scale_factors.h"
#include "widgets/plots/compression/layer_curve.h"
#include "widgets/plots/compression/ratio_profile.h"
#include "widgets/plots/compression/savings_waterfall.h"
#include "widgets/plots/compression/sensitivity_map.h"
#include "widgets/plots/compression/trade_off_frontier.h"
#include "widgets/plots/network/cost_bars.h"
#include "widgets/plots/network/cost_scatter.h"
#include "widgets/plots/network/diagnosis_bars.h"
#include "widgets/plots/network/sqnr_profile.h"

namespace equant::plots::samples {

/// Uniform in [0, 1), the same on every standard library.
class Random {
public:
    explicit Random(unsigned seed) : m_engine(seed) {}
    double uniform() { return static_cast<double>(m_engine() >> 5) / 134217728.0; }
    double between(double low, double high) { return low + (high - low) * uniform(); }
    double normal() { return std::sqrt(-2.0 * std::log(1.0 - uniform())) * std::cos(6.283185307179586 * uniform()); }

private:
    std::mt19937 m_engine;
};

inline QString layerKey(int index) {
    return QStringLiteral("layer%1").arg(index);
}

inline QString layerName(int index) {
    return QStringLiteral("/features/features.%1/conv/conv.%2/Conv").arg(index / 3).arg(index % 3);
}

/// A network like MobileNetV2: blocks of pointwise, depthwise, pointwise convolutions.
inline CostBarsData cost(int count) {
    Random random(1);
    CostBarsData data;
    for (int i = 0; i < count; ++i) {
        const bool isDepthwise = i % 3 == 1;
        const double channels = 16.0 * std::pow(2.0, 5.0 * i / std::max(1, count - 1)) * random.between(0.8, 1.2);
        const double pixels = 112.0 * 112.0 / std::pow(4.0, 4.0 * i / std::max(1, count - 1));
        const double parameters = std::round(isDepthwise ? channels * 6 * 9 : channels * channels * 6);
        const bool isLast = i == count - 1 && count > 1;
        data.layers.push_back({layerKey(i), layerName(i),
                               QStringLiteral("%1").arg(isLast        ? "Gemm"
                                                        : isDepthwise ? "Conv (depthwise)"
                                                                      : "Conv"),
                               isLast ? parameters * 3 : parameters, parameters * (isLast ? 1 : pixels),
                               channels * pixels * 4});
    }
    return data;
}

inline RangeDumbbellData ranges(int count) {
    Random random(2);
    RangeDumbbellData data;
    for (int i = 0; i < count; ++i) {
        const double before = i % 3 == 1 ? random.between(8, 90) : random.between(1.5, 9);
        data.layers.push_back(
            {layerKey(i), layerName(i), before, i % 7 == 6 ? kNone : 1.0 + (before - 1) * random.between(0.02, 0.25)});
    }
    return data;
}

inline ChannelBandData band(int count, int bits = 8) {
    Random random(3);
    ChannelBandData data{.layer = QStringLiteral("features.1.conv.0.0"),
                         .before = {},
                         .after = {},
                         .gridMin = -0.9,
                         .gridMax = 0.9,
                         .bits = bits};
    for (int i = 0; i < count; ++i) {
        const double width = i == count / 3 ? 9.0 : std::exp(random.normal() * 0.9 - 1.6);
        const double mean = width * random.between(-0.2, 0.2);
        data.before.push_back({mean - width * random.between(0.5, 0.9), mean + width * random.between(0.5, 0.9), mean});
        const double after = 0.45 * random.between(0.8, 1.4);
        data.after.push_back(
            {-after * random.between(0.6, 1.1), after * random.between(0.6, 1.1), 0.05 * random.normal()});
    }
    return data;
}

inline EffectiveBitsData bits(int count) {
    Random random(4);
    EffectiveBitsData data{.layer = QStringLiteral("features.1.conv.0.0"), .before = {}, .after = {}};
    for (int i = 0; i < count; ++i) {
        data.before.push_back(std::min(8.0, std::max(0.5, 4.2 + 1.6 * random.normal())));
        data.after.push_back(std::min(8.0, 7.2 + 0.4 * random.normal()));
    }
    return data;
}

inline DisplacementFieldData displacement(int count) {
    const ChannelBandData source = band(count);
    DisplacementFieldData data{.layer = source.layer,
                               .before = source.before,
                               .after = source.after,
                               .representableMin = -0.7,
                               .representableMax = 0.7};
    if (count > 3) data.before[static_cast<std::size_t>(count / 3)] = {-1.9, 1.6, 0.0};
    return data;
}

inline ScaleFactorsData factors(int count) {
    Random random(5);
    ScaleFactorsData data{
        .pair = QStringLiteral("features.1.conv.0 → features.1.conv.1"), .factors = {}, .isConstant = {}};
    for (int i = 0; i < count; ++i) {
        const bool isConstant = i % 11 == 5;
        data.factors.push_back(isConstant ? 1.0 : std::exp2(1.4 * random.normal()));
        data.isConstant.push_back(isConstant);
    }
    return data;
}

inline BiasGrowthData biases(int count) {
    Random random(6);
    BiasGrowthData data{
        .layer = QStringLiteral("features.1.conv.0.0"), .before = {}, .after = {}, .activationRange = 2.4};
    for (int i = 0; i < count; ++i) {
        const double before = std::abs(random.normal()) * 0.5;
        data.before.push_back(before);
        data.after.push_back(before * std::exp(random.normal() * 0.8));
    }
    return data;
}

inline DiagnosisData diagnosis() {
    return {{{QStringLiteral("float"), QStringLiteral("Float"), 71.8, 70.9, 72.7},
             {QStringLiteral("weights"), QStringLiteral("Weights only"), 52.4, 51.4, 53.4},
             {QStringLiteral("activations"), QStringLiteral("Activations only"), 70.1, 69.2, 71.0},
             {QStringLiteral("both"), QStringLiteral("Both"), 50.9, 49.9, 51.9}},
            QStringLiteral("Top-1 accuracy (%)"),
            70.0};
}

inline SqnrProfileData sqnr(int count) {
    Random random(7);
    SqnrProfileData data;
    double noise = 1e-5;
    for (int i = 0; i < count; ++i) {
        const double local = i % 17 == 7 ? random.between(14, 20) : random.between(28, 42);
        noise = noise * 0.97 + 0.15 * std::pow(10.0, -local / 10.0);
        data.layers.push_back({layerKey(i), layerName(i), local, std::min(local, -10.0 * std::log10(noise))});
    }
    return data;
}

/// A sweep at work: the first half measured, then predictions, then nothing; every ninth layer cannot be compressed.
inline SensitivityMapData sensitivity(int count) {
    Random random(8);
    SensitivityMapData data{.ratios = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9},
                            .layers = {},
                            .baseline = 87.95,
                            .scoreName = QStringLiteral("Top-1 accuracy"),
                            .unit = QStringLiteral("points")};
    for (int i = 0; i < count; ++i) {
        SensitivityRow row{.key = layerKey(i), .label = layerName(i)};
        const double weight = i == 0 ? 45.0 : 12.0 * random.uniform();
        for (std::size_t c = 0; c < data.ratios.size(); ++c) {
            const double loss = weight * std::pow(1.0 - data.ratios[c], 3.0) + 0.1 * random.normal();
            const double place = (i + 0.1 * static_cast<double>(c)) / count;
            const CellState state = place < 0.5   ? CellState::Measured
                                    : place < 0.8 ? CellState::Predicted
                                                  : CellState::Unmeasured;
            row.cells.push_back({state, -loss, -loss - 0.3, -loss + 0.3, state == CellState::Measured && loss < 0.3});
        }
        row.chosenRatio = 0.3 + 0.7 * random.uniform();
        if (i % 9 == 4) row.skipReason = QStringLiteral("grouped convolution with one channel per group");
        data.layers.push_back(std::move(row));
    }
    return data;
}

inline LayerCurveData curve(int count) {
    Random random(9);
    LayerCurveData data{.layers = {},
                        .legal = {},
                        .chosen = 0.5,
                        .isLocked = false,
                        .baseline = 87.95,
                        .target = 86.5,
                        .scoreName = QStringLiteral("Top-1 accuracy"),
                        .unit = QStringLiteral("%")};
    for (int i = 0; i < std::min(count, 3); ++i) {
        CurveLayer layer{.key = layerKey(i), .label = layerName(i)};
        double best = 0.0;
        for (int step = 1; step <= 10; ++step) {
            const double ratio = 0.1 * step;
            const double score = 87.95 - (4.0 + 3.0 * i) * std::pow(1.0 - ratio, 2.5);
            layer.predicted.push_back({ratio, score + 0.4 * (1.0 - ratio)});
            if (step % 2 == 1 && step < 10) {
                const double measured = score + 0.12 * random.normal();
                best = std::max(best, measured);
                layer.measured.push_back({ratio, measured, measured - 0.5, measured + 0.5});
                layer.fit.push_back({ratio, best});
            }
        }
        data.layers.push_back(std::move(layer));
    }
    for (int rank = 4; rank <= 64; rank += 4)
        data.legal.push_back({rank / 64.0, QStringLiteral("rank %1 of 64").arg(rank)});
    return data;
}

inline RatioProfileData profile(int count) {
    Random random(10);
    RatioProfileData data{.layers = {}, .step = 0.05, .lowest = 0.1, .costName = QStringLiteral("MACs")};
    for (int i = 0; i < count; ++i) {
        RatioItem item{.key = layerKey(i), .label = layerName(i)};
        for (int rank = 4; rank <= 64; rank += 4) {
            item.legal.push_back(rank / 64.0);
            item.legalTexts += QStringLiteral("rank %1 of 64").arg(rank);
        }
        item.suggested = item.legal[static_cast<std::size_t>(random.between(3, 15))];
        item.chosen = i % 4 == 2 ? item.legal[static_cast<std::size_t>(random.between(3, 15))] : item.suggested;
        item.isLocked = i % 6 == 3;
        if (i % 9 == 4) item.skipReason = QStringLiteral("depthwise");
        data.layers.push_back(std::move(item));
    }
    return data;
}

inline TradeOffFrontierData frontier(int count) {
    TradeOffFrontierData data{.plans = {},
                              .current = {.costLeft = 0.52, .predicted = 86.1},
                              .baseline = 87.95,
                              .targetCost = 0.5,
                              .costName = QStringLiteral("MACs"),
                              .scoreName = QStringLiteral("Top-1 accuracy"),
                              .unit = QStringLiteral("%"),
                              .isHigherBetter = true,
                              .cheapestLayer = QStringLiteral("conv4_2")};
    for (int i = 0; i < count; ++i) {
        const double cost = 0.2 + 0.8 * (i + 0.5) / count;
        const double score = 87.95 - 9.0 * std::pow(1.0 - cost, 2.2);
        FrontierPlan plan{.label = QStringLiteral("Plan %1").arg(i), .costLeft = cost, .predicted = score};
        if (i % 5 == 1) {
            plan.measured = score - 1.2 * (1.0 - cost);
            plan.low = plan.measured - 0.6;
            plan.high = plan.measured + 0.6;
        }
        plan.isOnSweep = i % 11 != 6;
        data.plans.push_back(std::move(plan));
    }
    return data;
}

inline SavingsWaterfallData savings(int count) {
    Random random(11);
    SavingsWaterfallData data{.layers = {}, .costName = QStringLiteral("MACs"), .unit = QStringLiteral("points")};
    for (int i = 0; i < count; ++i) {
        const double share = random.uniform();
        data.layers.push_back({layerKey(i), layerName(i), 1.2 * share * share / count, 3.0 * random.uniform() / count,
                               QStringLiteral("spatial SVD")});
    }
    return data;
}

struct Named {
    QString name;
    std::unique_ptr<PlotView> plot;
};

/// One plot of each kind with `count` items (the diagnosis always has four), or without data when count is 0.
inline std::vector<Named> all(int count) {
    std::vector<Named> plots;
    const auto add = [&](const char* name, auto plot, auto data) {
        if (count > 0) plot->setData(std::move(data));
        plots.push_back({QString::fromLatin1(name), std::move(plot)});
    };
    add("cost_bars", std::make_unique<CostBars>(), cost(count));
    add("cost_scatter", std::make_unique<CostScatter>(), cost(count));
    add("range_dumbbell", std::make_unique<RangeDumbbell>(), ranges(count));
    add("channel_band", std::make_unique<ChannelBand>(), band(count));
    add("effective_bits", std::make_unique<EffectiveBits>(), bits(count));
    add("displacement_field", std::make_unique<DisplacementField>(), displacement(count));
    add("scale_factors", std::make_unique<ScaleFactors>(), factors(count));
    add("bias_growth", std::make_unique<BiasGrowth>(), biases(count));
    add("diagnosis_bars", std::make_unique<DiagnosisBars>(), diagnosis());
    auto profile = std::make_unique<SqnrProfile>();
    profile->setThreshold(22.0);
    add("sqnr_profile", std::move(profile), sqnr(count));
    add("sensitivity_map", std::make_unique<SensitivityMap>(), sensitivity(count));
    add("layer_curve", std::make_unique<LayerCurve>(), curve(count));
    add("ratio_profile", std::make_unique<RatioProfile>(), samples::profile(count));
    add("trade_off_frontier", std::make_unique<TradeOffFrontier>(), frontier(count));
    add("savings_waterfall", std::make_unique<SavingsWaterfall>(), savings(count));
    return plots;
}

}  // namespace equant::plots::samples
