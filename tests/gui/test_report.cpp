// SPDX-License-Identifier: GPL-3.0-or-later
// The report of a model: from the menu of the window and from the command line.
#include <QAction>
#include <QDir>
#include <QFileDialog>
#include <QLabel>
#include <QMenu>
#include <QProcess>
#include <QTest>
#include <QTimer>

#include "app/desktop/compression/compression_view.h"
#include "app/desktop/pages/plot_data.h"
#include "app/desktop/report/report_command.h"
#include "app/desktop/report/report_content.h"
#include "app/desktop/report/report_run.h"
#include "app/desktop/window/main_window.h"
#include "core/recipe/workspace.h"
#include "tests/gui/support/window_fixture.h"
#include "tests/support/registry.h"
#include "widgets/panels/message_bar.h"
#include "widgets/plots/base/plot_view.h"
#include "widgets/report/report_renderer.h"

namespace test_report {

using namespace equant;
using namespace equant::ui;
using namespace Qt::StringLiterals;

namespace {

QByteArray contentOf(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

bool writeText(const QString& path, const QByteArray& text) {
    QFile file(path);
    return file.open(QIODevice::WriteOnly) && file.write(text) == text.size();
}

QString allText(const report::Report& report) {
    QString text;
    const report::Layout layout = layOut(report, report::Paper::A4);
    for (const report::Page& page : layout.pages)
        for (const report::TextItem& item : page.texts) text += item.text + u'\n';
    return text;
}

QStringList titlesOf(const report::Report& report) {
    QStringList titles;
    for (const report::Section& section : report.sections) titles << section.title;
    return titles;
}

QStringList figuresOf(const report::Report& report) {
    QStringList names;
    for (const report::Section& section : report.sections)
        for (const report::Block& block : section.blocks)
            if (const auto* row = std::get_if<report::FigureRow>(&block))
                for (const report::Figure& figure : row->figures) names << figure.name;
    return names;
}

}  // namespace

class TestReport : public QObject {
    Q_OBJECT

private:
    test::IsolatedSettings m_settings;
    QTemporaryDir m_folder;
    QString m_model;
    QString m_data;
    QString m_recipe;

    ReportRequest request(bool withSteps) const {
        ReportRequest request;
        request.modelPath = m_model;
        if (!withSteps) return request;
        request.recipe = *parseRecipe(contentOf(m_recipe).toStdString());
        request.data.path = m_data;
        request.data.preprocess = m_folder.filePath(QStringLiteral("as-it-is.json"));
        return request;
    }
    static report::Report reportOf(const Document& document) {
        const auto facts =
            gatherReportFacts(*document.loaded(), document.state().data, {}, document.state().recipe.compressStep());
        return facts ? makeReport(document, *facts, QDateTime::fromSecsSinceEpoch(1700000000, Qt::UTC))
                     : report::Report{};
    }
    /// Compress, equalize, quantize.
    Recipe wholeRecipe() const {
        CompressStep step;
        step.plan.choices = {{"Conv_0", CompressionMethod::SpatialSvd, 0.6}};
        step.options.seed = 5;
        step.source = DataSource::GivenAtRun;
        return {{step, EqualizeStep{}, QuantizeStep{}}};
    }
    int run(const QStringList& arguments) const { return runReportCommand(QStringList{u"report"_s} + arguments); }

private slots:
    void initTestCase() {
        QCoreApplication::setOrganizationName(QStringLiteral("EquantTest"));
        QCoreApplication::setApplicationName(QStringLiteral("TestReport"));
        m_model = test::writeModel(m_folder);
        QVERIFY(!m_model.isEmpty());
        m_data = test::writePictures(m_folder, 4);
        QVERIFY(writeText(m_folder.filePath(QStringLiteral("as-it-is.json")),
                          QByteArray::fromStdString(toJson(Preprocessing{}))));
        m_recipe = m_folder.filePath(QStringLiteral("recipe.json"));
        QVERIFY(writeText(m_recipe, R"({"equant_recipe": 1, "steps": [{"step": "equalize"}, {"step": "quantize"}]})"));
    }

