// SPDX-License-Identifier: Apache-2.0
// equant-cli from outside: results, exit codes, messages, and that nothing half-written stays behind.
#include <QtTest>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/data/npy.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/recipe.h"
#include "core/recipe/run.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_console {

using namespace equant;
using nlohmann::json;
using test::ModelBuilder;
using test::randomTensor;

namespace {

const QString kSample = QStringLiteral(EQUANT_SOURCE_DIR "/resources/sample/equant_sample.onnx");
const QString kImages = QStringLiteral(EQUANT_SOURCE_DIR "/resources/sample/images");

struct Ended {
    int code = -1;
    QByteArray out, err;
    [[nodiscard]] json parsed() const { return json::parse(out.toStdString(), nullptr, false); }
};

Ended run(const QStringList& arguments, const QString& folder = {}) {
    QProcess process;
    if (!folder.isEmpty()) process.setWorkingDirectory(folder);
    process.start(EQUANT_CLI, arguments);
    if (!process.waitForFinished(60000)) return {};
    return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1, process.readAllStandardOutput(),
            process.readAllStandardError()};
}

void write(const QString& path, const QByteArray& bytes) {
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size())
        qFatal("cannot write %s", qPrintable(path));
}

QByteArray read(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

/// conv -> relu -> conv -> `last`
Model smallModel(const std::string& last = "Relu", std::int64_t channels = 4) {
    return ModelBuilder(13)
        .input("x", {-1, 3, 8, 8})
        .output("y")
        .constant("w1", randomTensor({channels, 3, 1, 1}, 1))
        .constant("w2", randomTensor({4, channels, 1, 1}, 2))
        .node("Conv", {"x", "w1"}, {"a"})
        .node("Relu", {"a"}, {"b"})
        .node("Conv", {"b", "w2"}, {"c"})
        .node(last, {"c"}, {"y"})
        .build();
}

bool isScore(const json& score) {
    for (const char* key : {"top1", "top5", "agreement", "sqnr_db", "cosine", "ms_per_sample"})
        if (!score.contains(key) || !(score[key].is_number() || score[key].is_null())) return false;
    return score["samples"].is_number_integer();
}

/// Whether the process has a handler for SIGINT by now.
bool catchesInterrupts(qint64 process) {
    const QByteArray status = read(QStringLiteral("/proc/%1/status").arg(process));
    const qsizetype at = status.indexOf("SigCgt:");
    return at >= 0 && (status.mid(at + 7).trimmed().left(16).toULongLong(nullptr, 16) & (1ULL << (SIGINT - 1))) != 0;
}

}  // namespace

class TestConsole : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void helpFitsAScreen_data();
    void helpFitsAScreen();
    void inspect();
    void ranges();
    void equalize();
    void equalizeComparesOnTheSamplesNamed();
    void equalizeWritesNothingWhereOutputsCannotBeCompared();
    void evaluate();
    void quantize();
    void quantizeRemedies();
    void quantizeHonoursItsOptions();
    void encoding();
    void bench();
    void benchSettings();
    void runWritesOutputs();
    void unsupportedOperator();
    void notFinite();
    void badInput_data();
    void badInput();
    void usageErrors_data();
    void usageErrors();
    void failuresLeaveFilesAlone();
    void jsonAndQuiet();
    void recipesAreAccepted();
    void compressTellsActivationsAndLatency();
    void applyReplaysARecipe();
    void applyWithoutQuantization();
    void filesSayHowTheirInputIsMade();
    void applyTakesAWorkspace();
    void applyRefuses_data();
    void applyRefuses();
    void interrupted();
    void gateHoldsResultsAgainstDemands_data();
    void gateHoldsResultsAgainstDemands();
    void gateRunsAWorkspace();
    void cacheTellsAndClears();
    void killedSweepsGoOn();

private:
    QString at(const QString& name) const { return m_folder.filePath(name); }
    QTemporaryDir m_folder;
};

void TestConsole::initTestCase() {
    QVERIFY(m_folder.isValid());
    for (const char* folder : {"none/sub", "broken/a", "labels"}) QDir(m_folder.path()).mkpath(folder);
    QVERIFY(writeOnnx(smallModel(), at("small.onnx").toStdString()));
    QVERIFY(writeOnnx(smallModel("Frobnicate"), at("unknown.onnx").toStdString()));
    QVERIFY(writeNpy(randomTensor({6, 3, 8, 8}, 3), at("x.npy").toStdString()));
    QVERIFY(writeNpy(randomTensor({6, 3, 9, 9}, 3), at("wide.npy").toStdString()));
    QVERIFY(writeNpy(Tensor(DType::Int64, {3}), at("whole.npy").toStdString()));
    write(at("text.onnx"), "not a model\n");
    write(at("truncated.onnx"), read(kSample).first(50000));
    write(at("empty.onnx"), {});
    write(at("broken/a/b.png"), "no image");
    write(at("labels/labels.csv"), "filename,label\nnot_there.png,3\n");
    Model cyclic = smallModel();
    cyclic.graph.nodes[0].inputs[0] = "b";
    QVERIFY(writeOnnx(cyclic, at("cycle.onnx").toStdString()));
    QVERIFY(writeOnnx(smallModel("Relu", 128), at("external.onnx").toStdString(), ExternalData::Always));
    QVERIFY(QFile::remove(at("external.onnx.data")));
    // 4 x 3 x 1 x 1 becomes 5 x 3 x 1 x 1: four bytes per value are missing then.
    QByteArray bytes = read(at("small.onnx"));
    const auto shape = bytes.indexOf(QByteArray("\x08\x04\x08\x03\x08\x01\x08\x01"));
    QVERIFY(shape > 0);
    bytes[shape + 1] = 5;
    write(at("mismatch.onnx"), bytes);
}

