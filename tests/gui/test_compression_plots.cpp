// SPDX-License-Identifier: GPL-3.0-or-later
// The plots of the compression page under real mouse and keyboard: choosing cells, dragging handles and dots, locks.
#include <QApplication>
#include <QMenu>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <QWheelEvent>

#include "tests/gui/plot_samples.h"
#include "tests/support/registry.h"

namespace test_compression_plots {

using namespace equant::plots;

namespace {

QWidget* canvasOf(PlotView& plot) {
    return plot.findChild<QWidget*>(QStringLiteral("plotCanvas"));
}

void showAt(PlotView& plot, QSize size) {
    plot.resize(size);
    plot.show();
    QVERIFY(QTest::qWaitForWindowExposed(&plot));
}

std::size_t countIn(const PlotView& plot, const char* series) {
    const PlotSeries* found = plot.scene().find(QString::fromLatin1(series));
    return found ? found->points.size() : 0;
}

/// 3 layers at 50 and 75 %: measured, predicted, skipped.
SensitivityMapData smallMap() {
    const auto row = [](const char* key, CellState state, double change, const char* reason) {
        SensitivityRow result{.key = QString::fromLatin1(key), .label = QString::fromLatin1(key)};
        result.cells = {{.state = state, .change = change}, {.state = CellState::Measured, .change = change / 4}};
        result.cells[1].isWithinNoise = true;
        result.skipReason = QString::fromLatin1(reason);
        return result;
    };
    return {.ratios = {0.5, 0.75},
            .layers = {row("a", CellState::Measured, -8.0, ""), row("b", CellState::Predicted, -2.0, ""),
                       row("c", CellState::Unmeasured, 0.0, "depthwise")},
            .baseline = 88.0,
            .scoreName = QStringLiteral("Top-1"),
            .unit = QStringLiteral("points")};
}

RatioProfileData smallProfile() {
    const auto item = [](const char* key, double suggested, double chosen) {
        return RatioItem{.key = QString::fromLatin1(key),
                         .label = QString::fromLatin1(key),
                         .suggested = suggested,
                         .chosen = chosen,
                         .legal = {0.25, 0.5, 0.75, 1.0},
                         .legalTexts = {QStringLiteral("rank 4"), QStringLiteral("rank 8"), QStringLiteral("rank 12"),
                                        QStringLiteral("whole")}};
    };
    return {.layers = {item("a", 0.5, 0.5), item("b", 0.5, 0.75), item("c", 0.25, 1.0)}};
}

QList<RatioChange> changesOf(const QList<QVariant>& arguments) {
    return arguments.at(0).value<QList<RatioChange>>();
}

void dragBy(PlotView& plot, QPoint from, int dx) {
    QTest::mousePress(canvasOf(plot), Qt::LeftButton, {}, from);
    QTest::mouseMove(canvasOf(plot), from + QPoint(dx / 2, 0));
    QTest::mouseMove(canvasOf(plot), from + QPoint(dx, 0));
    QTest::mouseRelease(canvasOf(plot), Qt::LeftButton, {}, from + QPoint(dx, 0));
}

}  // namespace

class TestCompressionPlots : public QObject {
    Q_OBJECT

private slots:
    void mapKeepsMeasuredAndPredictedApart() {
        SensitivityMap plot;
        plot.setData(smallMap());
        QCOMPARE(countIn(plot, "Measured"), std::size_t(3));
        QCOMPARE(countIn(plot, "Predicted"), std::size_t(1));
        QCOMPARE(countIn(plot, "Cannot be compressed"), std::size_t(2));
        QCOMPARE(countIn(plot, "Within noise"), std::size_t(2));
        QVERIFY(plot.scene().find(QStringLiteral("Measured"))->cells !=
                plot.scene().find(QStringLiteral("Predicted"))->cells);
        QCOMPARE(plot.scene().find(QStringLiteral("Measured"))->points[0].value, 1.0);
        QCOMPARE(plot.scene().find(QStringLiteral("Predicted"))->points[0].value, 0.5);  // root of 2 / 8
        // Columns are narrow.
        for (const QString& column : plot.scene().x.names) QVERIFY2(!column.contains(u'%'), qPrintable(column));
        QVERIFY2(plot.title().contains(QStringLiteral("a is the most sensitive")), qPrintable(plot.title()));
        QCOMPARE(plot.table().rows.size(), 6);
        plot.setCell(QStringLiteral("b"), 0.5, {.state = CellState::Measured, .change = kNone});
        QCOMPARE(plot.scene().skipped, 1);
        QCOMPARE(countIn(plot, "Predicted"), std::size_t(0));
        QCOMPARE(countIn(plot, "Not measured"), std::size_t(1));
        plot.setCell(7, 0, {});
        plot.setCell(QStringLiteral("a"), 0.6, {});
        QCOMPARE(countIn(plot, "Measured"), std::size_t(3));
    }

