// SPDX-License-Identifier: Apache-2.0
// Image files to pixels (the only place that knows OpenCV), pixels to tensors and back.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include "core/base/file.h"
#include "core/data/preprocess.h"
#include "core/data/resize_internal.h"

namespace equant {

namespace fs = std::filesystem;

namespace {

using Channels = Preprocessing::Channels;

/// ITU-R 601 luma in 16-bit fixed point, as PIL's convert("L"); r = g = b gives the value itself.
std::uint8_t luma(std::uint8_t r, std::uint8_t g, std::uint8_t b) {
    return static_cast<std::uint8_t>((19595U * r + 38470U * g + 7471U * b + 0x8000U) >> 16);
}

/// JPEG decoders paint what is missing gray and go on, so truncation must be seen here: a whole file has an
/// end-of-image marker after its last start-of-scan.
bool isTruncatedJpeg(std::string_view bytes) {
    if (!bytes.starts_with("\xFF\xD8\xFF")) return false;
    const auto end = bytes.rfind("\xFF\xD9");
    const auto scan = bytes.rfind("\xFF\xDA");
    return end == std::string_view::npos || (scan != std::string_view::npos && scan > end);
}

bool isTruncatedPng(std::string_view bytes) {
    return bytes.starts_with("\x89PNG") && bytes.find("IEND") == std::string_view::npos;
}

/// Interleaved BGR, 8 bits; empty when the bytes are no image that OpenCV knows.
cv::Mat decode(const std::string& bytes) {
    static const auto silenced = cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    static_cast<void>(silenced);
    // imdecode only reads from the array it is given.
    auto* data = const_cast<char*>(bytes.data());
    const cv::Mat wrapped(1, static_cast<int>(bytes.size()), CV_8UC1, data);
    return cv::imdecode(wrapped, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
}

Image fromBgr(const cv::Mat& bgr, bool isGray) {
    Image image{bgr.cols, bgr.rows, isGray ? 1 : 3, {}};
    const auto width = static_cast<std::size_t>(bgr.cols);
    image.pixels.resize(width * static_cast<std::size_t>(bgr.rows) * static_cast<std::size_t>(image.channels));
    std::uint8_t* target = image.pixels.data();
    for (int y = 0; y < bgr.rows; ++y) {
        const std::uint8_t* source = bgr.ptr<std::uint8_t>(y);
        if (isGray) {
            for (std::size_t x = 0; x < width; ++x)
                target[x] = luma(source[3 * x + 2], source[3 * x + 1], source[3 * x]);
            target += width;
            continue;
        }
        for (std::size_t x = 0; x < width; ++x) {
            target[3 * x] = source[3 * x + 2];
            target[3 * x + 1] = source[3 * x + 1];
            target[3 * x + 2] = source[3 * x];
        }
        target += 3 * width;
    }
    return image;
}

Image withChannels(const Image& image, int channels) {
    if (image.channels == channels) return image;
    const std::size_t count = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
    Image result{image.width, image.height, channels, {}};
    result.pixels.resize(count * static_cast<std::size_t>(channels));
    for (std::size_t i = 0; i < count; ++i) {
        if (channels == 1)
            result.pixels[i] = luma(image.pixels[3 * i], image.pixels[3 * i + 1], image.pixels[3 * i + 2]);
        else
            std::fill_n(result.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, image.pixels[i]);
    }
    return result;
}

/// Python's int(a * b / c): the product is exact, the quotient truncated.
int scaled(int value, int numerator, int denominator) {
    return static_cast<int>(static_cast<std::int64_t>(value) * numerator / denominator);
}

struct Extent {
    int width = 0;
    int height = 0;
};

Extent resizedExtent(const Image& image, const Preprocessing& p) {
    const auto [height, width] = p.size;
    switch (p.resize) {
        case Preprocessing::Resize::None:
            break;
        case Preprocessing::Resize::Stretch:
            return {width, height};
        case Preprocessing::Resize::ShortSide:
            if (image.width <= image.height) return {height, scaled(height, image.height, image.width)};
            return {scaled(height, image.width, image.height), height};
        case Preprocessing::Resize::Letterbox: {
            const double ratio =
                std::min(static_cast<double>(height) / image.height, static_cast<double>(width) / image.width);
            return {std::max(1, static_cast<int>(image.width * ratio)),
                    std::max(1, static_cast<int>(image.height * ratio))};
        }
    }
    return {image.width, image.height};
}

Image letterboxed(const Image& image, const Preprocessing& p, const Extent& extent) {
    const Image inner = resizeImage(image, extent.width, extent.height);
    Image canvas{p.size[1], p.size[0], image.channels, {}};
    const auto channels = static_cast<std::size_t>(image.channels);
    const std::size_t rowBytes = static_cast<std::size_t>(canvas.width) * channels;
    const std::size_t innerBytes = static_cast<std::size_t>(inner.width) * channels;
    canvas.pixels.assign(rowBytes * static_cast<std::size_t>(canvas.height), static_cast<std::uint8_t>(p.padValue));
    for (std::size_t y = 0; y < static_cast<std::size_t>(inner.height); ++y)
        std::memcpy(canvas.pixels.data() + y * rowBytes, inner.pixels.data() + y * innerBytes, innerBytes);
    return canvas;
}

/// Resize and crop. The centre is torchvision's: int(round((size - crop) / 2)), halves to even.
Result<Image> fitted(const Image& image, const Preprocessing& p) {
    const Extent extent = resizedExtent(image, p);
    const bool isLetterbox = p.resize == Preprocessing::Resize::Letterbox;
    const Extent whole = isLetterbox ? Extent{p.size[1], p.size[0]} : extent;
    Window window{0, 0, whole.width, whole.height};
    if (p.crop > 0) {
        if (p.crop > whole.width || p.crop > whole.height)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("The image is {}x{} pixels before the crop to {}x{}.", whole.width, whole.height,
                                    p.crop, p.crop),
                        "Resize it first: set \"resize\" and \"size\" in the preprocessing.");
        window = {static_cast<int>(std::nearbyint((whole.width - p.crop) / 2.0)),
                  static_cast<int>(std::nearbyint((whole.height - p.crop) / 2.0)), p.crop, p.crop};
    }
    if (!isLetterbox) return resizeWindow(image, extent.width, extent.height, window);
    Image canvas = letterboxed(image, p, extent);
    return p.crop > 0 ? resizeWindow(canvas, canvas.width, canvas.height, window) : std::move(canvas);
}

double perChannel(const std::vector<double>& values, std::size_t channel) {
    return values.size() == 1 ? values.front() : values[channel];
}

}  // namespace

Result<Image> readImage(const fs::path& path, Channels channels) {
    const auto bytes = readFile(path);
    if (!bytes) return fail(bytes.error());
    const auto corrupt = [&](std::string message) {
        return fail(ErrorCode::Corrupt, std::move(message), "Replace the file or remove it from the folder.",
                    path.string());
    };
    if (bytes->empty()) return corrupt("The image file is empty.");
    if (isTruncatedJpeg(*bytes) || isTruncatedPng(*bytes)) return corrupt("The image file is truncated.");
    constexpr std::size_t kLargest = 1U << 30;
    if (bytes->size() > kLargest) return corrupt("The image file is larger than 1 GiB.");
    try {
        const cv::Mat bgr = decode(*bytes);
        if (bgr.empty() || bgr.type() != CV_8UC3)
            return corrupt("The file is damaged, or not an image of a known format.");
        return fromBgr(bgr, channels == Channels::Gray);
    } catch (const cv::Exception& error) {
        return corrupt(fmt::format("The image could not be decoded ({}).", error.err));
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "The image does not fit into memory.", "Use smaller images.",
                    path.string());
    }
}