void TestConsole::helpFitsAScreen_data() {
    QTest::addColumn<QString>("command");
    for (const char* name : {"", "inspect", "ranges", "equalize", "sensitivity", "plan", "compress", "apply",
                             "evaluate", "quantize", "encoding", "run", "bench", "gate", "cache"})
        QTest::newRow(*name ? name : "equant-cli") << QString(name);
}
void TestConsole::helpFitsAScreen() {
    QFETCH(QString, command);
    const Ended help = run(command.isEmpty() ? QStringList{"--help"} : QStringList{command, "--help"});
    QCOMPARE(help.code, 0);
    const auto lines = help.out.trimmed().split('\n');
    QVERIFY2(lines.size() <= 24, qPrintable(QString::number(lines.size()) + "\n" + help.out));
    for (const auto& line : lines) QVERIFY2(line.size() <= 100, line.constData());
}

void TestConsole::inspect() {
    const Ended result = run({"inspect", kSample, "--json", "-"});
    QCOMPARE(result.code, 0);
    const json found = result.parsed();
    for (const char* key : {"ir_version", "opset", "parameters", "macs", "bytes"})
        QVERIFY2(found["model"][key].is_number_integer(), key);
    QVERIFY(found["model"]["parameters"].get<int>() > 190000);
    QVERIFY(found["model"]["inputs"][0]["shape"].is_array() && found["model"]["producer"].is_string());
    QVERIFY(found["layers"].size() > 28 && found["findings"].is_array() && found["unsupported_ops"].empty());
    const json& techniques = found["layers"][0]["techniques"];
    for (const char* key : {"spatial_svd", "weight_svd", "channel_pruning", "equalization"})
        QVERIFY2(techniques[key]["ok"].is_boolean() && techniques[key].contains("reason"), key);
}

void TestConsole::ranges() {
    const json found = run({"ranges", kSample, "--equalize", "--json", "-"}).parsed();
    const json& layer = found["layers"][0];
    for (const char* key : {"min", "max", "mean", "std", "effective_bits"}) {
        QCOMPARE(layer[key].size(), layer["channels"].get<std::size_t>());
        QCOMPARE(layer["after"][key].size(), layer["channels"].get<std::size_t>());
    }
}

void TestConsole::equalizeComparesOnTheSamplesNamed() {
    const Ended result = run({"equalize", at("small.onnx"), "--data", at("x.npy"), "--limit", "3", "--offset", "1",
                              "-o", at("compared.onnx"), "--json", "-"});
    QVERIFY2(result.code == 0, result.err.constData());
    QCOMPARE(result.parsed()["equivalence"]["samples"].get<int>(), 3);
}

void TestConsole::equalizeWritesNothingWhereOutputsCannotBeCompared() {
    const Model broken = ModelBuilder(13)
                             .input("x", {-1, 3, 8, 8})
                             .output("y")
                             .constant("w1", randomTensor({4, 3, 1, 1}, 1))
                             .constant("w2", randomTensor({4, 4, 1, 1}, 2))
                             .constant("five", randomTensor({5}, 3))
                             .node("Conv", {"x", "w1"}, {"a"})
                             .node("Relu", {"a"}, {"b"})
                             .node("Conv", {"b", "w2"}, {"c"})
                             .node("Add", {"c", "five"}, {"y"})
                             .build();
    QVERIFY(writeOnnx(broken, at("broken.onnx").toStdString()));
    const Ended result = run({"equalize", at("broken.onnx"), "--data", at("x.npy"), "-o", at("not_written.onnx")});
    QCOMPARE(result.code, 1);
    QVERIFY2(result.err.contains("broadcast"), result.err.constData());
    QVERIFY(!QFileInfo::exists(at("not_written.onnx")));
}

void TestConsole::equalize() {
    const Ended result = run({"equalize", kSample, "-o", at("equalized.onnx"), "--json", "-"});
    QCOMPARE(result.code, 0);
    const json found = result.parsed();
    QCOMPARE(found["folded_batch_norms"].get<int>(), 28);
    for (const auto& pair : found["pairs"]) {
        QVERIFY(pair["layers"].is_array() && pair["channels"].is_number_integer());
        QVERIFY(pair["status"] == "equalized" || (pair["status"] == "skipped" && !pair["reason"].empty()));
    }
    const json& same = found["equivalence"];
    QVERIFY(same["max_abs_diff"].get<double>() < 1e-3 * same["output_std"].get<double>());
    QVERIFY(same["samples"].get<int>() > 0 && same["mean_abs_diff"].is_number());
    QVERIFY(readOnnx(at("equalized.onnx").toStdString()).has_value());
}

void TestConsole::evaluate() {
    const json found = run({"evaluate", kSample, "--data", kImages, "--limit", "32", "--json", "-"}).parsed();
    QVERIFY(isScore(found));
    QCOMPARE(found["samples"].get<int>(), 32);
    QVERIFY(found["top1"].get<double>() > 90);
    QVERIFY(found["agreement"].is_null());
}

void TestConsole::quantize() {
    const Ended result = run({"quantize", kSample, "--data", kImages, "--limit", "32", "-o", at("qdq.onnx"),
                              "--encodings", at("enc.json"), "--json", at("q.json")});
    QVERIFY2(result.code == 0, result.err.constData());
    const json found = json::parse(read(at("q.json")).toStdString());
    for (const char* key : {"float", "weights_only", "activations_only", "quantized"})
        QVERIFY2(isScore(found[key]), key);
    QCOMPARE(found["calibration_samples"].get<int>(), 32);
    QVERIFY(found["quantized"]["top1"].get<double>() < 50);  // what equalization is for
    QVERIFY(found["layers"].size() > 28);
    const json& layer = found["layers"][0];
    QVERIFY(layer["name"].is_string() && layer["local_sqnr_db"].is_number());
    QVERIFY(layer["accumulated_sqnr_db"].is_number());
    for (const char* encoding : {"weight_encoding", "output_encoding"})
        for (const char* key : {"bits", "min", "max", "scale", "offset"}) QVERIFY(layer[encoding][key].is_number());
    QStringList steps;
    for (const auto& step : found["steps"]) {
        steps << QString::fromStdString(step["step"].get<std::string>());
        QVERIFY(step["seconds"].get<double>() >= 0);
    }
    QCOMPARE(steps, (QStringList{"fold", "calibrate", "evaluate", "layers", "export"}));
    QVERIFY(result.out.contains("Weights cost") && result.out.contains("--equalize"));
    QVERIFY(result.out.contains("of the same data"));
    QCOMPARE(found["float"]["samples"].get<int>(), 400);
    QCOMPARE(found["layer_samples"].get<int>(), 16);
    QVERIFY(QFileInfo(at("qdq.onnx")).size() * 5 < QFileInfo(kSample).size() * 2);

    // What was written is what was simulated.
    const json again = run({"evaluate", at("qdq.onnx"), "--data", kImages, "--json", "-"}).parsed();
    QVERIFY(std::abs(again["top1"].get<double>() - found["quantized"]["top1"].get<double>()) < 7);
}

