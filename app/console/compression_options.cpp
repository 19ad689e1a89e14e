// SPDX-License-Identifier: Apache-2.0
#include "app/console/compression_options.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/console/format.h"

namespace equant::console {

void addCompressOptions(CLI::App& command, CompressOptions& options) {
    command.add_flag("--plain", options.isPlain, "AIMET's own methods: the data do not steer the compression");
    command.add_flag("--no-refit{false}", options.shouldRefit, "No least-squares fit behind compressed layers");
    command.add_option("--positions", options.positionsPerSample, "Output positions of a sample to learn from (64)")
        ->check(CLI::Range(1, 100000).description(""))
        ->type_name("N");
}

void addLatencyOption(CLI::App& command, bool& shouldTime) {
    command.add_flag("--no-latency{false}", shouldTime, "Do not time the compressed network (about a second)");
}

namespace {

nlohmann::json memoryJson(const ActivationMemory& before, const ActivationMemory& after) {
    return {{"written_bytes_before", before.writtenBytes},
            {"written_bytes_after", after.writtenBytes},
            {"peak_bytes_before", before.peakBytes},
            {"peak_bytes_after", after.peakBytes}};
}

nlohmann::json latencyJson(const LatencyChange& latency) {
    return {{"ms_per_sample_before", latency.before},
            {"ms_per_sample_after", latency.after},
            {"ratio", latency.ratio()},
            {"batch", latency.batch},
            {"threads", 1},
            {"runs", latency.runs}};
}

/// "1.2 MB -> 0.9 MB (75.0 %)"
std::string bytesChange(std::int64_t before, std::int64_t after) {
    return fmt::format("{} -> {} ({:.1f} %)", shortBytes(before), shortBytes(after),
                       before > 0 ? 100 * double(after) / double(before) : 100);
}

}  // namespace

void MethodOptions::addTo(CLI::App& command, const std::string& help) {
    command.add_option("--method", names, help)->allow_extra_args(false)->type_name("NAME");
}

Result<std::vector<CompressionMethod>> MethodOptions::parsed() const {
    std::vector<CompressionMethod> methods;
    for (const std::string& text : names) {
        const auto method = parseCompressionMethod(text);
        if (!method) return fail(method.error());
        methods.push_back(*method);
    }
    return methods;
}

void LayerLimits::addTo(CLI::App& command) {
    command.add_option("--lock", locks, "Keep this layer at this ratio; 1 leaves it alone")
        ->allow_extra_args(false)
        ->type_name("LAYER=R");
    command.add_option("--exclude", excluded, "Never compress this layer")->allow_extra_args(false)->type_name("LAYER");
}

Result<std::map<std::string, double>> LayerLimits::locked() const {
    std::map<std::string, double> result;
    for (const std::string& text : locks) {
        const std::size_t equals = text.rfind('=');  // layer names may hold '=' themselves
        double ratio = 0;
        try {
            if (equals != std::string::npos && equals > 0) ratio = std::stod(text.substr(equals + 1));
        } catch (const std::exception&) {
        }
        if (!(ratio > 0))
            return fail(ErrorCode::InvalidArgument, fmt::format("\"{}\" is no lock.", text),
                        "Write LAYER=RATIO, such as conv1=0.5; 1 leaves the layer alone.", "--lock");
        result.emplace(text.substr(0, equals), ratio);
    }
    return result;
}

nlohmann::json asJson(const CompressionReport& report) {
    const bool hasMemory = report.activationsBefore && report.activationsAfter;
    auto layers = nlohmann::json::array();
    for (const CompressedLayer& layer : report.layers) {
        const char* size = layer.method == CompressionMethod::ChannelPruning ? "channels" : "rank";
        layers.push_back({{"name", layer.name},
                          {"method", equant::name(layer.method)},
                          {"ratio_asked", layer.ratioAsked},
                          {"ratio", layer.ratio},
                          {size, layer.size},
                          {"of", layer.fullSize},
                          {"macs_before", layer.before.macs},
                          {"macs_after", layer.after.macs},
                          {"parameters_before", layer.before.parameters},
                          {"parameters_after", layer.after.parameters},
                          {"nodes", layer.nodes},
                          {"sqnr_db", number(layer.sqnrDb)},
                          {"skipped", layer.skipped}});
    }
    return {
        {"layers", layers},
        {"macs_ratio", report.macsRatio},
        {"size_ratio", report.sizeRatio},
        {"macs_before", report.macsBefore},
        {"macs_after", report.macsAfter},
        {"parameters_before", report.parametersBefore},
        {"parameters_after", report.parametersAfter},
        {"activations", hasMemory ? memoryJson(*report.activationsBefore, *report.activationsAfter) : nlohmann::json()},
        {"latency", report.latency ? latencyJson(*report.latency) : nlohmann::json()},
        {"samples", report.samples}};
}

std::string asText(const CompressionReport& report) {
    std::vector<std::vector<std::string>> rows;
    std::string skipped;
    for (const CompressedLayer& layer : report.layers) {
        if (!layer.skipped.empty()) {
            skipped += fmt::format("  left alone {}: {}\n", layer.name, layer.skipped);
            continue;
        }
        rows.push_back({layer.name, std::string(equant::name(layer.method)),
                        fmt::format("{} of {}", layer.size, layer.fullSize),
                        fmt::format("{:.1f} %", 100 * layer.ratioAsked), fmt::format("{:.1f} %", 100 * layer.ratio),
                        layer.sqnrDb ? fmt::format("{:.1f} dB", *layer.sqnrDb) : ""});
    }
    std::string text =
        table({"layer", "method", "rank or channels", "asked", "reached", "output SQNR"}, rows) + skipped;
    text += fmt::format("MACs {} -> {} ({:.1f} %), parameters {} -> {} ({:.1f} %)\n", shortCount(report.macsBefore),
                        shortCount(report.macsAfter), 100 * report.macsRatio, shortCount(report.parametersBefore),
                        shortCount(report.parametersAfter), 100 * report.sizeRatio);
    if (report.activationsBefore && report.activationsAfter)
        text += fmt::format("Activations written {} a sample, alive at once at most {}\n",
                            bytesChange(report.activationsBefore->writtenBytes, report.activationsAfter->writtenBytes),
                            bytesChange(report.activationsBefore->peakBytes, report.activationsAfter->peakBytes));
    if (report.latency)
        text += fmt::format(
            "Latency {:.3f} -> {:.3f} ms a sample ({:.1f} %): medians of {} runs in turns, one thread, batch {}\n",
            report.latency->before, report.latency->after, 100 * report.latency->ratio(), report.latency->runs,
            report.latency->batch);
    return text;
}

}  // namespace equant::console
