// SPDX-License-Identifier: Apache-2.0
// Least squares behind an activation: what Relu or Clip cuts off need not be hit. Uses Eigen.
// Pure functions; results do not depend on the number of threads.
#pragma once

#include <Eigen/Core>
#include <limits>

#include "core/graph/topology.h"
#include "core/statistics/layer_rows.h"

namespace equant {

/// min(max(v, low), high): Relu has low 0 and no upper bound.
struct Clamp {
    float low = -std::numeric_limits<float>::infinity();
    float high = std::numeric_limits<float>::infinity();
    [[nodiscard]] bool isOpen() const { return low == -std::numeric_limits<float>::infinity() && isUnbounded(); }
    [[nodiscard]] bool isUnbounded() const { return high == std::numeric_limits<float>::infinity(); }

    /// Of the only reader of `value`; open when that is no Relu or Clip.
    static Clamp behind(const Graph& graph, const Topology& topology, const std::string& value);
};

/// A layer's sampled rows and what stands behind it.
struct ActivationView {
    const LayerRows* rows = nullptr;
    Clamp clamp;
    unsigned threads = 0;
};

/// Power of the difference behind the activation over the power of what should be there: y and A x each with the
/// other branch added, then clamped.
double errorBehind(const ActivationView& view, const Eigen::MatrixXd& map);

/// The moments with targets that ask no more than the activation lets through: where y is clamped and A x is beyond the
/// same bound, A x itself is the target; where it is not, the bound. The squared error to them is an upper bound of the
/// error behind the activation, but not always a tight one where A x is cut off and y is not: keep a fit to them only
/// if errorBehind falls.
LayerMoments momentsBehind(const ActivationView& view, const LayerMoments& moments, const Eigen::MatrixXd& map,
                           const std::stop_token& stop = {});

}  // namespace equant