    void aClickOnACellChoosesTheRatio() {
        SensitivityMap plot;
        plot.setData(smallMap());
        showAt(plot, {700, 400});
        QSignalSpy chosen(&plot, &SensitivityMap::ratioChosen);
        const QPoint cell = plot.pointPosition(QStringLiteral("Predicted"), QStringLiteral("b")).toPoint();
        QTest::mouseClick(canvasOf(plot), Qt::LeftButton, {}, cell);
        QCOMPARE(chosen.count(), 1);
        QCOMPARE(chosen[0], (QVariantList{QStringLiteral("b"), 0.5}));
        QCOMPARE(plot.selection(), QStringList{QStringLiteral("b")});
        QTest::mouseClick(canvasOf(plot), Qt::LeftButton, {},
                          plot.pointPosition(QStringLiteral("Cannot be compressed"), QStringLiteral("c")).toPoint());
        QCOMPARE(chosen.count(), 1);
    }

    void theKeyboardWalksTheMapInTwoDimensions() {
        SensitivityMap plot;
        plot.setData(smallMap());
        showAt(plot, {700, 400});
        QSignalSpy chosen(&plot, &SensitivityMap::ratioChosen);
        QTest::keyClick(&plot, Qt::Key_Down);
        QCOMPARE(plot.cursorKey(), QStringLiteral("a"));
        QTest::keyClick(&plot, Qt::Key_Down);
        QCOMPARE(plot.cursorKey(), QStringLiteral("b"));
        QVERIFY(plot.readOut().contains(QStringLiteral("predicted")));
        QTest::keyClick(&plot, Qt::Key_Right);
        QVERIFY2(plot.readOut().contains(QStringLiteral("75")), qPrintable(plot.readOut()));
        // The cursor stays on its cell while others arrive, and when its own changes its kind.
        plot.setCell(QStringLiteral("b"), 0.75, {.state = CellState::Predicted, .change = -1.0});
        plot.scene();
        QVERIFY2(plot.readOut().contains(QStringLiteral("75")) && plot.readOut().contains(QStringLiteral("predicted")),
                 qPrintable(plot.readOut()));
        QTest::keyClick(&plot, Qt::Key_Return);
        QCOMPARE(chosen.count(), 1);
        QCOMPARE(chosen[0], (QVariantList{QStringLiteral("b"), 0.75}));
        QTest::keyClick(&plot, Qt::Key_Down);
        QVERIFY(plot.readOut().contains(QStringLiteral("depthwise")));
        QTest::keyClick(&plot, Qt::Key_Up);
        QTest::keyClick(&plot, Qt::Key_Home);
        std::unique_ptr<QMenu> menu(plot.createContextMenu());
        QSignalSpy again(&plot, &SensitivityMap::remeasureRequested);
        menu->actions().at(1)->trigger();
        QCOMPARE(again.count(), 1);
        QCOMPARE(again[0], (QVariantList{QStringLiteral("b"), 0.5}));
    }

