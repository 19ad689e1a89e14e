// SPDX-License-Identifier: Apache-2.0
// A layer split into two: which split, how good it is, and how it is written into the graph. Private to
// core/compression (Eigen). Pure functions, safe from any thread.
#pragma once

#include <Eigen/Core>
#include <optional>
#include <string>
#include <vector>

#include "core/compression/factorization/low_rank_internal.h"
#include "core/compression/factorization/pair_cost_internal.h"
#include "core/compression/method.h"
#include "core/statistics/activation_fit.h"
#include "core/statistics/moments.h"

namespace equant {

/// A layer's weight as a matrix n x (m kh kw), the rows of all groups below each other, columns in the order of the
/// ONNX weight, and its bias.
struct LayerMatrix {
    Eigen::MatrixXd weight;
    std::optional<Eigen::VectorXd> bias;

    /// Unsupported: LayerWeights::of.
    static Result<LayerMatrix> of(const Graph& graph, std::size_t node);
};

[[nodiscard]] SplitShape splitShape(SplitForm form, const LayerGeometry& layer);

struct LayerSplit {
    SplitForm form = SplitForm::VerticalFirst;
    std::int64_t rank = 0;  ///< of every group
    LowRank factors;        ///< those of all groups below each other: (groups r) x p and n x (q r)
    Eigen::MatrixXd map;    ///< what the pair computes, n x (m kh kw + 1), bias in the last column; empty without data
    std::optional<Eigen::VectorXd> bias;  ///< of the second layer
    double error = 0;  ///< E|y - y'|^2 over E|y|^2 on the data, behind the activation; of the weights without data
};

/// The split of the weights alone, by truncated SVD, without bias of its own.
LayerSplit truncateLayer(SplitForm form, std::int64_t rank, const LayerGeometry& layer, const LayerMatrix& matrix);

struct SplitBudget {
    CostMetric metric = CostMetric::Macs;
    double cost = 0;            ///< what the pair may cost
    std::int64_t multiple = 1;  ///< ranks are multiples of it where the budget allows
};

/// The best split of a layer within the budget. Without moments: AIMET's order and rank `size`, weights alone. With
/// them: every form of the method competes by its error on the moments; with rows in the view, the best one is then
/// fitted behind the activation. Nullopt when it was stopped.
std::optional<LayerSplit> splitLayer(CompressionMethod method, const LayerGeometry& layer, const LayerMatrix& matrix,
                                     std::int64_t size, const SplitBudget& budget, const LayerMoments* moments,
                                     const ActivationView& view = {}, const std::stop_token& stop = {});

/// Relative error of the layer's output at each size (rank), from the moments of its own input and output.
std::vector<double> predictedErrors(CompressionMethod method, const LayerGeometry& layer, const LayerMatrix& matrix,
                                    const LayerMoments& moments, const std::vector<std::int64_t>& sizes,
                                    const std::stop_token& stop = {});

/// Least squares for a layer that stays whole: weights and bias for the moments. Nullopt when that is not better.
std::optional<LayerMatrix> refitLayer(const LayerMatrix& matrix, const LayerMoments& moments,
                                      const ActivationView& view = {}, const std::stop_token& stop = {});

/// Replaces the node that produces `output` by the pair. Returns the labels of the new nodes in order.
std::vector<std::string> writeSplit(Graph& graph, const std::string& output, const LayerGeometry& layer,
                                    const LayerSplit& split);
/// Gives the node that produces `output` new weights and bias (a MatMul gets an Add behind it, or uses the one there).
void writeMatrix(Graph& graph, const std::string& output, const LayerMatrix& matrix);

}  // namespace equant
