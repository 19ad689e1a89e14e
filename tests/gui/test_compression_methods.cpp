// SPDX-License-Identifier: GPL-3.0-or-later
// A method for every layer, on the bundled sample: what can be tried, what cannot and why, several layers at once from
// the table's menu, one method's cells in the map, and what the table says of the plan.
#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QContextMenuEvent>
#include <QDoubleSpinBox>
#include <QMenu>
#include <QPushButton>
#include <QSpinBox>
#include <QStandardItemModel>
#include <QTabBar>
#include <QTableView>
#include <QTest>

#include "app/desktop/compression/compression_page.h"
#include "app/desktop/compression/compression_view.h"
#include "app/desktop/window/main_window.h"
#include "tests/gui/support/window_driver.h"
#include "tests/gui/support/window_fixture.h"
#include "tests/support/registry.h"
#include "widgets/models/layer_model.h"
#include "widgets/panels/layer_panel.h"
#include "widgets/panels/message_bar.h"

namespace test_compression_methods {

using namespace equant;
using namespace equant::ui;
using namespace equant::test;
using equant::plots::PlotView;

class TestCompressionMethods : public QObject {
    Q_OBJECT

private:
    test::IsolatedSettings m_settings;

    /// The sample with one method predicted.
    static std::unique_ptr<MainWindow> openPredicted(CompressionMethod method = CompressionMethod::SpatialSvd) {
        auto window = std::make_unique<MainWindow>();
        window->resize(1400, 900);
        window->show();
        window->session().openSample();
        if (!waitIdle(*window) || !documentOf(*window).data()) return nullptr;
        window->showStage(static_cast<int>(Stage::Compression));
        takeFewCompressionSamples(*window);
        documentOf(*window).edit(QString(), [method](DocumentState& state) { state.compression.methods = {method}; });
        documentOf(*window).undoStack()->clear();
        click(find<QPushButton>(*window, "predictSensitivity"));
        if (!waitIdle(*window) || !documentOf(*window).sensitivity()) return nullptr;
        return window;
    }
    /// Layers that can be compressed by the method, in execution order.
    static QStringList layersFor(const Document& document, CompressionMethod method) {
        QStringList result;
        for (const CompressibleLayer& layer : document.loaded()->compressible)
            if (layer.can(method)) result << QString::fromStdString(layer.geometry.name);
        return result;
    }
    static const LayerChoice* choiceOf(const Document& document, const QString& layer) {
        return document.state().plan.find(layer.toStdString());
    }
    static void choose(QComboBox* box, int index) {
        box->setFocus();
        box->setCurrentIndex(index);
        emit box->activated(index);
    }
    static QString cellOf(MainWindow& window, const QString& layer, int column, int role = Qt::DisplayRole) {
        const auto* model = window.layerPanel()->view()->model();
        for (int row = 0; row < model->rowCount(); ++row)
            if (model->index(row, LayerModel::Name).data().toString() == layer)
                return model->index(row, column).data(role).toString();
        return QStringLiteral("no such row");
    }
    /// The menu that a right click on the table's selection opens.
    static QMenu* openTableMenu(MainWindow& window) {
        QWidget* viewport = window.layerPanel()->view()->viewport();
        const QPoint at(40, 6);
        QContextMenuEvent event(QContextMenuEvent::Mouse, at, viewport->mapToGlobal(at));
        QApplication::sendEvent(viewport, &event);
        return qobject_cast<QMenu*>(QApplication::activePopupWidget());
    }
    static void clickIn(QMenu* menu, const char* name) {
        for (QAction* action : menu->actions())
            if (action->objectName() == QLatin1String(name))
                QTest::mouseClick(menu, Qt::LeftButton, {}, menu->actionGeometry(action).center());
    }

private slots:
    void initTestCase() {
        QCoreApplication::setOrganizationName(QStringLiteral("EquantTest"));
        QCoreApplication::setApplicationName(QStringLiteral("TestCompressionMethods"));
        applyTheme(Theme::Light);
    }
    void init() {
        // Sweeps of earlier runs would be gone on with.
        QDir(QStandardPaths::writableLocation(QStandardPaths::AppLocalDataLocation)).removeRecursively();
    }

