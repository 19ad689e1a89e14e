// SPDX-License-Identifier: Apache-2.0
// How much each layer's compression costs the whole network: predicted at once from the layers' statistics, or measured
// cell by cell. A SensitivityTable is a plain value that files, plots and the solver share.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/progress.h"
#include "core/compression/compress.h"
#include "core/data/dataset.h"
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

struct SensitivityOptions {
    std::vector<CompressionMethod> methods{CompressionMethod::SpatialSvd};
    std::vector<double> ratios{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
    std::optional<SensitivityMetric> metric;  ///< absent: top-1 with labels, agreement for classifiers, else SQNR
    CompressOptions compress;
    std::int64_t multiple = 1;
    std::size_t calibrationSamples = 100;            ///< for the statistics
    std::size_t probeSamples = 32;                   ///< of them: for the way of noise to the outputs; 0: not asked
    std::size_t evaluationSamples = 0;               ///< per cell; 0: all
    std::size_t rounds = 0;                          ///< 1: only the middle ratio, 2: the quarters too, ...; 0: all
    std::size_t budgetBytes = std::size_t{1} << 30;  ///< for checkpoints
};

/// What both speeds need of a model: the statistics of its layers, from one pass over the calibration data. Immutable;
/// safe from any thread.
class SensitivityStudy;
/// Unsupported: the network cannot run. Cancelled.
Result<std::shared_ptr<const SensitivityStudy>> studyLayers(const Model& model, const Dataset& calibration,
                                                            const SensitivityOptions& options,
                                                            const JobContext& job = {});

/// (1) Instant: the error of every cell from the statistics; the network is not evaluated. Scores stay absent.
/// InvalidArgument: ratios outside (0, 1), no methods.
Result<SensitivityTable> predictSensitivity(const SensitivityStudy& study, const SensitivityOptions& options,
                                            const JobContext& job = {});
Result<SensitivityTable> predictSensitivity(const Model& model, const Dataset& calibration,
                                            const SensitivityOptions& options, const JobContext& job = {});

/// Called after every measured cell, from the calling thread, with the table so far: save it and a crash loses one
/// cell.
using CellMeasured = std::function<void(const SensitivityTable&, std::size_t layer, std::size_t cell)>;

/// (2) Measured: fills the scores of `table` (from predictSensitivity, or read from an interrupted run: measured cells
/// are kept), most informative cells first. Stopping returns the partial table, not an error.
/// InvalidArgument: a table of another model or other data, no samples.
Result<SensitivityTable> measureSensitivity(const SensitivityStudy& study, const Dataset& evaluation,
                                            SensitivityTable table, const SensitivityOptions& options,
                                            const CellMeasured& onCell, const JobContext& job = {});
Result<SensitivityTable> measureSensitivity(const Model& model, const Dataset& calibration, const Dataset& evaluation,
                                            SensitivityTable table, const SensitivityOptions& options,
                                            const CellMeasured& onCell, const JobContext& job = {});

/// The table ready to be solved for this model, sizes rounded up to multiples (savings follow). InvalidArgument lists
/// the layers of the table that the model has not.
Result<SensitivityTable> fitToModel(SensitivityTable table, const Model& model, std::int64_t multiple = 1);

/// The methods that the table has cells for, each once, in the order of their enum.
[[nodiscard]] std::vector<CompressionMethod> methodsOf(const SensitivityTable& table);

/// docs/formats; field names of `equant-cli sensitivity`.
[[nodiscard]] std::string toJson(const SensitivityTable& table);
Result<SensitivityTable> parseSensitivity(std::string_view json);

}  // namespace equant
