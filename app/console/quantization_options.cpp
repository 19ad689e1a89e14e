// SPDX-License-Identifier: Apache-2.0
#include "app/console/quantization_options.h"

#include <fmt/format.h>
#include <map>

#include "app/console/options.h"
#include "core/base/file.h"
#include "core/quantization/rules.h"

namespace equant::console {

void addBitOptions(CLI::App& command, QuantizationSettings& settings) {
    const auto bits = CLI::Range(2, 16).description("");
    command.add_option("--weight-bits", settings.weightBits, "2 to 16 (default 8)")->check(bits)->type_name("N");
    command.add_option("--activation-bits", settings.activationBits, "2 to 16 (default 8)")
        ->check(bits)
        ->type_name("N");
    addChoice<bool>(command, "--granularity", settings.isPerChannel, {{"per-tensor", false}, {"per-channel", true}},
                    "per-tensor (default) or per-channel weights")
        ->type_name("G");
}

void addSchemeOptions(CLI::App& command, RangeScheme& scheme, double& percentile) {
    const auto known = [](const std::string& text) {
        return parseRangeScheme(text)
                   ? std::string()
                   : "\"" + text + "\" is none of minmax (tf), sqnr (tf-enhanced), percentile, mse, entropy";
    };
    command
        .add_option_function<std::string>(
            "--scheme", [&scheme](const std::string& text) { scheme = *parseRangeScheme(text); },
            "minmax (tf, default), sqnr (tf-enhanced), percentile, mse, entropy")
        ->check(CLI::Validator(known, ""))
        ->type_name("S");
    command.add_option("--percentile", percentile, "Share of values kept, for --scheme percentile (default 99.99)")
        ->check(CLI::Range(50.0, 100.0).description(""))
        ->type_name("P");
}

Result<std::string> readRules(const std::string& fileOrText) {
    const bool isText = fileOrText.starts_with('{');
    auto text = isText ? Result<std::string>(fileOrText) : readFile(fileOrText);
    if (!text) return fail(text.error());
    if (const auto rules = parseRules(*text); !rules) {
        Error error = rules.error();
        if (error.subject.empty()) error.subject = isText ? "--config" : fileOrText;
        return fail(std::move(error));
    }
    return text;
}

nlohmann::json asJson(const GridRange& grid) {
    return {{"min", grid.min}, {"max", grid.max}, {"scale", grid.scale}, {"offset", grid.offset}};
}

nlohmann::json asJson(const CalibratedQuantizer& quantizer) {
    nlohmann::json json{{"bits", quantizer.encoding.bits},
                        {"symmetric", quantizer.encoding.isSymmetric},
                        {"signed", quantizer.encoding.isSigned},
                        {"granularity", quantizer.encoding.isPerChannel() ? "per-channel" : "per-tensor"}};
    if (!quantizer.encoding.isPerChannel()) {
        if (!quantizer.grids.empty()) json.update(asJson(quantizer.grids.front()));
        return json;
    }
    json["axis"] = quantizer.encoding.axis;
    for (const char* key : {"min", "max", "scale", "offset"}) json[key] = nlohmann::json::array();
    for (const GridRange& grid : quantizer.grids) {
        json["min"].push_back(grid.min);
        json["max"].push_back(grid.max);
        json["scale"].push_back(grid.scale);
        json["offset"].push_back(grid.offset);
    }
    return json;
}

std::string describe(const QuantizationSettings& settings) {
    std::string text = fmt::format("{}-bit {} weights {}, {}-bit activations, scheme {}", settings.weightBits,
                                   settings.hasSymmetricWeights ? "symmetric" : "asymmetric",
                                   settings.isPerChannel ? "per-channel" : "per-tensor", settings.activationBits,
                                   name(settings.scheme));
    if (settings.scheme == RangeScheme::Percentile) text += fmt::format(" {}", settings.percentile);
    if (settings.isAimetCompatible) text += ", AIMET-compatible";
    return text;
}

}  // namespace equant::console
