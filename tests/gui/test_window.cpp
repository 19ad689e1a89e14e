// SPDX-License-Identifier: GPL-3.0-or-later
// The window from the outside: opens models, presses buttons, drops files, undoes, switches themes.
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDockWidget>
#include <QDropEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QMimeData>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTableView>
#include <QTest>

#include "app/desktop/window/export_actions.h"
#include "app/desktop/window/main_window.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/interop/encodings_json.h"
#include "tests/gui/support/window_driver.h"
#include "tests/gui/support/window_fixture.h"
#include "tests/support/registry.h"
#include "widgets/models/pair_model.h"
#include "widgets/panels/command_palette.h"
#include "widgets/panels/drop_overlay.h"
#include "widgets/panels/layer_panel.h"
#include "widgets/panels/message_bar.h"
#include "widgets/panels/stage_rail.h"
#include "widgets/panels/status_badge.h"
#include "widgets/plots/base/plot_view.h"

namespace test_window {

using namespace equant;
using namespace equant::ui;
using equant::plots::PlotView;
using equant::test::click;
using equant::test::find;
using equant::test::waitIdle;

class TestWindow : public QObject {
    Q_OBJECT

private:
    test::IsolatedSettings m_settings;
    QTemporaryDir m_folder;
    QString m_modelPath;
    QString m_dataPath;

    /// A shown window with the model open.
    std::unique_ptr<MainWindow> openWindow(const QString& data = {}) {
        auto window = std::make_unique<MainWindow>();
        window->resize(1280, 800);
        window->show();
        window->session().openModel(m_modelPath, data);
        if (!waitIdle(*window) || !window->session().document().hasModel()) return nullptr;
        return window;
    }

private slots:
    void initTestCase() {
        QCoreApplication::setOrganizationName(QStringLiteral("EquantTest"));
        QCoreApplication::setApplicationName(QStringLiteral("TestWindow"));
        applyTheme(Theme::Light);
        m_modelPath = test::writeModel(m_folder);
        QVERIFY(!m_modelPath.isEmpty());
        m_dataPath = test::writePictures(m_folder, 4);
    }

    void opensOnTheOverview() {
        const auto window = openWindow();
        QVERIFY(window);
        QCOMPARE(window->currentStage(), 0);
        QVERIFY(find<QLabel>(*window, "overviewHeadline")->text().startsWith(QStringLiteral("3 layer")));
        QCOMPARE(window->layerPanel()->view()->model()->rowCount(), 7);
        QVERIFY(!find<PlotView>(*window, "costBars")->scene().isEmpty());
        QVERIFY(window->windowTitle().contains(QStringLiteral("uneven.onnx")));
        // The next step is offered and leads on.
        click(find<QPushButton>(*window, "overviewNext"));
        QCOMPARE(window->currentStage(), 1);
    }

    void appliesUndoesAndRedoesEqualization() {
        const auto window = openWindow();
        QVERIFY(window);
        Document& document = window->session().document();
        window->showStage(1);
        auto* apply = find<QPushButton>(*window, "applyEqualization");
        click(apply);
        QVERIFY(document.isEqualizeApplied());
        QVERIFY(waitIdle(*window));
        const auto result = document.shownEqualized();
        QVERIFY(result);
        QVERIFY(std::ranges::any_of(result->report.pairs, &EqualizedPair::isEqualized));
        QVERIFY(result->equivalence);
        QVERIFY(result->equivalence->maxAbsDiff < 1e-3 * result->equivalence->outputStd);
        auto* badge = find<StatusBadge>(*window, "equivalenceBadge");
        QCOMPARE(badge->verdict(), StatusBadge::Verdict::Good);
        QVERIFY(badge->text().contains(QStringLiteral("same network")));
        const QString first = QString::fromStdString(document.loaded()->ranges.front().layer);
        QVERIFY(document.rangesAfter(first)->imbalance() < document.rangesBefore(first)->imbalance());
        QVERIFY(document.currentModel() == result->model);

        find<QAction>(*window, "undoAction")->trigger();
        QVERIFY(!document.isEqualizeApplied());
        QVERIFY(document.currentModel() == document.loaded()->folded);
        find<QAction>(*window, "redoAction")->trigger();
        QVERIFY(document.isEqualizeApplied());
        // The result was kept: nothing had to be computed again.
        QVERIFY(!window->session().isEqualizing());
        QVERIFY(document.currentModel() == result->model);
    }