void TestConsole::quantizeRemedies() {
    const json found = run({"quantize", kSample, "--data", kImages, "--limit", "32", "--equalize", "--eval-data",
                            kImages, "--eval-limit", "48", "--json", "-"})
                           .parsed();
    QCOMPARE(found["float"]["samples"].get<int>(), 48);
    QVERIFY(found["quantized"]["top1"].get<double>() > 90);
    QVERIFY(isScore(found["float_equalized"]));
    QCOMPARE(found["steps"][0]["step"].get<std::string>(), std::string("equalize"));
}

void TestConsole::quantizeHonoursItsOptions() {
    const QStringList base{"quantize", at("small.onnx"), "--data", at("x.npy"), "--json", "-"};
    const auto layerWith = [&](const QStringList& more) -> json { return run(base + more).parsed()["layers"][0]; };
    QCOMPARE(layerWith({"--weight-bits", "4"})["weight_encoding"]["bits"].get<int>(), 4);
    QCOMPARE(layerWith({"--activation-bits", "12"})["output_encoding"]["bits"].get<int>(), 12);
    QCOMPARE(layerWith({"--granularity", "per-channel"})["weight_encoding"]["scale"].size(), std::size_t{4});
    QVERIFY(layerWith({})["weight_encoding"]["symmetric"].get<bool>());
    QVERIFY(!layerWith({"--asymmetric-weights"})["weight_encoding"]["symmetric"].get<bool>());
    const auto widest = [&](const QStringList& more) {
        return layerWith(more)["output_encoding"]["max"].get<double>();
    };
    QCOMPARE(widest({"--scheme", "tf"}), widest({}));
    QCOMPARE(widest({"--scheme", "tf-enhanced"}), widest({"--scheme", "sqnr"}));
    QVERIFY(widest({"--scheme", "percentile", "--percentile", "90"}) < widest({}));
    const json scored = run(base).parsed();
    QVERIFY(scored["float"]["top1"].is_null());  // no labels, no classes
    for (const char* version : {"0.6.1", "1.0.0", "2.0.0"}) {
        QCOMPARE(run(base + QStringList{"--encodings", at("v.json"), "--encodings-version", version}).code, 0);
        QVERIFY(read(at("v.json")).contains(version));
        const json replayed =
            run({"evaluate", at("small.onnx"), "--data", at("x.npy"), "--encodings", at("v.json"), "--json", "-"})
                .parsed();
        QVERIFY(std::abs(replayed["sqnr_db"].get<double>() - scored["quantized"]["sqnr_db"].get<double>()) < 0.1);
    }
}

void TestConsole::encoding() {
    QVERIFY(writeNpy(Tensor(Shape{4}, {-1.F, 0.F, 0.5F, 1.55F}), at("e.npy").toStdString()));
    json found = run({"encoding", at("e.npy"), "--json", "-"}).parsed();
    QVERIFY(std::abs(found["scale"].get<double>() - 0.01) < 1e-7);
    QCOMPARE(found["offset"].get<int>(), -100);
    found = run({"encoding", at("e.npy"), "--symmetric", "--strict", "--bits", "4", "--json", "-"}).parsed();
    QVERIFY(std::abs(found["max"].get<double>() - 1.55) < 1e-6 && std::abs(found["min"].get<double>() + 1.55) < 1e-6);
    const Ended whole = run({"encoding", at("whole.npy")});
    QVERIFY(whole.code == 1 && whole.err.contains("int64"));
}

void TestConsole::bench() {
    const json found =
        run({"bench", at("small.onnx"), "--runs", "3", "--batch", "2", "--steps", "--json", "-"}).parsed();
    for (const char* key : {"float", "quantized"}) {
        QVERIFY(found[key]["ms_per_sample_min"].get<double>() > 0);
        QVERIFY(found[key]["ms_per_sample_median"].get<double>() >= found[key]["ms_per_sample_min"].get<double>());
        const json& steps = found[key]["steps"];
        QVERIFY(!steps.empty());
        for (std::size_t i = 0; i + 1 < steps.size(); ++i)
            QVERIFY(steps[i]["ms"].get<double>() >= steps[i + 1]["ms"].get<double>());
        QVERIFY(!steps[0]["step"].get<std::string>().empty());
    }
    QVERIFY(found["ratio"].get<double>() > 0);
    QCOMPARE(found["batch"].get<int>(), 2);
    QCOMPARE(found["threads"].get<int>(), 1);
    const json& limits = found["limits"];
    for (const char* key : {"peak_gflops", "bandwidth_gbs", "achieved_gflops", "share_of_peak", "bound_ms"})
        QVERIFY2(limits[key].is_number() && limits[key].get<double>() > 0, key);
    // Convolutions of 1x1 over 8x8 positions, 3 to 4 and 4 to 4 channels: 64 * (12 + 16) multiply-adds.
    QCOMPARE(limits["gflops_per_sample"].get<double>(), 2 * 64 * 28 * 1e-9);
    QCOMPARE(limits["weight_bytes"].get<double>(), 4.0 * 28);
    QCOMPARE(limits["bytes_per_sample"].get<double>(), 4.0 * 28 / 2 + 4.0 * 64 * (3 + 4));
    QCOMPARE(limits["activation_bytes_per_sample"].get<double>(), 4.0 * 64 * 4 * 4);
}

void TestConsole::benchSettings() {
    const json found = run({"bench", at("small.onnx"), "--runs", "2", "--granularity", "per-channel", "--weight-bits",
                            "4", "--activation-bits", "16", "--threads", "2", "--no-limits", "--json", "-"})
                           .parsed();
    QVERIFY(found["float"]["ms_per_sample_min"].get<double>() > 0);
    QCOMPARE(found["threads"].get<int>(), 2);
    QVERIFY(found["scaling"].get<double>() > 0);
    QVERIFY(!found.contains("limits"));
    QCOMPARE(run({"bench", at("small.onnx"), "--encodings", "e.json", "--weight-bits", "4"}).code, 2);
}

