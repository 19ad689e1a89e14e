// SPDX-License-Identifier: Apache-2.0
#include "app/console/step_options.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace equant::console {

namespace {

/// The choice that the text means; empty: none.
std::string choiceOf(const StepOption& option, const std::string& text) {
    for (const auto& [alias, choice] : option.aliases)
        if (alias == text) return choice;
    return std::ranges::find(option.choices, text) == option.choices.end() ? std::string() : text;
}

CLI::Option* addFlag(CLI::App& command, const StepOption& option, Step& step) {
    const bool unusual = !std::get<bool>(option.get(step));
    const auto setTo = [&option, &step](bool value) {
        return [&option, &step, value](std::int64_t) { option.set(step, value); };
    };
    if (!option.defaultFlag.empty())
        command.add_flag_function(option.defaultFlag, setTo(!unusual), "The default")->group("");
    return command.add_flag_function(option.flag, setTo(unusual), option.help);
}

template <typename Number>
CLI::Option* addNumber(CLI::App& command, const StepOption& option, Step& step) {
    return command
        .add_option_function<Number>(
            option.flag, [&option, &step](const Number& value) { option.set(step, value); }, option.help)
        ->check(CLI::Range(static_cast<Number>(option.low), static_cast<Number>(option.high)).description(""));
}

CLI::Option* addText(CLI::App& command, const StepOption& option, Step& step) {
    auto* added = command.add_option_function<std::string>(
        option.flag,
        [&option, &step](const std::string& text) {
            option.set(step, option.choices.empty() ? text : choiceOf(option, text));
        },
        option.help);
    if (option.choices.empty()) return added;
    std::vector<std::string> names = option.choices;
    for (const auto& [alias, choice] : option.aliases) names.push_back(fmt::format("{} ({})", alias, choice));
    const auto complain = [&option, names](const std::string& text) {
        return choiceOf(option, text).empty() ? fmt::format("\"{}\" is none of {}", text, fmt::join(names, ", "))
                                              : std::string();
    };
    return added->check(CLI::Validator(complain, ""));
}

CLI::Option* addList(CLI::App& command, const StepOption& option, Step& step) {
    using Texts = std::vector<std::string>;
    return command
        .add_option_function<Texts>(
            option.flag, [&option, &step](const Texts& values) { option.set(step, values); }, option.help)
        ->allow_extra_args(false);
}

void addCount(CLI::App& command, const char* flag, std::size_t& value, const std::string& help) {
    command.add_option(flag, value, help)->check(CLI::NonNegativeNumber.description(""))->type_name("N");
}

}  // namespace

void addStepOptions(CLI::App& command, const StepKind& kind, Step& step) {
    for (const StepOption& option : kind.options) {
        if (option.flag.empty() || option.isGlobal) continue;
        const OptionValue value = option.get(step);
        CLI::Option* added = std::holds_alternative<bool>(value) ? addFlag(command, option, step)
                             : std::holds_alternative<std::int64_t>(value)
                                 ? addNumber<std::int64_t>(command, option, step)
                             : std::holds_alternative<double>(value)      ? addNumber<double>(command, option, step)
                             : std::holds_alternative<std::string>(value) ? addText(command, option, step)
                                                                          : addList(command, option, step);
        if (!option.operand.empty()) added->type_name(option.operand);
    }
}

void addDataOptions(CLI::App& command, DataOptions& data, const std::string& help) {
    const DataOptions defaults;
    command.add_option("--data", data.path, help)->type_name("PATH");
    addCount(command, "--limit", data.calibrationSamples,
             fmt::format("At most N of them (default {}, 0: all)", defaults.calibrationSamples));
    addCount(command, "--offset", data.offset, "Skip the first N of them");
    command.add_option("--preprocess", data.preprocess, "imagenet, unit, signed, none, or a JSON file")->type_name("P");
}

void addEvaluationOptions(CLI::App& command, DataOptions& data) {
    const DataOptions defaults;
    command.add_option("--eval-data", data.evaluationPath, "Samples to score on")->type_name("PATH");
    addCount(command, "--eval-limit", data.evaluationSamples,
             fmt::format("At most N of them (default {}, 0: all)", defaults.evaluationSamples));
}

}  // namespace equant::console
