// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <QtTest>

#include "tests/support/registry.h"
#include "tests/unit/data/data_support.h"

namespace test_image_files {

using namespace equant;
using namespace equant::test;
using Channels = Preprocessing::Channels;

namespace {

// 3x2 pixels with the values 0, 10, 20 ... 170 in reading order, saved by PIL; the second JPEG has EXIF orientation 6.
constexpr const char* kJpeg =
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMU"
    "FRUVDA8XGBYUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU"
    "FBQUFBQUFBT/wAARCAACAAMDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAeEAABAwQDAAAAAAAAAAAAAAAAAQUG"
    "AxYmM0RRYv/EABQBAQAAAAAAAAAAAAAAAAAAAAX/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCpBIDGLQascaNK"
    "cGl2vkACY9//2Q==";
constexpr const char* kRotatedJpeg =
    "/9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAD/2wBDAAMCAgMCAgMDAwMEAwME"
    "BQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQU"
    "FBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/wAARCAACAAMDASIAAhEBAxEB/8QAFQABAQAAAAAA"
    "AAAAAAAAAAAAAAX/xAAeEAABAwQDAAAAAAAAAAAAAAAAAQUGAxYmM0RRYv/EABQBAQAAAAAAAAAAAAAAAAAAAAX/xAAUEQEAAAAA"
    "AAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCpBIDGLQascaNKcGl2vkACY9//2Q==";
constexpr const char* kPng =
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAF0lEQVR4nGNk4BKRk5OTk5NjiYqKgrAAFrwCmocus4wAAAAASUVO"
    "RK5CYII=";
constexpr const char* kPngWithAlpha =
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAYAAACddGYaAAAAG0lEQVR4nGNk4BJhl5OTY5CTk2NgiYqKYoBxAB+EAqFuaOx4AAAA"
    "AElFTkSuQmCC";
constexpr const char* kPng16 =
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAABEAAAAABuG5crAAAAD0lEQVR4nGNgYGBk+P8fAAMIAgBBcJANAAAAAElFTkSuQmCC";
const std::vector<std::uint8_t> kJpegPixels{0,  10,  20,  30,  40,  50,  61,  71,  81,
                                            91, 101, 111, 120, 130, 140, 152, 162, 172};

std::vector<std::uint8_t> tens() {
    std::vector<std::uint8_t> values;
    for (int i = 0; i < 18; ++i) values.push_back(static_cast<std::uint8_t>(10 * i));
    return values;
}

}  // namespace

class TestImageFiles : public QObject {
    Q_OBJECT

    QTemporaryDir m_dir;

    std::filesystem::path file(const std::string& bytes, const char* name = "image") const {
        const auto path = std::filesystem::path(m_dir.path().toStdString()) / name;
        writeBytes(path, bytes);
        return path;
    }

private slots:
    void decodesPng() {
        const auto image = readImage(file(fromBase64(kPng)), Channels::Rgb);
        QCOMPARE(why(image), std::string());
        QCOMPARE(image->width, 3);
        QCOMPARE(image->height, 2);
        QCOMPARE(image->channels, 3);
        QCOMPARE(image->pixels, tens());
    }

    void dropsAlpha() { QCOMPARE(readImage(file(fromBase64(kPngWithAlpha)), Channels::Rgb)->pixels, tens()); }

    void decodesJpegAsPilDoes() { QCOMPARE(readImage(file(fromBase64(kJpeg)), Channels::Rgb)->pixels, kJpegPixels); }

    void appliesNoExifRotation() {
        const auto image = readImage(file(fromBase64(kRotatedJpeg)), Channels::Rgb);
        QCOMPARE(why(image), std::string());
        QCOMPARE(image->width, 3);
        QCOMPARE(image->pixels, kJpegPixels);
    }

    void scalesSixteenBits() {
        const auto image = readImage(file(fromBase64(kPng16)), Channels::Gray);
        QCOMPARE(why(image), std::string());
        QCOMPARE(image->pixels, (std::vector<std::uint8_t>{0, 1, 255}));
    }

