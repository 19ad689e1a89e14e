// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <QtTest>

#include "tests/support/registry.h"
#include "tests/unit/data/data_support.h"
#include "tests/unit/support/model_builder.h"

namespace test_preprocess {

using namespace equant;
using namespace equant::test;
using Resize = Preprocessing::Resize;
using Channels = Preprocessing::Channels;

namespace {

Model modelFor(const Shape& input, DType type = DType::Float) {
    return ModelBuilder().input("x", input, type).node("Relu", {"x"}, {"y"}).output("y").build();
}

}  // namespace

class TestPreprocess : public QObject {
    Q_OBJECT

private slots:
    void presets() {
        const auto imagenet = preprocessingPreset("imagenet", 224, 224, 3).value();
        QCOMPARE(imagenet.resize, Resize::ShortSide);
        QCOMPARE(imagenet.size, (std::array<int, 2>{256, 256}));
        QCOMPARE(imagenet.crop, 224);
        QCOMPARE(imagenet.mean, (std::vector<double>{0.485, 0.456, 0.406}));
        QVERIFY(preprocessingPreset("imagenet", 0, 0, 3).value() == imagenet);
        QCOMPARE(preprocessingPreset("unit", 299, 299, 3)->size[0], 342);  // 299 * 256 / 224 = 341.7
        QCOMPARE(preprocessingPreset("signed", 192, 0, 3)->crop, 192);
        QVERIFY(preprocessingPreset("none", 224, 224, 3).value() == Preprocessing{});
        QCOMPARE(preprocessingPreset("imagenet", 28, 28, 1)->channels, Channels::Gray);
    }

    void smallInputsAreNotEnlarged() {
        const auto cifar = preprocessingPreset("imagenet", 32, 32, 3).value();
        QCOMPARE(cifar.size[0], 32);
        QCOMPARE(cifar.crop, 32);
        QCOMPARE(preprocessingPreset("imagenet", 64, 64, 3)->size[0], 64);
        QCOMPARE(preprocessingPreset("imagenet", 96, 96, 3)->size[0], 110);
    }

    void inputsThatAreNotSquareAreStretchedTo() {
        const auto p = preprocessingPreset("unit", 240, 320, 3).value();
        QCOMPARE(p.resize, Resize::Stretch);
        QCOMPARE(p.size, (std::array<int, 2>{240, 320}));
        QCOMPARE(p.crop, 0);
    }

    void presetValueRanges() {
        const Image ends{2, 1, 1, {0, 255}};
        const auto range = [&](const char* preset) {
            auto p = preprocessingPreset(preset, 0, 0, 1).value();
            p.resize = Resize::None;
            p.crop = 0;
            const auto values = preprocess(ends, p).value();
            return std::vector<float>{values.data<float>()[0], values.data<float>()[1]};
        };
        QCOMPARE(range("unit"), (std::vector<float>{0.F, 1.F}));
        QCOMPARE(range("signed"), (std::vector<float>{-1.F, 1.F}));
        QCOMPARE(range("none"), (std::vector<float>{0.F, 255.F}));
    }

    void unknownPresetsAreErrors() {
        QCOMPARE(preprocessingPreset("caffe", 1, 1, 3).error().code, ErrorCode::NotFound);
        QCOMPARE(preprocessingPreset("unit", 1, 1, 4).error().code, ErrorCode::InvalidArgument);
    }

    void jsonRoundTrip() {
        std::vector<Preprocessing> all;
        for (const char* preset : {"imagenet", "unit", "signed", "none"})
            all.push_back(preprocessingPreset(preset, 224, 224, 3).value());
        Preprocessing letterbox;
        letterbox.resize = Resize::Letterbox;
        letterbox.size = {416, 640};
        letterbox.padValue = 7;
        letterbox.channels = Channels::Bgr;
        letterbox.std = {1.0, 2.0, 3.0};
        all.push_back(letterbox);
        for (const auto& p : all) {
            const auto again = parsePreprocessing(toJson(p));
            QCOMPARE(why(again), std::string());
            QVERIFY(*again == p);
        }
    }

    void jsonDefaultsAndForms() {
        QVERIFY(parsePreprocessing("{}").value() == Preprocessing{});
        const auto p = parsePreprocessing(R"({"resize":"short","size":[256,256],"crop":[224,224],"channels":"gray",
            "mean":0.5,"std":[0.25],"scale":0.00392156862745098})")
                           .value();
        QCOMPARE(p.size[1], 256);
        QCOMPARE(p.crop, 224);
        QCOMPARE(p.channels, Channels::Gray);
        QCOMPARE(p.mean, std::vector<double>{0.5});
        // what "none" does not use is dropped
        QCOMPARE(parsePreprocessing(R"({"resize":"none","size":32})")->size[0], 0);
    }