    void longMapsScrollAndFilesShowAll() {
        SensitivityMap plot;
        plot.setData(samples::sensitivity(200));
        showAt(plot, {700, 400});
        canvasOf(plot)->grab();
        QTRY_VERIFY(plot.findChild<QScrollBar*>()->isVisible());
        const auto top = plot.visibleY();
        QVERIFY(top.second - top.first < 40.0 && top.first == -0.5);
        const QPointF centre(300, 250);
        QWheelEvent wheel(centre, canvasOf(plot)->mapToGlobal(centre), {}, {0, -240}, Qt::NoButton, {},
                          Qt::NoScrollPhase, false);
        QApplication::sendEvent(canvasOf(plot), &wheel);
        QTRY_COMPARE(plot.visibleY().first, 5.5);
        plot.setCell(190, 3, {.state = CellState::Measured, .change = -1.0});
        plot.scene();
        QTest::qWait(30);
        QCOMPARE(plot.visibleY().first, 5.5);  // live updates do not scroll
        plot.setSelection({samples::layerKey(150)});
        QTRY_VERIFY(plot.visibleY().first <= 149.5 && plot.visibleY().second >= 150.5);
        const auto shown = plot.visibleY();
        QVERIFY(!plot.toImage({600, 400}).isNull());
        QTest::qWait(30);
        QCOMPARE(plot.visibleY(), shown);
        QTest::keyClick(&plot, Qt::Key_0);
        QTRY_COMPARE(plot.visibleY().first, -0.5);
    }

    void theHandleSnapsAndTells() {
        LayerCurve plot;
        LayerCurveData data = samples::curve(2);
        plot.setData(data);
        showAt(plot, {700, 400});
        QVERIFY2(plot.handleText().contains(QStringLiteral("rank 32 of 64")), qPrintable(plot.handleText()));
        QSignalSpy dragged(&plot, &LayerCurve::ratioDragged);
        const PlotSeries* predicted = plot.scene().find(QStringLiteral("Predicted"));
        QVERIFY(predicted && predicted->isDotted);
        const QPointF left = plot.pointPosition(QStringLiteral("Predicted"), samples::layerKey(0));  // 10 %
        const double perPercent = (canvasOf(plot)->width() - 12 - left.x()) / 93.0;
        const QPoint grip(qRound(left.x() + 40 * perPercent), 250);
        dragBy(plot, grip, qRound(24.0 * perPercent));
        QVERIFY(dragged.count() >= 2);
        QVERIFY(!dragged.first()[2].toBool());
        QVERIFY(dragged.last()[2].toBool());
        QCOMPARE(dragged.last()[0].toString(), samples::layerKey(0));
        QCOMPARE(plot.chosen(), 0.75);
        dragged.clear();
        QTest::keyClick(&plot, Qt::Key_BracketLeft);
        QCOMPARE(plot.chosen(), 0.6875);
        QTest::keyClick(&plot, Qt::Key_BracketRight);
        QTest::keyClick(&plot, Qt::Key_BracketRight);
        QCOMPARE(plot.chosen(), 0.8125);
        QCOMPARE(dragged.count(), 3);
        data.isLocked = true;
        plot.setData(data);
        QTest::keyClick(&plot, Qt::Key_BracketRight);
        QCOMPARE(plot.chosen(), 0.5);
        data.layers[0].measured[1].score = kNone;
        plot.setData(data);
        QCOMPARE(plot.scene().skipped, 1);
    }

    void aDotIsDraggedAndSnaps() {
        RatioProfile plot;
        plot.setData(smallProfile());
        showAt(plot, {700, 400});
        QSignalSpy dragged(&plot, &RatioProfile::ratiosDragged);
        const QPointF a = plot.pointPosition(QStringLiteral("Chosen"), QStringLiteral("a"));
        const QPointF c = plot.pointPosition(QStringLiteral("Chosen"), QStringLiteral("c"));
        const double perPercent = (c.x() - a.x()) / 50.0;
        dragBy(plot, a.toPoint(), qRound(20 * perPercent));
        QCOMPARE(plot.ratio(QStringLiteral("a")), 0.75);
        QVERIFY(dragged.last()[1].toBool());
        QCOMPARE(changesOf(dragged.last()), (QList<RatioChange>{{QStringLiteral("a"), 0.75}}));
        QVERIFY(plot.readOut().contains(QStringLiteral("rank 12")));
        QCOMPARE(plot.ratio(QStringLiteral("b")), 0.75);
    }

