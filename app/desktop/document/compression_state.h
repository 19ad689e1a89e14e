// SPDX-License-Identifier: GPL-3.0-or-later
// The compression part of the document: what the user decided (setup, plan) and what was computed for it (sensitivity,
// compressed models, measured plans). Plain values; results are shared as const.
#pragma once

#include <QString>
#include <memory>
#include <optional>
#include <vector>

#include "core/compression/plan/sensitivity.h"
#include "core/compression/plan/solver.h"
#include "core/metrics/latency.h"
#include "core/metrics/scores.h"
#include "core/recipe/plan_edits.h"
#include "core/recipe/recipe.h"
#include "core/runtime/diagnose/activation_memory.h"

namespace equant::ui {

struct LoadedModel;

enum class TargetKind { Macs, Size, Drop };

/// How sensitivities are found and what is aimed at.
struct CompressionSetup {
    std::vector<CompressionMethod> methods{CompressionMethod::SpatialSvd};
    std::optional<SensitivityMetric> metric;  ///< absent: what the data allow
    int calibrationSamples = 100;             ///< statistics and refit
    int evaluationSamples = 200;              ///< per cell, and for measured plans; 0: all
    int candidates = 9;                       ///< ratios per layer
    int multiple = 1;                         ///< of ranks and channels
    bool isPlain = false;
    TargetKind target = TargetKind::Macs;
    double share = 0.5;    ///< of MACs or size that may remain
    double maxDrop = 1.0;  ///< points
    bool isGreedy = false;
    friend bool operator==(const CompressionSetup&, const CompressionSetup&) = default;
};

/// What a sensitivity table depends on.
struct SweepKey {
    std::string data;
    std::string preprocess;
    std::vector<CompressionMethod> methods;
    std::optional<SensitivityMetric> metric;
    int calibrationSamples = 0, evaluationSamples = 0, candidates = 0, multiple = 1;
    bool isPlain = false;
    friend bool operator==(const SweepKey&, const SweepKey&) = default;
};

struct Sweep {
    SweepKey key;
    std::shared_ptr<const SensitivityTable> table;
};

/// The model after a CompressStep, looked at like an opened one.
struct CompressedModel {
    CompressStep step;
    std::shared_ptr<const LoadedModel> prepared;
    CompressionReport report;
};

/// What the compressed network costs besides MACs and parameters, beside the network as it was.
struct EngineCosts {
    std::optional<ActivationMemory> activationsBefore, activationsAfter;  ///< absent: the engine cannot tell
    std::optional<LatencyChange> latency;                                 ///< absent: not measured
};
[[nodiscard]] EngineCosts engineCosts(const CompressionReport& report);

/// What a whole plan was measured to score. The light part of a result: many are kept.
struct PlanMeasurement {
    CompressStep step;
    int evaluationSamples = 0;  ///< asked for
    Score floating;             ///< of the model as opened
    Score score;
    double macsRatio = 1, sizeRatio = 1;
    EngineCosts costs = {};
    int compressedLayers = 0;
    double seconds = 0;
    QString label = {};  ///< "SVD 71 % + pruning"; empty: a plan like any other
};

/// What the recommended flow came to.
struct FlowSummary {
    CompressStep step;  ///< of the best plan; its measurement has the scores
    QString label;
    int tried = 0;
    SensitivityMetric metric = SensitivityMetric::SqnrDb;  ///< what decided
    std::string limitedBy;                                 ///< why no plan met the target; empty: the best one does
};

[[nodiscard]] SensitivityOptions sweepOptions(const CompressionSetup& setup);

/// How a plan divides the work, from what the factorizations leave of the MACs: "SVD 71 % + pruning". `depthWeight`: of
/// the solver.
[[nodiscard]] QString divisionText(const CompressionPlan& plan, double factorizedRatio, double depthWeight);

}  // namespace equant::ui