    void jsonErrorsNameTheField_data() {
        QTest::addColumn<QString>("json");
        QTest::addColumn<QString>("field");
        QTest::newRow("resize") << R"({"resize":"long"})"
                                << "resize";
        QTest::newRow("resize type") << R"({"resize":3})"
                                     << "resize";
        QTest::newRow("size missing") << R"({"resize":"stretch"})"
                                      << "size";
        QTest::newRow("size zero") << R"({"resize":"short","size":0})"
                                   << "size";
        QTest::newRow("size huge") << R"({"resize":"short","size":100000})"
                                   << "size";
        QTest::newRow("size fraction") << R"({"resize":"short","size":25.5})"
                                       << "size";
        QTest::newRow("size of three") << R"({"resize":"stretch","size":[1,2,3]})"
                                       << "size";
        QTest::newRow("short needs one") << R"({"resize":"short","size":[1,2]})"
                                         << "size";
        QTest::newRow("crop negative") << R"({"crop":-1})"
                                       << "crop";
        QTest::newRow("crop not square") << R"({"crop":[3,4]})"
                                         << "crop";
        QTest::newRow("crop too large") << R"({"resize":"short","size":100,"crop":101})"
                                        << "crop";
        QTest::newRow("pad") << R"({"pad_value":256})"
                             << "pad_value";
        QTest::newRow("channels") << R"({"channels":"RGBA"})"
                                  << "channels";
        QTest::newRow("scale") << R"({"scale":0})"
                               << "scale";
        QTest::newRow("mean count") << R"({"mean":[1,2]})"
                                    << "mean";
        QTest::newRow("mean text") << R"({"mean":["a",1,2]})"
                                   << "mean";
        QTest::newRow("std zero") << R"({"std":[1,0,1]})"
                                  << "std";
        QTest::newRow("std empty") << R"({"std":[]})"
                                   << "std";
        QTest::newRow("gray has one") << R"({"channels":"gray","std":[1,1,1]})"
                                      << "std";
        QTest::newRow("typo") << R"({"means":[0,0,0]})"
                              << "means";
    }
    void jsonErrorsNameTheField() {
        QFETCH(QString, json);
        QFETCH(QString, field);
        const auto p = parsePreprocessing(json.toStdString());
        QVERIFY(!p);
        QCOMPARE(p.error().code, ErrorCode::InvalidArgument);
        QCOMPARE(p.error().subject, field.toStdString());
        QVERIFY(mentions(p.error().message, "\"" + field.toStdString() + "\""));
    }

    void whatIsNoJsonIsCorrupt() {
        QCOMPARE(parsePreprocessing("{\"size\":").error().code, ErrorCode::Corrupt);
        QCOMPARE(parsePreprocessing("[1]").error().code, ErrorCode::InvalidArgument);
    }

    void describesForPeople() {
        QCOMPARE(describe(preprocessingPreset("imagenet", 224, 224, 3).value()),
                 std::string("short side 256, crop 224, RGB, x/255, ImageNet mean and std"));
        QCOMPARE(describe(preprocessingPreset("none", 0, 0, 1).value()), std::string("size as it is, gray, 0..255"));
        QCOMPARE(describe(preprocessingPreset("signed", 240, 320, 3).value()),
                 std::string("stretched to 240x320, RGB, -1..1"));
    }

    void guessesFromTheShape() {
        const auto color = choosePreprocessing(modelFor({-1, 3, 224, 224}), "").value();
        QVERIFY(color.preprocessing == preprocessingPreset("imagenet", 224, 224, 3).value());
        QVERIFY(mentions(color.reason, "guessed"));
        QVERIFY(mentions(color.reason, "Nx3x224x224"));

        const auto last = choosePreprocessing(modelFor({1, 96, 96, 3}), "").value();
        QVERIFY(last.preprocessing.isChannelsLast);
        QCOMPARE(last.preprocessing.crop, 96);

        const auto gray = choosePreprocessing(modelFor({1, 1, 28, 28}), "").value().preprocessing;
        QCOMPARE(gray.channels, Channels::Gray);
        QCOMPARE(gray.scale, 1.0);
        QCOMPARE(gray.mean, std::vector<double>{0.0});
        QCOMPARE(gray.crop, 28);

        QCOMPARE(choosePreprocessing(modelFor({1, 3, 224, 224}, DType::Uint8), "")->preprocessing.scale, 1.0);
        QCOMPARE(choosePreprocessing(modelFor({1, 1, -1, -1}), "")->preprocessing.resize, Resize::None);
    }