    void aSelectionMovesTogetherAndLocksHold() {
        RatioProfile plot;
        plot.setData(smallProfile());
        showAt(plot, {700, 400});
        QSignalSpy dragged(&plot, &RatioProfile::ratiosDragged);
        const QPointF a = plot.pointPosition(QStringLiteral("Chosen"), QStringLiteral("a"));
        const QPointF c = plot.pointPosition(QStringLiteral("Chosen"), QStringLiteral("c"));
        const double perPercent = (c.x() - a.x()) / 50.0;
        plot.setLocked(QStringLiteral("c"), true);
        plot.setSelection({QStringLiteral("a"), QStringLiteral("b"), QStringLiteral("c")});
        plot.scene();
        dragBy(plot, a.toPoint(), qRound(-25 * perPercent));
        QCOMPARE(plot.ratio(QStringLiteral("a")), 0.25);
        QCOMPARE(plot.ratio(QStringLiteral("b")), 0.5);
        QCOMPARE(plot.ratio(QStringLiteral("c")), 1.0);
        QCOMPARE(changesOf(dragged.last()).size(), 2);
        // Escape takes a drag back.
        const QPoint b = plot.pointPosition(QStringLiteral("Chosen"), QStringLiteral("b")).toPoint();
        QTest::mousePress(canvasOf(plot), Qt::LeftButton, {}, b);
        QTest::mouseMove(canvasOf(plot), b + QPoint(qRound(30 * perPercent), 0));
        QCOMPARE(plot.ratio(QStringLiteral("b")), 0.75);
        QTest::keyClick(&plot, Qt::Key_Escape);
        QTest::mouseRelease(canvasOf(plot), Qt::LeftButton, {}, b);
        QCOMPARE(plot.ratio(QStringLiteral("b")), 0.5);
        QCOMPARE(plot.ratio(QStringLiteral("a")), 0.25);
    }

    void keysStepLockAndReset() {
        RatioProfile plot;
        plot.setData(smallProfile());
        showAt(plot, {700, 400});
        QSignalSpy dragged(&plot, &RatioProfile::ratiosDragged);
        QSignalSpy locked(&plot, &RatioProfile::lockToggled);
        QSignalSpy reset(&plot, &RatioProfile::resetRequested);
        QTest::keyClick(&plot, Qt::Key_Down);
        QTest::keyClick(&plot, Qt::Key_Down);
        QCOMPARE(plot.cursorKey(), QStringLiteral("b"));
        QTest::keyClick(&plot, Qt::Key_Left);
        QCOMPARE(plot.ratio(QStringLiteral("b")), 0.5);
        QCOMPARE(plot.cursorKey(), QStringLiteral("b"));  // the cursor goes with its dot
        QTest::keyClick(&plot, Qt::Key_Right);
        QTest::keyClick(&plot, Qt::Key_Right);
        QTest::keyClick(&plot, Qt::Key_Right);
        QCOMPARE(plot.ratio(QStringLiteral("b")), 1.0);
        QCOMPARE(dragged.count(), 3);
        QTest::keyClick(&plot, Qt::Key_Space);
        QTest::keyClick(&plot, Qt::Key_L);
        QCOMPARE(locked.count(), 2);
        QCOMPARE(locked[0][0].toStringList(), QStringList{QStringLiteral("b")});
        plot.setLocked(QStringLiteral("b"), true);
        QCOMPARE(countIn(plot, "Locked"), std::size_t(1));
        QTest::keyClick(&plot, Qt::Key_Left);
        QCOMPARE(plot.ratio(QStringLiteral("b")), 1.0);
        QTest::keyClick(&plot, Qt::Key_Home);
        QCOMPARE(reset.count(), 1);
    }