void TestConsole::runWritesOutputs() {
    const Ended result =
        run({"run", at("small.onnx"), "--input", "x=" + at("x.npy"), "--output-dir", at("outputs"), "--json", "-"});
    QCOMPARE(result.code, 0);
    const auto output = readNpy(result.parsed()["outputs"]["y"].get<std::string>());
    QVERIFY(output.has_value());
    QCOMPARE(output->shape(), (Shape{6, 4, 8, 8}));
}

void TestConsole::unsupportedOperator() {
    const QString model = at("unknown.onnx");
    QCOMPARE(run({"inspect", model, "--json", "-"}).parsed()["unsupported_ops"][0]["op_type"].get<std::string>(),
             std::string("Frobnicate"));
    QCOMPARE(run({"ranges", model}).code, 0);
    QCOMPARE(run({"equalize", model, "-o", at("unknown_equalized.onnx")}).code, 0);
    QVERIFY(readOnnx(at("unknown_equalized.onnx").toStdString()).has_value());
    for (const char* command : {"evaluate", "quantize"}) {
        const Ended refused = run({command, model, "--data", at("x.npy")});
        QCOMPARE(refused.code, 1);
        QVERIFY2(refused.err.contains("Frobnicate"), refused.err.constData());
    }
}

void TestConsole::notFinite() {
    Model model = smallModel();
    model.graph.nodes[3].opType = "Neg";
    model.graph.initializers[1].tensor.mutableData<float>()[2] = std::numeric_limits<float>::quiet_NaN();
    const QString path = at("poisoned.onnx");
    QVERIFY(writeOnnx(model, path.toStdString()));
    const Ended looked = run({"inspect", path});
    QVERIFY2(looked.out.contains("error: Conv_2: Its constant \"w2\" holds 1 NaN"), looked.out.constData());

    const Ended text = run({"evaluate", path, "--data", at("x.npy")});
    QCOMPARE(text.code, 0);
    QVERIFY2(text.out.contains("warning: Conv_2: Sample \"#0\""), text.out.constData());
    QVERIFY2(text.out.contains("6 of 6 samples"), text.out.constData());
    QVERIFY2(!text.out.contains("Preprocessing"), text.out.constData());  // arrays are taken as they are
    const json score = run({"evaluate", path, "--data", at("x.npy"), "--json", "-"}).parsed();
    QCOMPARE(score["not_finite"].get<int>(), 6);
    QCOMPARE(score["findings"][0]["id"].get<std::string>(), std::string("non-finite-values"));
    QCOMPARE(score["findings"][0]["subject"].get<std::string>(), std::string("Conv_2"));

    const QStringList running{"run", path, "--input", "x=" + at("x.npy"), "--output-dir", at("nan_outputs")};
    const Ended ran = run(running);
    QCOMPARE(ran.code, 0);
    QVERIFY2(ran.out.contains("warning: Conv_2: Conv \"Conv_2\" makes"), ran.out.constData());
    QCOMPARE(run(running + QStringList{"--json", "-"}).parsed()["findings"].size(), std::size_t{1});

    const Ended refused = run({"quantize", path, "--data", at("x.npy"), "-o", at("nan.onnx")});
    QCOMPARE(refused.code, 1);
    QVERIFY2(refused.err.contains("#0: The model's outputs are NaN. Conv \"Conv_2\""), refused.err.constData());
    QVERIFY(!QFileInfo::exists(at("nan.onnx")));

    for (const QStringList& sound : {QStringList{"evaluate", at("small.onnx"), "--data", at("x.npy")},
                                     QStringList{"quantize", at("small.onnx"), "--data", at("x.npy")}})
        QVERIFY(run(sound + QStringList{"--json", "-"}).parsed()["findings"].empty());
}

void TestConsole::badInput_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("says");
    const auto inspecting = [](const char* row, const char* file, const char* says) {
        QTest::newRow(row) << QStringList{"inspect", file} << says;
    };
    inspecting("not ONNX", "text.onnx", "not an ONNX model");
    inspecting("truncated", "truncated.onnx", "truncated");
    inspecting("empty", "empty.onnx", "empty");
    inspecting("bytes do not match the shape", "mismatch.onnx", "do not match");
    inspecting("external data missing", "external.onnx", "external.onnx.data");
    inspecting("cycle", "cycle.onnx", "cycle");
    inspecting("not there", "nowhere.onnx", "no such file");
    inspecting("a folder", "none", "folder");
    const auto quantizing = [](const char* row, const QStringList& more, const char* says) {
        QTest::newRow(row) << QStringList{"quantize", kSample} + more << says;
    };
    quantizing("no images", {"--data", "none/sub"}, "no images");
    quantizing("unreadable image", {"--data", "broken"}, "b.png");
    quantizing("labels without image", {"--data", "labels"}, "labels.csv:2");
    quantizing("no data", {"--data", "nowhere"}, "no such data");
    quantizing("wrong shape", {"--data", "wide.npy"}, "does not fit");
    quantizing("folder is a file", {"--data", kImages, "--limit", "4", "-o", "text.onnx/q.onnx"}, "is a file");
    quantizing("target is a folder", {"--data", kImages, "--limit", "4", "-o", "none"}, "folder of that name");
    quantizing("target folder missing", {"--data", kImages, "--encodings", "no/e.json"}, "does not exist");
    quantizing("json folder missing", {"--data", kImages, "--json", "no/q.json"}, "does not exist");
    quantizing("no rules", {"--data", kImages, "--config", "text.onnx"}, "rules");
    quantizing("incomplete rules", {"--data", kImages, "--config", "{}"}, "defaults");
    quantizing("no such preprocessing", {"--data", kImages, "--preprocess", "magic"}, "magic");
    quantizing("offset beyond the end", {"--data", kImages, "--offset", "4000"}, "4000");
    QTest::newRow("full disk") << QStringList{"equalize", kSample, "-o", "/dev/full"} << "No space left";
    QTest::newRow("no encodings") << QStringList{"evaluate", kSample, "--data", kImages, "--encodings", "text.onnx"}
                                  << "encodings file";
}
void TestConsole::badInput() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, says);
    if (arguments.contains("/dev/full") && !QFileInfo::exists("/dev/full")) QSKIP("There is no /dev/full here.");
    const Ended result = run(arguments, m_folder.path());
    QVERIFY2(result.code == 1, result.err.constData());
    QVERIFY2(result.out.isEmpty(), result.out.constData());
    QVERIFY2(result.err.contains(says.toUtf8()), result.err.constData());
    QVERIFY2(result.err.count('\n') == 1, result.err.constData());
    QVERIFY(QDir(m_folder.path()).entryList({"*.part"}).isEmpty());
    QVERIFY(!QFileInfo::exists(at("q.onnx")));
}

