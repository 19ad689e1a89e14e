// SPDX-License-Identifier: Apache-2.0
// What the tests of data share: pictures by formula, files in temporary folders, readable failures.
#pragma once

#include <QtTest>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/data/preprocess.h"

namespace equant::test {

inline std::uint8_t formulaPixel(int x, int y, int c) {
    return static_cast<std::uint8_t>(x * 37 + y * 91 + c * 53 + x * y * 7);
}

/// Texture without symmetry, so that swapped axes, channels or off-by-one shifts show.
inline Image formulaImage(int width, int height, int channels = 3) {
    Image image{width, height, channels, {}};
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < channels; ++c) image.pixels.push_back(formulaPixel(x, y, c));
    return image;
}

inline void writeBytes(const std::filesystem::path& path, std::string_view bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// A binary PPM or PGM.
inline void writeImage(const std::filesystem::path& path, const Image& image) {
    std::string bytes = (image.channels == 3 ? "P6 " : "P5 ") + std::to_string(image.width) + " " +
                        std::to_string(image.height) + " 255\n";
    bytes.append(image.pixels.begin(), image.pixels.end());
    writeBytes(path, bytes);
}

inline std::string fromBase64(const char* text) {
    return QByteArray::fromBase64(text).toStdString();
}

/// The error's line, or "" for success: QCOMPARE(why(result), "").
template <typename R>
std::string why(const R& result) {
    return result ? std::string() : describe(result.error());
}

inline bool mentions(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return true;
    qWarning("\"%s\" does not mention \"%s\"", text.c_str(), part.c_str());
    return false;
}

}  // namespace equant::test
