// SPDX-License-Identifier: Apache-2.0
// Preprocessing as a value: presets, its JSON form and its description for people.
#include "core/data/preprocess.h"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace equant {

namespace {

using Json = nlohmann::ordered_json;
using Resize = Preprocessing::Resize;
using Channels = Preprocessing::Channels;

constexpr int kLargestSide = 16384;
constexpr int kUsualSide = 224;
/// Up to this input size (CIFAR, MNIST, Tiny ImageNet) images customarily have the size of the input already; an
/// enlargement by 256/224 would only blur them.
constexpr int kSmallSide = 64;

struct Names {
    const char* json;
    const char* text;
};
constexpr std::array<Names, 4> kResizeNames{
    {{"none", ""}, {"short", "short side"}, {"stretch", "stretched to"}, {"letterbox", "letterboxed to"}}};
constexpr std::array<const char*, 3> kChannelNames{"RGB", "BGR", "gray"};

tl::unexpected<Error> wrongField(const std::string& field, const std::string& what) {
    return fail(ErrorCode::InvalidArgument, fmt::format("The preprocessing field \"{}\" {}.", field, what),
                "docs/formats/data.md describes the fields.", field);
}

int channelCount(const Preprocessing& p) {
    return p.channels == Channels::Gray ? 1 : 3;
}

/// The geometry that `imagenet`, `unit` and `signed` share.
void setGeometry(Preprocessing& p, int height, int width) {
    if (height > 0 && width > 0 && height != width) {
        p.resize = Resize::Stretch;
        p.size = {height, width};
        return;
    }
    const int side = std::max(height, width) > 0 ? std::max(height, width) : kUsualSide;
    const int shortSide = side <= kSmallSide ? side : static_cast<int>(std::lround(side * 256.0 / 224.0));
    p.resize = Resize::ShortSide;
    p.size = {shortSide, shortSide};
    p.crop = side;
}

/// An integer, or [height, width].
Status parseSize(const Json& value, const std::string& field, std::array<int, 2>& size) {
    const auto isSide = [](const Json& v) {
        return v.is_number_integer() && v.get<double>() >= 1 && v.get<double>() <= kLargestSide;
    };
    if (isSide(value)) {
        size.fill(value.get<int>());
    } else if (value.is_array() && value.size() == 2 && isSide(value[0]) && isSide(value[1])) {
        size = {value[0].get<int>(), value[1].get<int>()};
    } else {
        return wrongField(field, fmt::format("must be a number of pixels or [height, width], 1 to {}", kLargestSide));
    }
    return {};
}

Status parseNumbers(const Json& value, const std::string& field, std::vector<double>& numbers) {
    const auto isFinite = [](const Json& v) { return v.is_number() && std::isfinite(v.get<double>()); };
    numbers.clear();
    if (isFinite(value)) numbers.push_back(value.get<double>());
    if (value.is_array())
        for (const auto& entry : value) {
            if (!isFinite(entry)) return wrongField(field, "must hold numbers only");
            numbers.push_back(entry.get<double>());
        }
    if (numbers.empty()) return wrongField(field, "must be a number or a list of one number per channel");
    return {};
}

template <typename Enum, std::size_t N>
Status parseName(const Json& value, const std::string& field, const std::array<const char*, N>& names, Enum& target) {
    if (value.is_string())
        for (std::size_t i = 0; i < N; ++i)
            if (value.get_ref<const std::string&>() == names[i]) {
                target = static_cast<Enum>(i);
                return {};
            }
    return wrongField(field, fmt::format("must be one of {}", fmt::join(names, ", ")));
}

Status parseField(const std::string& field, const Json& value, Preprocessing& p) {
    if (field == "resize") {
        std::array<const char*, 4> names{};
        for (std::size_t i = 0; i < names.size(); ++i) names[i] = kResizeNames[i].json;
        return parseName(value, field, names, p.resize);
    }
    if (field == "channels") {
        if (value.is_string() && (value == "rgb" || value == "bgr"))
            return parseField(field, value == "rgb" ? "RGB" : "BGR", p);
        return parseName(value, field, kChannelNames, p.channels);
    }
    if (field == "size") return parseSize(value, field, p.size);
    if (field == "crop") {
        std::array<int, 2> crop{};
        if (value.is_number_integer() && value == 0) return {};
        if (auto parsed = parseSize(value, field, crop); !parsed) return parsed;
        if (crop[0] != crop[1])
            return wrongField(field, "must be square; use \"resize\": \"stretch\" for other shapes");
        p.crop = crop[0];
        return {};
    }
    if (field == "pad_value") {
        if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() > 255)
            return wrongField(field, "must be a grey level, 0 to 255");
        p.padValue = value.get<int>();
        return {};
    }
    if (field == "scale") {
        if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() == 0.0)
            return wrongField(field, "must be a number other than 0");
        p.scale = value.get<double>();
        return {};
    }
    if (field == "mean") return parseNumbers(value, field, p.mean);
    if (field == "std") return parseNumbers(value, field, p.std);
    return wrongField(field, "is unknown; known are resize, size, crop, pad_value, channels, scale, mean, std");
}