    void makesGrayAsPilDoes() {
        // PIL: (19595 r + 38470 g + 7471 b + 32768) >> 16
        const Image color{4, 1, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}};
        const auto path = std::filesystem::path(m_dir.path().toStdString()) / "color.ppm";
        writeImage(path, color);
        QCOMPARE(readImage(path, Channels::Gray)->pixels, (std::vector<std::uint8_t>{76, 150, 29, 18}));
    }

    void damagedFilesAreErrors_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("message");
        const QByteArray jpeg = QByteArray::fromBase64(kJpeg);
        const QByteArray png = QByteArray::fromBase64(kPng);
        QTest::newRow("empty") << QByteArray() << "empty";
        QTest::newRow("text") << QByteArray("hello") << "not an image";
        QTest::newRow("half a JPEG") << jpeg.left(jpeg.size() / 2) << "truncated";
        QTest::newRow("JPEG without its last byte") << jpeg.chopped(1) << "truncated";
        QTest::newRow("JPEG with nothing but a start") << jpeg.left(3) << "truncated";
        QTest::newRow("half a PNG") << png.left(png.size() / 2) << "truncated";
        QTest::newRow("PNG header only") << png.left(20) << "truncated";
    }
    void damagedFilesAreErrors() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, message);
        const auto path = file(bytes.toStdString(), "damaged.jpg");
        const auto image = readImage(path, Channels::Rgb);
        QVERIFY(!image);
        QCOMPARE(image.error().code, ErrorCode::Corrupt);
        QCOMPARE(image.error().subject, path.string());
        QVERIFY(mentions(image.error().message, message.toStdString()));
    }

    void aMissingFileIsNotFound() {
        const auto image = readImage(m_dir.path().toStdString() + "/none.png", Channels::Rgb);
        QVERIFY(!image);
        QCOMPARE(image.error().code, ErrorCode::NotFound);
    }

    void normalizesInTheOrderOfTheChannels() {
        Preprocessing p;
        p.scale = 0.5;
        p.mean = {1.0, 2.0, 3.0};
        p.std = {2.0, 4.0, 8.0};
        const Image image{2, 1, 3, {10, 20, 30, 40, 50, 60}};
        const auto planar = preprocess(image, p);
        QCOMPARE(planar->shape(), (Shape{3, 1, 2}));
        QVERIFY(*planar == Tensor(Shape{3, 1, 2}, {2.F, 9.5F, 2.F, 5.75F, 1.5F, 3.375F}));
        p.isChannelsLast = true;
        QVERIFY(*preprocess(image, p) == Tensor(Shape{1, 2, 3}, {2.F, 2.F, 1.5F, 9.5F, 5.75F, 3.375F}));
        p.isChannelsLast = false;
        p.channels = Channels::Bgr;  // mean and std belong to B, G, R then
        QVERIFY(*preprocess(image, p) == Tensor(Shape{3, 1, 2}, {7.F, 14.5F, 2.F, 5.75F, 0.25F, 2.125F}));
    }

    void cropsTheCentre() {
        Preprocessing p;
        p.crop = 2;
        p.channels = Channels::Gray;
        // (5 - 2) / 2 = 1.5 rounds to the even 2, (7 - 2) / 2 = 2.5 to 2, as Python's round
        const auto tensor = preprocess(formulaImage(7, 5, 1), p);
        QCOMPARE(tensor->shape(), (Shape{1, 2, 2}));
        QCOMPARE(tensor->data<float>()[0], static_cast<float>(formulaPixel(2, 2, 0)));
        QCOMPARE(tensor->data<float>()[3], static_cast<float>(formulaPixel(3, 3, 0)));
        p.crop = 6;
        const auto tooLarge = preprocess(formulaImage(7, 5, 1), p);
        QVERIFY(!tooLarge);
        QVERIFY(mentions(tooLarge.error().message, "7x5"));
    }

    void theShortSideDecides() {
        Preprocessing p;
        p.resize = Preprocessing::Resize::ShortSide;
        p.size = {8, 8};
        QCOMPARE(preprocess(formulaImage(20, 15), p)->shape(), (Shape{3, 8, 10}));  // 8 * 20 / 15 = 10.67
        QCOMPARE(preprocess(formulaImage(15, 20), p)->shape(), (Shape{3, 10, 8}));
        QCOMPARE(preprocess(formulaImage(4, 4), p)->shape(), (Shape{3, 8, 8}));
        p.crop = 6;
        const auto cropped = preprocess(formulaImage(20, 15, 1), p);
        QCOMPARE(cropped->shape(), (Shape{3, 6, 6}));
        QCOMPARE(cropped->data<float>()[0], static_cast<float>(resizeImage(formulaImage(20, 15, 1), 10, 8).pixels[12]));
    }

    void stretchIgnoresTheAspect() {
        Preprocessing p;
        p.resize = Preprocessing::Resize::Stretch;
        p.size = {4, 9};
        p.channels = Channels::Gray;
        const auto tensor = preprocess(formulaImage(20, 15, 1), p);
        QCOMPARE(tensor->shape(), (Shape{1, 4, 9}));
        const Image expected = resizeImage(formulaImage(20, 15, 1), 9, 4);
        for (std::size_t i = 0; i < 36; ++i) QCOMPARE(tensor->data<float>()[i], static_cast<float>(expected.pixels[i]));
    }

    void letterboxPadsRightAndBelow() {
        Preprocessing p;
        p.resize = Preprocessing::Resize::Letterbox;
        p.size = {6, 8};
        p.padValue = 114;
        p.channels = Channels::Gray;
        const auto tensor = preprocess(formulaImage(8, 12, 1), p);  // halved: 4 wide, 6 high
        QCOMPARE(tensor->shape(), (Shape{1, 6, 8}));
        const Image inner = resizeImage(formulaImage(8, 12, 1), 4, 6);
        for (std::size_t y = 0; y < 6; ++y)
            for (std::size_t x = 0; x < 8; ++x)
                QCOMPARE(tensor->data<float>()[y * 8 + x], x < 4 ? static_cast<float>(inner.pixels[y * 4 + x]) : 114.F);
    }

    void convertsGrayToColour() {
        const auto tensor = preprocess(Image{2, 1, 1, {5, 9}}, Preprocessing{});
        QVERIFY(*tensor == Tensor(Shape{3, 1, 2}, {5.F, 9.F, 5.F, 9.F, 5.F, 9.F}));
    }

    void asPictureUndoesPreprocess() {
        for (const char* preset : {"imagenet", "unit", "signed", "none"})
            for (const int channels : {1, 3})
                for (const bool isLast : {false, true})
                    for (const bool isBgr : {false, true}) {
                        auto p = preprocessingPreset(preset, 32, 32, channels).value();
                        p.isChannelsLast = isLast;
                        if (isBgr && channels == 3) p.channels = Channels::Bgr;
                        const Image image = formulaImage(32, 32, channels);
                        const Image back = asPicture(preprocess(image, p).value(), p);
                        QCOMPARE(back.width, 32);
                        QCOMPARE(back.channels, channels);
                        QCOMPARE(back.pixels, image.pixels);
                    }
    }

    void asPictureClampsAndRefusesOtherShapes() {
        const Tensor wild(Shape{1, 1, 3}, {-50.F, 300.F, std::numeric_limits<float>::quiet_NaN()});
        Preprocessing p;
        p.channels = Channels::Gray;
        QCOMPARE(asPicture(wild, p).pixels, (std::vector<std::uint8_t>{0, 255, 0}));
        QCOMPARE(asPicture(wild, Preprocessing{}).width, 0);
        QCOMPARE(asPicture(Tensor(Shape{3}, {1.F, 2.F, 3.F}), p).width, 0);
    }
};

EQUANT_TEST(TestImageFiles)
}  // namespace test_image_files

#include "test_image_files.moc"
