// SPDX-License-Identifier: Apache-2.0
#include "app/console/quantize_report.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "app/console/format.h"
#include "app/console/quantization_options.h"
#include "core/quantization/diagnosis.h"

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

std::string amountText(LossUnit unit, double amount) {
    switch (unit) {
        case LossUnit::Top1Points:
            return fmt::format("{:.1f} points of top-1", amount);
        case LossUnit::AgreementPoints:
            return fmt::format("{:.1f} % of the decisions", amount);
        case LossUnit::Decibels:
            break;
    }
    return fmt::format("{:.1f} dB of SQNR", amount);
}

std::string orList(std::vector<std::string> items) {
    if (items.empty()) return {};
    std::string text = items.front();
    for (std::size_t i = 1; i < items.size(); ++i) text += (i + 1 == items.size() ? " or " : ", ") + items[i];
    return text;
}

/// The option of this program that tries the remedy.
std::string optionOf(LossRemedy remedy, const QuantizationSettings& settings) {
    switch (remedy) {
        case LossRemedy::Equalize:
            return "--equalize";
        case LossRemedy::PerChannelWeights:
            return "--granularity per-channel";
        case LossRemedy::MseRanges:
            return "--scheme mse";
        case LossRemedy::MoreWeightBits:
            return fmt::format("--weight-bits {}", settings.weightBits < 8 ? 8 : 16);
        case LossRemedy::MoreActivationBits:
            break;
    }
    return fmt::format("--activation-bits {}", settings.activationBits < 8 ? 8 : 16);
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
    const QuantizationSettings& settings = report.sim.settings;
    const auto loss =
        diagnoseLoss({report.floating, nullptr, report.weightsOnly, report.activationsOnly, report.quantized}, settings,
                     isEqualized);
    if (!loss) return {};
    if (loss->cause == LossCause::Negligible)
        return loss->total > 0
                   ? fmt::format("Quantization costs {}: nothing to mend.", amountText(loss->unit, loss->total))
                   : std::string("Quantization costs nothing that these samples show.");
    const bool areWeightsWorse = loss->weights >= loss->activations;
    const std::string cause = fmt::format("{} cost {}", areWeightsWorse ? "Weights" : "Activations",
                                          amountText(loss->unit, areWeightsWorse ? loss->weights : loss->activations));
    std::vector<std::string> remedies;
    for (const LossRemedy remedy : loss->remedies) remedies.push_back(optionOf(remedy, settings));
    if (remedies.empty()) return cause + ": look at the layers above.";
    return fmt::format("{}: try {}.", cause, orList(remedies));
}

}  // namespace equant::console
