// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <QtTest>
#include <map>
#include <memory>
#include <set>

#include "core/base/parallel.h"
#include "core/data/dataset.h"
#include "tests/support/registry.h"
#include "tests/unit/data/data_support.h"
#include "tests/unit/support/model_builder.h"

namespace test_image_folder {

using namespace equant;
using namespace equant::test;
namespace fs = std::filesystem;

namespace {

Model classifier(std::int64_t classes = 10, const Shape& input = {-1, 3, 4, 4}) {
    return ModelBuilder().input("x", input).output("y", {-1, classes}).build();
}

std::vector<std::int64_t> labelsOf(const Dataset& dataset) {
    std::vector<std::int64_t> labels;
    for (std::size_t i = 0; i < dataset.size(); ++i) labels.push_back(dataset.label(i).value_or(-1));
    return labels;
}

std::vector<std::string> namesOf(const Dataset& dataset) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < dataset.size(); ++i) names.push_back(dataset.sampleName(i));
    return names;
}

using Strings = std::vector<std::string>;
using Labels = std::vector<std::int64_t>;

}  // namespace

class TestImageFolder : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_dir;
    fs::path m_root;

    void add(const std::string& name, int size = 4) const { writeImage(m_root / name, formulaImage(size, size)); }
    void addList(const std::string& text) const { writeBytes(m_root / "labels.csv", text); }
    Result<OpenedDataset> open(const Model& model = classifier(), const DatasetOptions& options = {}) const {
        return openDataset(m_root, model, options);
    }

