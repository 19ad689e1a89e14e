// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/step.h"

#include <algorithm>
#include <fmt/format.h>

namespace equant {

std::string_view name(const Step& step) {
    return std::visit([](const auto& each) { return each.kName; }, step);
}

std::string shellQuoted(const std::string& text) {
    const bool isWord = !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("_-./+:,=@%").find(c) != std::string_view::npos;
    });
    if (isWord) return text;
    std::string result = "'";
    for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return result + "'";
}

std::string dataArguments(const DataOptions& data) {
    const DataOptions defaults;
    std::string text;
    const auto add = [&text](const char* flag, const std::string& value) {
        if (!value.empty()) text += fmt::format(" {} {}", flag, shellQuoted(value));
    };
    const auto addCount = [&text](const char* flag, std::size_t value, std::size_t fallback) {
        if (value != fallback) text += fmt::format(" {} {}", flag, value);
    };
    add("--data", data.path);
    addCount("--limit", data.calibrationSamples, defaults.calibrationSamples);
    addCount("--offset", data.offset, defaults.offset);
    add("--eval-data", data.evaluationPath);
    addCount("--eval-limit", data.evaluationSamples, defaults.evaluationSamples);
    add("--preprocess", data.preprocess);
    return text;
}

}  // namespace equant
