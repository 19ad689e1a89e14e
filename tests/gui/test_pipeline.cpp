// SPDX-License-Identifier: GPL-3.0-or-later
// There is one pipeline: runner, console program, window and report find the same numbers to the last bit, and every
// "Copy as command" reproduces what the window shows.
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>

#include "app/desktop/report/report_run.h"
#include "app/desktop/window/main_window.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/run.h"
#include "core/recipe/workspace.h"
#include "tests/gui/support/window_driver.h"
#include "tests/gui/support/window_fixture.h"
#include "tests/support/registry.h"

namespace test_pipeline {

using namespace equant;
using namespace equant::ui;
using nlohmann::json;

namespace {

const std::string kModel = EQUANT_SOURCE_DIR "/resources/sample/equant_sample.onnx";
const std::string kImages = EQUANT_SOURCE_DIR "/resources/sample/images";

/// All scores and layers of a quantization as one text; numbers with all their digits.
QByteArray figures(const json& scores, const json& layers) {
    json all{{"layers", json::array()}};
    for (const char* key : {"float", "weights_only", "activations_only", "quantized"})
        for (const char* field : {"samples", "top1", "top5", "agreement", "sqnr_db", "cosine"})
            all[key][field] = scores[key][field];
    for (const json& layer : layers)
        all["layers"].push_back(json::array({layer["name"], layer["local_sqnr_db"], layer["accumulated_sqnr_db"]}));
    return QByteArray::fromStdString(all.dump(1));
}

json number(const std::optional<double>& value) {
    return value && std::isfinite(*value) ? json(*value) : json();
}

json scoreOf(const Score& score) {
    return {{"samples", score.samples},        {"top1", number(score.top1)},
            {"top5", number(score.top5)},      {"agreement", number(score.agreement)},
            {"sqnr_db", number(score.sqnrDb)}, {"cosine", number(score.cosine)}};
}

template <typename Layers, typename NameOf>
json layersOf(const Layers& layers, const NameOf& nameOf) {
    json all = json::array();
    for (const auto& layer : layers)
        all.push_back({{"name", nameOf(layer)},
                       {"local_sqnr_db", number(layer.localDb)},
                       {"accumulated_sqnr_db", number(layer.accumulatedDb)}});
    return all;
}

QByteArray figuresOf(const SimulationReport& report) {
    return figures({{"float", scoreOf(report.floating)},
                    {"weights_only", scoreOf(report.weightsOnly)},
                    {"activations_only", scoreOf(report.activationsOnly)},
                    {"quantized", scoreOf(report.quantized)}},
                   layersOf(report.layers, [](const LayerSqnr& layer) { return layer.name; }));
}

QByteArray figuresOf(const QuantizationResult& result) {
    return figures({{"float", scoreOf(result.floating)},
                    {"weights_only", scoreOf(result.weightsOnly)},
                    {"activations_only", scoreOf(result.activationsOnly)},
                    {"quantized", scoreOf(result.both)}},
                   layersOf(result.layers, [](const LayerNoise& layer) { return layer.layer.toStdString(); }));
}

QByteArray figuresOf(const json& step) {
    return figures(step, step["layers"]);
}

}  // namespace

class TestPipeline : public QObject {
    Q_OBJECT

private:
    test::IsolatedSettings m_settings;
    QTemporaryDir m_folder;

    static DataOptions data() {
        DataOptions data;
        data.path = kImages;
        data.calibrationSamples = 24;
        data.evaluationSamples = 40;
        return data;
    }
    static Recipe recipe() {
        CompressStep compressing;
        compressing.plan.choices = {{"/head/conv/Conv", CompressionMethod::WeightSvd, 0.5}};
        compressing.data = kImages;
        compressing.samples = 16;
        return {{compressing, EqualizeStep{}, QuantizeStep{}}};
    }
    std::string at(const char* name) const { return m_folder.filePath(QString::fromLatin1(name)).toStdString(); }

    json shell(QString command, const char* more) const {
        command.replace(0, 10, QStringLiteral("'" EQUANT_CLI "'"));
        QProcess process;
        process.setWorkingDirectory(m_folder.path());
        process.start(QStringLiteral("/bin/sh"),
                      {QStringLiteral("-c"), command + QLatin1String(more) + QStringLiteral(" --json -")});
        if (!process.waitForFinished(120000) || process.exitCode() != 0)
            qWarning("%s\n%s", qPrintable(command), process.readAllStandardError().constData());
        return json::parse(process.readAllStandardOutput().toStdString(), nullptr, false);
    }

    /// A window with these steps applied, and quantized.
    std::unique_ptr<MainWindow> window(const Recipe& steps) {
        Workspace workspace;
        workspace.model = kModel;
        workspace.data = data();
        workspace.recipe = steps;
        if (!writeFileAtomic(at("saved.equant"), toJson(workspace, m_folder.path().toStdString()))) return nullptr;
        auto opened = std::make_unique<MainWindow>();
        opened->resize(1280, 800);
        opened->show();
        opened->session().openWorkspace(QString::fromStdString(at("saved.equant")));
        if (!test::waitIdle(*opened)) return nullptr;
        opened->session().quantize();
        if (!test::waitIdle(*opened) || !test::documentOf(*opened).quantization()) return nullptr;
        return opened;
    }