    void tellsOnlyWhatIsKnown() {
        Document document;
        QVERIFY(runRecipe(request(false), document, [](const QString&) {}, {}));
        const report::Report report = reportOf(document);
        QCOMPARE(titlesOf(report), QStringList({QString(), QStringLiteral("Findings"), QStringLiteral("Weight ranges"),
                                                QStringLiteral("Layers"), QStringLiteral("What was skipped, and why"),
                                                QStringLiteral("Provenance")}));
        QVERIFY(!allText(report).contains(QStringLiteral("equalized")));
    }

    void tellsBeforeAndAfter() {
        Document document;
        QStringList steps;
        QVERIFY(runRecipe(request(true), document, [&](const QString& step) { steps << step; }, {}));
        QCOMPARE(steps.size(), 5);
        QVERIFY(document.isQuantizationFresh());
        QVERIFY(document.otherQuantization());
        const report::Report report = reportOf(document);
        QVERIFY(titlesOf(report).contains(QStringLiteral("Quantization")));
        const QString text = allText(report);
        QVERIFY2(!text.contains(m_folder.path()), "the report tells where its files were");
        for (const QString& expected :
             {QStringLiteral("uneven.onnx"), QStringLiteral("not equalized: both"), QStringLiteral("equalized: both"),
              QStringLiteral("same network"), QStringLiteral("oneDNN"), QStringLiteral("16 samples"),
              document.loaded() ? QStringLiteral("XXH3-128") : QString()})
            QVERIFY2(text.contains(expected), qPrintable(expected));
        // The recipe inside is the recipe that was run.
        QCOMPARE(report.attachments.size(), std::size_t(1));
        const auto inside = parseRecipe(report.attachments.front().bytes.toStdString());
        QVERIFY(inside && *inside == request(true).recipe);
    }

    void tellsOfCompression() {
        Document document;
        ReportRequest whole = request(true);
        whole.recipe = wholeRecipe();
        QStringList steps;
        const auto status = runRecipe(whole, document, [&](const QString& step) { steps << step; }, {});
        QVERIFY2(status, status ? "" : status.error().message.c_str());
        QCOMPARE(steps.size(), 7);
        QVERIFY(document.isQuantizationFresh());
        const CompressStep* step = document.state().recipe.compressStep();
        QVERIFY(step && document.compressedFor(*step) && document.measurementOf(*step));
        QVERIFY(document.base() != document.loaded());
        QVERIFY(document.shownEqualized() && document.quantization()->compressed == *step);
        QVERIFY(document.sensitivity());

        const report::Report report = reportOf(document);
        const QStringList titles = titlesOf(report);
        QVERIFY(titles.indexOf(QStringLiteral("Compression")) > 0);
        QVERIFY(titles.indexOf(QStringLiteral("Compression")) < titles.indexOf(QStringLiteral("Weight ranges")));
        const QStringList figures = figuresOf(report);
        for (const char* name :
             {"compression-sensitivity", "compression-ratios", "compression-savings", "compression-frontier"})
            QVERIFY2(figures.contains(QLatin1String(name)), name);
        const CompressibleLayer& last = document.loaded()->compressible.back();  // a 1x1 kernel
        const QString reason = QString::fromStdString(last.reason(CompressionMethod::SpatialSvd));
        QVERIFY(!reason.isEmpty());
        const QString text = allText(report);
        for (const QString& expected :
             {QStringLiteral("spatial SVD"), reason.left(12), QStringLiteral("output SQNR"),
              QStringLiteral("Peak activation memory"), QStringLiteral("Latency of a sample, measured"),
              QStringLiteral("of the latency"), QStringLiteral("float, compressed"),
              QStringLiteral("compressed, measured"), QStringLiteral("fitted to 16 sample"), QStringLiteral("seed 5"),
              QStringLiteral("Compression data"), QStringLiteral("≈"), QStringLiteral("Layers of the compressed")})
            QVERIFY2(text.contains(expected), qPrintable(expected));
        QVERIFY2(!text.contains(m_folder.path()), "the report tells where its files were");
        QStringList names;
        for (const report::Attachment& file : report.attachments) {
            names << file.name;
            QVERIFY2(!file.bytes.contains(m_folder.path().toUtf8()), qPrintable(file.name));
        }
        QCOMPARE(names, QStringList({u"recipe.json"_s, u"plan.json"_s, u"sensitivity.json"_s}));
        QVERIFY(parseRecipe(report.attachments[0].bytes.toStdString()));
        QVERIFY(*parsePlan(report.attachments[1].bytes.toStdString()) == step->plan);
        QVERIFY(parseSensitivity(report.attachments[2].bytes.toStdString()));
    }

