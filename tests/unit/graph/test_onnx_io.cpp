// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <QtTest>
#include <filesystem>

#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_onnx_io {

using namespace equant;
using test::ModelBuilder;
namespace fs = std::filesystem;

namespace {

/// Protobuf wire format by hand, for what libonnx does not know. Source: protobuf encoding guide.
std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
}
std::string field(int number, const std::string& content) {
    return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(content.size()) + content;
}
std::string field(int number, std::uint64_t value) {
    return varint(static_cast<std::uint64_t>(number) << 3) + varint(value);
}

Model sampleModel() {
    auto body = std::make_shared<Graph>();
    body->name = "body";
    body->nodes.push_back({"inner", "Neg", "", {"h"}, {"n"}, {}, {}});
    body->outputs.push_back({"n", DType::Float, {}, {}});
    Model model = ModelBuilder()
                      .input("x", {-1, 3, 8, 8})
                      .output("y", {-1, 4, 8, 8})
                      .constant("w", test::randomTensor({4, 3, 3, 3}, 1))
                      .constant("half", *test::randomTensor({3000}, 2).converted(DType::Float16))
                      .node("Conv", {"x", "w"}, {"h"},
                            {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}, {"auto_pad", std::string("NOTSET")}})
                      .node("If", {"x"}, {"i"}, {{"then_branch", std::shared_ptr<const Graph>(body)}})
                      .node("Elu", {"i"}, {"y"},
                            {{"alpha", 0.5F}, {"empty", std::vector<float>{}}, {"t", Tensor(Shape{1}, {2.F})}})
                      .build();
    model.producerName = "tester";
    model.metadata = {{"b", "2"}, {"a", "1"}};
    model.opsets["com.example"] = 3;
    return model;
}

}  // namespace

class TestOnnxIo : public QObject {
    Q_OBJECT

    QTemporaryDir m_dir;
    fs::path path(const char* name) const { return fs::path(m_dir.path().toStdString()) / name; }

private slots:
    void writingAndReadingIsAFixedPoint() {
        const auto bytes = serializeOnnx(sampleModel());
        QVERIFY(bytes.has_value());
        const auto model = parseOnnx(*bytes);
        QVERIFY2(model.has_value(), model ? "" : describe(model.error()).c_str());
        QCOMPARE(*serializeOnnx(*model), *bytes);
        QCOMPARE(model->metadata.front().first, std::string("b"));
        QCOMPARE(model->opsets.at("com.example"), 3);
        QCOMPARE(model->graph.nodes[0].intsAttribute("pads").size(), std::size_t{4});
        QCOMPARE(model->graph.nodes[2].floatAttribute("alpha", 0), 0.5F);
        QVERIFY(std::holds_alternative<std::vector<float>>(model->graph.nodes[2].attribute("empty")->value));
        QCOMPARE((*model->graph.inputs[0].shape)[0].symbol, std::string("N"));
        QCOMPARE(contentHash(*model), contentHash(sampleModel()));
    }

    void fieldsOfTheFutureSurvive() {
        // ModelProto field 900, NodeProto 901, TensorProto 902 and a doc string in each.
        const std::string tensor = field(1, std::uint64_t{1}) + field(2, std::uint64_t{1}) +
                                   field(8, std::string("w")) + field(9, std::string("\0\0\200\77", 4)) +
                                   field(12, std::string("tensor doc")) + field(902, std::string("t"));
        const std::string node = field(1, std::string("w")) + field(2, std::string("y")) +
                                 field(4, std::string("Relu")) + field(6, std::string("node doc")) +
                                 field(901, std::string("n"));
        const std::string output = field(1, std::string("y"));
        const std::string graph = field(1, node) + field(2, std::string("g")) + field(5, tensor) + field(12, output);
        const std::string model = field(1, std::uint64_t{10}) + field(6, std::string("model doc")) + field(7, graph) +
                                  field(8, field(2, std::uint64_t{21})) + field(900, std::string("m"));
        const auto parsed = parseOnnx(model);
        QVERIFY2(parsed.has_value(), parsed ? "" : describe(parsed.error()).c_str());
        QCOMPARE(parsed->opset(), 21);
        QCOMPARE(parsed->graph.initializers[0].tensor.data<float>()[0], 1.F);
        const std::string again = *serializeOnnx(*parsed);
        for (const char* kept : {"model doc", "node doc", "tensor doc"})
            QVERIFY2(again.find(kept) != std::string::npos, kept);
        for (const auto& unknown :
             {field(900, std::string("m")), field(901, std::string("n")), field(902, std::string("t"))})
            QVERIFY(again.find(unknown) != std::string::npos);
    }