    void aPlanIsAdoptedByClick() {
        TradeOffFrontier plot;
        plot.setExpanded(true);
        plot.setData(samples::frontier(12));
        showAt(plot, {700, 400});
        const PlotSeries* sweep = plot.scene().find(QStringLiteral("Solver, predicted"));
        const PlotSeries* stars = plot.scene().find(QStringLiteral("Measured"));
        QVERIFY(sweep->isDotted && !sweep->isFilled && stars->isFilled && stars->symbol == Symbol::Star);
        QCOMPARE(sweep->points.size(), std::size_t(11));
        QSignalSpy chosen(&plot, &TradeOffFrontier::planChosen);
        const QPoint at = plot.pointPosition(QStringLiteral("Solver, predicted"), QStringLiteral("plan:9")).toPoint();
        QTest::mouseClick(canvasOf(plot), Qt::LeftButton, {}, at);
        QCOMPARE(chosen.count(), 1);
        QCOMPARE(chosen[0][0].toInt(), 9);
        QVERIFY(plot.selection().isEmpty());  // adopting a plan must not fade the others
    }

    /// Plans that nobody thinks of must not flatten those around the budget.
    void plansFarBelowTheBudgetAreLeftOutUntilAskedFor() {
        TradeOffFrontier plot;
        TradeOffFrontierData data{.baseline = 90.0,
                                  .targetCost = 0.5,
                                  .costName = QStringLiteral("MACs"),
                                  .scoreName = QStringLiteral("Top-1 accuracy"),
                                  .unit = QStringLiteral("%")};
        for (int i = 1; i <= 10; ++i) data.plans.push_back({.costLeft = 0.1 * i, .predicted = i < 3 ? 10.0 : 80.0 + i});
        plot.setData(data);
        const auto shown = [&] {
            const PlotSeries* sweep = plot.scene().find(QStringLiteral("Solver, predicted"));
            return sweep ? sweep->points.size() : 0;
        };
        QCOMPARE(shown(), std::size_t(7));
        QVERIFY(plot.scene().y.lower > 70.0);
        QVERIFY(std::ranges::any_of(plot.scene().notes,
                                    [](const PlotNote& note) { return note.text.contains(QLatin1Char('3')); }));
        QCOMPARE(plot.table().rows.size(), 10);  // the table has all of them
        const std::unique_ptr<QMenu> menu(plot.createContextMenu());
        auto* all = menu->findChild<QAction*>(QStringLiteral("allPlans"));
        QVERIFY(all && !all->isChecked());
        all->trigger();
        QCOMPARE(shown(), std::size_t(10));
        plot.setExpanded(false);
        data.targetCost = 0.2;  // they come with a budget that needs them
        plot.setData(data);
        QCOMPARE(shown(), std::size_t(10));
    }

    /// Candidates for one budget stand above each other: numbers tell them apart, the list beside has their intervals.
    void manyStarsAreNumberedWithoutIntervals() {
        TradeOffFrontier plot;
        TradeOffFrontierData data{.targetCost = 0.5, .costName = QStringLiteral("MACs"), .unit = QStringLiteral("%")};
        for (int i = 0; i < 8; ++i)
            data.plans.push_back({.costLeft = 0.5,
                                  .predicted = 85.0,
                                  .measured = 78.0 + i,
                                  .low = 72.0 + i,
                                  .high = 84.0 + i,
                                  .isOnSweep = false,
                                  .mark = QString::number(i + 1)});
        plot.setData(data);
        const PlotSeries* stars = plot.scene().find(QStringLiteral("Measured"));
        QCOMPARE(stars->points.size(), std::size_t(8));
        QVERIFY(!std::isfinite(stars->points[0].low));
        QCOMPARE(stars->points[3].text, QStringLiteral("4"));
        QVERIFY(plot.scene().y.lower > 74.0 && plot.scene().y.upper < 90.0);
        // What was measured needs no mark of what had been predicted beside it.
        QVERIFY(plot.scene().find(QStringLiteral("Other plans, predicted"))->points.empty());
        data.plans.resize(2);
        plot.setData(data);
        QVERIFY(std::isfinite(plot.scene().find(QStringLiteral("Measured"))->points[0].low));
    }