    void previewAppliesNothing() {
        const auto window = openWindow();
        QVERIFY(window);
        window->showStage(1);
        click(find<QPushButton>(*window, "previewEqualization"));
        QVERIFY(waitIdle(*window));
        QVERIFY(window->session().document().shownEqualized());
        QVERIFY(!window->session().document().isEqualizeApplied());
        QCOMPARE(window->session().document().undoStack()->count(), 0);
    }

    void excludingAPairIsUndoable() {
        const auto window = openWindow();
        QVERIFY(window);
        window->showStage(1);
        window->session().previewEqualization();
        QVERIFY(waitIdle(*window));
        auto* table = find<QTableView>(*window, "pairTable");
        QVERIFY(table->model()->rowCount() > 0);
        int row = 0;
        while (!(table->model()->flags(table->model()->index(row, 0)) & Qt::ItemIsUserCheckable)) ++row;
        const QModelIndex index = table->model()->index(row, 0);
        const QString layer = index.data(PairModel::FirstLayerRole).toString();
        QVERIFY(table->model()->setData(index, Qt::Unchecked, Qt::CheckStateRole));
        const auto& options = window->session().document().state().equalize;
        QCOMPARE(options.excluded, std::vector<std::string>{layer.toStdString()});
        window->session().document().undoStack()->undo();
        QVERIFY(window->session().document().state().equalize.excluded.empty());
    }

    void spinBoxEditsMerge() {
        const auto window = openWindow();
        QVERIFY(window);
        auto* sweeps = window->findChild<QSpinBox*>(QStringLiteral("iterations"));
        sweeps->setValue(5);
        sweeps->setValue(6);
        sweeps->setValue(7);
        QUndoStack* stack = window->session().document().undoStack();
        QCOMPARE(stack->count(), 1);
        stack->undo();
        QCOMPARE(sweeps->value(), EqualizeOptions{}.iterations);
    }

    void quantizesOnData() {
        const auto window = openWindow(m_dataPath);
        QVERIFY(window);
        QVERIFY(waitIdle(*window));
        window->showStage(static_cast<int>(Stage::Quantization));
        QVERIFY(window->session().document().data());
        QCOMPARE(window->session().document().data()->pictures.size(), std::size_t{6});
        click(find<QPushButton>(*window, "runQuantization"));
        QVERIFY(waitIdle(*window));
        const auto result = window->session().document().quantization();
        QVERIFY(result);
        QCOMPARE(result->both.samples, std::size_t{16});
        QVERIFY(result->both.sqnrDb && result->weightsOnly.sqnrDb);
        QVERIFY(!result->layers.empty());
        QVERIFY(!find<PlotView>(*window, "diagnosisBars")->scene().isEmpty());
        QVERIFY(!find<PlotView>(*window, "sqnrProfile")->scene().isEmpty());
        QVERIFY(window->session().document().isQuantizationFresh());
        // Other settings make it stale, undo makes it fresh again.
        find<QComboBox>(*window, "granularity")->setCurrentIndex(1);
        QVERIFY(!window->session().document().isQuantizationFresh());
        window->session().document().undoStack()->undo();
        QVERIFY(window->session().document().isQuantizationFresh());
    }

