// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <QtTest>

#include "core/base/file.h"
#include "core/data/npy.h"
#include "tests/support/registry.h"
#include "tests/unit/data/data_support.h"

namespace test_npy {

using namespace equant;
using namespace equant::test;

namespace {

// Saved by NumPy: x = float32 0..11 as 3x2x2 and labels = [2, 0, 1], compressed.
constexpr const char* kDeflatedNpz =
    "UEsDBBQAAAAIAAAAIQAi8zQlZwAAALAAAAAFABQAeC5ucHkBABAAsAAAAAAAAABnAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6l"
    "oG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6CkZApKmjUKtAHuBiAIMGeyDhAERA3ADEC4D4ABA/AGIGRwYG"
    "ASBWAGIDRwBQSwMEFAAAAAgAAAAhAIoazhNKAAAAmAAAAAoAFABsYWJlbHMubnB5AQAQAJgAAAAAAAAASgAAAAAAAACb7BfqGxDJ"
    "yFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrGOpo6CrUKFAAuJgZUwAilAVBLAQIUAxQA"
    "AAAIAAAAIQAi8zQlZwAAALAAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLAQIUAxQAAAAIAAAAIQCKGs4TSgAAAJgAAAAKAAAA"
    "AAAAAAAAAACAAZ4AAABsYWJlbHMubnB5UEsFBgAAAAACAAIAawAAACQBAAAAAA==";
// a = int8 [[0, 1], [2, 3]], b = float64 [[1.5], [2.5]], stored.
constexpr const char* kStoredNpz =
    "UEsDBBQAAAAAAAAAIQBPnWVxhAAAAIQAAAAFABQAYS5ucHkBABAAhAAAAAAAAACEAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzog"
    "J3xpMScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAyKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAECA1BLAwQUAAAAAAAAACEAbEuN2ZAAAACQAAAABQAUAGIubnB5AQAQ"
    "AJAAAAAAAAAAkAAAAAAAAACTTlVNUFkBAHYAeydkZXNjcic6ICc8ZjgnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUn"
    "OiAoMiwgMSksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgCgAAAAAA"
    "APg/AAAAAAAABEBQSwECFAMUAAAAAAAAACEAT51lcYQAAACEAAAABQAAAAAAAAAAAAAAgAEAAAAAYS5ucHlQSwECFAMUAAAAAAAA"
    "ACEAbEuN2ZAAAACQAAAABQAAAAAAAAAAAAAAgAG7AAAAYi5ucHlQSwUGAAAAAAIAAgBmAAAAggEAAAAA";
// [[0, 1, 2], [3, 4, 5]] as >i4 in Fortran order.
constexpr const char* kFortranBigEndian =
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPmk0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAwAAAAEAAAAEAAAAAgAA"
    "AAU=";

/// An .npy file of version 1 with the given dictionary.
std::string npy(const std::string& dictionary, const std::string& values, char version = 1) {
    std::string bytes("\x93NUMPY");
    bytes += {version, '\0', static_cast<char>(dictionary.size()), static_cast<char>(dictionary.size() >> 8)};
    if (version > 1) bytes += std::string(2, '\0');
    return bytes + dictionary + values;
}

}  // namespace

class TestNpy : public QObject {
    Q_OBJECT

    QTemporaryDir m_dir;

    std::filesystem::path path(const char* name) const {
        return std::filesystem::path(m_dir.path().toStdString()) / name;
    }

private slots:
    void roundTripOfEveryType() {
        for (const DType type : {DType::Float, DType::Double, DType::Float16, DType::Uint8, DType::Int8, DType::Uint16,
                                 DType::Int16, DType::Int32, DType::Uint32, DType::Int64, DType::Uint64, DType::Bool}) {
            const auto tensor = Tensor(Shape{2, 3}, {0.F, 1.F, 2.F, 3.F, 4.F, 5.F}).converted(type).value();
            QCOMPARE(why(writeNpy(tensor, path("t.npy"))), std::string());
            const auto again = readNpy(path("t.npy"));
            QCOMPARE(why(again), std::string());
            QVERIFY(*again == tensor);
        }
    }

