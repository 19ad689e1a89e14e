// SPDX-License-Identifier: Apache-2.0
// How much each layer's compression costs the whole network: predicted at once from the layers' statistics, or measured
// cell by cell. Functions; each uses the threads its options allow, results do not depend on how many.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "core/base/progress.h"
#include "core/compression/plan/sensitivity_options.h"
#include "core/compression/plan/sensitivity_table.h"
#include "core/data/dataset.h"
#include "core/graph/model.h"

namespace equant {

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

}  // namespace equant