    void findingsOfRunsAreShown() {
        const auto window = openWindow();
        QVERIFY(window);
        const auto* table = window->findChild<QAbstractItemView*>(QStringLiteral("findingsTable"));
        QVERIFY(table);
        const int before = table->model()->rowCount();
        auto result = std::make_shared<QuantizationResult>();
        result->findings = {{"non-finite-values", Severity::Warning, "Log_3", "Log makes 3 NaN.", "Check the data."}};
        window->session().document().addQuantization(result);
        QCOMPARE(table->model()->rowCount(), before + 1);
        window->session().document().addQuantization(std::make_shared<QuantizationResult>());
        QCOMPARE(table->model()->rowCount(), before);
    }

    void selectionIsEverywhere() {
        const auto window = openWindow();
        QVERIFY(window);
        window->layerPanel()->view()->selectRow(2);
        const QString layer = window->session().selection().current();
        QCOMPARE(layer, QStringLiteral("Conv_2"));
        QCOMPARE(find<PlotView>(*window, "costBars")->selection(), QStringList{layer});
        QCOMPARE(find<PlotView>(*window, "rangeDumbbell")->selection(), QStringList{layer});
        auto* scatter = find<PlotView>(*window, "costScatter");
        emit scatter->selectionChanged({QStringLiteral("Conv_4")});
        QCOMPARE(window->layerPanel()->selectedLayers(), QStringList{QStringLiteral("Conv_4")});
        find<QAction>(*window, "escapeAction")->trigger();
        QVERIFY(window->session().selection().layers().isEmpty());
        QVERIFY(window->layerPanel()->selectedLayers().isEmpty());
    }

    void garbageIsAMessage() {
        const QString path = m_folder.filePath(QStringLiteral("garbage.onnx"));
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write("this is not a model");
        file.close();
        const auto window = openWindow();
        QVERIFY(window);
        window->openPath(path);
        QVERIFY(waitIdle(*window));
        QVERIFY(!window->messageBar()->isHidden());
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
        QVERIFY(window->messageBar()->text().contains(QStringLiteral("garbage.onnx")));
        // What was open stays open.
        QCOMPARE(window->session().document().modelName(), QStringLiteral("uneven.onnx"));
        click(window->messageBar()->findChild<QWidget*>(QStringLiteral("messageClose")));
        QVERIFY(window->messageBar()->isHidden());
    }

    void unreadableDataIsAMessage() {
        const auto window = openWindow();
        QVERIFY(window);
        QDir().mkpath(m_folder.filePath(QStringLiteral("empty")));
        window->openPath(m_folder.filePath(QStringLiteral("empty")));
        QVERIFY(waitIdle(*window));
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
        QVERIFY(!window->messageBar()->text().isEmpty());
        QVERIFY(!window->session().document().data());
    }

    void workspacesComeBack() {
        const QString path = m_folder.filePath(QStringLiteral("saved.equant"));
        QString before;
        {
            const auto window = openWindow(m_dataPath);
            QVERIFY(window && find<QAction>(*window, "saveWorkspaceAction")->isEnabled());
            Session& session = window->session();
            session.applyEqualization();
            session.document().edit(QStringLiteral("bits"), [](DocumentState& state) {
                state.quantization.weightBits = 5;
                state.data.calibrationSamples = 3;
            });
            QVERIFY(waitIdle(*window));
            session.quantize();
            QVERIFY(waitIdle(*window) && session.document().quantization());
            session.saveWorkspace(path);
            QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Success);
            QVERIFY2(window->windowTitle().contains(QStringLiteral("saved.equant")), qPrintable(window->windowTitle()));
            QVERIFY(!window->isWindowModified());
            QCOMPARE(window->recentFiles().paths().front(), path);
            before = window->windowTitle();
            session.document().edit(QStringLiteral("more bits"),
                                    [](DocumentState& state) { state.quantization.weightBits = 6; });
            QVERIFY(window->isWindowModified());
            session.document().undoStack()->undo();
            QVERIFY(!window->isWindowModified());
        }
        MainWindow window;
        window.show();
        window.openPath(path);
        QVERIFY(waitIdle(window));
        const Document& document = window.session().document();
        QVERIFY(document.hasModel() && document.data());
        QCOMPARE(window.windowTitle(), before);
        QCOMPARE(document.state().quantization.weightBits, 5);
        QCOMPARE(document.state().data.calibrationSamples, 3);
        QVERIFY(document.isEqualizeApplied() && document.equalizedFor(document.state().equalize));  // computed anew
        QVERIFY(!document.state().recipe.quantizeStep());
        QVERIFY(!window.isWindowModified());
        // Another model has no workspace.
        window.session().openModel(m_modelPath);
        QVERIFY(waitIdle(window));
        QVERIFY(window.session().workspacePath().isEmpty() && !window.windowTitle().contains(QStringLiteral("saved")));
    }

