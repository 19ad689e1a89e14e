// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/kept_cells.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace equant {

namespace {

/// Everything besides model, data, layer and size that a score depends on.
std::string sweepOptionsText(const SensitivityOptions& options) {
    nlohmann::json methods = nlohmann::json::array();
    for (const CompressionMethod method : options.methods) methods.push_back(name(method));
    const CompressOptions& compress = options.compress;
    return nlohmann::json{{"methods", methods},
                          {"metric", options.metric ? name(*options.metric) : std::string_view("auto")},
                          {"plain", compress.isPlain},
                          {"refit", compress.shouldRefit},
                          {"positions", compress.positionsPerSample},
                          {"seed", compress.seed},
                          {"multiple", options.multiple},
                          {"calibration_samples", options.calibrationSamples},
                          {"evaluation_samples", options.evaluationSamples}}
        .dump();
}

bool readKeptCell(const std::string& text, SensitivityTable& table, SensitivityCell& cell) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("score") || !json["score"].is_number()) return false;
    const auto metric = json.value("metric", std::string());
    for (const auto known : {SensitivityMetric::Top1, SensitivityMetric::Agreement, SensitivityMetric::SqnrDb})
        if (metric == name(known)) table.metric = known;
    table.metricReason = json.value("reason", std::string());
    cell.score = json["score"].get<double>();
    cell.interval.reset();
    if (json.contains("low") && json.contains("high"))
        cell.interval = Interval{json.value("low", 0.0), json.value("high", 0.0)};
    cell.samples = json.value("samples", std::size_t{0});
    return true;
}

}  // namespace

KeptCells::KeptCells(ResultStore& store, std::string modelHash, const Dataset& calibration, const Dataset& evaluation,
                     const SensitivityOptions& options)
    : m_store(store),
      m_model(std::move(modelHash)),
      m_data(calibration.fingerprint() + "\n" + evaluation.fingerprint()),
      m_options(sweepOptionsText(options)) {}

std::string KeptCells::keyOf(const LayerSensitivity& layer, const SensitivityCell& cell) const {
    const nlohmann::json step{{"layer", layer.name}, {"method", name(layer.method)}, {"size", cell.size}};
    return resultKey({"sensitivity-cell", m_model, m_data, {}, m_options + "\n" + step.dump()});
}

std::size_t KeptCells::fill(SensitivityTable& table) const {
    std::size_t filled = 0;
    for (LayerSensitivity& layer : table.layers)
        for (SensitivityCell& cell : layer.cells) {
            if (cell.score) continue;
            const auto kept = m_store.find(keyOf(layer, cell));
            if (kept && readKeptCell(kept->report, table, cell)) ++filled;
        }
    return filled;
}

void KeptCells::keep(const SensitivityTable& table, std::size_t layer, std::size_t cell) const {
    const SensitivityCell& measured = table.layers[layer].cells[cell];
    if (!measured.score || !std::isfinite(*measured.score)) return;  // JSON has no infinity; it is measured again
    nlohmann::json json{{"metric", name(table.metric)},
                        {"reason", table.metricReason},
                        {"score", *measured.score},
                        {"samples", measured.samples}};
    if (measured.interval) {
        json["low"] = measured.interval->low;
        json["high"] = measured.interval->high;
    }
    m_store.put(keyOf(table.layers[layer], measured), {json.dump(), {}});
}

}  // namespace equant
