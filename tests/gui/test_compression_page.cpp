// SPDX-License-Identifier: GPL-3.0-or-later
// The compression page from the outside, on a chain of layers and on the bundled sample: predict, measure, suggest,
// drag, undo, lock, measure the plan, apply, and what the later pages then see; files in and out; what happens without
// data.
#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTabWidget>
#include <QTableView>
#include <QTest>
#include <QToolButton>
#include <QTreeWidget>

#include "app/desktop/compression/compression_page.h"
#include "app/desktop/compression/compression_view.h"
#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/window/main_window.h"
#include "core/base/file.h"
#include "core/compression/plan/plan_cost.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/run.h"
#include "tests/gui/support/window_driver.h"
#include "tests/gui/support/window_fixture.h"
#include "tests/support/registry.h"
#include "widgets/panels/budget_strip.h"
#include "widgets/panels/layer_panel.h"
#include "widgets/panels/message_bar.h"

namespace test_compression_page {

using namespace equant;
using namespace equant::ui;
using namespace equant::test;
using equant::plots::PlotView;

class TestCompressionPage : public QObject {
    Q_OBJECT

private:
    test::IsolatedSettings m_settings;
    QTemporaryDir m_folder;
    QString m_chain, m_pictures;
    QString m_table;  ///< a measured table, exported by one test and read by others

    /// The bundled sample on the compression page, where a test needs time to pass.
    std::unique_ptr<MainWindow> openSample() {
        auto window = open([](Session& session) { session.openSample(); });
        if (!window) return nullptr;
        find<QSpinBox>(*window, "compressionScoreSamples")->setValue(10);
        documentOf(*window).undoStack()->clear();
        return window;
    }
    /// A small chain of layers: everything takes milliseconds.
    std::unique_ptr<MainWindow> openChain() {
        return open([this](Session& session) { session.openModel(m_chain, m_pictures); });
    }
    static std::unique_ptr<MainWindow> open(const std::function<void(Session&)>& how) {
        auto window = std::make_unique<MainWindow>();
        window->resize(1400, 900);
        window->show();
        how(window->session());
        if (!waitIdle(*window) || !documentOf(*window).data()) return nullptr;
        window->showStage(static_cast<int>(Stage::Compression));
        takeFewCompressionSamples(*window);
        documentOf(*window).undoStack()->clear();
        return window;
    }
    /// For flows: they compress and score about ten times.
    static void takeFewSamples(MainWindow& window) {
        find<QSpinBox>(window, "compressionFitSamples")->setValue(4);
        find<QSpinBox>(window, "compressionScoreSamples")->setValue(8);
        documentOf(window).undoStack()->clear();
    }
    static void tickAllMethods(MainWindow& window) {
        for (const char* method : {"method_spatial-svd", "method_weight-svd", "method_channel-pruning"})
            if (auto* box = find<QCheckBox>(window, method); !box->isChecked()) box->click();
        documentOf(window).undoStack()->clear();
    }
    std::unique_ptr<MainWindow> openPredicted() { return predicted(openChain()); }
    static std::unique_ptr<MainWindow> predicted(std::unique_ptr<MainWindow> window) {
        if (!window) return nullptr;
        click(find<QPushButton>(*window, "predictSensitivity"));
        // What is predicted cannot be gone on with.
        if (find<QPushButton>(*window, "measureSensitivity")->text() != QStringLiteral("Stop")) return nullptr;
        if (!waitIdle(*window) || !documentOf(*window).sensitivity()) return nullptr;
        return window;
    }
    static QString firstCompressible(const Document& document) {
        for (const LayerSensitivity& layer : document.sensitivity()->layers)
            if (!layer.cells.empty()) return QString::fromStdString(layer.name);
        return {};
    }
    static double ratioOf(const Document& document, const QString& layer) {
        const LayerChoice* choice = document.state().plan.find(layer.toStdString());
        return choice ? choice->ratio : 1.0;
    }

private slots:
    void initTestCase() {
        QCoreApplication::setOrganizationName(QStringLiteral("EquantTest"));
        QCoreApplication::setApplicationName(QStringLiteral("TestCompressionPage"));
        applyTheme(Theme::Light);
        m_chain = test::writeChainModel(m_folder);
        m_pictures = test::writePictures(m_folder, 24);
        // Sweeps of earlier runs would be gone on with.
        QDir(QStandardPaths::writableLocation(QStandardPaths::AppLocalDataLocation)).removeRecursively();
    }

