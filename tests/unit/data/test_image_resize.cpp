// SPDX-License-Identifier: Apache-2.0
#include <QtTest>
#include <cmath>

#include "core/data/resize_internal.h"
#include "tests/support/registry.h"
#include "tests/unit/data/data_support.h"

namespace test_image_resize {

using namespace equant;
using namespace equant::test;

namespace {

/// FNV-1a: one number for many pixels.
std::uint32_t checksum(const Image& image) {
    std::uint32_t hash = 2166136261U;
    for (const auto pixel : image.pixels) hash = (hash ^ pixel) * 16777619U;
    return hash;
}

/// The definition in double precision: weights of a triangle as wide as the reduction, both axes at once.
double exactPixel(const Image& image, int width, int height, int x, int y, int c) {
    const double stepX = static_cast<double>(image.width) / width;
    const double stepY = static_cast<double>(image.height) / height;
    const auto weight = [](double center, double step, int source) {
        return std::max(0.0, 1.0 - std::abs(source + 0.5 - center) / std::max(step, 1.0));
    };
    double sum = 0.0;
    double total = 0.0;
    for (int v = 0; v < image.height; ++v)
        for (int u = 0; u < image.width; ++u) {
            const double w = weight((x + 0.5) * stepX, stepX, u) * weight((y + 0.5) * stepY, stepY, v);
            sum += w * image.pixels[static_cast<std::size_t>((v * image.width + u) * image.channels + c)];
            total += w;
        }
    return sum / total;
}

}  // namespace

class TestImageResize : public QObject {
    Q_OBJECT

private slots:
    // Expected values of this and the next two tests: Image.resize(..., BILINEAR) of PIL 9.4 on the same formula.
    void equalsPilPixelByPixel() {
        const Image small = resizeImage(formulaImage(13, 11), 5, 4);
        const std::vector<std::uint8_t> expected{
            110, 132, 141, 124, 134, 142, 127, 126, 135, 118, 129, 135, 121, 142, 124, 122, 141, 124, 138, 138,
            125, 143, 130, 125, 126, 134, 121, 137, 132, 138, 120, 126, 136, 126, 125, 126, 136, 126, 128, 128,
            124, 119, 134, 102, 143, 150, 115, 128, 145, 125, 125, 113, 130, 139, 132, 138, 127, 126, 120, 149};
        QCOMPARE(small.width, 5);
        QCOMPARE(small.height, 4);
        QCOMPARE(small.pixels, expected);
    }

    void equalsPilWhenEnlargingGray() {
        const std::vector<std::uint8_t> expected{0,   5,   21,  37,  53, 69, 74,  9,   14,  30,  47, 63,
                                                 79,  84,  46,  51,  69, 86, 104, 121, 127, 82,  88, 107,
                                                 125, 144, 163, 169, 91, 97, 116, 135, 154, 173, 179};
        QCOMPARE(resizeImage(formulaImage(3, 2, 1), 7, 5).pixels, expected);
    }

    void equalsPilForManySizes_data() {
        QTest::addColumn<int>("fromWidth");
        QTest::addColumn<int>("fromHeight");
        QTest::addColumn<int>("width");
        QTest::addColumn<int>("height");
        QTest::addColumn<unsigned>("expected");
        QTest::newRow("reduce") << 97 << 61 << 40 << 33 << 0xdc173754U;
        QTest::newRow("rows only") << 97 << 61 << 97 << 20 << 0x1804a953U;
        QTest::newRow("enlarge") << 50 << 40 << 173 << 90 << 0x8c7378c9U;
        QTest::newRow("one pixel") << 64 << 48 << 1 << 1 << 0x92e5a8e3U;
        QTest::newRow("enlarge and reduce") << 30 << 200 << 77 << 9 << 0x56d5f399U;
    }
    void equalsPilForManySizes() {
        QFETCH(int, fromWidth);
        QFETCH(int, fromHeight);
        QFETCH(int, width);
        QFETCH(int, height);
        QFETCH(unsigned, expected);
        QCOMPARE(checksum(resizeImage(formulaImage(fromWidth, fromHeight), width, height)), expected);
    }

    void staysNearTheDefinition() {
        const Image image = formulaImage(29, 23);
        for (const auto& [width, height] : {std::pair{7, 5}, {31, 40}, {29, 6}, {3, 23}, {58, 11}}) {
            const Image resized = resizeImage(image, width, height);
            double sum = 0.0;
            for (int y = 0; y < height; ++y)
                for (int x = 0; x < width; ++x)
                    for (int c = 0; c < 3; ++c) {
                        const double got = resized.pixels[static_cast<std::size_t>((y * width + x) * 3 + c)];
                        const double difference = std::abs(got - exactPixel(image, width, height, x, y, c));
                        QVERIFY2(difference <= 1.01, qPrintable(QString("%1 at %2,%3").arg(difference).arg(x).arg(y)));
                        sum += difference;
                    }
            QVERIFY(sum / (width * height * 3) < 0.5);
        }
    }

    void aWindowIsACutOfTheWhole() {
        const Image image = formulaImage(41, 37);
        for (const auto& [width, height] : {std::pair{20, 18}, {41, 18}, {20, 37}, {41, 37}, {60, 50}}) {
            const Image whole = resizeImage(image, width, height);
            const Window window{3, 5, 11, 9};
            const Image part = resizeWindow(image, width, height, window);
            QCOMPARE(part.width, window.width);
            QCOMPARE(part.height, window.height);
            for (int y = 0; y < window.height; ++y)
                for (int i = 0; i < window.width * 3; ++i)
                    QCOMPARE(
                        part.pixels[static_cast<std::size_t>(y * window.width * 3 + i)],
                        whole.pixels[static_cast<std::size_t>((y + window.top) * width * 3 + window.left * 3 + i)]);
        }
    }

    void equalSizesAreCopied() { QCOMPARE(resizeImage(formulaImage(9, 8), 9, 8).pixels, formulaImage(9, 8).pixels); }

    void flatStaysFlat() {
        for (const int level : {0, 1, 127, 254, 255}) {
            Image flat{50, 30, 1, std::vector<std::uint8_t>(1500, static_cast<std::uint8_t>(level))};
            for (const auto pixel : resizeImage(flat, 13, 71).pixels) QCOMPARE(int{pixel}, level);
        }
    }
};

EQUANT_TEST(TestImageResize)
}  // namespace test_image_resize

#include "test_image_resize.moc"