Result<Tensor> preprocess(const Image& image, const Preprocessing& p) {
    if (image.width <= 0 || image.height <= 0 || (image.channels != 1 && image.channels != 3))
        return fail(ErrorCode::InvalidArgument, "The image is empty.");
    const std::size_t channels = p.channels == Channels::Gray ? 1 : 3;
    const auto isCount = [&](const std::vector<double>& v) { return v.size() == 1 || v.size() == channels; };
    if (!isCount(p.mean) || !isCount(p.std))
        return fail(ErrorCode::InvalidArgument, fmt::format("\"mean\" and \"std\" need 1 or {} values.", channels));

    const bool hasOther = image.channels != static_cast<int>(channels);
    auto fit = fitted(hasOther ? withChannels(image, static_cast<int>(channels)) : image, p);
    if (!fit) return fail(fit.error());

    const std::size_t count = static_cast<std::size_t>(fit->width) * static_cast<std::size_t>(fit->height);
    Tensor tensor = p.isChannelsLast
                        ? Tensor(DType::Float, {fit->height, fit->width, static_cast<std::int64_t>(channels)})
                        : Tensor(DType::Float, {static_cast<std::int64_t>(channels), fit->height, fit->width});
    float* values = tensor.mutableData<float>().data();
    for (std::size_t c = 0; c < channels; ++c) {
        // 256 grey levels: each is computed once, in double, and rounded to float once.
        std::array<float, 256> table{};
        for (std::size_t level = 0; level < table.size(); ++level)
            table[level] = static_cast<float>((static_cast<double>(level) * p.scale - perChannel(p.mean, c)) /
                                              perChannel(p.std, c));
        const std::uint8_t* source = fit->pixels.data() + (p.channels == Channels::Bgr ? channels - 1 - c : c);
        float* target = p.isChannelsLast ? values + c : values + c * count;
        const std::size_t step = p.isChannelsLast ? channels : 1;
        for (std::size_t i = 0; i < count; ++i) target[i * step] = table[source[i * channels]];
    }
    return tensor;
}

Image asPicture(const Tensor& sample, const Preprocessing& p) {
    const std::size_t channels = p.channels == Channels::Gray ? 1 : 3;
    const auto floats = sample.converted(DType::Float);
    const int channelAxis = p.isChannelsLast ? 2 : 0;
    if (!floats || sample.rank() != 3 || sample.dim(channelAxis) != static_cast<std::int64_t>(channels)) return {};
    for (const auto* values : {&p.mean, &p.std})
        if (values->size() != 1 && values->size() != channels) return {};
    const int rowAxis = p.isChannelsLast ? 0 : 1;
    Image image{static_cast<int>(sample.dim(rowAxis + 1)),
                static_cast<int>(sample.dim(rowAxis)),
                static_cast<int>(channels),
                {}};
    const std::size_t count = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
    image.pixels.resize(count * channels);
    const float* values = floats->data<float>().data();
    for (std::size_t c = 0; c < channels; ++c) {
        const std::size_t place = p.channels == Channels::Bgr ? channels - 1 - c : c;
        for (std::size_t i = 0; i < count; ++i) {
            const double value = values[p.isChannelsLast ? i * channels + c : c * count + i];
            const double level = (value * perChannel(p.std, c) + perChannel(p.mean, c)) / p.scale;
            const double limited = level > 0.0 ? std::min(level, 255.0) : 0.0;  // NaN becomes black
            image.pixels[i * channels + place] = static_cast<std::uint8_t>(std::lround(limited));
        }
    }
    return image;
}

}  // namespace equant
