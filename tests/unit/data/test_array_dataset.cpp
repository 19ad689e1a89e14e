// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <QtTest>

#include "core/data/dataset.h"
#include "core/data/npy.h"
#include "tests/support/registry.h"
#include "tests/unit/data/data_support.h"
#include "tests/unit/support/model_builder.h"

namespace test_array_dataset {

using namespace equant;
using namespace equant::test;
namespace fs = std::filesystem;

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
// x = float32 [[0, 1], [2, 3]], labels = [0, 9].
constexpr const char* kBadLabelNpz =
    "UEsDBBQAAAAAAAAAIQCR9OfbkAAAAJAAAAAFABQAeC5ucHkBABAAkAAAAAAAAACQAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzog"
    "JzxmNCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAyKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAAAAAAAgD8AAABAAABAQFBLAwQUAAAAAAAAACEAy3EeGpAAAACQAAAA"
    "CgAUAGxhYmVscy5ucHkBABAAkAAAAAAAAACQAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxpOCcsICdmb3J0cmFuX29yZGVy"
    "JzogRmFsc2UsICdzaGFwZSc6ICgyLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAKAAAAAAAAAAAJAAAAAAAAAFBLAQIUAxQAAAAAAAAAIQCR9OfbkAAAAJAAAAAFAAAAAAAAAAAAAACAAQAAAAB4"
    "Lm5weVBLAQIUAxQAAAAAAAAAIQDLcR4akAAAAJAAAAAKAAAAAAAAAAAAAACAAccAAABsYWJlbHMubnB5UEsFBgAAAAACAAIAawAA"
    "AJMBAAAAAA==";

Model modelWith(const Shape& input, DType type = DType::Float, const Shape& output = {}) {
    return ModelBuilder().input("x", input, type).output("y", output).build();
}

/// A serialized TensorProto of floats: dims (field 1), data_type (2), raw_data (9).
std::string tensorProto(const Shape& shape, const std::vector<float>& values) {
    std::string bytes;
    for (const auto dim : shape) bytes += {'\x08', static_cast<char>(dim)};
    bytes += {'\x10', '\x01', '\x4A', static_cast<char>(values.size() * sizeof(float))};
    return bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

}  // namespace

class TestArrayDataset : public QObject {
    Q_OBJECT

    QTemporaryDir m_dir;

    fs::path path(const std::string& name) const { return fs::path(m_dir.path().toStdString()) / name; }
    fs::path npy(const Tensor& tensor) const {
        if (!writeNpy(tensor, path("a.npy"))) qFatal("cannot write");
        return path("a.npy");
    }

private slots:
    void rowsAreSamples() {
        const Tensor values = randomTensor({5, 3, 2}, 1);
        const auto opened = openDataset(npy(values), modelWith({-1, 3, 2}), {});
        QCOMPARE(why(opened), std::string());
        const Dataset& data = *opened->dataset;
        QCOMPARE(data.size(), std::size_t{5});
        QVERIFY(!data.hasLabels());
        QCOMPARE(data.sampleName(4), std::string("#4"));
        for (std::size_t i = 0; i < 5; ++i) {
            const auto sample = data.load(i);
            QCOMPARE(sample->inputs[0].shape(), (Shape{3, 2}));
            for (std::size_t k = 0; k < 6; ++k)
                QCOMPARE(sample->inputs[0].data<float>()[k], values.data<float>()[i * 6 + k]);
        }
        QCOMPARE(data.load(5).error().code, ErrorCode::OutOfRange);
    }