    void anotherMethodIsTriedFromTheLayer() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        auto* bar = find<QTabBar>(*window, "mapMethod");
        QVERIFY(!bar->isVisible());  // one method: nothing to switch
        const QString layer = layersFor(document, CompressionMethod::ChannelPruning).value(0);
        QVERIFY(!layer.isEmpty());
        window->session().selection().setOne(layer);
        auto* methods = find<QComboBox>(*window, "layerMethod");
        QCOMPARE(methods->count(), 4);
        const int pruning = methods->findData(static_cast<int>(CompressionMethod::ChannelPruning));
        QVERIFY(methods->itemText(pruning).startsWith(QStringLiteral("try")));
        choose(methods, pruning);
        QVERIFY(waitIdle(*window));
        QVERIFY(document.isSensitivityFresh());
        QCOMPARE(document.state().compression.methods.size(), std::size_t{2});
        QVERIFY(!methods->itemText(pruning).startsWith(QStringLiteral("try")));
        QVERIFY(bar->isVisible());
        QCOMPARE(bar->count(), 3);

        // Its cells alone; a click there chooses by it.
        auto* map = dynamic_cast<plots::SensitivityMap*>(find<PlotView>(*window, "sensitivityMap"));
        const auto best = map->table();
        QTest::mouseClick(bar, Qt::LeftButton, {}, bar->tabRect(2).center());
        QCOMPARE(bar->currentIndex(), 2);
        QVERIFY(map->table().rows != best.rows);
        emit map->ratioChosen(layer, 0.5);
        QVERIFY(choiceOf(document, layer));
        QCOMPARE(choiceOf(document, layer)->method, CompressionMethod::ChannelPruning);
        QVERIFY(map->scene().find(QStringLiteral("Chosen ratio"))->points.size() > 0);
        const auto marks = map->scene().find(QStringLiteral("Chosen ratio"))->points.size();
        QTest::mouseClick(bar, Qt::LeftButton, {}, bar->tabRect(1).center());
        QVERIFY(std::ranges::none_of(map->scene().find(QStringLiteral("Chosen ratio"))->points,
                                     [&](const plots::PlotPoint& point) { return point.key == layer; }));
        QVERIFY(marks > 0);

        // The table says what the plan does.
        QCOMPARE(cellOf(*window, layer, LayerModel::PlanMethod), QStringLiteral("channel pruning"));
        QCOMPARE(cellOf(*window, layer, LayerModel::PlanRatio), QStringLiteral("50 %"));
        QVERIFY(cellOf(*window, layer, LayerModel::PlanSize).contains(QStringLiteral(" of ")));
        QVERIFY(!cellOf(*window, layer, LayerModel::MacsSaved).isEmpty());
        QVERIFY(!window->layerPanel()->view()->isColumnHidden(LayerModel::PlanMethod));
        document.undoStack()->undo();
        QCOMPARE(cellOf(*window, layer, LayerModel::PlanMethod), QStringLiteral("not compressed"));
        QVERIFY(cellOf(*window, layer, LayerModel::MacsSaved).isEmpty());
    }