    void wrongWorkspacesAreMessages() {
        const auto window = openWindow();
        QVERIFY(window);
        for (const char* text :
             {"nonsense", R"({"steps": []})",
              R"({"equant_workspace": 1, "model": {"path": "gone.onnx"}, "recipe": {"steps": []}})"}) {
            const QString path = m_folder.filePath(QStringLiteral("wrong.equant"));
            QFile file(path);
            QVERIFY(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
            file.write(text);
            file.close();
            window->messageBar()->hide();
            window->openPath(path);
            QVERIFY(waitIdle(*window));
            QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
            QVERIFY(!window->messageBar()->isHidden());
            QCOMPARE(window->session().document().modelName(), QStringLiteral("uneven.onnx"));
        }
        window->session().saveWorkspace(QStringLiteral("/nowhere/w.equant"));
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
        QVERIFY(window->session().workspacePath().isEmpty());
    }

    void takesDrops() {
        MainWindow window;
        window.show();
        QMimeData mime;
        mime.setUrls({QUrl::fromLocalFile(m_modelPath)});
        QDragEnterEvent enter({10, 10}, Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&window, &enter);
        QVERIFY(enter.isAccepted());
        auto* overlay = window.findChild<DropOverlay*>();
        QVERIFY(overlay->text().contains(QStringLiteral("uneven.onnx")));
        QDropEvent drop({10, 10}, Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&window, &drop);
        QVERIFY(overlay->isHidden());
        QVERIFY(waitIdle(window));
        QVERIFY(window.session().document().hasModel());
    }

    void remembersRecentFiles() {
        RecentFiles recent;
        recent.add(QStringLiteral("/nowhere/gone.onnx"));
        recent.add(m_modelPath);
        MainWindow window;
        auto* list = find<QListWidget>(window, "recentList");
        QVERIFY(list->count() >= 2);
        QVERIFY(list->item(0)->flags() & Qt::ItemIsEnabled);
        QVERIFY(!(list->item(1)->flags() & Qt::ItemIsEnabled));
        QVERIFY(list->item(1)->text().contains(QStringLiteral("missing")));
    }

    void exportsAndReadsBack() {
        const auto window = openWindow(m_dataPath);
        QVERIFY(window);
        QVERIFY(waitIdle(*window));
        window->session().applyEqualization();
        QVERIFY(waitIdle(*window));
        const QSignalSpy exported(&window->session(), &Session::exported);
        const QStringList names{QStringLiteral("out.onnx"), QStringLiteral("out-qdq.onnx"), QStringLiteral("out.json")};
        window->session().exportTo(ExportKind::OptimizedModel, m_folder.filePath(names[0]));
        window->session().exportTo(ExportKind::QdqModel, m_folder.filePath(names[1]));
        window->session().exportTo(ExportKind::Encodings100, m_folder.filePath(names[2]));
        QVERIFY(waitIdle(*window));
        QVERIFY2(exported.count() == 3, qPrintable(window->messageBar()->text()));
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Success);
        QVERIFY(readOnnx(m_folder.filePath(names[0]).toStdString()));
        QVERIFY(readOnnx(m_folder.filePath(names[1]).toStdString()));

        window->session().exportTo(ExportKind::OptimizedModel, QStringLiteral("/nonexistent/folder/out.onnx"));
        QVERIFY(waitIdle(*window));
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
    }