    void predictionsLookOtherThanMeasurements() {
        Document document;
        ReportRequest whole = request(true);
        whole.recipe = wholeRecipe();
        whole.recipe.steps.resize(1);
        auto& compressing = std::get<CompressStep>(whole.recipe.steps.front());
        compressing.plan.predicted = PlanPrediction{0.8, 0.9, 77.7, 1.5};
        whole.shouldTime = false;
        QVERIFY(runRecipe(whole, document, [](const QString&) {}, {}));
        QVERIFY(!allText(reportOf(document)).contains(QStringLiteral("atency")));
        QVERIFY(allText(reportOf(document)).contains(QStringLiteral("≈ 80.0 %")));  // the plan's own, not the table's
        int predicted = 0, measured = 0;
        for (const report::Section& section : reportOf(document).sections)
            for (const report::Block& block : section.blocks)
                if (const auto* tiles = std::get_if<report::Tiles>(&block))
                    for (const report::Tile& tile : tiles->tiles) {
                        if (tile.label.contains(QStringLiteral("predicted"))) {
                            ++predicted;
                            QVERIFY(tile.isPredicted);
                            QVERIFY2(tile.value.startsWith(u'≈'), qPrintable(tile.value));
                        }
                        if (tile.label.contains(QStringLiteral(", measured"))) {
                            ++measured;
                            QVERIFY(!tile.isPredicted && !tile.value.contains(u'≈'));
                        }
                    }
        QCOMPARE(predicted, 1);
        QCOMPARE(measured, 1);
        // On the page: italics in another colour.
        const report::Report report = reportOf(document);
        const report::Layout layout = layOut(report, report::Paper::A4);
        const auto& texts = layout.pages.front().texts;
        const auto tile = std::ranges::find_if(texts, [](const auto& item) { return item.text.startsWith(u'≈'); });
        QVERIFY(tile != texts.end());
        QVERIFY(tile->font.italic());
        QVERIFY(std::ranges::any_of(texts, [&](const auto& item) {
            return item.font.pixelSize() == tile->font.pixelSize() && !item.font.italic() &&
                   item.colour != tile->colour;
        }));
    }

    void sensitivitiesComeFromAFile() {
        Document document;
        ReportRequest whole = request(true);
        whole.recipe = wholeRecipe();
        whole.recipe.steps.resize(1);
        QVERIFY(runRecipe(whole, document, [](const QString&) {}, {}));
        SensitivityTable table = *document.sensitivity();
        table.metric = SensitivityMetric::Top1;
        table.baseline = 62.5;
        for (LayerSensitivity& layer : table.layers)
            for (SensitivityCell& cell : layer.cells) cell.score = 60.0, cell.samples = 16;
        const QString path = m_folder.filePath(QStringLiteral("sensitivity.json"));
        QVERIFY(writeText(path, QByteArray::fromStdString(toJson(table))));
        whole.sensitivityPath = path;
        QStringList steps;
        QVERIFY(runRecipe(whole, document, [&](const QString& step) { steps << step; }, {}));
        QCOMPARE(steps.size(), 3);  // nothing to predict
        QVERIFY(document.sensitivity()->baseline == 62.5);
        const QString text = allText(reportOf(document));
        QVERIFY(text.contains(QStringLiteral("score: top1")));
        QVERIFY(text.contains(QStringLiteral("--sensitivity sensitivity.json")));

        // Also without a compression.
        whole.recipe.steps.clear();
        QVERIFY(runRecipe(whole, document, [](const QString&) {}, {}));
        const report::Report mapOnly = reportOf(document);
        QVERIFY(figuresOf(mapOnly).contains(QStringLiteral("compression-sensitivity")));
        QVERIFY(!figuresOf(mapOnly).contains(QStringLiteral("compression-savings")));

        table.layers.front().name = "elsewhere";
        QVERIFY(writeText(path, QByteArray::fromStdString(toJson(table))));
        const auto refused = runRecipe(whole, document, [](const QString&) {}, {});
        QVERIFY(!refused && describe(refused.error()).find("elsewhere") != std::string::npos);
    }