    void metadataAreUsedWhenTheyFit() {
        Model model = modelFor({1, 3, 32, 32});
        model.setMetadata("equant.preprocess", R"({"resize":"stretch","size":32,"scale":0.5})");
        auto choice = choosePreprocessing(model, "").value();
        QCOMPARE(choice.preprocessing.scale, 0.5);
        QVERIFY(mentions(choice.reason, "metadata"));
        QVERIFY(!choice.preprocessing.isChannelsLast);

        model.setMetadata("equant.preprocess", R"({"resize":"stretch","size":64})");
        choice = choosePreprocessing(model, "").value();
        QVERIFY(mentions(choice.reason, "unusable"));
        QCOMPARE(choice.preprocessing.size[0], 32);

        model.setMetadata("equant.preprocess", "unit");
        QCOMPARE(describe(choosePreprocessing(model, "")->preprocessing),
                 std::string("short side 32, crop 32, RGB, 0..1"));
    }

    void filesMadeOfAModelSayHowTheirInputIsMade() {
        const QTemporaryDir dir;
        const std::string path = dir.path().toStdString() + "/p.json";
        writeBytes(path, R"({"resize":"stretch","size":8,"scale":0.25,"mean":[1,2,3]})");
        const Model model = modelFor({1, 8, 8, 3});
        QVERIFY(withPreprocessing(model, "").metadata.empty());
        for (const std::string& wanted : {path, std::string("signed")}) {
            const Model made = withPreprocessing(model, wanted);
            const auto asked = choosePreprocessing(model, wanted), told = choosePreprocessing(made, "");
            QVERIFY(asked && told && told->preprocessing == asked->preprocessing);
            QVERIFY(mentions(told->reason, "metadata"));
        }
        // What is no image, or no such file, is left alone.
        QVERIFY(withPreprocessing(modelFor({1, 10}), path).metadata.empty());
        QVERIFY(withPreprocessing(model, path + "x").metadata.empty());
    }

    void theUsersChoiceComesFirst() {
        const QTemporaryDir dir;
        const std::string path = dir.path().toStdString() + "/p.json";
        Model model = modelFor({1, 8, 8, 3});
        model.setMetadata("equant.preprocess", "unit");
        writeBytes(path, R"({"resize":"stretch","size":8,"std":2})");
        const auto fromFile = choosePreprocessing(model, path);
        QCOMPARE(why(fromFile), std::string());
        QCOMPARE(fromFile->preprocessing.std, std::vector<double>{2.0});
        QVERIFY(fromFile->preprocessing.isChannelsLast);
        QVERIFY(mentions(fromFile->reason, path));
        QCOMPARE(describe(choosePreprocessing(model, "signed")->preprocessing),
                 std::string("short side 8, crop 8, RGB, -1..1"));

        writeBytes(path, R"({"resize":"stretch","size":16})");
        QVERIFY(mentions(why(choosePreprocessing(model, path)), "16x16"));
        writeBytes(path, R"({"channels":"gray"})");
        QVERIFY(mentions(why(choosePreprocessing(model, path)), "channel"));
        writeBytes(path, R"({"crop":true})");
        QVERIFY(mentions(why(choosePreprocessing(model, path)), "\"crop\""));
        QCOMPARE(choosePreprocessing(model, "nonesuch").error().code, ErrorCode::NotFound);
    }

    void aFileBesideTheModelCounts() {
        const QTemporaryDir dir;
        const std::string folder = dir.path().toStdString();
        Model model = modelFor({1, 3, 8, 8});
        QVERIFY(preprocessingBeside(model, folder + "/net.v1.onnx").empty());
        writeBytes(folder + "/net.v1.preprocess.json", R"({"scale":0.25})");
        const auto beside = preprocessingBeside(model, folder + "/net.v1.onnx");
        QCOMPARE(beside.string(), folder + "/net.v1.preprocess.json");
        const auto choice = choosePreprocessing(model, beside.string());
        QCOMPARE(choice->preprocessing.scale, 0.25);
        QVERIFY(mentions(choice->reason, "net.v1.preprocess.json"));
        model.setMetadata("equant.preprocess", "unit");
        QVERIFY(preprocessingBeside(model, folder + "/net.v1.onnx").empty());
    }

    void otherInputsAreNoImages() {
        QCOMPARE(choosePreprocessing(modelFor({1, 10}), "").error().code, ErrorCode::InvalidArgument);
        QCOMPARE(choosePreprocessing(modelFor({1, 4, 8, 8}), "unit").error().code, ErrorCode::InvalidArgument);
        const Model two = ModelBuilder().input("a", {1, 3, 8, 8}).input("b", {1, 3, 8, 8}).output("a").build();
        QVERIFY(mentions(why(choosePreprocessing(two, "")), "2 inputs"));
    }
};

EQUANT_TEST(TestPreprocess)
}  // namespace test_preprocess

#include "test_preprocess.moc"