    static QString copied(MainWindow& window, const char* action) {
        test::find<QAction>(window, action)->trigger();
        return QApplication::clipboard()->text();
    }

private slots:
    void initTestCase() {
        QCoreApplication::setOrganizationName(QStringLiteral("EquantTest"));
        QCoreApplication::setApplicationName(QStringLiteral("TestPipeline"));
    }

    void everybodyFindsTheSameNumbers() {
        const auto model = readOnnx(kModel);
        QVERIFY(model);
        const auto prepared = prepareRecipe(recipe(), *model, kModel, data());
        QVERIFY2(prepared, prepared ? "" : describe(prepared.error()).c_str());
        const auto run = runRecipe(*prepared, *model, {0, false});
        QVERIFY(run && run->simulation());
        const QByteArray expected = figuresOf(*run->simulation());

        QVERIFY(writeFileAtomic(at("recipe.json"), toJson(recipe())));
        const json applied = shell(QStringLiteral("equant-cli apply recipe.json --model '%1' --data '%2' --limit 24 "
                                                  "--eval-limit 40 -o applied.onnx")
                                       .arg(QString::fromStdString(kModel), QString::fromStdString(kImages)),
                                   " --no-latency");
        QVERIFY(applied.is_object());
        QCOMPARE(figuresOf(applied["steps"][2]), expected);

        const auto opened = window(recipe());
        QVERIFY(opened);
        const Document& document = test::documentOf(*opened);
        QCOMPARE(figuresOf(*document.quantization()), expected);

        ReportRequest request;
        request.modelPath = QString::fromStdString(kModel);
        request.recipe = recipe();
        request.data = document.state().data;
        request.shouldTime = request.shouldCompare = false;
        Document reported;
        QVERIFY(ui::runRecipe(request, reported, [](const QString&) {}, {}));
        QVERIFY(reported.quantization());
        QCOMPARE(figuresOf(*reported.quantization()), expected);

        // The compression and the equalization, too.
        const auto& proof = std::get<EqualizationProof>(run->steps[1].report);
        QCOMPARE(document.shownEqualized()->equivalence->maxAbsDiff, proof.equivalence->maxAbsDiff);
        QCOMPARE(reported.shownEqualized()->equivalence->maxAbsDiff, proof.equivalence->maxAbsDiff);
        QCOMPARE(applied["steps"][1]["equivalence"]["max_abs_diff"].get<double>(), proof.equivalence->maxAbsDiff);
        const auto& report = std::get<CompressionReport>(run->steps[0].report);
        QCOMPARE(applied["steps"][0]["layers"][0]["sqnr_db"].get<double>(), *report.layers[0].sqnrDb);
        QCOMPARE(document.compressedFor(*document.state().recipe.compressStep())->report.layers[0].sqnrDb,
                 report.layers[0].sqnrDb);
    }

    void copiedCommandsGiveWhatTheWindowShows() {
        const auto opened = window(recipe());
        QVERIFY(opened);
        const Document& document = test::documentOf(*opened);

        const json quantized = shell(copied(*opened, "copyQuantizeAction"), " --no-latency");
        QCOMPARE(quantized["steps"].size(), std::size_t(3));
        QCOMPARE(figuresOf(quantized["steps"][2]), figuresOf(*document.quantization()));

        const json equalized = shell(copied(*opened, "copyEqualizeAction"), " --no-latency");
        QCOMPARE(equalized["steps"].size(), std::size_t(2));
        QCOMPARE(equalized["steps"][1]["equivalence"]["max_abs_diff"].get<double>(),
                 document.shownEqualized()->equivalence->maxAbsDiff);

        const json compressed = shell(copied(*opened, "copyCompressAction"), " --no-latency");
        QCOMPARE(compressed["steps"].size(), std::size_t(1));
        const auto& shown = document.compressedFor(*document.state().recipe.compressStep())->report;
        QCOMPARE(compressed["steps"][0]["macs_ratio"].get<double>(), shown.macsRatio);
        QCOMPARE(compressed["steps"][0]["layers"][0]["sqnr_db"].get<double>(), *shown.layers[0].sqnrDb);
    }

    void commandsOfOneStepToo() {
        const auto opened = window({});
        QVERIFY(opened);
        const QString command = copied(*opened, "copyQuantizeAction");
        QVERIFY2(command.startsWith(QStringLiteral("equant-cli quantize ")), qPrintable(command));
        const json quantized = shell(command, "");
        QCOMPARE(figuresOf(quantized), figuresOf(*test::documentOf(*opened).quantization()));
        QCOMPARE(quantized["calibration_samples"].get<int>(), 24);
    }
};

EQUANT_TEST(TestPipeline)
}  // namespace test_pipeline

#include "test_pipeline.moc"