void TestConsole::usageErrors_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("says");
    const QStringList quantize{"quantize", kSample, "--data", kImages};
    QTest::newRow("nothing") << QStringList{} << "subcommand";
    QTest::newRow("unknown command") << QStringList{"frobnicate"} << "frobnicate";
    QTest::newRow("no model") << QStringList{"inspect"} << "MODEL";
    QTest::newRow("no data") << QStringList{"quantize", kSample} << "--data";
    QTest::newRow("bits") << quantize + QStringList{"--weight-bits", "99"} << "2 to 16";
    QTest::newRow("scheme") << quantize + QStringList{"--scheme", "magic"} << "percentile";
    QTest::newRow("granularity") << quantize + QStringList{"--granularity", "magic"} << "per-channel";
    QTest::newRow("version") << quantize + QStringList{"--encodings-version", "3"} << "2.0.0";
    QTest::newRow("negative limit") << quantize + QStringList{"--limit", "-3"} << "--limit";
    QTest::newRow("percentile") << quantize + QStringList{"--percentile", "101"} << "--percentile";
    QTest::newRow("later release") << quantize + QStringList{"--auto"} << "--auto";
    QTest::newRow("relu6") << QStringList{"equalize", kSample, "-o", "x", "--relu6", "magic"} << "exact";
}
void TestConsole::usageErrors() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, says);
    const Ended result = run(arguments, m_folder.path());
    QCOMPARE(result.code, 2);
    QVERIFY2(result.err.contains(says.toUtf8()) && result.err.startsWith("equant-cli: "), result.err.constData());
    QVERIFY2(result.err.count('\n') == 1, result.err.constData());
}

void TestConsole::failuresLeaveFilesAlone() {
    write(at("kept.onnx"), "precious");
    write(at("kept.json"), "precious");
    QCOMPARE(run({"quantize", at("small.onnx"), "--data", at("wide.npy"), "-o", at("kept.onnx"), "--encodings",
                  at("kept.json"), "--json", at("kept.json")})
                 .code,
             1);
    QCOMPARE(read(at("kept.onnx")), QByteArray("precious"));
    QCOMPARE(read(at("kept.json")), QByteArray("precious"));
}

void TestConsole::jsonAndQuiet() {
    const Ended quiet = run({"inspect", at("small.onnx"), "--quiet"});
    QVERIFY(quiet.code == 0 && quiet.out.isEmpty() && quiet.err.isEmpty());
    const Ended file = run({"--json", at("i.json"), "inspect", at("small.onnx")});
    QVERIFY(!file.out.isEmpty());
    QVERIFY(json::parse(read(at("i.json")).toStdString()).contains("layers"));
    QVERIFY(run({"--version"}).out.startsWith("equant-cli "));
}

void TestConsole::recipesAreAccepted() {
    EqualizeStep equalizing;
    equalizing.options.relu6 = CapMode::Skip;
    equalizing.options.iterations = 3;
    equalizing.options.shouldAbsorbBias = false;
    equalizing.options.shouldFoldBatchNorms = false;
    equalizing.options.shouldSilenceConstantChannels = false;
    equalizing.options.excluded = {"Conv_0", "it's -another \"one\""};
    QuantizeStep quantizing;
    quantizing.settings = {4, 6, true, false, RangeScheme::Percentile, 99.5, {}, false};
    quantizing.settings.rules = R"({"defaults":{"ops":{},"params":{}},"params":{},"op_type":{},"supergroups":[],
        "model_input":{},"model_output":{}})";
    DataOptions data;
    data.path = at("x.npy").toStdString();
    for (const Step& step : {Step{equalizing}, Step{quantizing}, Step{EqualizeStep{}}, Step{QuantizeStep{}}}) {
        QString line = QString::fromStdString(asCommand(step, at("small.onnx").toStdString(), data));
        QVERIFY(line.startsWith("equant-cli "));
        line.replace(0, 10, QStringLiteral("'" EQUANT_CLI "'"));
        QProcess shell;
        shell.setWorkingDirectory(m_folder.path());
        shell.start("/bin/sh", {"-c", line});
        QVERIFY(shell.waitForFinished(30000));
        QVERIFY2(shell.exitCode() == 0, qPrintable(line + "\n" + shell.readAllStandardError()));
    }
}

const QByteArray kWholeRecipe = R"({"equant_recipe": 1, "steps": [
    {"step": "compress", "plan": {"method": "weight-svd", "ratios": {"Conv_2": 0.75}}},
    {"step": "equalize"}, {"step": "quantize", "scheme": "mse"}]})";