    void manyLayersStayOnTheirPages() {
        const auto parts = [](std::size_t layers) {
            Document document;
            test::ModelBuilder builder;
            builder.input("x0", {-1, 4, 4, 4}).output("x" + std::to_string(layers), {-1, 4, 4, 4});
            CompressStep step;
            for (std::size_t i = 0; i < layers; ++i) {
                const std::string n = std::to_string(i);
                builder.constant("w" + n, test::randomTensor({4, 4, 3, 3}, unsigned(i)))
                    .node("Conv", {"x" + n, "w" + n}, {"x" + std::to_string(i + 1)},
                          {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
                step.plan.choices.push_back({"Conv_" + n, CompressionMethod::SpatialSvd, 0.5});
            }
            ReportRequest request;
            QTemporaryDir folder;
            request.modelPath = folder.filePath(QStringLiteral("deep.onnx"));
            if (!writeOnnx(builder.build(), request.modelPath.toStdString())) return QStringList();
            request.recipe.steps.emplace_back(step);
            if (!runRecipe(request, document, [](const QString&) {}, {})) return QStringList();
            const report::Report report = reportOf(document);
            const report::Layout layout = layOut(report, report::Paper::A4);
            for (const report::Page& page : layout.pages)
                for (const report::FigureItem& item : page.figures)
                    if (!layout.content.adjusted(-1, -1, 1, 1).contains(item.rect)) return QStringList();
            return figuresOf(report).filter(QStringLiteral("compression-ratios"));
        };
        QCOMPARE(parts(46), QStringList({u"compression-ratios"_s}));
        QCOMPARE(parts(47), QStringList({u"compression-ratios-1"_s, u"compression-ratios-2"_s}));
    }

    void lossesAreToldAsTheyAre() {
        PlanMeasurement measured;
        measured.floating.top1 = 87.9;
        for (const auto& [score, text] :
             {std::pair(82.1, "5.8 points"), std::pair(87.9, "no loss"), std::pair(88.3, "a gain of 0.4 points")}) {
            measured.score.top1 = score;
            QCOMPARE(measuredLossText(measured), QLatin1String(text));
        }
        QuantizationResult result;
        result.floating.top1 = 86.6;
        result.weightsOnly.top1 = 80.6;
        result.activationsOnly.top1 = 80.7;
        result.both.top1 = 80.4;
        QVERIFY(diagnosisSentence(result, nullptr).contains(QStringLiteral("6.0 points")));
        // A compression lost these points before.
        result.prepared.emplace().top1 = 80.8;
        const QString sentence = diagnosisSentence(result, nullptr);
        QVERIFY2(sentence.contains(QStringLiteral("costs 0.4 points")), qPrintable(sentence));
        QuantizationResult other = result;
        result.equalized.emplace();
        QVERIFY2(diagnosisSentence(result, &other).contains(QStringLiteral("80.4 % in both variants")),
                 qPrintable(diagnosisSentence(result, &other)));
        other.both.top1 = 79.0;
        QVERIFY(diagnosisSentence(result, &other).contains(QStringLiteral("from 79.0 % to 80.4 %")));
    }

    void manyReasonsOfAKindShareARow() {
        constexpr int kLayers = 12;
        test::ModelBuilder builder;
        builder.input("x0", {-1, 4, 4, 4}).output("x" + std::to_string(kLayers), {-1, 4, 4, 4});
        for (int i = 0; i < kLayers; ++i) {
            const std::string n = std::to_string(i);
            builder.constant("w" + n, test::randomTensor({4, 4, 1, 1}, unsigned(i)))
                .node("Conv", {"x" + n, "w" + n}, {"c" + n})
                .node("Sigmoid", {"c" + n}, {"x" + std::to_string(i + 1)});
        }
        Document document;
        ReportRequest request;
        QTemporaryDir folder;
        request.modelPath = folder.filePath(QStringLiteral("gates.onnx"));
        QVERIFY(writeOnnx(builder.build(), request.modelPath.toStdString()));
        request.recipe.steps.emplace_back(EqualizeStep{});
        QVERIFY(runRecipe(request, document, [](const QString&) {}, {}));
        const report::Report report = reportOf(document);
        const auto section =
            std::ranges::find(report.sections, QStringLiteral("What was skipped, and why"), &report::Section::title);
        QVERIFY(section != report.sections.end());
        const auto* table = std::get_if<report::Table>(&section->blocks.front());
        QVERIFY(table && table->rows.size() < 4);
        const QString row = table->rows.front().join(u'|');
        QVERIFY2(row.contains(QStringLiteral("12 layer")), qPrintable(row));
        const QString all = allText(report).replace(u'\n', u' ');
        QVERIFY(!all.contains(u'…'));
        for (int i = 0; i < kLayers; ++i)  // none is lost
            QVERIFY2(all.contains(QStringLiteral("Conv_%1").arg(2 * i)), qPrintable(all.right(2000)));
    }

    void contentHashesFollowTheContent() {
        Document document;
        QVERIFY(runRecipe(request(false), document, [](const QString&) {}, {}));
        DataChoice choice;
        choice.path = m_data;
        const auto first = gatherReportFacts(*document.loaded(), choice, {});
        const auto again = gatherReportFacts(*document.loaded(), choice, {});
        QVERIFY(first && again && first->calibration && again->calibration);
        QCOMPARE(first->calibration->hash, again->calibration->hash);
        // A copy elsewhere, with other times, is the same data; another limit is not.
        QTemporaryDir elsewhere;
        choice.path = test::writePictures(elsewhere, 4);
        const auto copy = gatherReportFacts(*document.loaded(), choice, {});
        QVERIFY(copy && copy->calibration);
        QCOMPARE(copy->calibration->hash, first->calibration->hash);
        choice.calibrationSamples = 3;
        const auto fewer = gatherReportFacts(*document.loaded(), choice, {});
        QVERIFY(fewer && fewer->calibration);
        QCOMPARE(fewer->calibration->samples, std::size_t(3));
        QVERIFY(fewer->calibration->hash != first->calibration->hash);
    }

    void commandWritesPdfAndPictures() {
        qputenv("SOURCE_DATE_EPOCH", "1700000000");
        const QString pdf = m_folder.filePath(QStringLiteral("out.pdf"));
        const QString again = m_folder.filePath(QStringLiteral("again.pdf"));
        const QString pictures = m_folder.filePath(QStringLiteral("pictures-out"));
        const QStringList common{m_recipe, u"--model"_s, m_model, u"--data"_s, m_data, u"--quiet"_s, u"-o"_s};
        QCOMPARE(run(common + QStringList{pdf, u"--png"_s, pictures}), 0);
        QCOMPARE(run(common + QStringList{again}), 0);
        const QByteArray bytes = contentOf(pdf);
        QVERIFY(bytes.startsWith("%PDF-"));
        QVERIFY2(contentOf(again) == bytes, "two runs differ");
        const QStringList files = QDir(pictures).entryList({u"*.png"_s});
        for (const QString& expected : {u"page-01.png"_s, u"ranges-layers.png"_s, u"quantization-scores.png"_s,
                                        u"quantization-layers.png"_s, u"cost-macs.png"_s})
            QVERIFY2(files.contains(expected), qPrintable(expected));
        for (const QString& file : files) QVERIFY(!QImage(QDir(pictures).filePath(file)).isNull());
        qunsetenv("SOURCE_DATE_EPOCH");

        QProcess reader;
        reader.start(u"pdftotext"_s, {pdf, u"-"_s});
        if (!reader.waitForStarted()) QSKIP("pdftotext is not installed");
        QVERIFY(reader.waitForFinished());
        const QString text = QString::fromUtf8(reader.readAllStandardOutput());
        QVERIFY(text.contains(QStringLiteral("uneven.onnx")));
        QVERIFY(text.contains(QStringLiteral("Provenance")));
    }

    void commandTakesAWorkspace() {
        Workspace workspace;
        workspace.model = m_model.toStdString();
        workspace.data.path = m_data.toStdString();
        workspace.data.preprocess = m_folder.filePath(u"as-it-is.json"_s).toStdString();
        workspace.data.calibrationSamples = 3;
        workspace.recipe = *parseRecipe(contentOf(m_recipe).toStdString());
        const QString saved = m_folder.filePath(u"whole.equant"_s);
        QVERIFY(writeText(saved, QByteArray::fromStdString(toJson(workspace, m_folder.path().toStdString()))));
        const QString pdf = m_folder.filePath(u"workspace.pdf"_s);
        QCOMPARE(run({saved, u"--quiet"_s, u"-o"_s, pdf}), 0);
        QVERIFY(contentOf(pdf).startsWith("%PDF-"));
        QCOMPARE(run({saved, u"--quiet"_s, u"-o"_s, pdf, u"--model"_s, m_model + u'x'}), 1);  // what is given counts
    }

    void commandRefuses_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("code");
        const QString out = m_folder.filePath(QStringLiteral("refused.pdf"));
        const QString broken = m_folder.filePath(QStringLiteral("broken.json"));
        QVERIFY(writeText(broken, R"({"steps": [{"step": "fly"}]})"));
        const QStringList model{u"--model"_s, m_model};
        QTest::newRow("no recipe") << model + QStringList{u"-o"_s, out} << 2;
        QTest::newRow("no output") << model + QStringList{m_recipe} << 2;
        QTest::newRow("no model") << QStringList{m_recipe, u"-o"_s, out} << 2;
        QTest::newRow("unknown option") << model + QStringList{m_recipe, u"-o"_s, out, u"--fast"_s} << 2;
        QTest::newRow("unknown paper") << model + QStringList{m_recipe, u"-o"_s, out, u"--paper"_s, u"A3"_s} << 2;
        QTest::newRow("bad limit") << model + QStringList{m_recipe, u"-o"_s, out, u"--limit"_s, u"-1"_s} << 2;
        QTest::newRow("missing recipe") << model + QStringList{m_recipe + u"x"_s, u"-o"_s, out} << 1;
        QTest::newRow("unknown step") << model + QStringList{broken, u"-o"_s, out} << 1;
        QTest::newRow("no data to quantize") << model + QStringList{m_recipe, u"-o"_s, out} << 1;
        const QString other = m_folder.filePath(QStringLiteral("other-plan.json"));
        QVERIFY(writeText(other, R"({"steps": [{"step": "compress", "data": "",
            "plan": {"method": "spatial-svd", "ratios": {"nowhere": 0.5}}}]})"));
        QTest::newRow("plan of another model") << model + QStringList{other, u"-o"_s, out} << 1;
        QTest::newRow("no sensitivities")
            << model + QStringList{m_recipe, u"--data"_s, m_data, u"-o"_s, out, u"--sensitivity"_s, m_recipe} << 1;
        QTest::newRow("missing model") << QStringList{m_recipe, u"--model"_s, m_model + u"x"_s, u"--data"_s, m_data,
                                                      u"-o"_s,  out}
                                       << 1;
        QTest::newRow("missing data") << model + QStringList{m_recipe, u"--data"_s, m_data + u"x"_s, u"-o"_s, out} << 1;
        QTest::newRow("no folder") << model + QStringList{m_recipe, u"--data"_s, m_data, u"-o"_s,
                                                          m_folder.filePath(QStringLiteral("none/refused.pdf"))}
                                   << 1;
        QTest::newRow("folder in the way") << model + QStringList{m_recipe, u"-o"_s, m_folder.path()} << 1;
        QTest::newRow("file for the pictures")
            << model + QStringList{m_recipe, u"-o"_s, out, u"--png"_s, m_recipe} << 1;
    }
    void commandRefuses() {
        QFETCH(QStringList, arguments);
        QFETCH(int, code);
        QCOMPARE(run(arguments + QStringList{u"--quiet"_s}), code);
        QVERIFY(!QFileInfo::exists(m_folder.filePath(QStringLiteral("refused.pdf"))));
    }

