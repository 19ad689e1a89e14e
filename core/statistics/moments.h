// SPDX-License-Identifier: Apache-2.0
// Second moments of a layer's unfolded input and of its output: one pass over the data serves every rank, every choice
// of channels and the refit. Values. Uses Eigen.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/layers/layer_geometry.h"

namespace equant {

/// Means over the sampled output positions. x is what one output position sees: the d = m * kh * kw input elements in
/// the order of the weight [m, kh, kw] (zeros where padding is), followed by a constant 1. y are the n outputs there.
/// Every group of a convolution has an x of its own; nothing is kept of what lies between groups.
struct LayerMoments {
    Eigen::MatrixXd gram;         ///< E[x x^T], (d + 1) x (d + 1) for every group, side by side
    Eigen::MatrixXd cross;        ///< E[y x^T], n x (d + 1), every row with the x of its group
    Eigen::VectorXd outputPower;  ///< E[y^2] per output channel
    std::size_t count = 0;        ///< positions
    /// E|y + other branch|^2, summed over outputs: the signal power behind the Add that the layer feeds, or E|y|^2
    /// without one. By collectMoments only.
    double postAddPower = 0;
    std::optional<double> ridge{};  ///< that fits to them need, relative to the mean variance of an input element;
                                    ///< absent: the number of positions decides (fitProblem)

    [[nodiscard]] Eigen::Index groups() const { return gram.rows() > 0 ? gram.cols() / gram.rows() : 1; }
    [[nodiscard]] LayerMoments ofGroup(Eigen::Index group) const;

    /// E|y - A x|^2 summed over outputs, for a linear map A: n x (d + 1), bias in the last column. Never negative.
    [[nodiscard]] double error(const Eigen::MatrixXd& map) const;
};

struct MomentOptions {
    std::size_t positionsPerSample = 64;
    std::uint64_t seed = 0;
    unsigned threads = 0;
};

/// What to look at: the input of one layer in `model`, against a value of the reference model that has the layer's
/// output shape (usually the original layer's own output).
struct MomentRequest {
    LayerGeometry layer;  ///< of the node in `model`: kernel, stride; padding and dilation are read from the node
    std::string target;   ///< value name in the reference model
    /// Value of `model` taken off the target: the other operand of an Add behind the layer, where the target is that
    /// Add's result, so that the layer makes up for what compression did to the other branch. Empty: nothing.
    std::string subtract{};
    /// Channels of the target that the layer still makes, in its order; empty: all.
    std::vector<std::int64_t> targetChannels{};
    /// The layer's weights, n x d, for LayerMoments::ridge; empty: none is chosen.
    Eigen::MatrixXd prior{};
};

}  // namespace equant