    void withoutDataItSaysWhatToDo() {
        MainWindow window;
        window.resize(1280, 800);
        window.show();
        window.session().openModel(test::writeModel(m_folder));
        QVERIFY(waitIdle(window));
        window.showStage(static_cast<int>(Stage::Compression));
        QVERIFY(!find<QPushButton>(window, "predictSensitivity")->isEnabled());
        QVERIFY(!find<QPushButton>(window, "suggestPlan")->isEnabled());
        QVERIFY(!find<QPushButton>(window, "measurePlan")->isEnabled());
        QVERIFY(find<QLabel>(window, "compressionDetails")->text().contains(QStringLiteral("Choose data")));
        find<QAction>(window, "runAction")->trigger();
        QCOMPARE(window.messageBar()->kind(), MessageBar::Kind::Error);
        find<QAction>(window, "measurePlanAction")->trigger();
        QCOMPARE(window.messageBar()->kind(), MessageBar::Kind::Warning);
    }

    void dataThatCannotBeOpenedAreNotPraised() {
        const QTemporaryDir empty;
        MainWindow window;
        window.resize(1280, 800);
        window.show();
        window.session().openModel(m_chain, empty.path());
        QVERIFY(waitIdle(window));
        window.showStage(static_cast<int>(Stage::Compression));
        QCOMPARE(window.messageBar()->kind(), MessageBar::Kind::Error);
        QVERIFY(!find<QPushButton>(window, "predictSensitivity")->isEnabled());
        QVERIFY(!find<QPushButton>(window, "recommendedFlow")->isEnabled());
        const QString text = find<QLabel>(window, "compressionDetails")->text();
        QVERIFY2(text.contains(QStringLiteral("could not be opened")), qPrintable(text));
    }

    void predictsSuggestsDragsAndUndoes() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        QVERIFY(!find<PlotView>(*window, "sensitivityMap")->scene().isEmpty());
        QVERIFY(!find<PlotView>(*window, "ratioProfile")->scene().isEmpty());
        click(find<QPushButton>(*window, "suggestPlan"));
        QCOMPARE(document.undoStack()->count(), 1);
        const CompressionPlan suggested = document.state().plan;
        QVERIFY(!suggested.choices.empty());
        QVERIFY(suggested == document.state().suggestion);
        auto* budget = find<BudgetStrip>(*window, "budgetStrip");
        QVERIFY(budget->items().front().predicted && *budget->items().front().predicted < 0.7);
        QVERIFY(!budget->items().front().measured);
        QVERIFY(find<QLabel>(*window, "marginalCost")->text().contains(QStringLiteral("next 1 %")));
        QVERIFY(find<QLabel>(*window, "compressionHeadline")->text().contains(QStringLiteral("layers compressed")));

        // A drag is one undo step and is shown before it ends.
        const QString layer = firstCompressible(document);
        window->session().selection().setOne(layer);
        auto* curve = dynamic_cast<plots::LayerCurve*>(find<PlotView>(*window, "layerCurve"));
        QVERIFY(curve);
        const double before = *budget->items().front().predicted;
        for (const double ratio : {0.9, 0.8, 0.3}) emit curve->ratioDragged(layer, ratio, false);
        QCOMPARE(document.undoStack()->count(), 1);
        QVERIFY(document.state().plan == suggested);
        QVERIFY(*budget->items().front().predicted != before || ratioOf(document, layer) == 0.3);
        emit curve->ratioDragged(layer, 0.3, true);
        QCOMPARE(document.undoStack()->count(), 2);
        QCOMPARE(ratioOf(document, layer), 0.3);
        find<QAction>(*window, "undoAction")->trigger();
        QVERIFY(document.state().plan == suggested);
        QCOMPARE(*budget->items().front().predicted, before);
        // A click in the map chooses, too.
        auto* map = dynamic_cast<plots::SensitivityMap*>(find<PlotView>(*window, "sensitivityMap"));
        emit map->ratioChosen(layer, 0.5);
        QCOMPARE(ratioOf(document, layer), 0.5);
        QCOMPARE(window->session().selection().current(), layer);
    }

