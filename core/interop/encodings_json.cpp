// SPDX-License-Identifier: Apache-2.0
#include "core/interop/encodings_json.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/graph/constants.h"
#include "core/layers/layers.h"
#include "core/quantization/range_estimator.h"

namespace equant {

namespace {

using Json = nlohmann::json;

tl::unexpected<Error> bad(const std::string& entry, const std::string& what) {
    return fail(ErrorCode::InvalidArgument, fmt::format("The encoding of \"{}\" {}.", entry, what),
                "Write the file again, or remove the entry.", entry);
}

bool isTrue(const Json& value) {
    return value.is_boolean() ? value.get<bool>() : value.is_string() && (value == "True" || value == "true");
}

/// The axis along which a parameter with so many scales counts its channels: the layer's own, or the only one that
/// fits.
Result<int> channelAxis(const Model& model, const std::string& name, std::size_t channels) {
    const auto tensor = constantValue(model.graph, name);
    if (!tensor) return bad(name, "has several scales, but the model has no such parameter");
    const auto fits = [&](int axis) {
        return axis >= 0 && axis < tensor->rank() && tensor->dim(axis) == static_cast<std::int64_t>(channels);
    };
    for (const Node& node : model.graph.nodes) {
        const auto slot = weightSlot(model.graph, node);
        if (!slot || node.inputs[*slot] != name) continue;
        if (const int axis = weightAxes(node, tensor->rank(), *slot).output; fits(axis)) return axis;
    }
    for (int axis = 0; axis < tensor->rank(); ++axis) {
        if (fits(axis)) return axis;
    }
    return bad(name, fmt::format("has {} scales, which fits no axis of {}", channels, toString(tensor->shape())));
}

/// One grid per channel as scale and offset <= 0, to our terms. A symmetric grid has its offset in the middle.
Result<Encoding> fromOffsets(const std::string& name, int bits, bool isSymmetric, const std::vector<double>& scales,
                             const std::vector<double>& offsets) {
    if (bits < 2 || bits > 16) return bad(name, fmt::format("has {} bits; 2 to 16 are supported", bits));
    if (scales.empty() || scales.size() != offsets.size()) return bad(name, "needs as many offsets as scales");
    Encoding encoding;
    encoding.bits = bits;
    encoding.isSymmetric = isSymmetric;
    encoding.rounding = Rounding::HalfAwayFromZero;
    const double half = std::ldexp(1.0, bits - 1);
    const auto allAre = [&](double offset) {
        return std::all_of(offsets.begin(), offsets.end(), [&](double value) { return value == offset; });
    };
    encoding.isStrict = isSymmetric && allAre(1.0 - half);
    encoding.isSigned = isSymmetric && (encoding.isStrict || allAre(-half));
    for (std::size_t i = 0; i < scales.size(); ++i) {
        if (!(scales[i] > 0.0) || !std::isfinite(scales[i])) return bad(name, "has a scale that is not positive");
        if (std::abs(offsets[i]) > 2.0 * half || offsets[i] != std::round(offsets[i])) {
            return bad(name, fmt::format("has the offset {}, which is no integer of {} bits", offsets[i], bits));
        }
        encoding.scale.push_back(static_cast<float>(scales[i]));
        encoding.zeroPoint.push_back(encoding.qMin() - static_cast<std::int32_t>(offsets[i]));
    }
    return encoding;
}

Status setAxis(Encoding& encoding, const Model& model, const std::string& name) {
    if (encoding.scale.size() == 1) return {};
    const auto axis = channelAxis(model, name, encoding.scale.size());
    if (!axis) return fail(axis.error());
    encoding.axis = *axis;
    return {};
}

// --- 0.6.1: {tensor: [{bitwidth, dtype, is_symmetric, max, min, offset, scale}, ...]} ---

Result<Encoding> parse061(const std::string& name, const Json& channels) {
    std::vector<double> scales;
    std::vector<double> offsets;
    for (const Json& channel : channels) {
        scales.push_back(channel.at("scale").get<double>());
        offsets.push_back(channel.at("offset").get<double>());
    }
    const Json& first = channels.at(0);
    return fromOffsets(name, first.at("bitwidth").get<int>(), isTrue(first.at("is_symmetric")), scales, offsets);
}

Status readSection061(const Json& section, const Model& model, QuantOverlay& target, EncodingsFile& file) {
    for (const auto& [name, channels] : section.items()) {
        if (!channels.is_array() || channels.empty()) return bad(name, "must be a list of channels");
        if (channels[0].value("dtype", "int") == "float") {
            file.floatOnly.push_back(name);
            continue;
        }
        auto encoding = parse061(name, channels);
        if (!encoding) return fail(encoding.error());
        if (auto status = setAxis(*encoding, model, name); !status) return status;
        target.emplace(name, std::move(*encoding));
    }
    return {};
}

// --- 1.0.0: [{name, enc_type, dtype, bw, is_sym, scale: [...], offset: [...]}, ...] ---

Status readSection100(const Json& section, const Model& model, QuantOverlay& target, EncodingsFile& file) {
    for (const Json& entry : section) {
        const auto name = entry.at("name").get<std::string>();
        if (entry.value("dtype", "INT") == "FLOAT") {
            file.floatOnly.push_back(name);
            continue;
        }
        const auto type = entry.value("enc_type", "PER_TENSOR");
        if (type != "PER_TENSOR" && type != "PER_CHANNEL") {
            return fail(ErrorCode::Unsupported, fmt::format("The encoding of \"{}\" is of type {}.", name, type),
                        "Only PER_TENSOR and PER_CHANNEL are supported.", name);
        }
        auto encoding =
            fromOffsets(name, entry.at("bw").get<int>(), isTrue(entry.at("is_sym")),
                        entry.at("scale").get<std::vector<double>>(), entry.at("offset").get<std::vector<double>>());
        if (!encoding) return fail(encoding.error());
        if (auto status = setAxis(*encoding, model, name); !status) return status;
        target.emplace(name, std::move(*encoding));
    }
    return {};
}

// --- 2.0.0: [{name, output_dtype, y_scale, y_zero_point?, axis?}, ...] ---

template <typename T>
std::vector<T> flat(const Json& value) {
    if (value.is_array()) return value.get<std::vector<T>>();
    return {value.get<T>()};
}

Status readEntry200(const Json& entry, EncodingsFile& file) {
    const auto name = entry.at("name").get<std::string>();
    const auto type = entry.at("output_dtype").get<std::string>();
    if (type.starts_with("float") || type.starts_with("bfloat")) {
        file.floatOnly.push_back(name);
        return {};
    }
    if (entry.contains("block_size") || entry.contains("per_block_int_scale")) {
        return fail(ErrorCode::Unsupported, fmt::format("The encoding of \"{}\" is blockwise.", name),
                    "Only one scale for the tensor or per channel is supported.", name);
    }
    Encoding encoding;
    encoding.isSigned = type.starts_with("int");
    const std::string digits = type.substr(encoding.isSigned ? 3 : std::min<std::size_t>(4, type.size()));
    const bool isKnown = type.starts_with("int") || type.starts_with("uint");
    if (!isKnown || digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos ||
        digits.size() > 2 || std::stoi(digits) < 2 || std::stoi(digits) > 16) {
        return bad(name, fmt::format("has the type \"{}\"", type));
    }
    encoding.bits = std::stoi(digits);
    encoding.scale = flat<float>(entry.at("y_scale"));
    encoding.zeroPoint.assign(encoding.scale.size(), 0);
    if (entry.contains("y_zero_point") && !entry["y_zero_point"].is_null()) {
        encoding.zeroPoint = flat<std::int32_t>(entry["y_zero_point"]);
    }
    if (encoding.scale.empty() || encoding.zeroPoint.size() != encoding.scale.size()) {
        return bad(name, "needs as many zero points as scales");
    }
    const auto isUsable = [](float scale) { return scale > 0.0F && std::isfinite(scale); };
    if (!std::all_of(encoding.scale.begin(), encoding.scale.end(), isUsable)) {
        return bad(name, "has a scale that is not positive");
    }
    encoding.isSymmetric = encoding.isSigned && std::all_of(encoding.zeroPoint.begin(), encoding.zeroPoint.end(),
                                                            [](std::int32_t zero) { return zero == 0; });
    if (entry.contains("axis") && !entry["axis"].is_null()) {
        encoding.axis = entry["axis"].get<int>();
    } else if (encoding.scale.size() > 1) {
        return bad(name, "has several scales but no axis");
    }
    file.activations.emplace(name, std::move(encoding));
    return {};
}

Status readFile(const Json& json, const Model& model, EncodingsFile& file) {
    if (json.contains("encodings")) {
        file.version = EncodingsVersion::V2_0_0;
        for (const Json& entry : json.at("encodings")) {
            if (auto status = readEntry200(entry, file); !status) return status;
        }
        return {};
    }
    for (const char* section : {"activation_encodings", "param_encodings"}) {
        if (!json.contains(section)) {
            return fail(ErrorCode::Corrupt, fmt::format("The encodings file has no \"{}\".", section),
                        "Known are the versions 0.6.1, 1.0.0 and 2.0.0.", section);
        }
        QuantOverlay& target = section[0] == 'a' ? file.activations : file.parameters;
        const bool isList = json[section].is_array();
        file.version = isList ? EncodingsVersion::V1_0_0 : EncodingsVersion::V0_6_1;
        auto status = isList ? readSection100(json[section], model, target, file)
                             : readSection061(json[section], model, target, file);
        if (!status) return status;
    }
    return {};
}

// --- writing ---

Json header(const QuantSim& sim, const char* version) {
    const QuantizationSettings& settings = sim.settings;
    std::string scheme = "post_training_" + std::string(name(settings.scheme));
    if (settings.scheme == RangeScheme::MinMax) scheme = "post_training_tf";
    if (settings.scheme == RangeScheme::Sqnr) scheme = "post_training_tf_enhanced";
    return {{"version", version},
            {"excluded_layers", Json::array()},
            {"producer", {{"package", "equant"}, {"version", EQUANT_VERSION}}},
            {"quantizer_args",
             {{"activation_bitwidth", settings.activationBits},
              {"param_bitwidth", settings.weightBits},
              {"dtype", "int"},
              {"is_symmetric", settings.hasSymmetricWeights},
              {"per_channel_quantization", settings.isPerChannel},
              {"quant_scheme", scheme}}}};
}

Json entry061(const Encoding& encoding) {
    Json channels = Json::array();
    for (std::size_t i = 0; i < encoding.scale.size(); ++i) {
        const GridRange grid = gridOf(encoding, i);
        channels.push_back({{"bitwidth", encoding.bits},
                            {"dtype", "int"},
                            {"is_symmetric", encoding.isSymmetric ? "True" : "False"},
                            {"max", grid.max},
                            {"min", grid.min},
                            {"offset", grid.offset},
                            {"scale", grid.scale}});
    }
    return channels;
}

Json entry100(const std::string& value, const Encoding& encoding) {
    Json offsets = Json::array();
    for (std::size_t i = 0; i < encoding.scale.size(); ++i) offsets.push_back(gridOf(encoding, i).offset);
    return {{"name", value},
            {"enc_type", encoding.isPerChannel() ? "PER_CHANNEL" : "PER_TENSOR"},
            {"dtype", "INT"},
            {"bw", encoding.bits},
            {"is_sym", encoding.isSymmetric},
            {"scale", encoding.scale},
            {"offset", offsets}};
}

Json entry200(const std::string& value, const Encoding& encoding) {
    Json entry{{"name", value}, {"output_dtype", fmt::format("{}int{}", encoding.isSigned ? "" : "u", encoding.bits)}};
    const bool hasZeroPoint =
        std::any_of(encoding.zeroPoint.begin(), encoding.zeroPoint.end(), [](std::int32_t zero) { return zero != 0; });
    if (encoding.isPerChannel()) {
        entry["y_scale"] = encoding.scale;
        entry["axis"] = encoding.axis;
        if (hasZeroPoint) entry["y_zero_point"] = encoding.zeroPoint;
    } else {
        entry["y_scale"] = encoding.scale[0];
        if (hasZeroPoint) entry["y_zero_point"] = encoding.zeroPoint[0];
    }
    return entry;
}

}  // namespace

Result<EncodingsVersion> parseEncodingsVersion(std::string_view text) {
    if (text == "0.6.1") return EncodingsVersion::V0_6_1;
    if (text == "1.0.0") return EncodingsVersion::V1_0_0;
    if (text == "2.0.0") return EncodingsVersion::V2_0_0;
    return fail(ErrorCode::InvalidArgument, fmt::format("There is no encodings version \"{}\".", text),
                "Known are 0.6.1, 1.0.0 and 2.0.0.", std::string(text));
}

QuantOverlay EncodingsFile::all() const {
    QuantOverlay both = activations;
    both.insert(parameters.begin(), parameters.end());
    return both;
}

Result<EncodingsFile> parseEncodings(std::string_view text, const Model& model) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) {
        return fail(ErrorCode::Corrupt, "The encodings file is not a JSON object.");
    }
    EncodingsFile file;
    try {
        if (auto status = readFile(json, model, file); !status) return fail(status.error());
    } catch (const Json::exception& exception) {
        return fail(ErrorCode::Corrupt, fmt::format("The encodings file is incomplete: {}.", exception.what()),
                    "Known are the versions 0.6.1, 1.0.0 and 2.0.0.");
    }
    return file;
}

std::string writeEncodings(const QuantSim& sim, EncodingsVersion version) {
    if (version == EncodingsVersion::V2_0_0) {
        Json json{{"version", "2.0.0"},
                  {"producer", {{"package", "equant"}, {"version", EQUANT_VERSION}}},
                  {"encodings", Json::array()}};
        for (const CalibratedQuantizer& quantizer : sim.quantizers) {
            json["encodings"].push_back(entry200(quantizer.spec.value, quantizer.encoding));
        }
        return json.dump(2);
    }
    const bool isOld = version == EncodingsVersion::V0_6_1;
    Json json = header(sim, isOld ? "0.6.1" : "1.0.0");
    for (const char* section : {"activation_encodings", "param_encodings"}) {
        json[section] = isOld ? Json::object() : Json::array();
    }
    for (const CalibratedQuantizer& quantizer : sim.quantizers) {
        Json& section = json[quantizer.spec.isParameter() ? "param_encodings" : "activation_encodings"];
        if (isOld) {
            section[quantizer.spec.value] = entry061(quantizer.encoding);
        } else {
            section.push_back(entry100(quantizer.spec.value, quantizer.encoding));
        }
    }
    return json.dump(2);
}

}  // namespace equant