void TestConsole::compressTellsActivationsAndLatency() {
    write(at("costs-plan.json"), R"({"method": "weight-svd", "ratios": {"Conv_2": 0.5}})");
    const QStringList compress{"compress", "small.onnx", "--plan", "costs-plan.json", "-o", "costs.onnx"};
    const Ended timed = run(compress + QStringList{"--json", "-"}, m_folder.path());
    QVERIFY2(timed.code == 0, timed.err.constData());
    const json result = timed.parsed();
    const json activations = result["activations"];
    // The value between the two halves is written as well: fewer multiplications, more activations.
    QVERIFY(activations["written_bytes_after"].get<int>() > activations["written_bytes_before"].get<int>());
    QVERIFY(activations["peak_bytes_before"].get<int>() > 0 && activations["peak_bytes_after"].get<int>() > 0);
    const json latency = result["latency"];
    QVERIFY(latency["ms_per_sample_before"].get<double>() > 0 && latency["ms_per_sample_after"].get<double>() > 0);
    QCOMPARE(latency["batch"], 1);
    QCOMPARE(latency["threads"], 1);
    QVERIFY(latency["runs"].get<int>() >= 5);
    const Ended text = run(compress, m_folder.path());
    for (const char* part : {"Activations written ", "alive at once at most ", "Latency ", "one thread, batch 1"})
        QVERIFY2(text.out.contains(part), part);

    const Ended untimed = run(compress + QStringList{"--no-latency", "--json", "-"}, m_folder.path());
    QVERIFY(untimed.parsed()["latency"].is_null());
    QVERIFY(untimed.parsed()["activations"].is_object());
    QVERIFY(!run(compress + QStringList{"--no-latency"}, m_folder.path()).out.contains("Latency"));
}

void TestConsole::applyReplaysARecipe() {
    write(at("whole.json"), kWholeRecipe);
    const Ended applied = run({"apply", "whole.json", "--model", "small.onnx", "--data", "x.npy", "-o", "applied.onnx",
                               "--encodings", "applied.json", "--json", "-"},
                              m_folder.path());
    QVERIFY2(applied.code == 0, applied.err.constData());
    const json result = applied.parsed();
    QCOMPARE(result["steps"].size(), std::size_t(3));
    QCOMPARE(result["steps"][0]["step"], "compress");
    QVERIFY(result["steps"][0]["macs_ratio"].get<double>() < 1);
    QCOMPARE(result["steps"][0]["samples"], 6);
    QVERIFY(result["steps"][0]["latency"]["ratio"].get<double>() > 0);
    const Ended untimed = run({"apply", "whole.json", "--model", "small.onnx", "--data", "x.npy", "-o", "applied.onnx",
                               "--no-latency", "--json", "-"},
                              m_folder.path());
    QVERIFY(untimed.parsed()["steps"][0]["latency"].is_null());
    QCOMPARE(result["steps"][1]["step"], "equalize");
    QVERIFY(result["steps"][1]["equivalence"]["samples"].is_number());
    QCOMPARE(result["steps"][2]["step"], "quantize");
    QVERIFY(isScore(result["steps"][2]["quantized"]));
    QVERIFY(readOnnx(at("applied.onnx").toStdString()));
    QVERIFY(json::parse(read(at("applied.json")).toStdString()).is_object());

    // The same in single commands.
    write(at("plan.json"), R"({"method": "weight-svd", "ratios": {"Conv_2": 0.75}})");
    for (const QStringList& step :
         {QStringList{"compress", "small.onnx", "--plan", "plan.json", "--data", "x.npy", "-o", "single1.onnx"},
          QStringList{"equalize", "single1.onnx", "--data", "x.npy", "-o", "single2.onnx"},
          QStringList{"quantize", "single2.onnx", "--data", "x.npy", "--scheme", "mse", "-o", "single3.onnx"}})
        QCOMPARE(run(step, m_folder.path()).code, 0);
    QCOMPARE(contentHash(*readOnnx(at("single3.onnx").toStdString())),
             contentHash(*readOnnx(at("applied.onnx").toStdString())));

    const Ended text =
        run({"apply", "whole.json", "--model", "small.onnx", "--data", "x.npy", "-o", "applied.onnx"}, m_folder.path());
    QCOMPARE(text.code, 0);
    for (const char* part :
         {"Step 1 of 3: compress", "Conv_2", "Step 2 of 3: equalize", "Step 3 of 3: quantize", "Wrote applied.onnx"})
        QVERIFY2(text.out.contains(part), part);
}

void TestConsole::applyWithoutQuantization() {
    write(at("float.json"), R"({"steps": [{"step": "equalize"}]})");
    const QStringList arguments{"apply", "float.json", "--model", "small.onnx", "-o", "float.onnx", "--json", "-"};
    const Ended alone = run(arguments, m_folder.path());
    QVERIFY2(alone.code == 0, alone.err.constData());
    QVERIFY(alone.parsed()["evaluation"].is_null());
    const Ended scored = run(arguments + QStringList{"--eval-data", "x.npy", "--eval-limit", "4"}, m_folder.path());
    QVERIFY2(scored.code == 0, scored.err.constData());
    const json evaluation = scored.parsed()["evaluation"];
    QVERIFY(isScore(evaluation["before"]) && isScore(evaluation["after"]));
    QCOMPARE(evaluation["after"]["samples"], 4);
}

/// A file elsewhere has no preprocessing beside it: its scores would be those of a guess.
void TestConsole::filesSayHowTheirInputIsMade() {
    const Model model = test::ModelBuilder()
                            .input("x", {1, 3, 8, 8})
                            .constant("w", test::randomTensor({4, 3, 3, 3}, 1))
                            .node("Conv", {"x", "w"}, {"y"})
                            .output("y", {1, 4, 6, 6})
                            .build();
    QVERIFY(writeOnnx(model, at("seen.onnx").toStdString()));
    write(at("seen.preprocess.json"), R"({"resize": "stretch", "size": 8, "scale": 0.125})");
    write(at("seen.plan.json"), R"({"method": "weight-svd", "ratios": {"Conv_0": 0.5}})");
    write(at("seen.json"), R"({"steps": [{"step": "equalize"}]})");
    QDir(m_folder.path()).mkpath("made");
    for (const QStringList& command : {QStringList{"equalize", "seen.onnx"},
                                       QStringList{"compress", "seen.onnx", "--plan", "seen.plan.json", "--plain"},
                                       QStringList{"apply", "seen.json", "--model", "seen.onnx"}}) {
        const Ended made = run(command + QStringList{"-o", "made/out.onnx"}, m_folder.path());
        QVERIFY2(made.code == 0, made.err.constData());
        const auto written = readOnnx(at("made/out.onnx").toStdString());
        QVERIFY(written);
        const json told = json::parse(written->metadataValue("equant.preprocess"), nullptr, false);
        QVERIFY2(told.is_object() && told["scale"] == 0.125, qPrintable(command.front()));
    }
}

