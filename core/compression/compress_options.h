// SPDX-License-Identifier: Apache-2.0
// Options and report of compress(). Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/compression/method.h"
#include "core/metrics/latency.h"
#include "core/runtime/diagnose/activation_memory.h"

namespace equant {

struct CompressOptions {
    /// AIMET's own methods: truncation of the weights alone, channels chosen by magnitude, AIMET's reconstruction.
    bool isPlain = false;
    /// Refit weights and bias by least squares on the output of the already compressed predecessors. Needs data.
    bool shouldRefit = true;
    std::size_t positionsPerSample = 64;  ///< output positions of a layer that enter its statistics, per sample
    std::uint64_t seed = 0;               ///< of the choice of positions
    unsigned threads = 0;                 ///< 0: all cores
    friend bool operator==(const CompressOptions&, const CompressOptions&) = default;
};

struct CompressedLayer {
    std::string name;
    CompressionMethod method = CompressionMethod::SpatialSvd;
    double ratioAsked = 1;
    double ratio = 1;       ///< really reached, of the layer's own cost
    std::int64_t size = 0;  ///< rank or input channels kept
    std::int64_t fullSize = 0;
    LayerCost before;
    LayerCost after;                 ///< of all nodes that replace the layer
    std::vector<std::string> nodes;  ///< labels of the nodes that replace it (first: the one that reads its input)
    std::optional<double> sqnrDb;    ///< of the layer's output on the calibration data, after the refit
    /// Channel pruning: other layers that read the same channels (through residual connections) and lost them too.
    std::vector<std::string> sharedWith{};
    std::string skipped;  ///< why the layer was left alone; empty when it was compressed
};

struct CompressionReport {
    std::vector<CompressedLayer> layers;  ///< in execution order
    double macsRatio = 1;                 ///< whole model, really reached
    double sizeRatio = 1;                 ///< parameters of the whole model
    std::int64_t macsBefore = 0, macsAfter = 0;
    std::int64_t parametersBefore = 0, parametersAfter = 0;
    /// Of one sample; absent where the engine cannot tell (shapes only known while running, unknown operators).
    std::optional<ActivationMemory> activationsBefore{}, activationsAfter{};
    std::optional<LatencyChange> latency{};  ///< by addLatency(); compress() leaves it absent
    std::size_t samples = 0;                 ///< calibration samples used; 0: plain or without data
};

}  // namespace equant