    void plotsAreAddedFromTheirMenus() {
        MainWindow window;
        window.resize(1280, 800);
        window.show();
        window.session().openModel(m_model, {});
        QVERIFY(QTest::qWaitFor([&] { return !window.session().jobs().hasRunning(); }, 30000));
        Document& document = window.session().document();
        auto* plot = window.findChild<plots::PlotView*>(QStringLiteral("costBars"));
        QVERIFY(plot && !plot->scene().isEmpty());
        const std::unique_ptr<QMenu> menu(plot->createContextMenu());
        const auto actions = menu->actions();
        const auto action = std::ranges::find_if(
            actions, [](const QAction* each) { return each->text().remove(u'&') == "Add to report"_L1; });
        QVERIFY(action != actions.end());
        (*action)->trigger();
        QCOMPARE(document.state().reportPlots.size(), std::size_t{1});
        QVERIFY(window.messageBar()->isVisible());
        QVERIFY(window.messageBar()->text().contains(plot->title()));
        const auto hasSection = [&] {
            return std::ranges::count(reportOf(document).sections, u"Added plots"_s, &report::Section::title) == 1;
        };
        QVERIFY(hasSection());
        document.undoStack()->undo();
        QVERIFY(!hasSection());
        document.undoStack()->redo();
        const QString path = m_folder.filePath(QStringLiteral("added.pdf"));
        window.session().writeReport(path);
        QVERIFY(QTest::qWaitFor([&] { return QFileInfo::exists(path); }, 30000));
        const QImage picture(m_folder.filePath(QStringLiteral("added-pictures/added-1-costBars.png")));
        QVERIFY(!picture.isNull() && !picture.allGray());
    }