    void locksAndResets() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        const QString layer = firstCompressible(document);
        window->session().selection().setOne(layer);
        auto* map = dynamic_cast<plots::SensitivityMap*>(find<PlotView>(*window, "sensitivityMap"));
        emit map->ratioChosen(layer, 0.75);
        click(find<QToolButton>(*window, "layerLock"));
        QVERIFY(document.state().plan.find(layer.toStdString())->isLocked);
        find<QDoubleSpinBox>(*window, "targetValue")->setValue(60);
        click(find<QPushButton>(*window, "suggestPlan"));
        QCOMPARE(ratioOf(document, layer), 0.75);
        // A locked layer does not move.
        emit map->ratioChosen(layer, 0.25);
        QCOMPARE(ratioOf(document, layer), 0.75);
        click(find<QToolButton>(*window, "layerLock"));
        QVERIFY(!document.state().plan.find(layer.toStdString())->isLocked);
        emit map->ratioChosen(layer, 0.25);
        QCOMPARE(ratioOf(document, layer), 0.25);
        click(find<QToolButton>(*window, "layerReset"));
        QCOMPARE(ratioOf(document, layer), 0.75);
        // "Do not compress" takes the layer out of the plan.
        auto* method = find<QComboBox>(*window, "layerMethod");
        method->setCurrentIndex(0);
        emit method->activated(0);
        QCOMPARE(ratioOf(document, layer), 1.0);
        while (document.undoStack()->canUndo()) document.undoStack()->undo();
        QVERIFY(document.state().plan.choices.empty());
    }

    void measuresAppliesAndHandsOn() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        click(find<QPushButton>(*window, "suggestPlan"));
        click(find<QPushButton>(*window, "measurePlan"));
        QVERIFY(waitIdle(*window));
        const PlanMeasurement* measured = document.measurement();
        QVERIFY(measured);
        QVERIFY(measured->macsRatio < 0.75);
        QVERIFY(measured->score.top1.has_value() || measured->score.agreement.has_value());
        auto* budget = find<BudgetStrip>(*window, "budgetStrip");
        QVERIFY(budget->items().front().measured.has_value());
        QVERIFY(!budget->score().measured.isEmpty() && !budget->score().isStale);
        // Latency is measured, never predicted; activations are in the read-out.
        QVERIFY(measured->costs.latency && measured->costs.activationsAfter);
        QVERIFY(budget->items().back().measured && !budget->items().back().predicted);
        QVERIFY(find<QLabel>(*window, "compressionDetails")->text().contains(QStringLiteral("ms a sample")));
        for (const QString& part : {QStringLiteral("Latency: "), QStringLiteral("one thread, batch 1"),
                                    QStringLiteral("Activations per sample")})
            QVERIFY2(budget->summary().contains(part), qPrintable(budget->summary()));
        QVERIFY(find<QLabel>(*window, "compressionHeadline")->text().contains(QStringLiteral("measured")));
        // Another plan: the measured score is marked as another's. Undo makes it this plan's again.
        auto* map = dynamic_cast<plots::SensitivityMap*>(find<PlotView>(*window, "sensitivityMap"));
        const QString layer = firstCompressible(document);
        emit map->ratioChosen(layer, ratioOf(document, layer) < 0.4 ? 0.75 : 0.25);
        QVERIFY(!document.measurement());
        QVERIFY(budget->score().isStale);
        QVERIFY(!budget->items().back().measured);
        document.undoStack()->undo();
        QVERIFY(!budget->score().isStale);

        const auto layersBefore = window->layerPanel()->view()->model()->rowCount();
        click(find<QPushButton>(*window, "applyCompression"));
        QVERIFY(waitIdle(*window));
        QVERIFY(document.isCompressionApplied() && document.isCompressionUpToDate());
        QVERIFY(document.isBaseReady());
        QVERIFY(document.base() != document.loaded());
        QCOMPARE(document.stageState(Stage::Compression), StageState::Done);
        QVERIFY(document.base()->inspection.cost.macs < document.loaded()->inspection.cost.macs);
        QVERIFY(document.currentModel() == document.base()->folded);
        // Later pages work on the compressed network, the recipe compresses first.
        window->showStage(static_cast<int>(Stage::Quantization));
        QVERIFY(window->layerPanel()->view()->model()->rowCount() != layersBefore);
        window->session().applyEqualization();
        QVERIFY(waitIdle(*window));
        QVERIFY(std::holds_alternative<CompressStep>(document.state().recipe.steps.front()));
        QVERIFY(document.shownEqualized() && document.shownEqualized()->compressed);
        click(find<QPushButton>(*window, "runQuantization"));
        QVERIFY(waitIdle(*window));
        QVERIFY(document.isQuantizationFresh());
        QVERIFY(document.quantization()->compressed.has_value());
        // The export is the compressed model.
        const QString path = m_folder.filePath(QStringLiteral("compressed.onnx"));
        window->session().exportTo(ExportKind::OptimizedModel, path);
        QVERIFY(waitIdle(*window));
        const auto written = readOnnx(path.toStdString());
        QVERIFY(written);
        QCOMPARE(contentHash(*written), contentHash(*document.currentModel()));
        QVERIFY(QFileInfo(path).size() < static_cast<qint64>(document.loaded()->fileBytes));
        // Taking it out again is one undo step away.
        window->session().removeCompression();
        QVERIFY(document.base() == document.loaded());
        QVERIFY(!document.isQuantizationFresh());
        document.undoStack()->undo();
        QVERIFY(document.isBaseReady() && document.isQuantizationFresh());
    }

    void measuringPausesAndGoesOn() {
        const auto window = openSample();
        QVERIFY(window);
        Document& document = documentOf(*window);
        auto* measure = find<QPushButton>(*window, "measureSensitivity");
        const auto measuredCells = [&] {
            int count = 0;
            if (const auto table = document.sensitivity())
                for (const LayerSensitivity& layer : table->layers)
                    for (const SensitivityCell& cell : layer.cells) count += cell.score ? 1 : 0;
            return count;
        };
        click(measure);
        QVERIFY(QTest::qWaitFor([&] { return measuredCells() > 0 || !window->session().isSweeping(); }, 60000));
        window->session().pauseSweep();
        QVERIFY(waitIdle(*window));
        const int partial = measuredCells();
        QVERIFY(partial > 0);
        QVERIFY(document.isSensitivityFresh());
        // Usable as it is.
        click(find<QPushButton>(*window, "suggestPlan"));
        QVERIFY(!document.state().plan.choices.empty());
        if (measure->isEnabled()) click(measure);
        QVERIFY(waitIdle(*window));
        QVERIFY(measuredCells() >= partial);
        QVERIFY(document.sensitivity()->baseline.has_value());
        m_table = m_folder.filePath(QStringLiteral("sensitivity.json"));
        window->session().exportSensitivity(m_table);
        QVERIFY(QFileInfo::exists(m_table));
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Success);
    }

    void aSweepSurvivesTheEndOfTheProgram() {
        if (m_table.isEmpty()) QSKIP("nothing was measured");
        const auto window = predicted(openSample());  // with the settings of the test before: its cells come back
        QVERIFY(window);
        const auto& layers = documentOf(*window).sensitivity()->layers;
        QVERIFY(std::ranges::any_of(layers, [](const LayerSensitivity& layer) {
            return std::ranges::any_of(layer.cells, [](const SensitivityCell& cell) { return cell.score.has_value(); });
        }));
    }

    void aCellIsMeasuredAgainOnMoreSamples() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        const QString layer = firstCompressible(document);
        auto* map = dynamic_cast<plots::SensitivityMap*>(find<PlotView>(*window, "sensitivityMap"));
        emit map->remeasureRequested(layer, 0.5);
        QVERIFY(waitIdle(*window));
        bool isFound = false;
        for (const LayerSensitivity& each : document.sensitivity()->layers)
            for (const SensitivityCell& cell : each.cells)
                if (QString::fromStdString(each.name) == layer && cell.ratio == 0.5) {
                    isFound = true;
                    QVERIFY(cell.score.has_value());
                    QCOMPARE(cell.samples, std::size_t{96});
                }
        QVERIFY(isFound);
    }

    void readsAndWritesFiles() {
        if (m_table.isEmpty()) QSKIP("nothing was measured");
        const auto window = openSample();
        QVERIFY(window);
        Document& document = documentOf(*window);
        window->session().importSensitivity(m_table);
        QVERIFY(document.sensitivity() && document.isSensitivityFresh());
        click(find<QPushButton>(*window, "suggestPlan"));
        const CompressionPlan plan = document.state().plan;
        const QString path = m_folder.filePath(QStringLiteral("plan.json"));
        window->session().exportPlan(path);
        document.undoStack()->undo();
        QVERIFY(document.state().plan.choices.empty());
        window->session().importPlan(path);
        QVERIFY(document.state().plan.choices == plan.choices);
        // A plan of another model is refused, by the names of its layers.
        const QString other = m_folder.filePath(QStringLiteral("other.json"));
        QFile file(other);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(R"({"method":"weight-svd","ratios":{"no_such_layer":0.5}})");
        file.close();
        window->session().importPlan(other);
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
        QVERIFY(window->messageBar()->text().contains(QStringLiteral("no_such_layer")));
        QVERIFY(document.state().plan.choices == plan.choices);
    }

    void otherSettingsMakeTheMapStale() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        find<QCheckBox>(*window, "method_weight-svd")->click();
        QVERIFY(!document.isSensitivityFresh());
        QVERIFY(find<QLabel>(*window, "sweepText")->text().contains(QStringLiteral("other settings")));
        document.undoStack()->undo();
        QVERIFY(document.isSensitivityFresh());
        // One method must stay.
        auto* other = find<QCheckBox>(*window, "method_weight-svd");
        if (other->isChecked()) other->click();
        auto* only = find<QCheckBox>(*window, "method_spatial-svd");
        only->click();
        QVERIFY(only->isChecked());
    }

    /// Dragging does no work outside the page: the document changes once, on release, and only its plan.
    void dragsOnTwoHundredLayers() {
        test::ModelBuilder builder;
        builder.input("x", {1, 16, 8, 8}).output("v200", {1, 16, 8, 8});
        for (int i = 0; i < 200; ++i) {
            const std::string n = std::to_string(i);
            builder.constant("w" + n, test::randomTensor({16, 16, 3, 3}, static_cast<unsigned>(i) + 1));
            builder.node("Conv", {i == 0 ? "x" : "v" + n, "w" + n}, {"v" + std::to_string(i + 1)},
                         {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
        }
        Model model = builder.build();
        model.irVersion = 8;
        const QString path = m_folder.filePath(QStringLiteral("long.onnx"));
        QVERIFY(writeOnnx(model, path.toStdString()));
        MainWindow window;
        window.resize(1600, 1000);
        window.show();
        window.session().openModel(path);
        QVERIFY(waitIdle(window));
        window.showStage(static_cast<int>(Stage::Compression));
        Document& document = documentOf(window);
        SensitivityTable table;
        table.baseline = 90;
        for (const CompressibleLayer& layer : document.loaded()->compressible) {
            LayerSensitivity row{layer.geometry.name, CompressionMethod::SpatialSvd, layer.geometry.cost, 0, {}, {}};
            for (int i = 1; i <= 9; ++i) {
                SensitivityCell cell;
                cell.ratio = cell.actualRatio = i / 10.0;
                cell.saved.macs = row.cost.macs * (1 - cell.ratio);
                cell.saved.parameters = row.cost.parameters * (1 - cell.ratio);
                cell.predictedError = 1 - cell.ratio;
                cell.score = 90 - (1 - cell.ratio);
                row.cells.push_back(cell);
            }
            table.total.macs += row.cost.macs;
            table.total.parameters += row.cost.parameters;
            table.layers.push_back(std::move(row));
        }
        QCOMPARE(table.layers.size(), std::size_t{200});
        document.setSweep({document.sweepKey(), std::make_shared<const SensitivityTable>(std::move(table))});
        click(find<QPushButton>(window, "suggestPlan"));
        QVERIFY(!document.state().plan.choices.empty());
        find<CompressionPage>(window, "compressionPage")->showPlot(find<PlotView>(window, "tradeOffFrontier"));
        QCoreApplication::processEvents();
        const QString layer = firstCompressible(document);
        auto* profile = dynamic_cast<plots::RatioProfile*>(find<PlotView>(window, "ratioProfile"));
        const QSignalSpy plans(&document, &Document::planChanged);
        const QSignalSpy states(&document, &Document::stateChanged);
        const int steps = document.undoStack()->count();
        for (int i = 0; i < 40; ++i) {
            emit profile->ratiosDragged({{layer, 0.2 + 0.015 * i}}, false);
            QCoreApplication::processEvents();
        }
        QCOMPARE(plans.count(), 0);
        emit profile->ratiosDragged({{layer, 0.5}}, true);
        QCoreApplication::processEvents();
        QCOMPARE(ratioOf(document, layer), 0.5);
        QCOMPARE(plans.count(), 1);
        QCOMPARE(states.count(), 0);
        QCOMPARE(document.undoStack()->count(), steps + 1);
    }

    /// Layers that lose inputs and outputs save less than the sum of both: the suggestion must know.
    void aSuggestionThatPrunesHoldsOnTheModel() {
        const auto window = openChain();
        QVERIFY(window);
        Document& document = documentOf(*window);
        find<QCheckBox>(*window, "method_channel-pruning")->click();
        for (const char* other : {"method_spatial-svd", "method_weight-svd"})
            if (auto* box = find<QCheckBox>(*window, other); box->isChecked()) box->click();
        click(find<QPushButton>(*window, "predictSensitivity"));
        QVERIFY(waitIdle(*window));
        find<QDoubleSpinBox>(*window, "targetValue")->setValue(60);
        const int steps = document.undoStack()->count();
        click(find<QPushButton>(*window, "suggestPlan"));
        QVERIFY(waitIdle(*window));
        QCOMPARE(document.undoStack()->count(), steps + 1);
        QVERIFY(!document.state().plan.choices.empty());
        const auto cost = plannedCost(*document.loaded()->model, document.state().plan);
        QVERIFY(cost);
        const double left = cost->macs / document.sensitivity()->total.macs;
        QVERIFY2(left <= 0.6 + 1e-9 && left > 0.5, qPrintable(QString::number(left)));
    }

    void theRecommendedFlowMeasuresAndAdoptsThePlan() {
        const auto window = openChain();
        QVERIFY(window);
        Document& document = documentOf(*window);
        takeFewSamples(*window);
        tickAllMethods(*window);
        auto* button = find<QPushButton>(*window, "recommendedFlow");
        const CompressionSetup before = document.state().compression;
        click(button);
        QVERIFY(window->session().isFlowing());
        QVERIFY(waitIdle(*window));
        const FlowSummary* flow = document.flow();
        QVERIFY(flow);
        const auto measured = document.measurements();
        QVERIFY(measured.size() >= 4);
        QCOMPARE(measured.size(), static_cast<std::size_t>(flow->tried));
        QStringList labels;
        for (const PlanMeasurement* each : measured) {
            labels << each->label;
            QVERIFY(each->score.sqnrDb && each->floating.samples == 8);
        }
        QVERIFY2(labels.filter(QStringLiteral("SVD")).size() >= 1, qPrintable(labels.join(u'|')));
        QVERIFY2(labels.filter(QStringLiteral("pruning")).size() >= 1, qPrintable(labels.join(u'|')));
        // Each is a star of its own on the trade-off, by its name.
        auto* frontier = dynamic_cast<plots::TradeOffFrontier*>(find<PlotView>(*window, "tradeOffFrontier"));
        QVERIFY(frontier && frontier->isVisible());
        QStringList shown;
        for (const auto& row : frontier->table().rows) shown << row.front().toString();
        for (const QString& label : labels) QVERIFY2(shown.contains(label), qPrintable(label));
        // The best one is adopted in one step, is measured, and nothing is left to compute when it is applied.
        QCOMPARE(document.undoStack()->count(), 1);
        const PlanMeasurement* best = document.measurement();
        QVERIFY(best && best->step == flow->step);
        QVERIFY(best->macsRatio < 0.51 || !flow->limitedBy.empty());
        for (const PlanMeasurement* each : measured)
            if (flow->limitedBy.empty() && each->macsRatio <= 0.5) QVERIFY(*each->score.sqnrDb <= *best->score.sqnrDb);
        QVERIFY(document.compressedFor(flow->step));
        QVERIFY(document.isSensitivityFresh());
        for (const LayerChoice& choice : flow->step.plan.choices)
            QVERIFY(std::ranges::count(document.state().compression.methods, choice.method) == 1);
        const QString text = find<QLabel>(*window, "flowText")->text();
        QVERIFY2(text.contains(best->label) && text.contains(QString::number(flow->tried)), qPrintable(text));
        find<QAction>(*window, "undoAction")->trigger();
        QVERIFY(document.state().plan.choices.empty());
        QVERIFY(document.state().compression == before);
        QCOMPARE(document.measurements().size(), measured.size());
        // Carrying the plan out anew gives the network that was measured.
        document.undoStack()->redo();
        CompressStep step = document.editedCompression();
        const auto again = runStep(Step(step), *document.loaded()->model, nullptr, {}, {});
        QVERIFY(again);
        QCOMPARE(contentHash(again->model), contentHash(*document.compressedFor(step)->prepared->model));

        // The list beside the plot says what each consists of; one click brings another one.
        auto* list = find<QTreeWidget>(*window, "measuredPlanList");
        QVERIFY(list->isVisible());
        QCOMPARE(list->topLevelItemCount(), flow->tried);
        QTreeWidgetItem* other = nullptr;
        for (int i = 0; i < list->topLevelItemCount(); ++i) {
            QTreeWidgetItem* item = list->topLevelItem(i);
            QVERIFY2(item->text(5).contains(QStringLiteral("SVD")) || item->text(5).contains(QStringLiteral("pruning")),
                     qPrintable(item->text(5)));
            if (!item->text(1).startsWith(QStringLiteral("\u25cf"))) other = item;
        }
        QVERIFY(other);
        auto* adopt = find<QPushButton>(*window, "adoptMeasuredPlan");
        list->setCurrentItem(other);
        QVERIFY(adopt->isEnabled());
        const PlanMeasurement* wanted = measured[other->text(0).toUInt() - 1];
        const int steps = document.undoStack()->index();
        click(adopt);
        QCOMPARE(document.undoStack()->index(), steps + 1);
        QVERIFY(document.measurement() && document.measurement()->step == wanted->step);
        QVERIFY(!adopt->isEnabled());
        document.undoStack()->undo();
        QVERIFY(document.measurement()->step == flow->step);
    }

    void theFlowTriesTheTickedMethods() {
        const auto window = openChain();
        QVERIFY(window);
        Document& document = documentOf(*window);
        takeFewSamples(*window);
        QVERIFY(document.state().compression.methods == std::vector{CompressionMethod::SpatialSvd});
        click(find<QPushButton>(*window, "recommendedFlow"));
        QVERIFY(waitIdle(*window));
        QVERIFY(document.flow());
        QVERIFY(!document.measurements().empty());
        for (const PlanMeasurement* plan : document.measurements())
            for (const LayerChoice& choice : plan->step.plan.choices)
                QCOMPARE(choice.method, CompressionMethod::SpatialSvd);
    }

    void measuresADraftWithoutSensitivities() {
        const auto window = openChain();
        QVERIFY(window);
        Document& document = documentOf(*window);
        QVERIFY(!document.sensitivity());
        const std::string layer = document.loaded()->compressible.front().geometry.name;
        document.edit(QStringLiteral("draft"), [&](DocumentState& state) {
            setChoice(state.plan, {layer, CompressionMethod::SpatialSvd, 0.5, 0, false});
        });
        click(find<QPushButton>(*window, "measurePlan"));
        QVERIFY(waitIdle(*window));
        QVERIFY(document.measurement());
        QVERIFY(!document.sensitivity());
        QVERIFY(find<QLabel>(*window, "compressionDetails")->text().contains(QStringLiteral("sample")));
    }

    void theFlowKeepsLockedRatios() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        takeFewSamples(*window);
        click(find<QPushButton>(*window, "predictSensitivity"));
        QVERIFY(waitIdle(*window));
        const QString layer = QString::fromStdString(document.sensitivity()->layers[1].name);
        window->session().selection().setOne(layer);
        auto* map = dynamic_cast<plots::SensitivityMap*>(find<PlotView>(*window, "sensitivityMap"));
        emit map->ratioChosen(layer, 0.75);
        click(find<QToolButton>(*window, "layerLock"));
        const LayerChoice locked = *document.state().plan.find(layer.toStdString());
        QVERIFY(locked.isLocked && locked.ratio == 0.75);
        click(find<QPushButton>(*window, "recommendedFlow"));
        QVERIFY(waitIdle(*window));
        QVERIFY(document.flow());
        QVERIFY(*document.state().plan.find(layer.toStdString()) == locked);
        QVERIFY(document.measurement());  // of the plan with the lock, whatever the flow had tried
        // Pruned layers cannot be held: it says so.
        document.edit(QStringLiteral("test"), [&](DocumentState& state) {
            LayerChoice pruned = locked;
            pruned.method = CompressionMethod::ChannelPruning;
            setChoice(state.plan, pruned);
        });
        find<QAction>(*window, "recommendedFlowAction")->trigger();
        QVERIFY(!window->session().isFlowing());
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
    }

    /// Plots that are too small tell nothing: where there is little room each has the whole of it.
    void everyPlotHasRoomAtEverySize() {
        const auto window = openPredicted();
        QVERIFY(window);
        click(find<QPushButton>(*window, "suggestPlan"));
        auto* page = find<CompressionPage>(*window, "compressionPage");
        auto* tabs = find<QTabWidget>(*window, "compressionTabs");
        auto* map = find<PlotView>(*window, "sensitivityMap");
        auto* profile = find<PlotView>(*window, "ratioProfile");
        for (const QSize& size : {QSize(900, 600), QSize(1280, 800), QSize(1800, 1150), QSize(900, 600)}) {
            window->resize(size);
            QCoreApplication::processEvents();
            const bool isLarge = size.width() > 1500;
            QCOMPARE(tabs->isAncestorOf(map), !isLarge);
            QCOMPARE(tabs->indexOf(profile) >= 0, !isLarge);
            for (PlotView* plot : page->plots()) {
                page->showPlot(plot);
                QCoreApplication::processEvents();
                QVERIFY2(plot->isVisible(), qPrintable(plot->objectName()));
                const QRect seen = QRect(plot->mapTo(page, QPoint(0, 0)), plot->size());
                QVERIFY2(page->rect().contains(seen), qPrintable(plot->objectName()));
                QVERIFY2(seen.height() >= (size.height() < 700 ? 120 : 200), qPrintable(plot->objectName()));
            }
            QVERIFY(!isLarge || (map->isVisible() && profile->isVisible()));
        }
    }

    /// One sample of 200 weighs half a point: what is less is not said to be known.
    void lossesBelowOneSampleAreNotClaimed() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        SensitivityTable table = *document.sensitivity();
        table.metric = SensitivityMetric::Agreement;
        table.baseline = 100.0;
        for (LayerSensitivity& layer : table.layers)
            for (SensitivityCell& cell : layer.cells) cell.score = 99.99, cell.samples = 200;
        document.setSweep({document.sweepKey(), std::make_shared<const SensitivityTable>(table)});
        click(find<QPushButton>(*window, "suggestPlan"));
        const QString text = find<QLabel>(*window, "compressionHeadline")->text();
        QVERIFY2(text.contains(QStringLiteral("less than 0.5 points, predicted")), qPrintable(text));
    }

    void theRecipeHoldsWhatWasDone() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        const QString path = m_folder.filePath(QStringLiteral("recipe.json"));
        window->session().saveRecipe(path);  // nothing yet
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
        QVERIFY(!QFileInfo::exists(path));
        click(find<QPushButton>(*window, "suggestPlan"));
        click(find<QPushButton>(*window, "applyCompression"));
        window->session().applyEqualization();
        QVERIFY(waitIdle(*window));
        window->session().saveRecipe(path);
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Success);
        const auto text = readFile(path.toStdString());
        QVERIFY(text);
        const auto recipe = parseRecipe(*text);
        QVERIFY(recipe && recipe->compressStep() && recipe->equalizeStep() && !recipe->quantizeStep());
        QVERIFY(*recipe->compressStep() == *document.state().recipe.compressStep());
        // Carried out elsewhere it gives the very network that is on the screen.
        const Model& model = *document.loaded()->model;
        const auto prepared = prepareRecipe(*recipe, model, m_chain.toStdString(), {});
        QVERIFY(prepared);
        const auto run = runRecipe(*prepared, model, RunOptions{});
        QVERIFY(run);
        QCOMPARE(contentHash(run->model), contentHash(*document.currentModel()));
        // A plan that is not applied yet is in it, too.
        window->session().removeCompression();
        QVERIFY(waitIdle(*window));
        window->session().saveRecipe(path);
        const auto edited = parseRecipe(*readFile(path.toStdString()));
        QVERIFY(edited && edited->compressStep() && *edited->compressStep() == document.editedCompression());
    }

    void aStoppedFlowHandsOutItsPlans() {
        const auto window = openChain();
        QVERIFY(window);
        takeFewSamples(*window);
        const Document& document = documentOf(*window);
        FlowRequest request;
        request.compress = {document.loaded(), document.editedCompression(), nullptr, std::nullopt};
        request.sweep.original = document.loaded();
        request.sweep.key = document.sweepKey();
        request.sweep.setup = document.state().compression;
        std::stop_source stop;
        std::size_t plans = 0;
        const auto outcome = runFlow(request,
                                     [&](const FlowNews& news) {
                                         plans += news.plans.size();
                                         if (plans > 0) stop.request_stop();
                                     },
                                     {stop.get_token(), nullptr});
        QVERIFY(!outcome);
        QCOMPARE(outcome.error().code, ErrorCode::Cancelled);
        QCOMPARE(plans, std::size_t{1});
    }

    void aStoppedFlowLeavesThePlanAlone() {
        const auto window = openSample();
        QVERIFY(window);
        Document& document = documentOf(*window);
        takeFewSamples(*window);
        auto* button = find<QPushButton>(*window, "recommendedFlow");
        click(button);
        click(button);  // no result is delivered before the event loop runs: the flow ends as cancelled
        QVERIFY(waitIdle(*window));
        QCOMPARE(window->session().flowJob()->state(), Job::State::Cancelled);
        QCOMPARE(window->session().flowTried(), static_cast<int>(document.measurements().size()));
        QCOMPARE(document.undoStack()->count(), 0);
        QVERIFY(find<QLabel>(*window, "flowText")->text().contains(QStringLiteral("Stopped")));
        // It can start again, and needs MACs to aim at.
        QVERIFY(button->isEnabled());
        find<QComboBox>(*window, "targetKind")->setCurrentIndex(static_cast<int>(TargetKind::Size));
        QVERIFY(!button->isEnabled());
        find<QAction>(*window, "recommendedFlowAction")->trigger();
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Error);
    }

    void targetsThatCannotBeMetAreSaidSo() {
        const auto window = openPredicted();
        QVERIFY(window);
        find<QDoubleSpinBox>(*window, "targetValue")->setValue(5);
        click(find<QPushButton>(*window, "suggestPlan"));
        QCOMPARE(window->messageBar()->kind(), MessageBar::Kind::Warning);
        QVERIFY(!documentOf(*window).state().plan.choices.empty());
    }
};

EQUANT_TEST(TestCompressionPage)
}  // namespace test_compression_page

#include "test_compression_page.moc"