    void roundTripOfShapes() {
        for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{0, 3}, Shape{2, 1, 3, 1, 2}}) {
            const Tensor tensor(DType::Int32, shape);
            QCOMPARE(why(writeNpy(tensor, path("s.npy"))), std::string());
            QCOMPARE(readNpy(path("s.npy"))->shape(), shape);
        }
    }

    void writesWhatNumpyWrites() {
        QVERIFY(writeNpy(Tensor(Shape{2}, {1.F, 2.F}), path("n.npy")));
        const std::string bytes = readFile(path("n.npy")).value();
        QCOMPARE(bytes.size(), std::size_t{128 + 8});
        QVERIFY(bytes.starts_with(std::string("\x93NUMPY\x01\0\x76\0", 10)));
        QVERIFY(mentions(bytes, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"));
        QCOMPARE(bytes[127], '\n');
    }

    void bfloat16BecomesFloat() {
        const auto tensor = Tensor(Shape{2}, {1.F, 2.5F}).converted(DType::Bfloat16).value();
        QVERIFY(writeNpy(tensor, path("b.npy")));
        QVERIFY(*readNpy(path("b.npy")) == Tensor(Shape{2}, {1.F, 2.5F}));
    }

    void fortranOrderAndBigEndian() {
        const auto tensor = parseNpy(fromBase64(kFortranBigEndian), "f");
        QCOMPARE(why(tensor), std::string());
        QVERIFY(*tensor == Tensor(Shape{2, 3}, std::vector<std::int32_t>{0, 1, 2, 3, 4, 5}));
    }

    void laterVersionsAndOtherSpellings() {
        const std::string one(1, '\x07');
        const auto tensor =
            parseNpy(npy("{\"descr\": \"|u1\",\"fortran_order\":False, 'shape':(1, )}\n", one, 2), "v2");
        QCOMPARE(why(tensor), std::string());
        QVERIFY(*tensor == Tensor(Shape{1}, std::vector<std::uint8_t>{7}));
    }

    void damageIsReported_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<int>("code");
        const auto row = [](const char* name, const std::string& bytes, ErrorCode code) {
            QTest::newRow(name) << QByteArray::fromStdString(bytes) << static_cast<int>(code);
        };
        const std::string four(4, '\0');
        const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
        QVERIFY(parseNpy(npy(good, four), "good"));
        row("empty", "", ErrorCode::Corrupt);
        row("other file", "PK\x03\x04 something else entirely", ErrorCode::Corrupt);
        row("header cut off", npy(good, four).substr(0, 30), ErrorCode::Corrupt);
        row("values missing", npy(good, "\0\0\0"), ErrorCode::Corrupt);
        row("no shape", npy("{'descr': '<f4', 'fortran_order': False}", four), ErrorCode::Corrupt);
        row("shape open", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,", four), ErrorCode::Corrupt);
        row("shape negative", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", four),
            ErrorCode::Corrupt);
        row("shape huge", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 9)}", four),
            ErrorCode::Corrupt);
        row("version", npy(good, four, 9), ErrorCode::Unsupported);
        row("text", npy("{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}", four), ErrorCode::Unsupported);
        row("structure", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", four),
            ErrorCode::Unsupported);
    }
    void damageIsReported() {
        QFETCH(QByteArray, bytes);
        QFETCH(int, code);
        const auto tensor = parseNpy(bytes.toStdString(), "the file");
        QVERIFY(!tensor);
        QCOMPARE(static_cast<int>(tensor.error().code), code);
        QCOMPARE(tensor.error().subject, std::string("the file"));
    }

    void npzDeflated() {
        writeBytes(path("d.npz"), fromBase64(kDeflatedNpz));
        const auto arrays = readNpz(path("d.npz"));
        QCOMPARE(why(arrays), std::string());
        QCOMPARE(arrays->size(), std::size_t{2});
        QCOMPARE(arrays->at("x").shape(), (Shape{3, 2, 2}));
        QCOMPARE(arrays->at("x").data<float>()[11], 11.F);
        QVERIFY(arrays->at("labels") == Tensor(Shape{3}, std::vector<std::int64_t>{2, 0, 1}));
    }

    void npzStored() {
        writeBytes(path("s.npz"), fromBase64(kStoredNpz));
        const auto arrays = readNpz(path("s.npz"));
        QCOMPARE(why(arrays), std::string());
        QVERIFY(arrays->at("a") == Tensor(Shape{2, 2}, std::vector<std::int8_t>{0, 1, 2, 3}));
        QVERIFY(arrays->at("b") == Tensor(Shape{2, 1}, std::vector<double>{1.5, 2.5}));
    }

    void damagedNpz() {
        const std::string whole = fromBase64(kDeflatedNpz);
        writeBytes(path("half.npz"), whole.substr(0, whole.size() / 2));
        QCOMPARE(readNpz(path("half.npz")).error().code, ErrorCode::Corrupt);
        std::string flipped = whole;
        flipped[80] = static_cast<char>(flipped[80] ^ 0x5A);  // inside the first array's deflated bytes
        writeBytes(path("flipped.npz"), flipped);
        const auto arrays = readNpz(path("flipped.npz"));
        QVERIFY(!arrays);
        QCOMPARE(arrays.error().code, ErrorCode::Corrupt);
        QVERIFY(mentions(arrays.error().subject, "x.npy"));
        QCOMPARE(readNpz(path("none.npz")).error().code, ErrorCode::NotFound);
    }
};

EQUANT_TEST(TestNpy)
}  // namespace test_npy

#include "test_npy.moc"