    void exportsTheEncodingsThatAreShown() {
        QTemporaryDir folder;
        const QString data = test::writePictures(folder, 2);
        const auto window = openWindow(data);
        QVERIFY(window);
        window->session().quantize();
        QVERIFY(waitIdle(*window));
        const auto shown = window->session().document().quantization();
        QVERIFY(shown && shown->sim);
        QVERIFY(QDir(data).removeRecursively());  // nothing to calibrate on
        const QString path = folder.filePath(QStringLiteral("shown.json"));
        window->session().exportTo(ExportKind::Encodings100, path);
        QVERIFY(waitIdle(*window));
        QVERIFY2(window->messageBar()->kind() == MessageBar::Kind::Success, qPrintable(window->messageBar()->text()));
        const auto written = readFile(path.toStdString());
        QVERIFY(written && *written == writeEncodings(*shown->sim, *parseEncodingsVersion("1.0.0")));
        window->session().exportTo(ExportKind::QdqModel, folder.filePath(QStringLiteral("shown.onnx")));
        QVERIFY(waitIdle(*window));
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Success);
        // Settings that were not measured need data.
        find<QSpinBox>(*window, "weightBits")->setValue(6);
        window->session().exportTo(ExportKind::Encodings100, path);
        QVERIFY(waitIdle(*window));
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
    }

    void filterNarrowsTheTable() {
        const auto window = openWindow();
        QVERIFY(window);
        const auto* rows = window->layerPanel()->view()->model();
        auto* edit = window->layerPanel()->filterEdit();
        edit->setText(QStringLiteral("conv"));
        QCOMPARE(rows->rowCount(), 3);
        edit->setText(QStringLiteral("type:conv params>100"));
        QCOMPARE(rows->rowCount(), 1);
        edit->clear();
        QCOMPARE(rows->rowCount(), 7);
    }

    void escapeClearsTheFilter() {
        const auto window = openWindow();
        QVERIFY(window);
        window->session().selection().setOne(QStringLiteral("Conv_0"));
        auto* edit = window->layerPanel()->filterEdit();
        edit->setFocus();
        QTest::keyClicks(edit, QStringLiteral("/j"));  // typed, not taken as shortcuts
        QCOMPARE(edit->text(), QStringLiteral("/j"));
        QCOMPARE(window->layerPanel()->selectedLayers(), QStringList());  // hidden, but still selected
        QTest::keyClick(edit, Qt::Key_Escape);
        QVERIFY(edit->text().isEmpty());
        QCOMPARE(window->layerPanel()->selectedLayers(), QStringList{QStringLiteral("Conv_0")});
        QCOMPARE(window->session().selection().current(), QStringLiteral("Conv_0"));
    }

    void opensTheModelOfAFolder() {
        QTemporaryDir folder;
        QVERIFY(!test::writeModel(folder).isEmpty());
        MainWindow window;
        window.show();
        window.openPath(folder.path());
        QVERIFY(waitIdle(window));
        QCOMPARE(window.session().document().modelName(), QStringLiteral("uneven.onnx"));
    }

    void takesPreprocessingFromBesideTheModel() {
        QTemporaryDir folder;
        const QString model = test::writeModel(folder);
        QFile file(folder.filePath(QStringLiteral("uneven.preprocess.json")));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(R"({"resize":"none","channels":"RGB","scale":1.0})");
        file.close();
        MainWindow window;
        window.show();
        window.session().openModel(model, m_dataPath);
        QVERIFY(waitIdle(window));
        QCOMPARE(window.session().document().state().data.preprocess, file.fileName());
        QVERIFY(window.session().document().data());
        QCOMPARE(window.session().document().data()->preprocessing.preprocessing.scale, 1.0);
        // It goes into the exported file, which is compared with what was written, not with the opened model.
        const QString written = folder.filePath(QStringLiteral("written.onnx"));
        window.session().exportTo(ExportKind::OptimizedModel, written);
        QVERIFY(waitIdle(window));
        QVERIFY2(window.messageBar()->kind() == MessageBar::Kind::Success, qPrintable(window.messageBar()->text()));
    }

    void savesPlotsAndCopiesCommands() {
        const auto window = openWindow();
        QVERIFY(window);
        window->showStage(1);
        window->session().applyEqualization();
        QVERIFY(waitIdle(*window));
        QTemporaryDir folder;
        window->findChild<ExportActions*>()->savePlots(folder.path(), QStringLiteral("svg"));
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Success);
        QCOMPARE(QDir(folder.path()).entryList({QStringLiteral("*.svg")}).size(), 6);  // all six of the page
        window->session().document().edit(QStringLiteral("skip"),
                                          [](DocumentState& state) { state.equalize.relu6 = CapMode::Skip; });
        find<QAction>(*window, "copyEqualizeAction")->trigger();
        const QString command = QApplication::clipboard()->text();
        QVERIFY2(command.startsWith(QStringLiteral("equant-cli equalize ")), qPrintable(command));
        QVERIFY(command.contains(QStringLiteral("--relu6 skip")));
    }

    void narrowWindowsHideTheSide() {
        const auto window = openWindow();
        QVERIFY(window);
        QVERIFY(!window->dock(QStringLiteral("inspectorDock"))->isHidden());
        window->resize(800, 500);
        QVERIFY(window->dock(QStringLiteral("inspectorDock"))->isHidden());
        window->resize(1280, 800);
        QVERIFY(!window->dock(QStringLiteral("inspectorDock"))->isHidden());
    }

    void paletteFindsActions() {
        const auto window = openWindow();
        QVERIFY(window);
        CommandPalette palette({find<QAction>(*window, "stageAction4"), find<QAction>(*window, "openAction")}, nullptr);
        palette.searchEdit()->setText(QStringLiteral("quant"));
        QCOMPARE(palette.list()->count(), 1);
        QTest::keyClick(palette.searchEdit(), Qt::Key_Return);
        QCOMPARE(window->currentStage(), static_cast<int>(Stage::Quantization));
    }

    void switchesThemes() {
        const auto window = openWindow();
        QVERIFY(window);
        const auto* bars = find<PlotView>(*window, "costBars");
        find<QAction>(*window, "theme_dark")->trigger();
        QCoreApplication::processEvents();
        QVERIFY(QApplication::palette().color(QPalette::Window).lightness() < 128);
        QVERIFY(bars->theme().isDark);
        find<QAction>(*window, "theme_light")->trigger();
        QCoreApplication::processEvents();
        QVERIFY(!bars->theme().isDark);
    }

    void survivesATinyWindow() {
        const auto window = openWindow(m_dataPath);
        QVERIFY(window);
        QVERIFY(waitIdle(*window));
        for (QDockWidget* dock : window->findChildren<QDockWidget*>()) dock->hide();
        window->resize(640, 400);
        for (int stage = -1; stage < 3; ++stage) {
            window->showStage(stage);
            QCoreApplication::processEvents();
            QVERIFY(!window->grab().isNull());
        }
        QVERIFY2(window->width() <= 700, qPrintable(QString::number(window->width())));
    }

    void everyControlHasAName() {
        const auto window = openWindow();
        QVERIFY(window);
        QStringList nameless;
        for (const QWidget* widget : window->findChildren<QWidget*>()) {
            const bool isControl = qobject_cast<const QComboBox*>(widget) ||
                                   qobject_cast<const QAbstractSpinBox*>(widget) ||
                                   qobject_cast<const QTableView*>(widget);
            if (isControl && (widget->accessibleName().isEmpty() || widget->objectName().isEmpty()))
                nameless << QLatin1String(widget->metaObject()->className()) + widget->objectName();
        }
        QVERIFY2(nameless.isEmpty(), qPrintable(nameless.join(QLatin1Char(' '))));
    }
};

EQUANT_TEST(TestWindow)
}  // namespace test_window

#include "test_window.moc"
