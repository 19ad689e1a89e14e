// SPDX-License-Identifier: Apache-2.0
// The recommended way to a compressed network: factorize down to a larger share of the cost, prune channels for the
// rest, try several divisions of the work and keep the best. Source: AIMET's compression guidebook (first SVD, then
// channel pruning; ratios multiply). Methods, divisions and the weights of depth are chosen here by measuring.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/compression/compress.h"
#include "core/compression/plan/sensitivity.h"
#include "core/compression/plan/solver.h"
#include "core/data/dataset.h"
#include "core/metrics/scores.h"

namespace equant {

struct FlowOptions {
    double macsRatio = 0.5;  ///< of the whole model, at most
    std::size_t divisions =
        4;  ///< shares of the MACs tried for the factorized network: macsRatio^(k / (divisions - 1))
    std::vector<CompressionMethod> methods{CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd,
                                           CompressionMethod::ChannelPruning};
    std::vector<double> ratios;           ///< candidates per layer; empty: 0.10 to 0.95 in steps of 0.05
    std::map<std::string, double> locks;  ///< layer -> ratio; 1: leave alone
    std::set<std::string> excluded;
    /// Also prune channels that residual connections share. Every block behind loses them, and no layer can make up for it.
    bool shouldPruneStreams = false;
    std::int64_t multiple = 1;
    std::size_t calibrationSamples = 500;
    CompressOptions compress;
    /// What decides; absent: the output noise (SQNR), which is measured with far less sampling error than accuracy.
    std::optional<SensitivityMetric> metric;
    bool shouldTime =
        true;  ///< also measure the latency of every candidate (CompressionReport::latency), about a second each
};

struct FlowCandidate {
    double factorizedRatio = 1;  ///< share of the MACs that the factorizations leave; 1: channel pruning alone
    double depthWeight = 0;      ///< of the solver: that of the factorizations, or of the pruning where it is alone
    std::vector<CompressionMethod> methods;  ///< that could compete in it
    CompressionPlan plan;                    ///< the whole candidate: compress() with it gives the same network
    CompressionReport report;
    Score score;            ///< on the evaluation data, against the uncompressed network
    std::string limitedBy;  ///< why the target was not met; empty when it was
    double seconds = 0;
};

struct FlowResult {
    std::vector<FlowCandidate> candidates;  ///< in the order they were tried
    std::size_t best = 0;                   ///< highest score of those that meet the target (of all, when none does)
    SensitivityMetric metric = SensitivityMetric::SqnrDb;
    Score baseline;  ///< of the uncompressed network
    Model model;     ///< the best candidate's
};

/// Labels are not needed. `onCandidate` is called after each, from the calling thread. Unsupported: no layer can be
/// compressed, or the network cannot run. InvalidArgument: a ratio outside (0, 1). Cancelled.
Result<FlowResult> recommendedFlow(const Model& model, const Dataset& calibration, const Dataset& evaluation,
                                   const FlowOptions& options,
                                   const std::function<void(const FlowCandidate&)>& onCandidate = {},
                                   const JobContext& job = {});

}  // namespace equant
