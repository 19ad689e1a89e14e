// SPDX-License-Identifier: Apache-2.0
#include "app/console/quantize_report.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "app/console/format.h"
#include "app/console/quantization_options.h"

namespace equant::console {

namespace {

constexpr std::size_t kWorstLayers = 5;

const CalibratedQuantizer* find(const SimulationReport& report, const std::string& value) {
    return value.empty() ? nullptr : report.sim.find(value);
}

nlohmann::json encodingJson(const SimulationReport& report, const std::string& value) {
    const auto* quantizer = find(report, value);
    return quantizer ? asJson(*quantizer) : nlohmann::json(nullptr);
}

std::string decibels(const std::optional<double>& value) {
    if (!value) return "-";
    return std::isinf(*value) ? "exact" : fmt::format("{:.1f} dB", *value);
}

std::string percent(const std::optional<double>& value) {
    return value ? fmt::format("{:.2f} %", *value) : "-";
}

std::string gridText(const CalibratedQuantizer* quantizer) {
    if (!quantizer || quantizer->grids.empty()) return "-";
    const auto [narrow, wide] = std::ranges::minmax_element(quantizer->grids, {}, &GridRange::scale);
    if (quantizer->grids.size() > 1) return fmt::format("{:.3g} to {:.3g}", narrow->scale, wide->scale);
    return fmt::format("{:.3g}", wide->scale);
}

std::string scoresTable(const SimulationReport& report, const std::string& prepared) {
    std::vector<std::pair<std::string, const Score*>> scores{{"float", &report.floating}};
    if (report.prepared) scores.emplace_back(prepared, &*report.prepared);
    scores.emplace_back("weights only", &report.weightsOnly);
    scores.emplace_back("activations only", &report.activationsOnly);
    scores.emplace_back("quantized", &report.quantized);
    const bool hasTop1 = report.floating.top1.has_value(), hasAgreement = report.floating.agreement.has_value();
    std::vector<std::string> header{""};
    if (hasTop1) header.insert(header.end(), {"top-1", "(95 % interval)", "top-5"});
    if (hasAgreement) header.emplace_back("agreement");
    header.insert(header.end(), {"SQNR", "cosine"});
    std::vector<std::vector<std::string>> rows;
    for (const auto& [label, score] : scores) {
        std::vector<std::string> row{label};
        if (hasTop1) {
            const auto interval = score->top1Interval.value_or(Interval{});
            row.insert(row.end(), {percent(score->top1), fmt::format("({:.1f} to {:.1f})", interval.low, interval.high),
                                   percent(score->top5)});
        }
        if (hasAgreement) row.push_back(percent(score->agreement));
        row.push_back(decibels(score->sqnrDb));
        row.push_back(score->cosine ? fmt::format("{:.5f}", *score->cosine) : "-");
        rows.push_back(std::move(row));
    }
    return table(header, rows);
}

std::string worstLayersTable(const SimulationReport& report) {
    std::vector<const LayerSqnr*> layers;
    for (const auto& layer : report.layers)
        if (layer.localDb && std::isfinite(*layer.localDb)) layers.push_back(&layer);
    std::ranges::stable_sort(layers, {}, [](const LayerSqnr* layer) { return *layer->localDb; });
    if (layers.size() > kWorstLayers) layers.resize(kWorstLayers);
    if (layers.empty()) return {};
    std::vector<std::vector<std::string>> rows;
    for (const auto* layer : layers)
        rows.push_back({layer->name, decibels(layer->localDb), decibels(layer->accumulatedDb),
                        gridText(find(report, layer->weight)), gridText(find(report, layer->output))});
    return fmt::format("\nLowest SQNR of {} layers ({} samples): by itself, and with the whole network quantized\n",
                       report.layers.size(), report.layerSamples) +
           table({"layer", "by itself", "in network", "weight step", "output step"}, rows);
}

/// How much was lost, in the unit that matters most of those measured.
struct Loss {
    double total = 0, weights = 0, activations = 0;
    double tolerance = 0;  ///< losses below are not worth mending
    std::string total_text, weights_text, activations_text;
};

Loss lossOf(const SimulationReport& report) {
    const bool hasTop1 = report.floating.top1.has_value();
    const auto value = [&](const Score& score) {
        if (hasTop1) return score.top1.value_or(0);
        if (report.floating.agreement) return score.agreement.value_or(0);
        return std::min(score.sqnrDb.value_or(0), 100.0);
    };
    Loss loss;
    const auto text = [&](double amount) {
        if (hasTop1) return fmt::format("{:.1f} points of top-1", amount);
        if (report.floating.agreement) return fmt::format("{:.1f} % of the decisions", amount);
        return fmt::format("{:.1f} dB of SQNR", amount);
    };
    const bool hasShare = hasTop1 || report.floating.agreement.has_value();
    // Without classes: distance from 30 dB, where noise is 3 % of the signal.
    const double ideal = hasTop1 ? value(report.floating) : hasShare ? 100.0 : 30.0;
    loss.tolerance = hasShare ? 1.0 : 0.0;
    loss.total = ideal - value(report.quantized);
    loss.weights = ideal - value(report.weightsOnly);
    loss.activations = ideal - value(report.activationsOnly);
    loss.total_text = text(loss.total);
    loss.weights_text = text(loss.weights);
    loss.activations_text = text(loss.activations);
    return loss;
}

std::string orList(std::vector<std::string> items) {
    if (items.empty()) return {};
    std::string text = items.front();
    for (std::size_t i = 1; i < items.size(); ++i) text += (i + 1 == items.size() ? " or " : ", ") + items[i];
    return text;
}

std::string weightRemedies(const QuantizationSettings& settings, bool isEqualized) {
    std::vector<std::string> remedies;
    if (!isEqualized) remedies.emplace_back("--equalize");
    if (!settings.isPerChannel) remedies.emplace_back("--granularity per-channel");
    if (remedies.empty() && settings.scheme == RangeScheme::MinMax) remedies.emplace_back("--scheme mse");
    if (remedies.empty() && settings.weightBits < 16)
        remedies.push_back(fmt::format("--weight-bits {}", settings.weightBits < 8 ? 8 : 16));
    return orList(remedies);
}

std::string activationRemedies(const QuantizationSettings& settings) {
    std::vector<std::string> remedies;
    if (settings.scheme == RangeScheme::MinMax) remedies.emplace_back("--scheme mse");
    if (settings.activationBits < 16)
        remedies.push_back(fmt::format("--activation-bits {}", settings.activationBits < 8 ? 8 : 16));
    return orList(remedies);
}

}  // namespace

nlohmann::json simulationJson(const SimulationReport& report) {
    nlohmann::json json{{"float", asJson(report.floating)},
                        {"weights_only", asJson(report.weightsOnly)},
                        {"activations_only", asJson(report.activationsOnly)},
                        {"quantized", asJson(report.quantized)},
                        {"calibration_samples", report.sim.samples},
                        {"layer_samples", report.layerSamples},
                        {"layers", nlohmann::json::array()},
                        {"steps", nlohmann::json::array()},
                        {"not_quantized", nlohmann::json::array()}};
    json["float_equalized"] = report.prepared ? asJson(*report.prepared) : nlohmann::json(nullptr);
    json["findings"] = asJson(report.findings);
    for (const auto& layer : report.layers)
        json["layers"].push_back({{"name", layer.name},
                                  {"local_sqnr_db", number(layer.localDb)},
                                  {"accumulated_sqnr_db", number(layer.accumulatedDb)},
                                  {"weight_encoding", encodingJson(report, layer.weight)},
                                  {"output_encoding", encodingJson(report, layer.output)}});
    for (const auto& step : report.steps) json["steps"].push_back({{"step", step.step}, {"seconds", step.seconds}});
    for (const auto& value : report.sim.skipped)
        json["not_quantized"].push_back({{"value", value.value}, {"layer", value.layer}, {"reason", value.reason}});
    return json;
}

std::string simulationText(const SimulationReport& report, const std::string& prepared) {
    const std::string findings = asText(report.findings);
    return "\n" + scoresTable(report, prepared) + worstLayersTable(report) + "\n" + findings +
           (findings.empty() ? "" : "\n");
}

std::string advice(const SimulationReport& report, bool isEqualized) {
    const Loss loss = lossOf(report);
    if (loss.total <= loss.tolerance)
        return loss.total > 0 ? fmt::format("Quantization costs {}: nothing to mend.", loss.total_text)
                              : std::string("Quantization costs nothing that these samples show.");
    const QuantizationSettings& settings = report.sim.settings;
    const bool areWeightsWorse = loss.weights >= loss.activations;
    const std::string remedies = areWeightsWorse ? weightRemedies(settings, isEqualized) : activationRemedies(settings);
    const std::string cause = fmt::format("{} cost {}", areWeightsWorse ? "Weights" : "Activations",
                                          areWeightsWorse ? loss.weights_text : loss.activations_text);
    if (remedies.empty()) return cause + ": look at the layers above.";
    return fmt::format("{}: try {}.", cause, remedies);
}

}  // namespace equant::console
