// SPDX-License-Identifier: Apache-2.0
// What a sensitivity table is made of: methods, ratios, metric and how many samples. A plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/compression/compress_options.h"
#include "core/compression/plan/sensitivity_table.h"

namespace equant {

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

}  // namespace equant
