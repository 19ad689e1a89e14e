// SPDX-License-Identifier: Apache-2.0
#include "core/compression/plan/sensitivity.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#include "core/base/parallel.h"
#include "core/compression/model_facts_internal.h"
#include "core/compression/plan/losses.h"
#include "core/compression/plan/sensitivity_study_internal.h"

namespace equant {

namespace {

Status checkRatios(const SensitivityOptions& options) {
    for (const double ratio : options.ratios)
        if (!(ratio > 0 && ratio < 1))
            return fail(ErrorCode::InvalidArgument, fmt::format("The ratio {} is outside (0, 1).", ratio),
                        "Ratios are the share of a layer's cost that may remain, such as 0.1 to 0.9.");
    if (options.ratios.empty() || options.methods.empty())
        return fail(ErrorCode::InvalidArgument, "There are no ratios or methods to try.");
    return {};
}

}  // namespace

Result<std::shared_ptr<const SensitivityStudy>> studyLayers(const Model& model, const Dataset& calibration,
                                                            const SensitivityOptions& options, const JobContext& job) {
    auto study = SensitivityStudy::create(model, calibration, options, job);
    if (!study) return fail(study.error());
    return std::make_shared<const SensitivityStudy>(std::move(*study));
}

Result<SensitivityTable> predictSensitivity(const Model& model, const Dataset& calibration,
                                            const SensitivityOptions& options, const JobContext& job) {
    if (const auto status = checkRatios(options); !status) return fail(status.error());
    const auto study = studyLayers(model, calibration, options, job);
    return study ? predictSensitivity(**study, options, job) : fail(study.error());
}

Result<SensitivityTable> predictSensitivity(const SensitivityStudy& study, const SensitivityOptions& options,
                                            const JobContext& job) {
    if (const auto status = checkRatios(options); !status) return fail(status.error());
    const auto start = std::chrono::steady_clock::now();
    struct Task {
        std::size_t layer;
        CompressionMethod method;
    };
    std::vector<Task> tasks;
    for (std::size_t layer = 0; layer < study.layers().size(); ++layer)
        for (const CompressionMethod method : options.methods) tasks.push_back({layer, method});
    std::vector<Result<LayerSensitivity>> rows(tasks.size(), LayerSensitivity{});
    job.begin("predicting errors", static_cast<std::int64_t>(tasks.size()));
    parallelFor(tasks.size(), options.compress.threads, job.stop, [&](unsigned, std::size_t i) {
        rows[i] = study.row(tasks[i].layer, tasks[i].method, options, job.stop);
        job.advance();
    });
    if (job.stopped()) return cancelled();
    SensitivityTable table;
    table.model = study.modelHash();
    table.total = study.total();
    table.metric = SensitivityMetric::SqnrDb;  // what predicted noise is; measuring chooses anew
    for (auto& row : rows) {
        if (!row) return fail(row.error());
        table.layers.push_back(std::move(*row));
    }
    table.seconds = study.seconds() + std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return table;
}

Result<SensitivityTable> fitToModel(SensitivityTable table, const Model& model, std::int64_t multiple) {
    const auto facts = factsOf(model);
    if (!facts) return fail(facts.error());
    const auto layers = compressibleLayers(model, *facts);
    std::vector<std::string> unknown;
    for (LayerSensitivity& row : table.layers) {
        const auto layer =
            std::ranges::find(layers, row.name, [](const auto& l) -> const std::string& { return l.geometry.name; });
        if (layer == layers.end()) {
            unknown.push_back(row.name);
            continue;
        }
        if (multiple <= 1 || row.method == CompressionMethod::ChannelPruning) continue;
        for (SensitivityCell& cell : row.cells) {
            const SizeChoice choice = sizeForRatio(row.method, layer->geometry, cell.ratio, CostMetric::Macs, multiple);
            const LayerCost cost = costAtSize(row.method, layer->geometry, choice.size);
            cell.size = choice.size;
            cell.actualRatio = choice.ratio;
            cell.saved = {layer->geometry.cost.macs - cost.macs, layer->geometry.cost.parameters - cost.parameters};
        }
        std::erase_if(row.cells, [&](const auto& cell) { return cell.actualRatio >= 1; });
    }
    if (!unknown.empty())
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The table is of another model: {} is not in this one.", fmt::join(unknown, ", ")),
                    "Give the model that the table was made for.");
    if (table.total.macs <= 0) {
        const auto cost = costOf(model, *facts);
        if (!cost) return fail(cost.error());
        table.total = asLayerCost(*cost);
    }
    return table;
}

}  // namespace equant
