// SPDX-License-Identifier: Apache-2.0
// Decides which preprocessing a model gets, and says why.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/file.h"
#include "core/data/image_input_internal.h"
#include "core/data/preprocess.h"

namespace equant {

namespace fs = std::filesystem;

namespace {

constexpr const char* kMetadataKey = "equant.preprocess";
constexpr const char* kPresetsHint = "Presets are imagenet, unit, signed and none; anything else must be a JSON file.";

bool isPreset(std::string_view text) {
    return text == "imagenet" || text == "unit" || text == "signed" || text == "none";
}

int knownSize(const Dim& dim) {
    return dim.value > 0 && dim.value <= 1 << 20 ? static_cast<int>(dim.value) : 0;
}

bool isInteger(DType type) {
    return type == DType::Uint8 || type == DType::Int32 || type == DType::Int64;
}

/// Whether what `p` makes fits the input; what depends on the image is checked when it is loaded.
Status checkFits(const Preprocessing& p, const ImageInput& input) {
    const int channels = p.channels == Preprocessing::Channels::Gray ? 1 : 3;
    if (channels != input.channels)
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The preprocessing makes {} channel(s) but the input \"{}\" has {}.", channels,
                                input.name, input.channels),
                    "Set \"channels\" to RGB, BGR or gray accordingly.", "channels");
    std::array<int, 2> made{0, 0};
    if (p.crop > 0)
        made = {p.crop, p.crop};
    else if (p.resize == Preprocessing::Resize::Stretch || p.resize == Preprocessing::Resize::Letterbox)
        made = p.size;
    const bool isOther =
        made[0] > 0 && ((input.height > 0 && made[0] != input.height) || (input.width > 0 && made[1] != input.width));
    if (!isOther) return {};
    return fail(ErrorCode::InvalidArgument,
                fmt::format("The preprocessing makes images of {}x{} but the input \"{}\" takes {}x{}.", made[0],
                            made[1], input.name, input.height, input.width),
                "Change \"crop\" or \"size\".", p.crop > 0 ? "crop" : "size");
}

/// A preset's name or JSON text.
Result<Preprocessing> interpret(const std::string& text, const ImageInput& input) {
    auto p = isPreset(text) ? preprocessingPreset(text, input.height, input.width, input.channels)
                            : parsePreprocessing(text);
    if (!p) return p;
    p->isChannelsLast = input.isChannelsLast;
    if (auto fits = checkFits(*p, input); !fits) return fail(fits.error());
    return p;
}

Result<PreprocessingChoice> asked(const std::string& wanted, const ImageInput& input) {
    if (isPreset(wanted)) {
        const auto p = interpret(wanted, input);
        if (!p) return fail(p.error());
        return PreprocessingChoice{*p, fmt::format("preset \"{}\", as asked for", wanted)};
    }
    std::error_code ignored;
    if (!fs::exists(wanted, ignored))
        return fail(ErrorCode::NotFound, "This is neither a preprocessing preset nor a file.", kPresetsHint, wanted);
    const auto text = readFile(wanted);
    if (!text) return fail(text.error());
    const auto p = interpret(*text, input);
    if (!p) {
        Error error = p.error();
        error.subject = wanted;
        return fail(std::move(error));
    }
    return PreprocessingChoice{*p, "file " + wanted};
}

Result<PreprocessingChoice> guessed(const ImageInput& input, const std::string& shape, const std::string& note) {
    // Gray models (digits) and integer inputs are customarily fed raw grey levels, colour ones as ImageNet's.
    const bool isRaw = input.channels == 1 || isInteger(input.dtype);
    auto p = preprocessingPreset(isRaw ? "unit" : "imagenet", input.height, input.width, input.channels);
    if (!p) return fail(p.error());
    if (isRaw) {
        p->scale = 1.0;
        if (input.height == 0 && input.width == 0) {  // any size will do: keep the images' own
            p->resize = Preprocessing::Resize::None;
            p->size = {0, 0};
            p->crop = 0;
        }
    }
    p->isChannelsLast = input.isChannelsLast;
    const char* why = !isRaw                ? "colour images, normalized as for ImageNet"
                      : input.channels == 1 ? "gray images, raw 0..255"
                                            : "integer images, raw 0..255";
    return PreprocessingChoice{*p, fmt::format("{}guessed from the input shape {}: {}", note, shape, why)};
}

}  // namespace

std::string shapeText(const ValueInfo& value) {
    if (!value.shape) return "any shape";
    std::vector<std::string> dims;
    for (const auto& dim : *value.shape)
        dims.push_back(dim.value >= 0 ? std::to_string(dim.value) : dim.symbol.empty() ? "?" : dim.symbol);
    return dims.empty() ? "scalar" : fmt::format("{}", fmt::join(dims, "x"));
}

Result<ImageInput> findImageInput(const Model& model) {
    const auto inputs = model.graph.requiredInputs();
    if (inputs.size() != 1)
        return fail(ErrorCode::InvalidArgument, fmt::format("The model takes {} inputs, not one image.", inputs.size()),
                    "Give the data as an .npz file with one array per input.");
    const ValueInfo& value = *inputs.front();
    ImageInput input{value.name, value.dtype};
    if (value.dtype == DType::Undefined) input.dtype = DType::Float;
    if (!value.shape) return input;
    const auto notImage = [&] {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("The model's input ({}) is not an image of 1 or 3 channels.", shapeText(value)),
                    "Give the data as .npy or .npz arrays.", value.name);
    };
    if (value.shape->size() != 4) return notImage();
    const auto isChannels = [](const Dim& dim) { return dim.value == 1 || dim.value == 3; };
    const auto& dims = *value.shape;
    const bool isFirst = isChannels(dims[1]);
    const bool isFirstOpen = dims[1].value < 0;
    input.isChannelsLast = !isFirst && isChannels(dims[3]);
    if (!isFirst && !input.isChannelsLast && !isFirstOpen) return notImage();
    if (isFirst || input.isChannelsLast) input.channels = static_cast<int>(dims[input.isChannelsLast ? 3 : 1].value);
    input.height = knownSize(dims[input.isChannelsLast ? 1 : 2]);
    input.width = knownSize(dims[input.isChannelsLast ? 2 : 3]);
    return input;
}

fs::path preprocessingBeside(const Model& model, const fs::path& modelFile) {
    if (!model.metadataValue(kMetadataKey).empty()) return {};
    fs::path beside = modelFile;
    beside.replace_extension(".preprocess.json");
    std::error_code ignored;
    return fs::is_regular_file(beside, ignored) ? beside : fs::path();
}

Model withPreprocessing(Model model, const std::string& wanted) {
    if (wanted.empty()) return model;
    if (const auto choice = choosePreprocessing(model, wanted))
        model.setMetadata(kMetadataKey, toJson(choice->preprocessing));
    return model;
}

Result<PreprocessingChoice> choosePreprocessing(const Model& model, const std::string& wanted) {
    const auto input = findImageInput(model);
    if (!input) return fail(input.error());
    if (!wanted.empty()) return asked(wanted, *input);

    std::string note;
    if (const std::string text = model.metadataValue(kMetadataKey); !text.empty()) {
        const auto p = interpret(text, *input);
        if (p) return PreprocessingChoice{*p, fmt::format("the model's metadata ({})", kMetadataKey)};
        note = fmt::format("the model's metadata ({}) are unusable: {} So ", kMetadataKey, p.error().message);
    }
    return guessed(*input, shapeText(*model.graph.requiredInputs().front()), note);
}

}  // namespace equant