    void anotherQuantityHasAnAxisOfItsOwn() {
        TradeOffFrontier plot;
        TradeOffFrontierData data{.baseline = 0.0,
                                  .costName = QStringLiteral("MACs"),
                                  .scoreName = QStringLiteral("Output error"),
                                  .unit = QStringLiteral("%"),
                                  .isHigherBetter = false,
                                  .lossUnit = QStringLiteral("% of output error")};
        data.plans = {{.costLeft = 0.4, .predicted = 9.0}, {.costLeft = 0.8, .predicted = 1.0}};
        data.current = {.costLeft = 0.5, .predicted = 7.0};
        plot.setData(data);
        QVERIFY(!plot.scene().right && !plot.scene().y.isReversed);
        QVERIFY2(plot.marginalSentence().contains(QStringLiteral("0.2 % of output error")),
                 qPrintable(plot.marginalSentence()));
        data.measuredName = QStringLiteral("Top-1 accuracy");
        data.measuredUnit = QStringLiteral("%");
        data.measuredBaseline = 88.0;
        data.plans.push_back({.costLeft = 0.5, .measured = 84.0, .isOnSweep = false});
        data.current.measured = 84.0;
        plot.setData(data);
        const PlotScene& scene = plot.scene();
        QVERIFY(scene.right.has_value() && scene.y.isReversed);
        QVERIFY(scene.right->title.contains(QStringLiteral("Measured: Top-1")));
        QVERIFY(scene.y.upper < 20.0 && scene.right->lower > 50.0);
        int onRight = 0;
        for (const PlotSeries& series : scene.series)
            for (const PlotPoint& point : series.points) {
                onRight += series.isOnRightAxis ? 1 : 0;
                QCOMPARE(series.isOnRightAxis, point.y > 50.0);
            }
        QCOMPARE(onRight, 2);
        QVERIFY2(scene.title.contains(QStringLiteral("Top-1 accuracy 84 % measured")), qPrintable(scene.title));
        QVERIFY2(scene.detail.contains(QStringLiteral("Measured: Top-1 accuracy, right axis")),
                 qPrintable(scene.detail));
        // Better is up on both: the plan with the smaller error is drawn higher.
        showAt(plot, {700, 400});
        const QString sweep = scene.series.front().name;
        QVERIFY2(sweep.contains(QStringLiteral("left axis")), qPrintable(sweep));
        QVERIFY(plot.pointPosition(sweep, QStringLiteral("plan:1")).y() <
                plot.pointPosition(sweep, QStringLiteral("plan:0")).y());
    }

    void theMarginalCostIsTheSlopeBelowThePlan() {
        TradeOffFrontier plot;
        TradeOffFrontierData data{.costName = QStringLiteral("MACs"), .unit = QStringLiteral("%")};
        data.plans = {{.costLeft = 0.4, .predicted = 80.0},
                      {.costLeft = 0.5, .predicted = 85.0},
                      {.costLeft = 0.9, .predicted = 87.0}};
        data.current = {.costLeft = 0.5, .predicted = 85.0};
        data.cheapestLayer = QStringLiteral("conv4_2");
        plot.setData(data);
        const QString sentence = plot.marginalSentence();
        QVERIFY2(sentence.contains(QStringLiteral("about 0.5 points")) && sentence.contains(QStringLiteral("conv4_2")),
                 qPrintable(sentence));
        data.plans.push_back({.costLeft = 0.6});
        plot.setData(data);
        QCOMPARE(plot.scene().skipped, 1);
        data.current.costLeft = kNone;
        plot.setData(data);
        QVERIFY(plot.marginalSentence().isEmpty());
    }

