// SPDX-License-Identifier: Apache-2.0
#include "core/quantization/rules.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace equant {

namespace {

using Json = nlohmann::json;

/// Collects the first complaint, so that reading code stays a list of fields.
class Reader {
public:
    [[nodiscard]] const std::optional<Error>& error() const { return m_error; }

    void complain(const std::string& where, const std::string& what) {
        if (m_error) return;
        m_error = Error{ErrorCode::InvalidArgument, fmt::format("In the quantization rules, {} {}.", where, what),
                        "See the description of the rules file in the documentation.", where};
    }
    std::optional<bool> boolean(const Json& object, const char* key, const std::string& where) {
        if (!object.contains(key)) return std::nullopt;
        const Json& value = object[key];
        if (value.is_boolean()) return value.get<bool>();
        if (value.is_string() && (value == "True" || value == "true")) return true;
        if (value.is_string() && (value == "False" || value == "false")) return false;
        complain(where + "." + key, "must be \"True\" or \"False\"");
        return std::nullopt;
    }
    /// The object under `key`, or an empty one.
    Json object(const Json& parent, const char* key, const std::string& where) {
        if (!parent.contains(key)) return Json::object();
        if (parent[key].is_object()) return parent[key];
        complain(where + "." + key, "must be an object");
        return Json::object();
    }
    ParameterRule parameterRule(const Json& json, const std::string& where) {
        if (!json.is_object()) {
            complain(where, "must be an object");
            return {};
        }
        return {boolean(json, "is_quantized", where), boolean(json, "is_symmetric", where)};
    }
    std::map<std::string, ParameterRule> parameterRules(const Json& json, const std::string& where) {
        std::map<std::string, ParameterRule> rules;
        for (const auto& [name, rule] : json.items()) rules[name] = parameterRule(rule, where + "." + name);
        return rules;
    }
    OperatorRule operatorRule(const Json& json, const std::string& where) {
        OperatorRule rule;
        if (!json.is_object()) {
            complain(where, "must be an object");
            return rule;
        }
        rule.isInputQuantized = boolean(json, "is_input_quantized", where);
        rule.isOutputQuantized = boolean(json, "is_output_quantized", where);
        rule.isSymmetric = boolean(json, "is_symmetric", where);
        rule.isPerChannel = boolean(json, "per_channel_quantization", where);
        rule.parameters = parameterRules(object(json, "params", where), where + ".params");
        if (json.contains("encoding_constraints")) {
            const Json range = object(json, "encoding_constraints", where);
            if (!range.contains("min") || !range.contains("max") || !range["min"].is_number() ||
                !range["max"].is_number() || !(range["min"].get<double>() < range["max"].get<double>())) {
                complain(where + ".encoding_constraints", "needs numbers min < max");
            } else {
                rule.outputRange = RealRange{range["min"].get<double>(), range["max"].get<double>()};
            }
        }
        return rule;
    }
    std::vector<std::vector<std::string>> supergroups(const Json& json) {
        std::vector<std::vector<std::string>> groups;
        if (!json.is_array()) complain("supergroups", "must be an array");
        for (const Json& group : json) {
            std::vector<std::string> types;
            if (group.is_object() && group.contains("op_list") && group["op_list"].is_array()) {
                for (const Json& type : group["op_list"]) {
                    if (type.is_string()) types.push_back(type.get<std::string>());
                }
            }
            if (types.size() < 2) complain("supergroups", "has an entry whose op_list names fewer than two operators");
            groups.push_back(std::move(types));
        }
        return groups;
    }

private:
    std::optional<Error> m_error;
};

template <typename T>
void override(std::optional<T>& weaker, const std::optional<T>& stronger) {
    if (stronger) weaker = stronger;
}

void override(ParameterRule& weaker, const ParameterRule& stronger) {
    override(weaker.isQuantized, stronger.isQuantized);
    override(weaker.isSymmetric, stronger.isSymmetric);
}

}  // namespace

ParameterRule QuantizationRules::parameter(std::string_view opType, std::string_view parameterName) const {
    ParameterRule rule = parameterDefaults;
    if (const auto own = parameters.find(std::string(parameterName)); own != parameters.end()) {
        override(rule, own->second);
    }
    const auto byOperator = operators.find(std::string(opType));
    if (byOperator == operators.end()) return rule;
    const auto& parametersOfOperator = byOperator->second.parameters;
    if (const auto own = parametersOfOperator.find(std::string(parameterName)); own != parametersOfOperator.end()) {
        override(rule, own->second);
    }
    return rule;
}