void TestConsole::applyTakesAWorkspace() {
    QDir(m_folder.path()).mkpath("saved");
    write(at("saved/small.equant"), R"({"equant_workspace": 1, "model": {"path": "../small.onnx", "hash": "other"},
        "data": {"path": "../x.npy", "calibration_samples": 5, "evaluation_samples": 4},
        "recipe": {"steps": [{"step": "quantize", "scheme": "mse"}]},
        "draft": {"step": "compress", "data": "../x.npy", "samples": 6,
                  "plan": {"method": "weight-svd", "ratios": {"Conv_2": 0.75}}}})");
    const QStringList arguments{"apply", "saved/small.equant", "-o", "workspace.onnx", "--no-latency", "--json", "-"};
    const Ended applied = run(arguments, m_folder.path());
    QVERIFY2(applied.code == 0, applied.err.constData());
    const json result = applied.parsed();
    QCOMPARE(result["steps"].size(), std::size_t(2));
    QCOMPARE(result["steps"][0]["samples"], 6);
    QCOMPARE(result["steps"][1]["calibration_samples"], 5);
    QCOMPARE(result["steps"][1]["quantized"]["samples"], 4);
    QCOMPARE(result["model_changed"], true);
    const Ended fewer = run(arguments + QStringList{"--limit", "3", "--data", "x.npy"}, m_folder.path());
    QCOMPARE(fewer.parsed()["steps"][1]["calibration_samples"], 3);

    write(at("nameless.json"), R"({"steps": []})");
    const Ended nameless = run({"apply", "nameless.json", "-o", "nameless.onnx"}, m_folder.path());
    QCOMPARE(nameless.code, 2);
    QVERIFY2(nameless.err.contains("--model is missing"), nameless.err.constData());
    write(at("nameless.equant"), R"({"steps": []})");
    const Ended bare = run({"apply", "nameless.equant", "-o", "nameless.onnx"}, m_folder.path());
    QCOMPARE(bare.code, 1);
    QVERIFY2(bare.err.contains("names no model"), bare.err.constData());
}

void TestConsole::applyRefuses_data() {
    QTest::addColumn<QByteArray>("recipe");
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("says");
    const QStringList data{"--data", "x.npy"};
    QTest::newRow("no samples") << kWholeRecipe << QStringList{} << "\"compress\" fits layers";
    QTest::newRow("no calibration samples")
        << QByteArray(R"({"steps": [{"step": "quantize"}]})") << QStringList{} << "\"quantize\" needs samples";
    QTest::newRow("plan of another model")
        << QByteArray(kWholeRecipe).replace("Conv_2", "somewhere") << data << "\"somewhere\": the model has no such";
    QTest::newRow("unknown step") << QByteArray(R"({"steps": [{"step": "fly"}]})") << data << "fly";
    QTest::newRow("no recipe") << QByteArray("[]") << data << "not a recipe";
    QTest::newRow("missing data") << kWholeRecipe << QStringList{"--data", "nowhere"} << "nowhere";
    QTest::newRow("no encodings") << QByteArray(R"({"steps": []})") << QStringList{"--encodings", "refused.json"}
                                  << "does not quantize";
    QTest::newRow("no folder") << kWholeRecipe << data + QStringList{"--encodings", "no/e.json"} << "does not exist";
}
void TestConsole::applyRefuses() {
    QFETCH(QByteArray, recipe);
    QFETCH(QStringList, arguments);
    QFETCH(QString, says);
    write(at("refused-recipe.json"), recipe);
    const Ended result =
        run(QStringList{"apply", "refused-recipe.json", "--model", "small.onnx", "-o", "refused.onnx"} + arguments,
            m_folder.path());
    QCOMPARE(result.code, 1);
    QVERIFY2(result.err.contains(says.toUtf8()), result.err.constData());
    QVERIFY2(result.err.count('\n') == 1, result.err.constData());
    QVERIFY(!QFileInfo::exists(at("refused.onnx")) && !QFileInfo::exists(at("refused.json")));
}

void TestConsole::interrupted() {
    QProcess process;
    process.start(EQUANT_CLI, {"bench", at("small.onnx"), "--runs", "100000", "--batch", "512"});
    QVERIFY(process.waitForStarted());
    QTRY_VERIFY_WITH_TIMEOUT(catchesInterrupts(process.processId()), 20000);
    ::kill(static_cast<pid_t>(process.processId()), SIGINT);
    QVERIFY(process.waitForFinished(20000));
    QCOMPARE(process.exitCode(), 130);
    QVERIFY(process.readAllStandardError().contains("interrupted"));
}

