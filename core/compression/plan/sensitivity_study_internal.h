// SPDX-License-Identifier: Apache-2.0
// What predicting and measuring share: the model ready for compression, the statistics of its layers, and the network
// with one layer at one size. Private to core/compression (Eigen). Immutable once made; safe from any thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/compression/channels/channel_groups_internal.h"
#include "core/compression/channels/channel_pruning_internal.h"
#include "core/compression/method.h"
#include "core/compression/plan/sensitivity_options.h"
#include "core/compression/plan/sensitivity_table.h"
#include "core/data/dataset.h"
#include "core/statistics/moments.h"

namespace equant {

class SensitivityStudy {
public:
    /// One pass over the calibration data: all that predictions and single-layer candidates need.
    static Result<SensitivityStudy> create(const Model& model, const Dataset& calibration,
                                           const SensitivityOptions& options, const JobContext& job);

    /// Batch norms folded, as compress() has it: what candidates are compared with.
    [[nodiscard]] const Model& model() const { return m_model; }
    /// contentHash of the model as given.
    [[nodiscard]] const std::string& modelHash() const { return m_modelHash; }
    [[nodiscard]] double seconds() const { return m_seconds; }  ///< that the statistics took
    [[nodiscard]] LayerCost total() const { return m_total; }
    [[nodiscard]] const std::vector<CompressibleLayer>& layers() const { return m_layers; }

    /// The row of one layer and method: sizes, savings and predicted errors at the options' ratios.
    Result<LayerSensitivity> row(std::size_t layer, CompressionMethod method, const SensitivityOptions& options,
                                 const std::stop_token& stop) const;
    /// The model with this layer alone at `size`.
    Result<Model> candidate(const std::string& layer, CompressionMethod method, std::int64_t size,
                            const SensitivityOptions& options, const std::stop_token& stop) const;

private:
    /// NoiseProbe: what becomes of a layer's error, by what is done to it.
    struct NoiseGains {
        double split = 0;
        double pruned = 0;
    };
    [[nodiscard]] Status probe(const Dataset& calibration, const SensitivityOptions& options, const JobContext& job);
    [[nodiscard]] Status fillSvdCells(std::size_t layer, LayerSensitivity& row, const SensitivityOptions& options,
                                      const std::stop_token& stop) const;
    [[nodiscard]] Status fillPruningCells(std::size_t layer, LayerSensitivity& row, const SensitivityOptions& options,
                                          const std::stop_token& stop) const;

    Model m_model;
    std::string m_modelHash;
    double m_seconds = 0;
    FactMap m_facts;
    std::vector<CompressibleLayer> m_layers;
    LayerMomentMap m_moments;                   ///< by the value a layer computes
    std::map<std::string, NoiseGains> m_gains;  ///< likewise
    ChannelAnalysis m_channels;
    std::map<std::vector<int>, std::size_t> m_firstReader;  ///< of the channels that may go: first layer that can
    LayerCost m_total;
};

}  // namespace equant