OperatorRule QuantizationRules::operatorRule(std::string_view opType) const {
    OperatorRule rule = defaults;
    override(rule.isPerChannel, isPerChannel);
    const auto own = operators.find(std::string(opType));
    if (own == operators.end()) return rule;
    override(rule.isInputQuantized, own->second.isInputQuantized);
    override(rule.isOutputQuantized, own->second.isOutputQuantized);
    override(rule.isSymmetric, own->second.isSymmetric);
    override(rule.isPerChannel, own->second.isPerChannel);
    override(rule.outputRange, own->second.outputRange);
    return rule;
}

Result<QuantizationRules> parseRules(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) {
        return fail(ErrorCode::Corrupt, "The quantization rules are not a JSON object.");
    }
    Reader reader;
    for (const char* section : {"defaults", "params", "op_type", "supergroups", "model_input", "model_output"}) {
        if (!json.contains(section)) reader.complain(section, "is missing: all six sections are required");
    }
    if (reader.error()) return fail(*reader.error());

    QuantizationRules rules;
    const Json defaults = reader.object(json, "defaults", "rules");
    rules.defaults = reader.operatorRule(reader.object(defaults, "ops", "defaults"), "defaults.ops");
    rules.parameterDefaults = reader.parameterRule(reader.object(defaults, "params", "defaults"), "defaults.params");
    rules.isStrict = reader.boolean(defaults, "strict_symmetric", "defaults");
    rules.isUnsignedSymmetric = reader.boolean(defaults, "unsigned_symmetric", "defaults");
    rules.isPerChannel = reader.boolean(defaults, "per_channel_quantization", "defaults");
    rules.parameters = reader.parameterRules(reader.object(json, "params", "rules"), "params");
    const Json operators = reader.object(json, "op_type", "rules");
    for (const auto& [type, rule] : operators.items()) {
        rules.operators[type] = reader.operatorRule(rule, "op_type." + type);
        if (rules.operators[type].isInputQuantized == false) {
            reader.complain("op_type." + type + ".is_input_quantized", "may only be \"True\" here");
        }
    }
    rules.supergroups = reader.supergroups(json["supergroups"]);
    rules.isModelInputQuantized =
        reader.boolean(reader.object(json, "model_input", "rules"), "is_input_quantized", "model_input");
    rules.isModelOutputQuantized =
        reader.boolean(reader.object(json, "model_output", "rules"), "is_output_quantized", "model_output");
    if (reader.error()) return fail(*reader.error());
    return rules;
}

QuantizationRules builtInRules(bool isPerChannel, bool isAimetCompatible) {
    QuantizationRules rules;
    rules.defaults.isOutputQuantized = true;
    rules.parameterDefaults.isQuantized = true;
    rules.parameters["bias"].isQuantized = false;
    rules.isPerChannel = isPerChannel;
    rules.isModelInputQuantized = true;
    rules.supergroups = {
        {"Conv", "Relu"}, {"ConvTranspose", "Relu"}, {"Conv", "Clip"}, {"Add", "Relu"}, {"Gemm", "Relu"}};
    for (const char* type : {"Cast", "Dropout", "Expand", "Squeeze", "Pad", "Gather"}) {
        rules.operators[type].isOutputQuantized = false;
    }
    if (isAimetCompatible) {
        rules.parameterDefaults.isSymmetric = true;
        rules.operators["Mean"].isOutputQuantized = false;
        for (const char* type : {"Gemm", "MatMul", "LayerNormalization"}) {
            if (isPerChannel) rules.operators[type].isPerChannel = false;
        }
        return rules;
    }
    // These only select or move values that lie on a grid already: a grid of their own would add error.
    for (const char* type : {"MaxPool", "GlobalMaxPool", "Slice", "DepthToSpace", "SpaceToDepth", "GatherND",
                             "GatherElements", "ReverseSequence"}) {
        rules.operators[type].isOutputQuantized = false;
    }
    for (const char* type : {"Add", "Gemm", "ConvTranspose"}) rules.supergroups.push_back({type, "Clip"});
    rules.supergroups.push_back({"MatMul", "Relu"});
    return rules;
}

}  // namespace equant