void TestConsole::gateHoldsResultsAgainstDemands_data() {
    QTest::addColumn<QByteArray>("result");
    QTest::addColumn<QStringList>("demands");
    QTest::addColumn<int>("code");
    const QByteArray quantized = R"({"float": {"top1": 90.0}, "quantized": {"top1": 88.5, "sqnr_db": 21.5}})";
    const QByteArray compressed = R"({"evaluation": {"before": {"top1": 90.0}, "after": {"top1": 85.0}}})";
    const QByteArray applied = R"({"steps": [{"step": "equalize"}, )" + quantized + R"(], "evaluation": null})";
    const QByteArray evaluated = R"({"samples": 4, "top1": 75.0, "sqnr_db": null})";
    QTest::newRow("met") << quantized << QStringList{"--min-top1", "88.5", "--max-drop", "1.5", "--min-sqnr", "21"}
                         << 0;
    QTest::newRow("top-1") << quantized << QStringList{"--min-top1", "88.6"} << 3;
    QTest::newRow("drop") << quantized << QStringList{"--max-drop", "1.4"} << 3;
    QTest::newRow("SQNR") << quantized << QStringList{"--min-top1", "50", "--min-sqnr", "22"} << 3;
    QTest::newRow("compressed") << compressed << QStringList{"--max-drop", "5"} << 0;
    QTest::newRow("compressed too far") << compressed << QStringList{"--max-drop", "4.9"} << 3;
    QTest::newRow("applied") << applied << QStringList{"--max-drop", "1"} << 3;
    QTest::newRow("evaluated") << evaluated << QStringList{"--min-top1", "75"} << 0;
    QTest::newRow("no SQNR") << evaluated << QStringList{"--min-sqnr", "1"} << 1;
    QTest::newRow("nothing before") << evaluated << QStringList{"--max-drop", "1"} << 1;
    QTest::newRow("no scores") << QByteArray("[]") << QStringList{"--min-top1", "1"} << 1;
    QTest::newRow("no JSON") << QByteArray("top-1 90 %") << QStringList{"--min-top1", "1"} << 1;
    QTest::newRow("no demand") << quantized << QStringList{} << 2;
}
void TestConsole::gateHoldsResultsAgainstDemands() {
    QFETCH(QByteArray, result);
    QFETCH(QStringList, demands);
    QFETCH(int, code);
    write(at("result <1>.json"), result);
    QFile::remove(at("junit.xml"));
    const Ended gate =
        run(QStringList{"gate", "result <1>.json", "--junit", "junit.xml", "--json", "-"} + demands, m_folder.path());
    QVERIFY2(gate.code == code, gate.err.constData());
    const QByteArray junit = read(at("junit.xml"));
    if (code == 1) QVERIFY2(gate.err.contains("result <1>.json") && gate.err.count('\n') == 1, gate.err.constData());
    if (code == 1 || code == 2) {
        QVERIFY(junit.isEmpty());
        return;
    }
    QCOMPARE(gate.parsed()["passed"].get<bool>(), code == 0);
    QCOMPARE(gate.parsed()["checks"].size(), static_cast<std::size_t>(demands.size() / 2));
    QXmlStreamReader xml(junit);
    int cases = 0, failures = 0;
    while (!xml.atEnd())
        if (xml.readNext() == QXmlStreamReader::StartElement) {
            cases += xml.name() == u"testcase";
            failures += xml.name() == u"failure";
        }
    QVERIFY2(!xml.hasError(), qPrintable(xml.errorString()));
    QCOMPARE(cases, static_cast<int>(demands.size() / 2));
    QCOMPARE(failures > 0, code == 3);
}

void TestConsole::gateRunsAWorkspace() {
    write(at("gate.equant"), R"({"equant_workspace": 1, "model": {"path": "small.onnx"},
        "data": {"path": "x.npy"}, "recipe": {"steps": [{"step": "quantize"}]}})");
    const Ended met = run({"gate", "gate.equant", "--min-sqnr", "10", "--json", "-"}, m_folder.path());
    QVERIFY2(met.code == 0, met.err.constData());
    QVERIFY(met.parsed()["checks"][0]["found"].get<double>() > 10);
    QCOMPARE(run({"gate", "gate.equant", "--min-sqnr", "90"}, m_folder.path()).code, 3);
}

void TestConsole::cacheTellsAndClears() {
    const QString store = at("store/results.sqlite");
    qputenv("EQUANT_CACHE", store.toUtf8());
    const auto restored = qScopeGuard([] { qputenv("EQUANT_CACHE", ""); });
    const QStringList sweep{"sensitivity", at("small.onnx"), "--data",    at("x.npy"), "--ratios",
                            "0.5",         "--method",       "weight-svd"};
    QCOMPARE(run(sweep + QStringList{"--no-cache"}).code, 0);
    QVERIFY(!QFileInfo::exists(store));
    QCOMPARE(run(sweep).code, 0);
    const json stats = run({"cache", "--stats", "--json", "-"}).parsed();
    QVERIFY(stats["entries"].get<int>() > 0 && stats["bytes"].get<int>() > 0);
    QCOMPARE(stats["path"].get<std::string>(), store.toStdString());
    const json cleared = run({"cache", "--clear", "--json", "-"}).parsed();
    QCOMPARE(cleared["entries"].get<int>(), 0);
    QCOMPARE(run({"cache", "--clear", "--stats"}).code, 2);
    QVERIFY(run({"cache", "--no-cache", "--json", "-"}).parsed()["path"].is_null());

    write(store, "no database, but long enough to be looked at\n");
    for (const char* suffix : {"-wal", "-shm"}) QFile::remove(store + suffix);
    const Ended damaged = run(sweep);
    QCOMPARE(damaged.code, 0);
    QVERIFY2(damaged.err.contains("results.sqlite.damaged-1"), damaged.err.constData());
}

void TestConsole::killedSweepsGoOn() {
    const QStringList sweep{"sensitivity", kSample, "--data",   kImages,       "--limit",  "40",
                            "--json",      "-",     "--ratios", "0.3:0.7:0.2", "--method", "weight-svd"};
    const auto scores = [](const json& table) {
        json all = json::array();
        for (const json& layer : table["layers"]) all.push_back(layer["scores"]);
        return all;
    };
    const json whole = run(sweep + QStringList{"--no-cache"}).parsed();
    QVERIFY(scores(whole).size() > 3);

    qputenv("EQUANT_CACHE", at("killed.sqlite").toUtf8());
    const auto restored = qScopeGuard([] { qputenv("EQUANT_CACHE", ""); });
    const auto entries = [&] { return run({"cache", "--json", "-"}).parsed().value("entries", 0); };
    QProcess process;
    process.start(EQUANT_CLI, sweep);
    QVERIFY(process.waitForStarted());
    QTRY_VERIFY_WITH_TIMEOUT(entries() >= 3, 60000);
    process.kill();
    QVERIFY(process.waitForFinished(20000));
    const int kept = entries();
    QVERIFY(kept >= 3);

    const json resumed = run(sweep).parsed();
    QCOMPARE(scores(resumed), scores(whole));
    for (const char* key : {"metric", "baseline", "rank_correlation"}) QCOMPARE(resumed[key], whole[key]);
    QVERIFY(entries() >= kept);
    // All cells are known now: the work is the network itself, once, and its statistics.
    const json again = run(sweep).parsed();
    QCOMPARE(scores(again), scores(whole));
    QCOMPARE(again["rank_correlation"], whole["rank_correlation"]);
    QVERIFY(again["forward_equivalents"].get<double>() < whole["forward_equivalents"].get<double>() / 2);
}

EQUANT_TEST(TestConsole)
}  // namespace test_console

#include "test_console.moc"