    void shapesOfOneSampleAndOfBatchesOfOne() {
        const auto samples = [&](const Shape& array) -> std::size_t {
            const auto opened = openDataset(npy(Tensor(DType::Float, array)), modelWith({1, 3, 4}), {});
            if (!opened) return 0;
            const auto sample = opened->dataset->load(0);
            return sample && sample->inputs[0].shape() == Shape{3, 4} ? opened->dataset->size() : 0;
        };
        QCOMPARE(samples({1, 3, 4}), std::size_t{1});  // the model's input exactly
        QCOMPARE(samples({7, 3, 4}), std::size_t{7});
        QCOMPARE(samples({3, 4}), std::size_t{1});
        QCOMPARE(samples({7, 1, 3, 4}), std::size_t{7});
        QCOMPARE(samples({7, 4, 3}), std::size_t{0});
        QCOMPARE(samples({7, 2, 3, 4}), std::size_t{0});
        QVERIFY(mentions(why(openDataset(npy(Tensor(DType::Float, {7, 4, 3})), modelWith({1, 3, 4}), {})), "7x4x3"));
        QVERIFY(
            mentions(why(openDataset(npy(Tensor(DType::Float, {0, 3, 4})), modelWith({1, 3, 4}), {})), "no samples"));
    }

    void valuesBecomeTheInputsType() {
        const Tensor doubles(Shape{2, 2}, std::vector<double>{0.5, 1.5, 2.5, 3.5});
        const auto sample = openDataset(npy(doubles), modelWith({-1, 2}), {})->dataset->load(1);
        QVERIFY(sample->inputs[0] == Tensor(Shape{2}, {2.5F, 3.5F}));
        const auto lossy = openDataset(npy(doubles), modelWith({-1, 2}, DType::Int64), {})->dataset->load(0);
        QCOMPARE(lossy.error().code, ErrorCode::InvalidArgument);
    }

    void offsetAndLimit() {
        DatasetOptions options;
        options.offset = 2;
        options.limit = 3;
        const auto data = openDataset(npy(randomTensor({9, 2}, 3)), modelWith({-1, 2}), options)->dataset;
        QCOMPARE(data->size(), std::size_t{3});
        QCOMPARE(data->sampleName(0), std::string("#2"));
        QCOMPARE(data->sampleName(2), std::string("#4"));
    }

    void aTruncatedFileIsCorrupt() {
        const auto file = npy(randomTensor({9, 2}, 3));
        fs::resize_file(file, 150);
        QCOMPARE(openDataset(file, modelWith({-1, 2}), {}).error().code, ErrorCode::Corrupt);
    }

    void npzWithLabels() {
        writeBytes(path("d.npz"), fromBase64(kDeflatedNpz));
        const auto data = openDataset(path("d.npz"), modelWith({-1, 2, 2}, DType::Float, {-1, 3}), {})->dataset;
        QCOMPARE(data->size(), std::size_t{3});
        QVERIFY(data->hasLabels());
        QCOMPARE(data->label(0).value(), std::int64_t{2});
        QCOMPARE(data->load(2)->label.value(), std::int64_t{1});
        QCOMPARE(data->load(2)->inputs[0].data<float>()[3], 11.F);

        const auto renamed = ModelBuilder().input("other", {-1, 2, 2}).output("y").build();
        QCOMPARE(why(openDataset(path("d.npz"), renamed, {})), std::string());  // one array, one input
        writeBytes(path("bad.npz"), fromBase64(kBadLabelNpz));
        QVERIFY(mentions(why(openDataset(path("bad.npz"), modelWith({-1, 2}, DType::Float, {-1, 3}), {})), "label 9"));
    }

    void npzByInputName() {
        writeBytes(path("s.npz"), fromBase64(kStoredNpz));
        const auto model = ModelBuilder().input("b", {-1, 1}).input("a", {-1, 2}, DType::Int8).output("y").build();
        const auto sample = openDataset(path("s.npz"), model, {})->dataset->load(1);
        QCOMPARE(why(sample), std::string());
        QVERIFY(sample->inputs[0] == Tensor(Shape{1}, {2.5F}));
        QVERIFY(sample->inputs[1] == Tensor(Shape{2}, std::vector<std::int8_t>{2, 3}));

        const auto missing = why(openDataset(path("s.npz"), modelWith({-1, 2}), {}));
        QVERIFY(mentions(missing, "\"x\""));
        QVERIFY(mentions(missing, "a, b"));
        QVERIFY(mentions(why(openDataset(npy(randomTensor({2, 2}, 0)), model, {})), "2 inputs"));
    }

