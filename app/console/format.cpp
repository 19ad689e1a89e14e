// SPDX-License-Identifier: Apache-2.0
#include "app/console/format.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace equant::console {

namespace {

constexpr std::size_t kWidestName = 48;

std::string shortened(const std::string& text) {
    if (text.size() <= kWidestName) return text;
    const std::size_t half = (kWidestName - 3) / 2;
    return text.substr(0, half) + "..." + text.substr(text.size() - half);
}

std::string percent(const char* what, const std::optional<double>& value, const std::optional<Interval>& interval) {
    if (!value) return {};
    std::string text = fmt::format("{} {:.2f} %", what, *value);
    if (interval) text += fmt::format(" ({:.1f} to {:.1f})", interval->low, interval->high);
    return text;
}

}  // namespace

nlohmann::json number(std::optional<double> value) {
    return value && std::isfinite(*value) ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

nlohmann::json numbers(const std::vector<float>& values) {
    auto array = nlohmann::json::array();
    for (const float value : values) array.push_back(number(double(value)));
    return array;
}

nlohmann::json asJson(const Score& score) {
    nlohmann::json json{{"samples", score.samples},
                        {"top1", number(score.top1)},
                        {"top5", number(score.top5)},
                        {"agreement", number(score.agreement)},
                        {"sqnr_db", number(score.sqnrDb)},
                        {"cosine", number(score.cosine)},
                        {"ms_per_sample", number(score.msPerSample)},
                        {"not_finite", score.notFinite}};
    if (score.top1Interval) json["top1_interval"] = {score.top1Interval->low, score.top1Interval->high};
    return json;
}

nlohmann::json asJson(const ScoredChange& change) {
    return {{"before", asJson(change.before)}, {"after", asJson(change.after)}};
}

nlohmann::json asJson(const Equivalence& equivalence) {
    return {{"samples", equivalence.samples},
            {"max_abs_diff", number(equivalence.maxAbsDiff)},
            {"mean_abs_diff", number(equivalence.meanAbsDiff)},
            {"output_std", number(equivalence.outputStd)},
            {"random_inputs", equivalence.isOnRandomInputs}};
}

nlohmann::json asJson(const std::vector<Finding>& findings) {
    auto json = nlohmann::json::array();
    for (const auto& finding : findings)
        json.push_back({{"id", finding.id},
                        {"severity", name(finding.severity)},
                        {"subject", finding.subject},
                        {"message", finding.message},
                        {"hint", finding.hint}});
    return json;
}

std::string asText(const std::vector<Finding>& findings) {
    std::string text;
    for (const auto& finding : findings)
        text +=
            fmt::format("{}: {}{}{}{}\n", name(finding.severity), finding.subject, finding.subject.empty() ? "" : ": ",
                        finding.message, finding.hint.empty() ? std::string() : " " + finding.hint);
    return text;
}

std::string shortCount(std::int64_t count) {
    const auto value = static_cast<double>(count);
    if (value >= 1e9) return fmt::format("{:.2f} G", value / 1e9);
    if (value >= 1e6) return fmt::format("{:.2f} M", value / 1e6);
    if (value >= 1e4) return fmt::format("{:.1f} k", value / 1e3);
    return fmt::format("{}", count);
}

std::string shortBytes(std::int64_t bytes) {
    const auto value = static_cast<double>(bytes);
    if (value >= 1e6) return fmt::format("{:.2f} MB", value / 1e6);
    if (value >= 1e3) return fmt::format("{:.1f} kB", value / 1e3);
    return fmt::format("{} B", bytes);
}

std::string asText(const Score& score) {
    std::vector<std::string> parts{percent("top-1", score.top1, score.top1Interval), percent("top-5", score.top5, {}),
                                   percent("agreement", score.agreement, score.agreementInterval)};
    if (score.sqnrDb)
        parts.push_back(std::isinf(*score.sqnrDb) ? std::string("identical outputs")
                                                  : fmt::format("SQNR {:.2f} dB", *score.sqnrDb));
    if (score.cosine) parts.push_back(fmt::format("cosine {:.5f}", *score.cosine));
    std::erase(parts, std::string());
    return parts.empty() ? std::string("nothing to compare with") : fmt::format("{}", fmt::join(parts, ", "));
}

std::string asText(const ScoredChange& change) {
    return fmt::format("Before: {}\nAfter:  {}\n", asText(change.before), asText(change.after));
}

std::string asText(const Equivalence& equivalence) {
    return fmt::format("max |difference| {:.3g}, mean {:.3g}; standard deviation of the outputs {:.3g} ({} {})",
                       equivalence.maxAbsDiff, equivalence.meanAbsDiff, equivalence.outputStd, equivalence.samples,
                       equivalence.isOnRandomInputs ? "random inputs" : "samples");
}

std::string table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& cell : header) widths.push_back(cell.size());
    for (const auto& row : rows)
        for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], shortened(row[c]).size());
    const auto line = [&](const std::vector<std::string>& row) {
        std::string text;
        for (std::size_t c = 0; c < row.size(); ++c)
            text += c == 0 ? fmt::format("{:<{}}", shortened(row[c]), widths[c])
                           : fmt::format("  {:>{}}", shortened(row[c]), widths[c]);
        while (!text.empty() && text.back() == ' ') text.pop_back();
        return text + "\n";
    };
    std::string text = line(header);
    for (const auto& row : rows) text += line(row);
    return text;
}

}  // namespace equant::console
