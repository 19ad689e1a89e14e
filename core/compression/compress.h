// SPDX-License-Identifier: Apache-2.0
// Carries out a compression plan: factorizes and prunes layers, then fits what is left to the data.
// A pure function of model, plan, data and options; safe from any thread; the result does not depend on the thread
// count. docs/algorithms/compression.md has the formulas.
#pragma once

#include "core/base/progress.h"
#include "core/compression/compress_options.h"
#include "core/compression/plan/plan.h"
#include "core/data/batch_source.h"
#include "core/passes/outcome.h"

namespace equant {

/// Compresses the layers named by the plan in execution order. Without data (`source` null) data-aware methods fall
/// back to the plain ones, without refit. A layer that cannot be compressed is skipped with the reason in the report.
/// InvalidArgument: checkPlan. Unsupported: the model cannot run although data are given. Cancelled.
Result<Outcome<CompressionReport>> compress(const Model& model, const CompressionPlan& plan, const BatchSource* source,
                                            const CompressOptions& options, const JobContext& job = {});

/// Adds the latency that was measured to the report; it stays absent where the network cannot run here. About a second.
/// Cancelled.
Status addLatency(const Model& before, Outcome<CompressionReport>& outcome, const JobContext& job = {});

}  // namespace equant