    void arraysNamedAsOutputsAreExpected() {
        writeBytes(path("s.npz"), fromBase64(kStoredNpz));
        const auto model = ModelBuilder().input("a", {-1, 2}).output("b", {-1, 1}).build();
        const auto sample = openDataset(path("s.npz"), model, {})->dataset->load(0);
        QCOMPARE(sample->expected.size(), std::size_t{1});
        QCOMPARE(sample->expected[0].data<double>()[0], 1.5);
    }

    void fingerprintsFollowTheContents() {
        const auto print = [&](unsigned seed) {
            return openDataset(npy(randomTensor({2, 2}, seed)), modelWith({-1, 2}), {})->dataset->fingerprint();
        };
        QCOMPARE(print(1), print(1));
        QVERIFY(print(1) != print(2));
    }

    void onnxTestData() {
        const fs::path root = path("zoo");
        writeBytes(root / "test_data_set_10/input_0.pb", tensorProto({1, 2}, {9.F, 8.F}));
        writeBytes(root / "test_data_set_2/input_0.pb", tensorProto({2, 2}, {1.F, 2.F, 3.F, 4.F}));
        writeBytes(root / "test_data_set_2/output_0.pb", tensorProto({2, 1}, {5.F, 6.F}));
        const auto opened = openDataset(root, modelWith({-1, 2}), {});
        QCOMPARE(why(opened), std::string());
        const Dataset& data = *opened->dataset;
        QCOMPARE(data.size(), std::size_t{3});
        QCOMPARE(data.sampleName(1), std::string("test_data_set_2#1"));
        QCOMPARE(data.sampleName(2), std::string("test_data_set_10"));
        QVERIFY(data.load(1)->inputs[0] == Tensor(Shape{2}, {3.F, 4.F}));
        QVERIFY(data.load(1)->expected.at(0) == Tensor(Shape{1}, {6.F}));
        QVERIFY(data.load(2)->expected.empty());
        QCOMPARE(openDataset(root / "test_data_set_10", modelWith({-1, 2}), {})->dataset->size(), std::size_t{1});

        QVERIFY(mentions(why(openDataset(root, modelWith({-1, 3}), {})), "does not fit"));
        const auto two = ModelBuilder().input("x", {-1, 2}).input("z", {-1, 2}).output("y").build();
        QVERIFY(mentions(why(openDataset(root, two, {})), "2 inputs"));
        writeBytes(root / "test_data_set_10/input_0.pb", "\x4A\x7F garbage");
        const auto damaged = openDataset(root, modelWith({-1, 2}), {});
        QVERIFY(!damaged);
        QCOMPARE(damaged.error().code, ErrorCode::Corrupt);
        QVERIFY(mentions(damaged.error().subject, "input_0.pb"));
    }

    void stacking() {
        std::vector<Sample> samples(2);
        samples[0].inputs = {Tensor(Shape{2}, {1.F, 2.F}), Tensor(Shape{1, 1}, std::vector<std::int64_t>{7})};
        samples[1].inputs = {Tensor(Shape{2}, {3.F, 4.F}), Tensor(Shape{1, 1}, std::vector<std::int64_t>{8})};
        const auto batch = stackSamples(samples);
        QCOMPARE(why(batch), std::string());
        QVERIFY(batch->at(0) == Tensor(Shape{2, 2}, {1.F, 2.F, 3.F, 4.F}));
        QVERIFY(batch->at(1) == Tensor(Shape{2, 1, 1}, std::vector<std::int64_t>{7, 8}));
        samples[1].inputs[0] = Tensor(Shape{3}, {3.F, 4.F, 5.F});
        QCOMPARE(stackSamples(samples).error().code, ErrorCode::InvalidArgument);
        QVERIFY(stackSamples({})->empty());
    }
};

EQUANT_TEST(TestArrayDataset)
}  // namespace test_array_dataset

#include "test_array_dataset.moc"