    void savingsStepDownAndAreSorted() {
        SavingsWaterfall plot;
        const auto item = [](const char* key, double saved, double loss) {
            return SavingsItem{QString::fromLatin1(key), QString::fromLatin1(key), saved, loss, {}};
        };
        plot.setData({{item("a", 0.1, 0.5), item("b", 0.3, 3.0), item("c", 0.0, 0.0), item("d", kNone, 1.0)},
                      QStringLiteral("MACs"),
                      QStringLiteral("points")});
        const PlotSeries& steps = plot.scene().series.front();
        QCOMPARE(plot.scene().skipped, 1);
        QCOMPARE(steps.points.size(), std::size_t(2));
        QCOMPARE(steps.points[0].key, QStringLiteral("b"));
        QCOMPARE(steps.points[0].y2, 70.0);
        QCOMPARE(steps.points[1].y, 70.0);
        QCOMPARE(steps.points[1].y2, 60.0);
        plot.setOrder(SavingsWaterfall::Order::LossPerSaving);
        QCOMPARE(plot.scene().series.front().points[0].key, QStringLiteral("a"));
        showAt(plot, {600, 400});
        QSignalSpy activated(&plot, &SavingsWaterfall::layerActivated);
        QTest::mouseClick(
            canvasOf(plot), Qt::LeftButton, {},
            plot.pointPosition(plot.scene().series.front().name, QStringLiteral("b")).toPoint() + QPoint(0, 20));
        QCOMPARE(activated.count(), 1);
        QCOMPARE(activated[0][0].toString(), QStringLiteral("b"));
    }

    void smallSavingsShareAStep() {
        SavingsWaterfall plot;
        SavingsWaterfallData data{.layers = {}, .costName = QStringLiteral("MACs"), .unit = QStringLiteral("points")};
        for (int i = 0; i < 120; ++i)
            data.layers.push_back({samples::layerKey(i), samples::layerName(i), i < 10 ? 0.03 : 0.001, 0.01, {}});
        plot.setData(data);
        const auto steps = [&]() -> const std::vector<PlotPoint>& { return plot.scene().series.front().points; };
        QVERIFY(steps().size() <= 40);
        const int grouped = 120 - static_cast<int>(steps().size()) + 1;
        QVERIFY(plot.scene().x.names.last().contains(QString::number(grouped)));
        QVERIFY(plot.scene().title.contains(QStringLiteral("120")));
        QVERIFY(plot.scene().notes.front().text.contains(QString::number(grouped)));
        // 10 of 3 % and 110 of 0.1 %: nothing is lost in the group.
        QVERIFY(std::abs(steps().back().y2 - (100.0 - 30.0 - 11.0)) < 1e-9);
        showAt(plot, {900, 400});
        QSignalSpy selected(&plot, &PlotView::selectionChanged);
        QSignalSpy activated(&plot, &SavingsWaterfall::layerActivated);
        const PlotPoint last = steps().back();
        QTest::mouseClick(canvasOf(plot), Qt::LeftButton, {},
                          plot.pointPosition(plot.scene().series.front().name, last.key).toPoint() + QPoint(0, 3));
        QVERIFY(plot.isExpanded());
        QCOMPARE(steps().size(), std::size_t(120));
        QCOMPARE(selected.count() + activated.count(), 0);  // a group is no layer
        const std::unique_ptr<QMenu> menu(plot.createContextMenu());
        for (QAction* action : menu->actions())
            if (action->isChecked() && action->text().contains(QStringLiteral("all layers"))) action->trigger();
        QVERIFY(!plot.isExpanded());
        QVERIFY(steps().size() <= 40);
    }

    void aLayerIsLeftAloneByTheMenu() {
        SavingsWaterfall plot;
        plot.setData({{{QStringLiteral("a"), QStringLiteral("a"), 0.3, 1.0, {}}},
                      QStringLiteral("MACs"),
                      QStringLiteral("points")});
        showAt(plot, {600, 400});
        plot.setFocus();
        QTest::keyClick(&plot, Qt::Key_Right);
        QCOMPARE(plot.cursorKey(), QStringLiteral("a"));
        QSignalSpy excluded(&plot, &SavingsWaterfall::exclusionRequested);
        const std::unique_ptr<QMenu> menu(plot.createContextMenu());
        for (QAction* action : menu->actions())
            if (action->text().contains(QStringLiteral("compress"))) action->trigger();
        QCOMPARE(excluded.count(), 1);
        QCOMPARE(excluded[0][0].toString(), QStringLiteral("a"));
    }
};

EQUANT_TEST(TestCompressionPlots)
}  // namespace test_compression_plots

#include "test_compression_plots.moc"
