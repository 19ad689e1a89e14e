// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fmt/format.h>
#include <memory>

#include "app/console/command.h"
#include "app/console/format.h"
#include "app/console/options.h"
#include "core/graph/onnx_io.h"
#include "core/inspection/inspection.h"

namespace equant::console {

namespace {

nlohmann::json valueJson(const ValueInfo& info) {
    auto shape = nlohmann::json::array();
    if (info.shape)
        for (const auto& dim : *info.shape)
            shape.push_back(dim.value >= 0 ? nlohmann::json(dim.value)
                                           : nlohmann::json(dim.symbol.empty() ? "?" : dim.symbol));
    return {{"name", info.name}, {"dtype", name(info.dtype)}, {"shape", info.shape ? shape : nlohmann::json(nullptr)}};
}

std::string valueText(const ValueInfo& info) {
    std::string shape;
    if (info.shape)
        for (const auto& dim : *info.shape)
            shape += (shape.empty() ? "" : "x") + (dim.value >= 0       ? std::to_string(dim.value)
                                                   : dim.symbol.empty() ? "?"
                                                                        : dim.symbol);
    return fmt::format("{} {} {}", info.name, name(info.dtype), shape);
}

nlohmann::json verdictJson(const Verdict& verdict) {
    return {{"ok", verdict.isOk}, {"reason", verdict.isOk ? nlohmann::json(nullptr) : nlohmann::json(verdict.reason)}};
}

nlohmann::json layerJson(const LayerInfo& layer, const LayerTechniques& techniques) {
    return {{"name", layer.name},
            {"op_type", layer.opType},
            {"parameters", layer.parameters},
            {"macs", layer.macs},
            {"weight_shape", layer.weightShape},
            {"output_shape", layer.outputShape},
            {"activation_bytes", layer.activationBytes},
            {"techniques",
             {{"spatial_svd", verdictJson(techniques.spatialSvd)},
              {"weight_svd", verdictJson(techniques.weightSvd)},
              {"channel_pruning", verdictJson(techniques.channelPruning)},
              {"equalization", verdictJson(techniques.equalization)}}}};
}

nlohmann::json inspectionJson(const Model& model, const Inspection& inspection) {
    nlohmann::json json;
    auto& head = json["model"] = {{"ir_version", model.irVersion},      {"opset", model.opset()},
                                  {"producer", model.producerName},     {"inputs", nlohmann::json::array()},
                                  {"outputs", nlohmann::json::array()}, {"parameters", inspection.cost.parameters},
                                  {"macs", inspection.cost.macs},       {"bytes", inspection.cost.bytes},
                                  {"hash", contentHash(model)}};
    for (const auto* input : model.graph.requiredInputs()) head["inputs"].push_back(valueJson(*input));
    for (const auto& output : model.graph.outputs) head["outputs"].push_back(valueJson(output));
    json["layers"] = nlohmann::json::array();
    for (std::size_t i = 0; i < inspection.layers.size(); ++i)
        json["layers"].push_back(layerJson(inspection.layers[i], inspection.techniques[i]));
    json["findings"] = asJson(inspection.findings);
    json["unsupported_ops"] = nlohmann::json::array();
    for (const auto& node : inspection.unsupported)
        json["unsupported_ops"].push_back({{"op_type", node.opType}, {"layer", node.label}, {"reason", node.reason}});
    return json;
}

std::string inspectionText(const Model& model, const Inspection& inspection) {
    std::string text;
    for (const auto* input : model.graph.requiredInputs()) text += fmt::format("Input   {}\n", valueText(*input));
    for (const auto& output : model.graph.outputs) text += fmt::format("Output  {}\n", valueText(output));
    text += fmt::format("Cost    {} parameters, {} MACs, {}\n", shortCount(inspection.cost.parameters),
                        shortCount(inspection.cost.macs), shortBytes(inspection.cost.bytes));
    text += fmt::format(
        "Format  opset {}, IR {}{}\n\n", model.opset(), model.irVersion,
        model.producerName.empty() ? std::string() : ", made by " + model.producerName + " " + model.producerVersion);
    std::vector<std::vector<std::string>> rows;
    for (const auto& layer : inspection.layers)
        if (layer.parameters > 0 || layer.macs > 0)
            rows.push_back({layer.name, layer.opType, shortCount(layer.parameters), shortCount(layer.macs),
                            toString(layer.outputShape)});
    text += table({"layer", "operator", "parameters", "MACs", "output"}, rows);
    if (!inspection.findings.empty()) text += "\n";
    text += asText(inspection.findings);
    return text;
}

}  // namespace

void addInspect(CommandRegistry& registry) {
    auto path = std::make_shared<std::string>();
    auto* command = registry.add(
        "inspect", "Structure, cost and what may go wrong", [path](const CommandContext&) -> Result<CommandResult> {
            const auto model = readOnnx(*path);
            if (!model) return fail(model.error());
            const auto inspection = inspect(*model);
            if (!inspection) return fail(inspection.error());
            return CommandResult{inspectionJson(*model, *inspection), inspectionText(*model, *inspection)};
        });
    addModelOption(*command, *path);
}

}  // namespace equant::console
