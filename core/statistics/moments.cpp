// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/moments.h"

#include <algorithm>

namespace equant {

LayerMoments LayerMoments::ofGroup(Eigen::Index group) const {
    if (groups() == 1) return *this;
    const Eigen::Index size = gram.rows(), outputs = cross.rows() / groups();
    return {gram.middleCols(group * size, size),
            cross.middleRows(group * outputs, outputs),
            outputPower.segment(group * outputs, outputs),
            count,
            0,
            ridge};
}

double LayerMoments::error(const Eigen::MatrixXd& map) const {
    const Eigen::Index size = gram.rows(), outputs = map.rows() / groups();
    double squared = 0;
    for (Eigen::Index group = 0; group < groups(); ++group) {
        const auto rows = map.middleRows(group * outputs, outputs);
        squared += (rows * gram.middleCols(group * size, size)).cwiseProduct(rows).sum();
    }
    return std::max(outputPower.sum() - 2 * map.cwiseProduct(cross).sum() + squared, 0.0);
}

}  // namespace equant
