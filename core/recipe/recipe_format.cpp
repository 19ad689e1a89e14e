// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/recipe_format.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/recipe/step_kinds.h"

namespace equant {

namespace {

constexpr int kRecipeVersion = 1;
constexpr const char* kFieldHint = "Correct the recipe, or write it anew with this version.";

/// What is wrong with the value; empty: nothing.
std::string problemOf(const StepOption& option, const OptionValue& value) {
    std::optional<double> number;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) number = static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&value)) number = *real;
    if (number && option.low < option.high && (*number < option.low || *number > option.high))
        return fmt::format("must be {} to {}", option.low, option.high);
    const auto* text = std::get_if<std::string>(&value);
    if (text && !option.choices.empty() && std::ranges::find(option.choices, *text) == option.choices.end())
        return fmt::format("must be one of {}", fmt::join(option.choices, ", "));
    return {};
}

Status readOptions(const nlohmann::json& object, const StepKind& kind, Step& step) {
    for (const StepOption& option : kind.options) {
        const auto found = object.find(option.key);
        if (found == object.end()) continue;
        OptionValue value = option.get(step);
        std::string problem;
        try {
            std::visit([&](auto& each) { each = found->get<std::remove_cvref_t<decltype(each)>>(); }, value);
            problem = problemOf(option, value);
        } catch (const nlohmann::json::exception&) {
            problem = "has the wrong type";
        }
        if (!problem.empty())
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("Field \"{}\" of step \"{}\" {}.", option.key, kind.name, problem), kFieldHint);
        option.set(step, value);
    }
    return {};
}

/// Fields beyond the table are those that the kind writes itself.
Status refuseUnknown(const nlohmann::json& object, const StepKind& kind, const Step& step) {
    nlohmann::json own = nlohmann::json::object();
    if (kind.writeFields) kind.writeFields(step, own);
    for (const auto& [key, value] : object.items()) {
        const bool isOption = std::ranges::find(kind.options, key, &StepOption::key) != kind.options.end();
        if (key != "step" && !isOption && !own.contains(key))
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("Field \"{}\" of step \"{}\" is not known.", key, kind.name), kFieldHint);
    }
    return {};
}

std::string argumentOf(const StepOption& option, const OptionValue& value) {
    const auto with = [&](const std::string& text) { return ' ' + option.flag + ' ' + shellQuoted(text); };
    if (std::holds_alternative<bool>(value)) return ' ' + option.flag;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return with(std::to_string(*whole));
    if (const auto* real = std::get_if<double>(&value)) return with(fmt::format("{}", *real));
    if (const auto* text = std::get_if<std::string>(&value)) return with(*text);
    std::string all;
    for (const std::string& text : std::get<std::vector<std::string>>(value))
        all += ' ' + option.flag + '=' + shellQuoted(text);  // a layer may be called "-x"
    return all;
}

/// What differs from the defaults.
std::string optionArguments(const StepKind& kind, const Step& step) {
    const Step defaults = kind.make();
    std::string text;
    for (const StepOption& option : kind.options) {
        const OptionValue value = option.get(step);
        if (!option.flag.empty() && value != option.get(defaults)) text += argumentOf(option, value);
    }
    return text;
}

}  // namespace

nlohmann::json toJsonValue(const Step& step) {
    const StepKind& kind = kindOf(step);
    nlohmann::json object{{"step", kind.name}};
    for (const StepOption& option : kind.options)
        std::visit([&](const auto& value) { object[option.key] = value; }, option.get(step));
    if (kind.writeFields) kind.writeFields(step, object);
    return object;
}

nlohmann::json toJsonValue(const Recipe& recipe) {
    nlohmann::json steps = nlohmann::json::array();
    for (const Step& step : recipe.steps) steps.push_back(toJsonValue(step));
    return {{"equant_recipe", kRecipeVersion}, {"steps", std::move(steps)}};
}

std::string toJson(const Recipe& recipe) {
    // Layer names come from files and may be anything.
    return toJsonValue(recipe).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Step> parseStepValue(const nlohmann::json& object) {
    const std::string kindName =
        object.is_object() && object.contains("step") && object["step"].is_string() ? object["step"] : "";
    const StepKind* kind = findStepKind(kindName);
    if (!kind) {
        std::vector<std::string_view> known;
        for (const StepKind& each : stepKinds()) known.push_back(each.name);
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The recipe has a step \"{}\" that this version does not know.", kindName),
                    fmt::format("Known steps: {}.", fmt::join(known, ", ")));
    }
    Step step = kind->make();
    if (auto status = readOptions(object, *kind, step); !status) return fail(status.error());
    if (kind->readFields)
        if (auto status = kind->readFields(object, step); !status) return fail(status.error());
    if (auto status = refuseUnknown(object, *kind, step); !status) return fail(status.error());
    return step;
}

Result<Recipe> parseRecipeValue(const nlohmann::json& root) {
    if (!root.is_object() || !root.contains("steps") || !root["steps"].is_array())
        return fail(ErrorCode::InvalidArgument, "This is not a recipe: it is no JSON object with a list \"steps\".",
                    "Give a recipe written by Equant.");
    const auto version = root.find("equant_recipe");
    if (version != root.end() && (!version->is_number_integer() || version->get<int>() > kRecipeVersion))
        return fail(ErrorCode::Unsupported, "The recipe was written by a newer version of Equant.",
                    "Update Equant, or write the recipe anew.");
    Recipe recipe;
    for (const nlohmann::json& object : root["steps"]) {
        auto step = parseStepValue(object);
        if (!step) return fail(step.error());
        recipe.steps.push_back(std::move(*step));
    }
    return recipe;
}

Result<Recipe> parseRecipe(std::string_view text) {
    return parseRecipeValue(nlohmann::json::parse(text, nullptr, false));
}

std::string asCommand(const Step& step, const std::string& modelPath, const DataOptions& data) {
    const StepKind& kind = kindOf(step);
    return fmt::format("equant-cli {} {}{}{} -o {}", kind.name, shellQuoted(modelPath), kind.fileArguments(step, data),
                       optionArguments(kind, step), kind.output);
}

std::string asCommand(const Recipe& recipe, const std::string& modelPath, const DataOptions& data) {
    if (recipe.steps.size() == 1 && !recipe.compressStep()) return asCommand(recipe.steps.front(), modelPath, data);
    const std::string json = toJsonValue(recipe).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return fmt::format("equant-cli apply {} --model {}{} -o optimized.onnx", shellQuoted(json), shellQuoted(modelPath),
                       dataArguments(data));
}

}  // namespace equant
