// SPDX-License-Identifier: Apache-2.0
// How far a fit may leave the original weights: as far as serves samples it has not seen. Private to core/statistics
// (Eigen). Pure functions, safe from any thread.
#pragma once

#include <Eigen/Core>
#include <stop_token>

#include "core/statistics/moments.h"

namespace equant {

/// The moments of two halves of the data together, with the ridge chosen by them (LayerMoments::ridge): least squares
/// on one half is judged on the other, in both directions, for ridges a factor of ten apart. Positions of one sample
/// resemble each other, so that their number says little about how far a fit can be trusted; halves have different
/// samples. Without `prior` (n x d, the weights the ridge draws to), or where positions are plenty, none is chosen.
LayerMoments joinedHalves(const LayerMoments& a, const LayerMoments& b, const Eigen::MatrixXd& prior,
                          const std::stop_token& stop = {});

}  // namespace equant