Status checkTogether(const Preprocessing& p) {
    const auto channels = static_cast<std::size_t>(channelCount(p));
    const auto isCount = [&](const std::vector<double>& v) { return v.size() == 1 || v.size() == channels; };
    if (!isCount(p.mean)) return wrongField("mean", fmt::format("must have 1 or {} values", channels));
    if (!isCount(p.std)) return wrongField("std", fmt::format("must have 1 or {} values", channels));
    for (const double value : p.std)
        if (value == 0.0) return wrongField("std", "must not be 0");
    if (p.resize != Resize::None) {
        if (p.size[0] == 0) return wrongField("size", "is missing");
        if (p.resize == Resize::ShortSide && p.size[0] != p.size[1])
            return wrongField("size", "must be one number for \"resize\": \"short\"");
        if (p.crop > std::min(p.size[0], p.size[1])) return wrongField("crop", "must not exceed \"size\"");
    }
    return {};
}

}  // namespace

Result<Preprocessing> preprocessingPreset(std::string_view presetName, int height, int width, int channels) {
    Preprocessing p;
    if (channels != 1 && channels != 3)
        return fail(ErrorCode::InvalidArgument, fmt::format("An image has 1 or 3 channels, not {}.", channels));
    if (channels == 1) p.channels = Channels::Gray;
    if (presetName == "none") return p;
    if (presetName == "imagenet") {
        p.scale = 1.0 / 255.0;
        p.mean = {0.485, 0.456, 0.406};
        p.std = {0.229, 0.224, 0.225};
        if (channels == 1) {  // the averages of the three
            p.mean = {0.449};
            p.std = {0.226};
        }
    } else if (presetName == "unit") {
        p.scale = 1.0 / 255.0;
    } else if (presetName == "signed") {
        p.mean = {127.5};
        p.std = {127.5};
    } else {
        return fail(ErrorCode::NotFound, fmt::format("There is no preprocessing preset \"{}\".", presetName),
                    "Presets are imagenet, unit, signed and none.", std::string(presetName));
    }
    setGeometry(p, height, width);
    return p;
}

Result<Preprocessing> parsePreprocessing(std::string_view json) {
    Json root;
    try {
        root = Json::parse(json);
    } catch (const nlohmann::json::exception& error) {
        return fail(ErrorCode::Corrupt, fmt::format("The preprocessing is not valid JSON ({}).", error.what()));
    }
    if (!root.is_object()) return fail(ErrorCode::InvalidArgument, "The preprocessing must be a JSON object.");
    Preprocessing p;
    for (const auto& [field, value] : root.items())
        if (auto parsed = parseField(field, value, p); !parsed) return fail(parsed.error());
    if (p.resize == Resize::None) p.size = {0, 0};
    if (auto checked = checkTogether(p); !checked) return fail(checked.error());
    return p;
}

std::string toJson(const Preprocessing& p) {
    Json root;
    root["resize"] = kResizeNames[static_cast<std::size_t>(p.resize)].json;
    if (p.resize != Resize::None) root["size"] = p.size[0] == p.size[1] ? Json(p.size[0]) : Json(p.size);
    if (p.crop > 0) root["crop"] = p.crop;
    if (p.resize == Resize::Letterbox) root["pad_value"] = p.padValue;
    root["channels"] = kChannelNames[static_cast<std::size_t>(p.channels)];
    root["scale"] = p.scale;
    root["mean"] = p.mean;
    root["std"] = p.std;
    return root.dump(2);
}

std::string describe(const Preprocessing& p) {
    std::vector<std::string> parts;
    if (p.resize == Resize::None) {
        parts.emplace_back("size as it is");
    } else {
        const bool isSquare = p.size[0] == p.size[1];
        parts.push_back(fmt::format("{} {}", kResizeNames[static_cast<std::size_t>(p.resize)].text,
                                    isSquare && p.resize == Resize::ShortSide
                                        ? std::to_string(p.size[0])
                                        : fmt::format("{}x{}", p.size[0], p.size[1])));
    }
    if (p.crop > 0) parts.push_back(fmt::format("crop {}", p.crop));
    parts.emplace_back(kChannelNames[static_cast<std::size_t>(p.channels)]);

    const auto reference = preprocessingPreset("imagenet", 0, 0, channelCount(p));
    const auto isAll = [](const std::vector<double>& values, double wanted) {
        return std::all_of(values.begin(), values.end(), [&](double v) { return v == wanted; });
    };
    const bool isUnitScale = std::abs(p.scale * 255.0 - 1.0) < 1e-6;
    const bool isPlain = isAll(p.mean, 0.0) && isAll(p.std, 1.0);
    if (isPlain && p.scale == 1.0) {
        parts.emplace_back("0..255");
    } else if (isPlain && isUnitScale) {
        parts.emplace_back("0..1");
    } else if (p.scale == 1.0 && isAll(p.mean, 127.5) && isAll(p.std, 127.5)) {
        parts.emplace_back("-1..1");
    } else {
        if (p.scale != 1.0) parts.push_back(isUnitScale ? "x/255" : fmt::format("x*{:g}", p.scale));
        if (reference && p.mean == reference->mean && p.std == reference->std)
            parts.emplace_back("ImageNet mean and std");
        else if (!isPlain)
            parts.push_back(fmt::format("mean [{:g}], std [{:g}]", fmt::join(p.mean, ", "), fmt::join(p.std, ", ")));
    }
    return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace equant