private slots:
    void init() {
        m_dir = std::make_unique<QTemporaryDir>();
        m_root = m_dir->path().toStdString();
    }

    void classFoldersSortedByName() {
        for (const char* name : {"dog/b.ppm", "dog/a.PPM", "cat/z.ppm", "emu/1.ppm", ".hidden/x.ppm", "cat/.x.ppm"})
            add(name);
        writeBytes(m_root / "cat/notes.txt", "no image");
        fs::create_directories(m_root / "empty");
        const auto opened = open();
        QCOMPARE(why(opened), std::string());
        const Dataset& data = *opened->dataset;
        QCOMPARE(namesOf(data), (Strings{"cat/z.ppm", "dog/a.PPM", "dog/b.ppm", "emu/1.ppm"}));
        QCOMPARE(labelsOf(data), (Labels{0, 1, 1, 2}));
        QCOMPARE(data.classNames(), (Strings{"cat", "dog", "emu"}));
        QVERIFY(data.hasLabels());
        QVERIFY(mentions(data.describe(), "4 images"));
        QCOMPARE(data.imagePath(0), m_root / "cat/z.ppm");
    }

    void numberedFoldersGiveTheLabels() {
        for (const char* name : {"10_truck/a.ppm", "2_bird/a.ppm", "7/a.ppm"}) add(name);
        const auto opened = open(classifier(11));
        QCOMPARE(why(opened), std::string());
        QCOMPARE(labelsOf(*opened->dataset), (Labels{2, 7, 10}));
        QCOMPARE(opened->dataset->classNames()[2], std::string("bird"));
        QCOMPARE(opened->dataset->classNames()[7], std::string("7"));
        QCOMPARE(opened->dataset->classNames()[10], std::string("truck"));
    }

    void oneFolderWithoutNumberMeansAllAreNumbered() {
        for (const char* name : {"5_a/a.ppm", "3d/a.ppm"}) add(name);  // "3d" is a name
        QCOMPARE(labelsOf(*open()->dataset), (Labels{0, 1}));
        QCOMPARE(open()->dataset->classNames(), (Strings{"3d", "5_a"}));
    }

    void plainFoldersHaveNoLabels() {
        for (const char* name : {"b.ppm", "a.ppm", "more/c.ppm", "more/deep/d.ppm"}) add(name);
        const auto opened = open();
        QCOMPARE(namesOf(*opened->dataset), (Strings{"a.ppm", "b.ppm", "more/c.ppm"}));
        QVERIFY(!opened->dataset->hasLabels());
        QVERIFY(!opened->dataset->load(0)->label);
    }

    void aLoneFolderTellsNoClasses() {
        add("images/a.ppm");
        QVERIFY(!open()->dataset->hasLabels());
        fs::rename(m_root / "images", m_root / "3");
        QCOMPARE(labelsOf(*open()->dataset), Labels{3});
    }

    void aSingleImage() {
        add("a.ppm");
        const auto opened = openDataset(m_root / "a.ppm", classifier(), {});
        QCOMPARE(why(opened), std::string());
        QCOMPARE(namesOf(*opened->dataset), Strings{"a.ppm"});
    }

    void labelsWithoutHeader() {
        add("a.ppm");
        add("sub/b.ppm");
        addList("sub/b.ppm,3\r\na.ppm, 1 ,a cat\r\n\r\n");
        const auto opened = open();
        QCOMPARE(why(opened), std::string());
        QCOMPARE(namesOf(*opened->dataset), (Strings{"a.ppm", "sub/b.ppm"}));
        QCOMPARE(labelsOf(*opened->dataset), (Labels{1, 3}));
        QCOMPARE(opened->dataset->classNames()[1], std::string("a cat"));
        QCOMPARE(opened->dataset->load(1)->label.value(), std::int64_t{3});
    }

    void labelsWithHeaderInAnyOrderAndQuotes() {
        add("a, \"b\".ppm");
        addList("\xEF\xBB\xBFwnid,Class_Name,LABEL,\"filename\"\nn1,\"one,\ntwo\",4,\"a, \"\"b\"\".ppm\"");
        const auto opened = open();
        QCOMPARE(why(opened), std::string());
        QCOMPARE(labelsOf(*opened->dataset), Labels{4});
        QCOMPARE(opened->dataset->classNames()[4], std::string("one,\ntwo"));
    }

    void aListMayHaveAnyName() {
        add("a.ppm");
        writeBytes(m_root / "mine.csv", "a.ppm,2\n");
        QCOMPARE(labelsOf(*openDataset(m_root / "mine.csv", classifier(), {})->dataset), Labels{2});
    }

    void listErrorsNameTheLine_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<int>("line");
        QTest::addColumn<QString>("message");
        QTest::newRow("not an integer") << "a.ppm,1\na.ppm,two\n" << 2 << "\"two\"";
        QTest::newRow("fraction") << "a.ppm,1.5\n" << 1 << "\"1.5\"";
        QTest::newRow("missing image") << "filename,label\na.ppm,1\n\nnone.ppm,2\n" << 4 << "none.ppm";
        QTest::newRow("one column") << "a.ppm,1\na.ppm\n" << 2 << "no label";
        QTest::newRow("no file name") << ",1\n" << 1 << "no file name";
        QTest::newRow("open quote") << "a.ppm,1\n\"a.ppm,1\n" << 2 << "not closed";
        QTest::newRow("after a field of two lines") << "a.ppm,1,\"x\ny\"\nb.ppm,1\n" << 3 << "b.ppm";
    }
    void listErrorsNameTheLine() {
        QFETCH(QString, text);
        QFETCH(int, line);
        QFETCH(QString, message);
        add("a.ppm");
        addList(text.toStdString());
        const auto opened = open();
        QVERIFY(!opened);
        QCOMPARE(opened.error().subject, (m_root / "labels.csv").string() + ":" + std::to_string(line));
        QVERIFY(mentions(opened.error().message, message.toStdString()));
    }

    void emptyListsAndFoldersAreErrors() {
        QCOMPARE(open().error().code, ErrorCode::InvalidArgument);
        QVERIFY(mentions(why(open()), "no images"));
        fs::create_directories(m_root / "train");
        QVERIFY(mentions(why(open()), "\"train\""));
        addList("filename,label\n");
        QVERIFY(mentions(why(open()), "empty"));
        QCOMPARE(openDataset(m_root / "nowhere", classifier(), {}).error().code, ErrorCode::NotFound);
        writeBytes(m_root / "x.txt", "text");
        QCOMPARE(openDataset(m_root / "x.txt", classifier(), {}).error().code, ErrorCode::InvalidArgument);
    }

    void labelsMustBeClassesOfTheModel() {
        add("a.ppm");
        addList("a.ppm,10\n");
        QVERIFY(mentions(why(open(classifier(10))), "10 classes"));
        QVERIFY(mentions(why(open(classifier(10))), "labels.csv:1"));
        QCOMPARE(why(open(classifier(11))), std::string());
        QCOMPARE(why(open(classifier(-1))), std::string());
        addList("a.ppm,-1\n");
        QVERIFY(mentions(why(open(classifier(-1))), "negative"));
    }

    void loadsWhatPreprocessMakes() {
        add("a.ppm", 4);
        DatasetOptions options;
        options.preprocess = "signed";
        const auto opened = open(classifier(), options);
        const auto sample = opened->dataset->load(0);
        QCOMPARE(why(sample), std::string());
        QVERIFY(sample->inputs[0] == preprocess(formulaImage(4, 4), opened->preprocessing.preprocessing).value());

        const Model bytes = ModelBuilder().input("x", {1, 4, 4, 3}, DType::Uint8).output("y").build();
        const auto raw = open(bytes)->dataset->load(0);
        QCOMPARE(raw->inputs[0].dtype(), DType::Uint8);
        QCOMPARE(raw->inputs[0].shape(), (Shape{4, 4, 3}));
        QCOMPARE(int{raw->inputs[0].data<std::uint8_t>()[5]}, int{formulaPixel(1, 0, 2)});
    }

    void imagesThatDoNotFitAreNamed() {
        add("a.ppm", 5);
        writeBytes(m_root / "b.png", "not a picture");
        DatasetOptions options;
        options.preprocess = "none";
        const auto opened = open(classifier(), options);
        const auto wrongSize = opened->dataset->load(0);
        QVERIFY(!wrongSize);
        QVERIFY(mentions(why(wrongSize), "3x5x5"));
        QVERIFY(mentions(wrongSize.error().subject, "a.ppm"));
        QCOMPARE(opened->dataset->load(1).error().code, ErrorCode::Corrupt);
        QCOMPARE(opened->dataset->load(2).error().code, ErrorCode::OutOfRange);
    }

    void aLimitTakesAllClassesEqually() {
        for (int c = 0; c < 5; ++c)
            for (int i = 0; i < 8; ++i) add(std::to_string(c) + "/" + std::to_string(i) + ".ppm");
        std::set<std::string> seen;
        for (const std::size_t offset : {0, 10, 20, 30}) {
            DatasetOptions options;
            options.limit = 10;
            options.offset = offset;
            const auto data = open(classifier(), options)->dataset;
            QCOMPARE(data->size(), std::size_t{10});
            QCOMPARE(labelsOf(*data), (Labels{0, 0, 1, 1, 2, 2, 3, 3, 4, 4}));
            for (const auto& name : namesOf(*data)) QVERIFY2(seen.insert(name).second, name.c_str());
        }
        QCOMPARE(seen.size(), std::size_t{40});

        DatasetOptions first;
        first.limit = 10;
        first.isSpread = false;
        QCOMPARE(labelsOf(*open(classifier(), first)->dataset), (Labels{0, 0, 0, 0, 0, 0, 0, 0, 1, 1}));
        DatasetOptions beyond;
        beyond.offset = 40;
        QCOMPARE(open(classifier(), beyond).error().code, ErrorCode::OutOfRange);
        beyond.offset = 35;
        beyond.limit = 100;
        QCOMPARE(open(classifier(), beyond)->dataset->size(), std::size_t{5});
    }

    void fewerThanTheClassesAreSpreadOverThem() {
        for (int c = 0; c < 40; ++c) add(std::to_string(c) + "/a.ppm");
        for (const std::size_t offset : {0, 8, 16, 24, 32}) {
            DatasetOptions options;
            options.limit = 8;
            options.offset = offset;
            std::map<std::int64_t, int> quarters;
            for (const auto label : labelsOf(*open(classifier(40), options)->dataset)) ++quarters[label / 10];
            for (const auto& [quarter, count] : quarters) QVERIFY(count >= 1 && count <= 3);
            QCOMPARE(quarters.size(), std::size_t{4});
        }
    }

    void fingerprintsTellDataApart() {
        add("1/a.ppm");
        add("2/a.ppm");
        const std::string before = open()->dataset->fingerprint();
        QCOMPARE(open()->dataset->fingerprint(), before);
        DatasetOptions options;
        options.preprocess = "unit";
        QVERIFY(open(classifier(), options)->dataset->fingerprint() != before);
        options = {};
        options.limit = 1;
        QVERIFY(open(classifier(), options)->dataset->fingerprint() != before);
        add("2/a.ppm", 9);
        QVERIFY(open()->dataset->fingerprint() != before);
    }

    void loadsFromManyThreads() {
        for (int i = 0; i < 12; ++i) writeImage(m_root / (std::to_string(i) + ".ppm"), formulaImage(4 + i, 4));
        const auto data = open()->dataset;
        std::vector<Tensor> alone;
        for (std::size_t i = 0; i < data->size(); ++i) alone.push_back(data->load(i)->inputs[0]);
        std::vector<char> equal(48, 0);
        parallelFor(equal.size(), 4, {}, [&](unsigned, std::size_t i) {
            const auto sample = data->load(i % alone.size());
            equal[i] = sample && sample->inputs[0] == alone[i % alone.size()];
        });
        QCOMPARE(std::count(equal.begin(), equal.end(), 1), 48);
    }
};

EQUANT_TEST(TestImageFolder)
}  // namespace test_image_folder

#include "test_image_folder.moc"
