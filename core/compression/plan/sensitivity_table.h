// SPDX-License-Identifier: Apache-2.0
// How much each layer's compression costs the whole network, predicted or measured: a plain value that files, plots and
// the solver share.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/compression/method.h"
#include "core/metrics/scores.h"

namespace equant {

enum class SensitivityMetric { Top1, Agreement, SqnrDb };
[[nodiscard]] std::string_view name(SensitivityMetric metric);  ///< "top1", "agreement", "sqnr"

/// One layer at one ratio.
struct SensitivityCell {
    double ratio = 1;        ///< asked
    double actualRatio = 1;  ///< reached, of the layer's own cost (AIMET rounds ranks down to meet it)
    std::int64_t size = 0;   ///< rank or channels
    LayerCost saved;         ///< what the whole model saves, really (pruning also saves upstream)
    /// Squared error of the layer's output, sum |y - y'|^2 / sum |v|^2: v is the value that y ends up in, the sum where
    /// y is a branch that is only added to another, otherwise y.
    std::optional<double> predictedError;
    /// What of it arrives at the network's outputs: noise power over their power, so that -10 log10 of it is an SQNR.
    std::optional<double> predictedNoise;
    /// What is expected to be lost: the noise where it is known, else the error.
    [[nodiscard]] std::optional<double> prediction() const { return predictedNoise ? predictedNoise : predictedError; }
    std::optional<double> score;       ///< of the whole network; absent: not measured
    std::optional<Interval> interval;  ///< 95 %, of `score`
    std::size_t samples = 0;           ///< evaluation samples behind `score`
};

struct LayerSensitivity {
    std::string name;
    CompressionMethod method = CompressionMethod::SpatialSvd;
    LayerCost cost;
    std::int64_t fullSize = 0;
    std::vector<SensitivityCell> cells;  ///< ratios ascending
    std::string skipped;                 ///< why it has no cells
    /// Channel pruning: the layer's input channels that may go, in the order in which they do.
    std::vector<std::int64_t> elimination{};
};

struct SensitivityTable {
    std::string model;  ///< contentHash
    std::string data;   ///< Dataset::fingerprint of what was measured on
    SensitivityMetric metric = SensitivityMetric::Agreement;
    std::string metricReason;  ///< why this one was chosen ("the data have no labels")
    std::optional<double> baseline;
    std::optional<Interval> baselineInterval;
    std::vector<LayerSensitivity> layers;  ///< in execution order
    LayerCost total;                       ///< of the whole model
    double seconds = 0;
    double forwardEquivalents = 0;          ///< full forward passes over the evaluation data that the measurement took
    std::optional<double> rankCorrelation;  ///< Spearman, between predictions and measured score losses
};

/// The methods that the table has cells for, each once, in the order of their enum.
[[nodiscard]] std::vector<CompressionMethod> methodsOf(const SensitivityTable& table);

/// docs/formats; field names of `equant-cli sensitivity`.
[[nodiscard]] std::string toJson(const SensitivityTable& table);
[[nodiscard]] nlohmann::json toJsonValue(const SensitivityTable& table);
Result<SensitivityTable> parseSensitivity(std::string_view json);

}  // namespace equant