    void typedFieldsAndRawBytesMeanTheSame() {
        const std::string typed =
            field(1, std::uint64_t{2}) + field(2, std::uint64_t{6}) + field(5, varint(7) + varint(9));
        const auto tensor = parseTensorProto(typed);
        QVERIFY(tensor.has_value());
        QVERIFY(*tensor == Tensor(Shape{2}, {std::int32_t{7}, std::int32_t{9}}));
    }

    void externalDataGoOutAndComeBack() {
        const Model model = sampleModel();
        QVERIFY(writeOnnx(model, path("external.onnx"), ExternalData::Always).has_value());
        QVERIFY(fs::exists(path("external.onnx.data")));
        QVERIFY(readFile(path("external.onnx"))->find("external.onnx.data") != std::string::npos);
        const auto back = readOnnx(path("external.onnx"));
        QVERIFY2(back.has_value(), back ? "" : describe(back.error()).c_str());
        QVERIFY(back->graph.initializer("half")->tensor == model.graph.initializer("half")->tensor);
        fs::remove(path("external.onnx.data"));
        const auto missing = readOnnx(path("external.onnx"));
        QVERIFY(!missing.has_value());
        QVERIFY2(describe(missing.error()).find("external.onnx.data\" is missing") != std::string::npos,
                 describe(missing.error()).c_str());
    }

    void externalDataOutsideTheFolderAreRefused() {
        const std::string entry = field(1, std::string("location")) + field(2, std::string("../../etc/passwd"));
        const std::string tensor =
            field(1, std::uint64_t{1}) + field(2, std::uint64_t{1}) + field(13, entry) + field(14, std::uint64_t{1});
        const auto parsed = parseTensorProto(tensor);
        QVERIFY(!parsed.has_value());
        QVERIFY(parsed.error().message.find("outside") != std::string::npos);
    }

    void badFilesAreExplained_data() {
        const std::string good = *serializeOnnx(sampleModel());
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("words");
        QTest::newRow("empty") << QByteArray() << "empty";
        QTest::newRow("text") << QByteArray("Hello, I am a text file.") << "not an ONNX model";
        QTest::newRow("truncated") << QByteArray(good.data(), int(good.size() / 2)) << "truncated";
        QTest::newRow("no graph") << QByteArray::fromStdString(field(1, std::uint64_t{8})) << "no network";
        const std::string mismatch = field(1, std::uint64_t{3}) + field(2, std::uint64_t{1}) +
                                     field(8, std::string("w")) + field(9, std::string("1234"));
        const std::string graph =
            field(1, field(1, std::string("w")) + field(2, std::string("y")) + field(4, std::string("Relu"))) +
            field(5, mismatch) + field(12, field(1, std::string("y")));
        QTest::newRow("initializer size")
            << QByteArray::fromStdString(field(1, std::uint64_t{8}) + field(7, graph)) << "do not match its shape 3";
        const std::string huge =
            field(1, std::uint64_t{1} << 40) + field(2, std::uint64_t{1}) + field(8, std::string("w"));
        const std::string hostile =
            field(1, field(1, std::string("w")) + field(2, std::string("y")) + field(4, std::string("Relu"))) +
            field(5, huge) + field(12, field(1, std::string("y")));
        QTest::newRow("hostile size") << QByteArray::fromStdString(field(1, std::uint64_t{8}) + field(7, hostile))
                                      << "do not match";
    }
    void badFilesAreExplained() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, words);
        const auto file = path("bad.onnx");
        QVERIFY(writeFileAtomic(file, std::string_view(bytes.data(), std::size_t(bytes.size()))).has_value());
        const auto model = readOnnx(file);
        QVERIFY(!model.has_value());
        QVERIFY2(QString::fromStdString(describe(model.error())).contains(words), describe(model.error()).c_str());
        QVERIFY(describe(model.error()).find("bad.onnx") != std::string::npos);
    }

    void everyTruncationIsAnErrorNotACrash() {
        const std::string good = *serializeOnnx(sampleModel());
        int failures = 0;
        for (std::size_t length = 0; length < good.size(); length += 7)
            failures += !parseOnnx(good.substr(0, length)).has_value();
        QVERIFY(failures > int(good.size() / 7 * 9 / 10));
    }

    void failedWritesLeaveTheOldFile() {
        const auto target = path("kept.onnx");
        QVERIFY(writeFileAtomic(target, std::string_view("old")).has_value());
        const auto failed = writeFileAtomic(target, [](std::ostream& out) {
            out << "half";
            out.setstate(std::ios::badbit);
        });
        QVERIFY(!failed.has_value());
        QCOMPARE(*readFile(target), std::string("old"));
        for (const auto& entry : fs::directory_iterator(m_dir.path().toStdString()))
            QVERIFY(entry.path().extension() != ".part");
        QCOMPARE(writeOnnx(sampleModel(), path("no/such/folder.onnx")).error().code, ErrorCode::Io);
    }
};

EQUANT_TEST(TestOnnxIo)
}  // namespace test_onnx_io

#include "test_onnx_io.moc"
