// SPDX-License-Identifier: Apache-2.0
// One row of a step's option table. The tables are what reads and writes JSON recipes, what registers the options of
// equant-cli, and what prints a step as a command: a default, a range or a name is said once. Immutable after start.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/recipe/recipe.h"

namespace equant {

/// A flag, a whole number, a real number, a text (or choice), a list of texts.
using OptionValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

struct StepOption {
    std::string key;           ///< JSON field: part of the file format, never change it
    std::string flag;          ///< of equant-cli; of a bool: gives the value that is not the default. Empty: no flag
    std::string help;          ///< one line
    std::string operand;       ///< what the help calls the value: "N"
    double low = 0, high = 0;  ///< range of a number, both included
    std::vector<std::string> choices{};                          ///< texts that are accepted; empty: any
    std::vector<std::pair<std::string, std::string>> aliases{};  ///< on the command line: other name, choice
    std::string defaultFlag{};                                   ///< of a bool: says the default aloud
    bool isGlobal = false;                                       ///< `flag` is an option of all commands
    std::function<OptionValue(const Step&)> get{};
    std::function<void(Step&, const OptionValue&)> set{};

    StepOption in(double from, double to) && {
        low = from;
        high = to;
        return std::move(*this);
    }
};

/// `access` is a generic lambda from the step (const or not) to a reference to the member.
template <typename Of, typename Access>
StepOption stepOption(std::string key, std::string flag, std::string help, std::string operand, Access access) {
    using Member = std::remove_cvref_t<decltype(access(std::declval<Of&>()))>;
    constexpr bool isWhole = std::is_integral_v<Member> && !std::is_same_v<Member, bool>;
    using Stored = std::conditional_t<isWhole, std::int64_t, Member>;
    StepOption option{std::move(key), std::move(flag), std::move(help), std::move(operand)};
    option.get = [access](const Step& step) { return OptionValue(static_cast<Stored>(access(std::get<Of>(step)))); };
    option.set = [access](Step& step, const OptionValue& value) {
        access(std::get<Of>(step)) = static_cast<Member>(std::get<Stored>(value));
    };
    return option;
}

/// `choices` in the order of the enumerators (false, true).
template <typename Of, typename Access>
StepOption stepChoice(std::string key, std::string flag, std::string help, std::string operand,
                      std::vector<std::string> choices, Access access) {
    using Member = std::remove_cvref_t<decltype(access(std::declval<Of&>()))>;
    StepOption option{std::move(key), std::move(flag), std::move(help), std::move(operand)};
    option.choices = choices;
    option.get = [access, choices](const Step& step) {
        return OptionValue(choices[static_cast<std::size_t>(access(std::get<Of>(step)))]);
    };
    option.set = [access, choices](Step& step, const OptionValue& value) {
        const auto found = std::ranges::find(choices, std::get<std::string>(value));
        if (found != choices.end()) access(std::get<Of>(step)) = static_cast<Member>(found - choices.begin());
    };
    return option;
}

}  // namespace equant