    void whatCannotSaysWhy() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        QString layer;
        std::optional<CompressionMethod> impossible;
        for (const CompressibleLayer& each : document.loaded()->compressible)
            for (const auto method : {CompressionMethod::SpatialSvd, CompressionMethod::ChannelPruning})
                if (layer.isEmpty() && !each.can(method) && each.can(CompressionMethod::WeightSvd)) {
                    layer = QString::fromStdString(each.geometry.name);
                    impossible = method;
                }
        if (layer.isEmpty()) QSKIP("the sample has no such layer");
        window->session().selection().setOne(layer);
        find<CompressionPage>(*window, "compressionPage")->showPlot(find<PlotView>(*window, "layerCurve"));
        auto* methods = find<QComboBox>(*window, "layerMethod");
        QVERIFY(methods->isVisible());
        const int index = methods->findData(static_cast<int>(*impossible));
        QVERIFY(!qobject_cast<QStandardItemModel*>(methods->model())->item(index)->isEnabled());
        QVERIFY(!methods->itemData(index, Qt::ToolTipRole).toString().isEmpty());
        QMenu* menu = openTableMenu(*window);
        QVERIFY(menu);
        const std::string_view word = name(*impossible);
        bool isFound = false;
        for (QAction* action : menu->actions())
            if (action->objectName().endsWith(QLatin1String(word.data(), static_cast<qsizetype>(word.size())))) {
                isFound = true;
                QVERIFY(!action->isEnabled());
                QVERIFY(!action->toolTip().isEmpty());
            }
        QVERIFY(isFound);
        menu->close();
    }

    void severalLayersFromTheTable() {
        const auto window = openPredicted(CompressionMethod::WeightSvd);
        QVERIFY(window);
        Document& document = documentOf(*window);
        const QStringList layers = layersFor(document, CompressionMethod::WeightSvd).mid(0, 3);
        QCOMPARE(layers.size(), 3);
        window->session().selection().set(layers);
        QMenu* menu = openTableMenu(*window);
        QVERIFY(menu);
        clickIn(menu, "layerMenu_weight-svd");
        QCOMPARE(document.undoStack()->count(), 1);
        for (const QString& layer : layers) {
            QVERIFY(choiceOf(document, layer));
            QCOMPARE(choiceOf(document, layer)->ratio, document.state().compression.share);
        }
        menu = openTableMenu(*window);
        QVERIFY(menu);
        clickIn(menu, "layerMenuLock");
        for (const QString& layer : layers) QVERIFY(choiceOf(document, layer)->isLocked);
        QVERIFY(cellOf(*window, layers.front(), LayerModel::PlanMethod).endsWith(QStringLiteral("locked")));
        document.undoStack()->undo();
        menu = openTableMenu(*window);
        QVERIFY(menu);
        clickIn(menu, "layerMenuAlone");
        QVERIFY(document.state().plan.choices.empty());
        // Not where the table shows another network.
        window->showStage(static_cast<int>(Stage::Ranges));
        QVERIFY(!openTableMenu(*window));
    }

    void measuredScoresStayWhenAMethodIsAdded() {
        const auto window = openPredicted();
        QVERIFY(window);
        Document& document = documentOf(*window);
        click(find<QPushButton>(*window, "measureSensitivity"));
        QVERIFY(waitIdle(*window));
        const auto measured = [&](CompressionMethod method) {
            int count = 0;
            for (const LayerSensitivity& layer : document.sensitivity()->layers)
                for (const SensitivityCell& cell : layer.cells) count += layer.method == method && cell.score ? 1 : 0;
            return count;
        };
        const int before = measured(CompressionMethod::SpatialSvd);
        QVERIFY(before > 0);
        const auto baseline = document.sensitivity()->baseline;
        window->session().selection().setOne(layersFor(document, CompressionMethod::WeightSvd).value(0));
        auto* methods = find<QComboBox>(*window, "layerMethod");
        choose(methods, methods->findData(static_cast<int>(CompressionMethod::WeightSvd)));
        QVERIFY(waitIdle(*window));
        QCOMPARE(measured(CompressionMethod::SpatialSvd), before);
        QCOMPARE(measured(CompressionMethod::WeightSvd), 0);
        QVERIFY(document.sensitivity()->baseline == baseline);
    }

    void theNextDecisionTakesAnOldMessageAway() {
        const auto window = openPredicted(CompressionMethod::WeightSvd);
        QVERIFY(window);
        find<QDoubleSpinBox>(*window, "targetValue")->setValue(5);
        click(find<QPushButton>(*window, "suggestPlan"));
        QVERIFY(window->messageBar()->isVisible());  // the target cannot be met
        find<QDoubleSpinBox>(*window, "targetValue")->setValue(80);
        QVERIFY(!window->messageBar()->isVisible());
        click(find<QPushButton>(*window, "suggestPlan"));
        QVERIFY(!window->messageBar()->isVisible());
    }

    void aPlanIsMeasuredByOneKey() {
        const auto window = openPredicted();
        QVERIFY(window);
        click(find<QPushButton>(*window, "suggestPlan"));
        window->activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(window.get()));
        QTest::keyClick(find<PlotView>(*window, "ratioProfile"), Qt::Key_Return, Qt::ControlModifier);
        QVERIFY(waitIdle(*window));
        QVERIFY(documentOf(*window).measurement());
    }

    void aMeasuredPlanHasItsOwnAxisBeforeScoresAreMeasured() {
        const auto window = openPredicted();
        QVERIFY(window);
        click(find<QPushButton>(*window, "suggestPlan"));
        auto* frontier = find<PlotView>(*window, "tradeOffFrontier");
        find<CompressionPage>(*window, "compressionPage")->showPlot(frontier);
        QVERIFY(!frontier->scene().right);
        click(find<QPushButton>(*window, "measurePlan"));
        QVERIFY(waitIdle(*window));
        QVERIFY(documentOf(*window).measurement());
        QVERIFY(frontier->scene().right.has_value());
        for (const plots::PlotSeries& series : frontier->scene().series)
            if (series.symbol == plots::Symbol::Star) QVERIFY(series.isOnRightAxis);
    }
};

EQUANT_TEST(TestCompressionMethods)
}  // namespace test_compression_methods

#include "test_compression_methods.moc"
