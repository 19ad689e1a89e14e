// SPDX-License-Identifier: GPL-3.0-or-later
// The report of a model: from the menu of the window and from the command line.
#include <QAction>
#include <QDir>
#include <QFileDialog>
#include <QLabel>
#include <QProcess>
#include <QTest>
#include <QTimer>

#include "app/desktop/main_window.h"
#include "app/desktop/report_command.h"
#include "app/desktop/report_content.h"
#include "app/desktop/report_run.h"
#include "tests/gui/support/window_fixture.h"
#include "widgets/panels/message_bar.h"
#include "widgets/report/report_renderer.h"

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
        const auto facts = gatherReportFacts(*document.loaded(), document.state().data, {});
        return facts ? makeReport(document, *facts, QDateTime::fromSecsSinceEpoch(1700000000, Qt::UTC))
                     : report::Report{};
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
        QCOMPARE(titlesOf(report),
                 QStringList({QString(), QStringLiteral("Findings"), QStringLiteral("Weight ranges"),
                              QStringLiteral("Layers"), QStringLiteral("What was left alone, and why"),
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

QTEST_MAIN(TestReport)
#include "test_report.moc"
