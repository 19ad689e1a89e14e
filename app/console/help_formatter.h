// SPDX-License-Identifier: Apache-2.0
// Help of a command on one screen: no blank lines to spare, options and their types in one column.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace equant::console {

class HelpFormatter : public CLI::Formatter {
public:
    /// Positional arguments are in the usage line.
    [[nodiscard]] std::string make_positionals(const CLI::App*) const override { return {}; }
    [[nodiscard]] std::string make_footer(const CLI::App* app) const override {
        return app->get_footer().empty() ? std::string() : app->get_footer() + "\n";
    }
    /// Without the value that a negating flag stands for.
    [[nodiscard]] std::string make_option_name(const CLI::Option* option, bool isPositional) const override {
        std::string name = CLI::Formatter::make_option_name(option, isPositional);
        if (const auto brace = name.find('{'); brace != std::string::npos) name.erase(brace);
        return name;
    }
    [[nodiscard]] std::string make_option_opts(const CLI::Option* option) const override {
        std::string text;
        if (option->get_type_size() != 0 && !option->get_type_name().empty()) text = " " + option->get_type_name();
        return option->get_required() ? text + " REQUIRED" : text;
    }
};

}  // namespace equant::console
