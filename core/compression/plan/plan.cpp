// SPDX-License-Identifier: Apache-2.0
#include "core/compression/plan/plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

#include "core/compression/model_facts_internal.h"

namespace equant {

namespace {

using nlohmann::json;

constexpr int kPlanVersion = 1;

json asJson(const LayerChoice& choice) {
    json object{{"layer", choice.layer}, {"method", name(choice.method)}, {"ratio", choice.ratio}};
    if (choice.size > 0) object["size"] = choice.size;
    if (choice.isLocked) object["locked"] = true;
    return object;
}

Result<CompressionMethod> methodOf(const json& object) {
    return parseCompressionMethod(object.at("method").get<std::string>());
}

Status readChoices(const json& root, CompressionPlan& plan) {
    if (const auto list = root.find("choices"); list != root.end()) {
        for (const json& object : *list) {
            const auto method = methodOf(object);
            if (!method) return fail(method.error());
            plan.choices.push_back({object.at("layer").get<std::string>(), *method, object.at("ratio").get<double>(),
                                    object.value("size", std::int64_t{0}), object.value("locked", false)});
        }
        return {};
    }
    // Written by hand or by another tool: one method, a ratio per layer.
    const auto method = methodOf(root);
    if (!method) return fail(method.error());
    for (const auto& [layer, ratio] : root.at("ratios").items())
        plan.choices.push_back({layer, *method, ratio.get<double>(), 0, false});
    return {};
}

Status readPlan(const json& root, CompressionPlan& plan) {
    if (root.value("equant_plan", kPlanVersion) > kPlanVersion)
        return fail(ErrorCode::Unsupported, "The plan was written by a newer version of Equant.",
                    "Update Equant, or make the plan anew.");
    plan.model = root.value("model", std::string());
    const auto metric = root.value("cost_metric", std::string("macs"));
    if (metric != "macs" && metric != "size")
        return fail(
            ErrorCode::InvalidArgument,
            fmt::format("Field \"cost_metric\" of the plan is \"{}\" instead of \"macs\" or \"size\".", metric));
    plan.costMetric = metric == "size" ? CostMetric::Parameters : CostMetric::Macs;
    plan.multiple = std::max<std::int64_t>(root.value("multiple", std::int64_t{1}), 1);
    if (auto status = readChoices(root, plan); !status) return status;
    if (const auto predicted = root.find("predicted"); predicted != root.end() && predicted->is_object()) {
        PlanPrediction& prediction = plan.predicted.emplace();
        prediction.macsRatio = predicted->value("macs_ratio", 1.0);
        prediction.sizeRatio = predicted->value("size_ratio", 1.0);
        prediction.loss = predicted->value("loss", 0.0);
        if (const auto score = predicted->find("score"); score != predicted->end() && score->is_number())
            prediction.score = score->get<double>();
    }
    return {};
}

}  // namespace

const LayerChoice* CompressionPlan::find(std::string_view layer) const {
    const auto found = std::ranges::find(choices, layer, &LayerChoice::layer);
    return found == choices.end() ? nullptr : &*found;
}

nlohmann::json toJsonValue(const CompressionPlan& plan) {
    json choices = json::array(), ratios = json::object();
    std::set<CompressionMethod> methods;
    for (const LayerChoice& choice : plan.choices) {
        choices.push_back(asJson(choice));
        ratios[choice.layer] = ratios.value(choice.layer, 1.0) * choice.ratio;
        methods.insert(choice.method);
    }
    json root{{"equant_plan", kPlanVersion},
              {"method", methods.size() == 1 ? std::string(name(*methods.begin())) : "mixed"},
              {"cost_metric", plan.costMetric == CostMetric::Macs ? "macs" : "size"},
              {"multiple", plan.multiple},
              {"ratios", std::move(ratios)},
              {"choices", std::move(choices)}};
    if (!plan.model.empty()) root["model"] = plan.model;
    if (plan.predicted) {
        root["predicted"] = {{"macs_ratio", plan.predicted->macsRatio},
                             {"size_ratio", plan.predicted->sizeRatio},
                             {"score", plan.predicted->score ? json(*plan.predicted->score) : json()},
                             {"loss", plan.predicted->loss}};
    }
    return root;
}

std::string toJson(const CompressionPlan& plan) {
    return toJsonValue(plan).dump(2, ' ', false, json::error_handler_t::replace);
}

Result<CompressionPlan> parsePlan(std::string_view text) {
    return parsePlanValue(json::parse(text, nullptr, false));
}

Result<CompressionPlan> parsePlanValue(const json& root) {
    if (root.is_discarded() || !root.is_object() || !(root.contains("choices") || root.contains("ratios")))
        return fail(ErrorCode::InvalidArgument, "This is not a compression plan: \"ratios\" is missing.",
                    "Make one with `equant-cli plan`.");
    CompressionPlan plan;
    try {
        if (auto status = readPlan(root, plan); !status) return fail(status.error());
    } catch (const json::exception& error) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The compression plan has a wrong field: {}.", error.what()),
                    "Make it anew with `equant-cli plan`.");
    }
    return plan;
}

Status checkPlan(const CompressionPlan& plan, const Model& model) {
    const auto facts = factsOf(model);
    if (!facts) return fail(facts.error());
    const auto layers = compressibleLayers(model, *facts);
    std::vector<std::string> problems;
    for (const LayerChoice& choice : plan.choices) {
        const auto layer = std::ranges::find(layers, choice.layer,
                                             [](const auto& l) -> const std::string& { return l.geometry.name; });
        if (layer == layers.end())
            problems.push_back(fmt::format("\"{}\": the model has no such layer with weights", choice.layer));
        else if (!(choice.ratio > 0 && choice.ratio <= 1))
            problems.push_back(fmt::format("\"{}\": ratio {} is outside (0, 1]", choice.layer, choice.ratio));
        else if (choice.ratio < 1 && !layer->can(choice.method))
            problems.push_back(
                fmt::format("\"{}\": no {}: {}", choice.layer, name(choice.method), layer->reason(choice.method)));
    }
    if (problems.empty()) return {};
    return fail(ErrorCode::InvalidArgument,
                fmt::format("The plan does not fit the model. {}.", fmt::join(problems, "; ")),
                "Make the plan from a sensitivity table of this very model.");
}

}  // namespace equant
