// SPDX-License-Identifier: Apache-2.0
// From an image file to the tensor a model sees. The steps are those of docs/formats/data.md: resize, crop, channel order,
// (pixel * scale - mean) / std. Resizing is bilinear with the antialiasing of PIL (support grows with the reduction).
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/graph/model.h"
#include "core/graph/tensor.h"

namespace equant {

struct Preprocessing {
    enum class Resize { None, ShortSide, Stretch, Letterbox };
    enum class Channels { Rgb, Bgr, Gray };

    Resize resize = Resize::None;
    std::array<int, 2> size{0, 0};  ///< height, width; for ShortSide and a square Letterbox both are equal
    int crop = 0;                   ///< centre crop to crop x crop; 0: none
    int padValue = 114;             ///< grey level of Letterbox padding (image at the top left)
    Channels channels = Channels::Rgb;
    double scale = 1.0;
    std::vector<double> mean{0.0};  ///< per channel, or one value for all
    std::vector<double> std{1.0};
    bool isChannelsLast = false;  ///< NHWC instead of NCHW; decided by the model's input

    friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

/// Presets by name: "imagenet", "unit", "signed", "none" (docs/formats/data.md), for a model input of height x width (0: free).
Result<Preprocessing> preprocessingPreset(std::string_view presetName, int height, int width, int channels);
/// The JSON of docs/formats/data.md. InvalidArgument names the field that is wrong.
Result<Preprocessing> parsePreprocessing(std::string_view json);
[[nodiscard]] std::string toJson(const Preprocessing& preprocessing);
/// One line for people: "short side 256, crop 224, RGB, x/255, ImageNet mean and std".
[[nodiscard]] std::string describe(const Preprocessing& preprocessing);

struct PreprocessingChoice {
    Preprocessing preprocessing;
    std::string reason;  ///< where it comes from: "--preprocess", the file's metadata, guessed from the input shape
};
/// What to use for the model: `wanted` (a preset name or a file path) if not empty, else the model's metadata
/// ("equant.preprocess"), else a guess from the input's shape. Fits layout, channels and size to the model's input.
Result<PreprocessingChoice> choosePreprocessing(const Model& model, const std::string& wanted);

/// "NAME.preprocess.json" beside "NAME.onnx", if it is there and the model's metadata do not say how the input is made;
/// else empty. What to hand to choosePreprocessing() where the user asked for nothing.
[[nodiscard]] std::filesystem::path preprocessingBeside(const Model& model, const std::filesystem::path& modelFile);

/// The model with `wanted` (a preset name or a file path) in its metadata, so that a file made of it says how its input
/// is made wherever it goes. As it is when `wanted` is empty or does not fit.
[[nodiscard]] Model withPreprocessing(Model model, const std::string& wanted);

/// An 8-bit image, interleaved RGB or gray.
struct Image {
    int width = 0;
    int height = 0;
    int channels = 0;
    std::vector<std::uint8_t> pixels;
};
/// Decodes any format OpenCV reads; applies no EXIF rotation (as PIL). Corrupt names the file.
Result<Image> readImage(const std::filesystem::path& path, Preprocessing::Channels channels);
/// PIL's bilinear resize with antialiasing.
[[nodiscard]] Image resizeImage(const Image& image, int width, int height);
/// The float tensor of one sample, without the batch dimension: CxHxW or HxWxC.
Result<Tensor> preprocess(const Image& image, const Preprocessing& preprocessing);
/// What the model sees, as a picture again (for the preview): undoes scale, mean and std, clamps to 0..255.
[[nodiscard]] Image asPicture(const Tensor& sample, const Preprocessing& preprocessing);

}  // namespace equant
