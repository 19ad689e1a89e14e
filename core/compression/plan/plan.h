// SPDX-License-Identifier: Apache-2.0
// Which layer is compressed how far: what the solver chooses, the user edits and compress() carries out. A plain value.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/compression/method.h"

namespace equant {

struct LayerChoice {
    std::string layer;  ///< Node::label()
    CompressionMethod method = CompressionMethod::SpatialSvd;
    double ratio = 1;       ///< of the layer's own cost, in (0, 1]; 1 leaves the layer alone
    std::int64_t size = 0;  ///< rank or channels; 0: from the ratio
    bool isLocked = false;  ///< by hand: the solver keeps it
    friend bool operator==(const LayerChoice&, const LayerChoice&) = default;
};

struct PlanPrediction {
    double macsRatio = 1;  ///< of the whole model
    double sizeRatio = 1;  ///< parameters of the whole model
    std::optional<double> score;
    double loss = 0;  ///< added up over the layers: points, noise power (SQNR) or, before measuring, output errors
    friend bool operator==(const PlanPrediction&, const PlanPrediction&) = default;
};

struct CompressionPlan {
    std::string model;  ///< contentHash of the model it was made for; empty: any
    CostMetric costMetric = CostMetric::Macs;
    std::int64_t multiple = 1;         ///< sizes are rounded up to multiples of this
    std::vector<LayerChoice> choices;  ///< layers not named stay as they are; a layer may have one choice per method
    std::optional<PlanPrediction> predicted;

    [[nodiscard]] const LayerChoice* find(std::string_view layer) const;
    friend bool operator==(const CompressionPlan&, const CompressionPlan&) = default;
};

/// The format of `equant-cli plan` (docs/formats), as text and as a value inside other files.
[[nodiscard]] std::string toJson(const CompressionPlan& plan);
[[nodiscard]] nlohmann::json toJsonValue(const CompressionPlan& plan);
/// InvalidArgument names the field; a plan of a newer version is refused by name.
Result<CompressionPlan> parsePlan(std::string_view json);
Result<CompressionPlan> parsePlanValue(const nlohmann::json& root);
/// InvalidArgument lists the layers that the model has not, that cannot be compressed that way (with the reason), and
/// ratios outside (0, 1].
Status checkPlan(const CompressionPlan& plan, const Model& model);

}  // namespace equant
