// SPDX-License-Identifier: Apache-2.0
// The file of a sensitivity table is what an interrupted sweep goes on from.
#include "core/compression/plan/sensitivity_table.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

namespace equant {

namespace {

using nlohmann::json;

constexpr int kTableVersion = 1;

json number(const std::optional<double>& value) {
    return value && std::isfinite(*value) ? json(*value) : json();
}

std::optional<double> readNumber(const json& value) {
    return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

json asJson(const LayerSensitivity& layer) {
    json object{{"name", layer.name},
                {"method", name(layer.method)},
                {"macs", layer.cost.macs},
                {"parameters", layer.cost.parameters},
                {"full_rank", layer.fullSize}};
    if (!layer.skipped.empty()) object["skipped"] = layer.skipped;
    if (!layer.elimination.empty()) object["elimination"] = layer.elimination;
    json ratios, actual, ranks, scores, low, high, samples, errors, noise, savedMacs, savedParameters;
    for (json* column :
         {&ratios, &actual, &ranks, &scores, &low, &high, &samples, &errors, &noise, &savedMacs, &savedParameters})
        *column = json::array();
    for (const SensitivityCell& cell : layer.cells) {
        ratios.push_back(cell.ratio);
        actual.push_back(cell.actualRatio);
        ranks.push_back(cell.size);
        scores.push_back(number(cell.score));
        low.push_back(cell.interval ? number(cell.interval->low) : json());
        high.push_back(cell.interval ? number(cell.interval->high) : json());
        samples.push_back(cell.samples);
        errors.push_back(number(cell.predictedError));
        noise.push_back(number(cell.predictedNoise));
        savedMacs.push_back(cell.saved.macs);
        savedParameters.push_back(cell.saved.parameters);
    }
    object.update({{"ratios", ratios},
                   {"scores", scores},
                   {"score_low", low},
                   {"score_high", high},
                   {"samples", samples},
                   {"predicted_errors", errors},
                   {"predicted_noise", noise},
                   {"actual_ratios", actual},
                   {"ranks", ranks},
                   {"saved_macs", savedMacs},
                   {"saved_parameters", savedParameters}});
    return object;
}

Result<LayerSensitivity> readLayer(const json& object, const json& root) {
    LayerSensitivity layer;
    layer.name = object.at("name").get<std::string>();
    const auto method = parseCompressionMethod(object.value("method", root.value("method", std::string())));
    if (!method) return fail(method.error());
    layer.method = *method;
    layer.cost = {object.value("macs", 0.0), object.value("parameters", 0.0)};
    layer.fullSize = object.value("full_rank", std::int64_t{0});
    layer.skipped = object.value("skipped", std::string());
    layer.elimination = object.value("elimination", std::vector<std::int64_t>());
    const json& ratios = object.contains("ratios") ? object["ratios"] : root.at("ratios");
    const std::size_t count = object.contains("scores") ? object["scores"].size() : 0;
    const auto column = [&](const char* key, std::size_t i) {
        const auto found = object.find(key);
        return found != object.end() && i < found->size() ? (*found)[i] : json();
    };
    for (std::size_t i = 0; i < count; ++i) {
        SensitivityCell cell;
        cell.ratio = ratios.at(i).get<double>();
        cell.actualRatio = readNumber(column("actual_ratios", i)).value_or(cell.ratio);
        cell.size = static_cast<std::int64_t>(readNumber(column("ranks", i)).value_or(0));
        cell.score = readNumber(column("scores", i));
        const auto low = readNumber(column("score_low", i)), high = readNumber(column("score_high", i));
        if (low && high) cell.interval = Interval{*low, *high};
        cell.samples = static_cast<std::size_t>(readNumber(column("samples", i)).value_or(0));
        cell.predictedError = readNumber(column("predicted_errors", i));
        cell.predictedNoise = readNumber(column("predicted_noise", i));
        cell.saved.macs = readNumber(column("saved_macs", i)).value_or((1 - cell.actualRatio) * layer.cost.macs);
        cell.saved.parameters =
            readNumber(column("saved_parameters", i)).value_or((1 - cell.actualRatio) * layer.cost.parameters);
        layer.cells.push_back(cell);
    }
    std::ranges::stable_sort(layer.cells, {}, &SensitivityCell::ratio);
    return layer;
}

Status readTable(const json& root, SensitivityTable& table) {
    if (root.value("equant_sensitivity", kTableVersion) > kTableVersion)
        return fail(ErrorCode::Unsupported, "The sensitivity table was written by a newer version of Equant.",
                    "Update Equant, or measure anew.");
    table.model = root.value("model", std::string());
    table.data = root.value("data", std::string());
    const auto metric = root.value("metric", std::string("agreement"));
    bool isKnown = false;
    for (const auto candidate : {SensitivityMetric::Top1, SensitivityMetric::Agreement, SensitivityMetric::SqnrDb}) {
        if (metric != name(candidate)) continue;
        table.metric = candidate;
        isKnown = true;
    }
    if (!isKnown)
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The sensitivity table has an unknown metric \"{}\".", metric),
                    "Known metrics: top1, agreement, sqnr.");
    table.metricReason = root.value("metric_reason", std::string());
    table.baseline = readNumber(root.value("baseline", json()));
    const auto low = readNumber(root.value("baseline_low", json())),
               high = readNumber(root.value("baseline_high", json()));
    if (low && high) table.baselineInterval = Interval{*low, *high};
    for (const json& object : root.at("layers")) {
        auto layer = readLayer(object, root);
        if (!layer) return fail(layer.error());
        table.layers.push_back(std::move(*layer));
    }
    table.total = {root.value("total_macs", 0.0), root.value("total_parameters", 0.0)};
    table.seconds = root.value("seconds", 0.0);
    table.forwardEquivalents = root.value("forward_equivalents", 0.0);
    table.rankCorrelation = readNumber(root.value("rank_correlation", json()));
    return {};
}

}  // namespace