    void oneClickInTheWindow() {
        MainWindow window;
        window.resize(1280, 800);
        window.show();
        auto* action = window.findChild<QAction*>(QStringLiteral("reportAction"));
        QVERIFY(action);
        QVERIFY(!action->isEnabled());
        window.session().openModel(m_model, m_data);
        const auto isIdle = [&] { return !window.session().jobs().hasRunning(); };
        QVERIFY(QTest::qWaitFor(isIdle, 30000));
        window.session().applyEqualization();
        window.session().quantize();
        QVERIFY(QTest::qWaitFor([&] { return isIdle() && window.session().document().quantization(); }, 30000));
        QVERIFY(action->isEnabled());

        const QString path = m_folder.filePath(QStringLiteral("clicked.pdf"));
        QTimer::singleShot(0, &window, [&] {
            auto* dialog = qobject_cast<QFileDialog*>(QApplication::activeModalWidget());
            QVERIFY(dialog);
            QCOMPARE(QFileInfo(dialog->selectedFiles().value(0)).fileName(), QStringLiteral("uneven-report.pdf"));
            dialog->selectFile(path);
            dialog->findChild<QWidget*>(QStringLiteral("fileNameEdit"));
            QMetaObject::invokeMethod(dialog, "accept");
        });
        action->trigger();
        QVERIFY(QTest::qWaitFor([&] { return QFileInfo::exists(path); }, 30000));
        QVERIFY(contentOf(path).startsWith("%PDF-"));
        QVERIFY(QFileInfo::exists(m_folder.filePath(QStringLiteral("clicked-pictures/page-01.png"))));
        QVERIFY(window.messageBar()->isVisible());
    }
};

EQUANT_TEST(TestReport)
}  // namespace test_report

#include "test_report.moc"