std::string_view name(SensitivityMetric metric) {
    switch (metric) {
        case SensitivityMetric::Top1:
            return "top1";
        case SensitivityMetric::Agreement:
            return "agreement";
        case SensitivityMetric::SqnrDb:
            return "sqnr";
    }
    return "";
}

std::vector<CompressionMethod> methodsOf(const SensitivityTable& table) {
    std::vector<CompressionMethod> methods;
    for (const LayerSensitivity& layer : table.layers)
        if (!layer.cells.empty() && std::ranges::find(methods, layer.method) == methods.end())
            methods.push_back(layer.method);
    std::ranges::sort(methods);
    return methods;
}

nlohmann::json toJsonValue(const SensitivityTable& table) {
    std::set<double> ratios;
    std::set<CompressionMethod> methods;
    json layers = json::array();
    for (const LayerSensitivity& layer : table.layers) {
        methods.insert(layer.method);
        for (const SensitivityCell& cell : layer.cells) ratios.insert(cell.ratio);
        layers.push_back(asJson(layer));
    }
    return json{{"equant_sensitivity", kTableVersion},
                {"model", table.model},
                {"data", table.data},
                {"method", methods.size() == 1 ? std::string(name(*methods.begin())) : "mixed"},
                {"metric", name(table.metric)},
                {"metric_reason", table.metricReason},
                {"baseline", number(table.baseline)},
                {"baseline_low", table.baselineInterval ? number(table.baselineInterval->low) : json()},
                {"baseline_high", table.baselineInterval ? number(table.baselineInterval->high) : json()},
                {"ratios", ratios},
                {"layers", std::move(layers)},
                {"total_macs", table.total.macs},
                {"total_parameters", table.total.parameters},
                {"seconds", table.seconds},
                {"forward_equivalents", table.forwardEquivalents},
                {"rank_correlation", number(table.rankCorrelation)}};
}

std::string toJson(const SensitivityTable& table) {
    return toJsonValue(table).dump(2, ' ', false, json::error_handler_t::replace);
}

Result<SensitivityTable> parseSensitivity(std::string_view text) {
    const json root = json::parse(text, nullptr, false);
    if (root.is_discarded() || !root.is_object() || !root.contains("layers") || !root["layers"].is_array())
        return fail(ErrorCode::InvalidArgument, "This is not a sensitivity table: the list \"layers\" is missing.",
                    "Make one with `equant-cli sensitivity`.");
    SensitivityTable table;
    try {
        if (auto status = readTable(root, table); !status) return fail(status.error());
    } catch (const json::exception& error) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The sensitivity table has a wrong field: {}.", error.what()),
                    "Make it anew with `equant-cli sensitivity`.");
    }
    return table;
}

}  // namespace equant
