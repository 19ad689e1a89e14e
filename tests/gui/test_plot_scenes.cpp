// SPDX-License-Identifier: GPL-3.0-or-later
// What each plot makes of its data: series, ranges, findings, flags, the table twin, and what it leaves out.
#include <QSignalSpy>
#include <QTest>

#include "core/passes/weight_ranges.h"
#include "tests/gui/plot_samples.h"
#include "tests/support/registry.h"

namespace test_plot_scenes {

using namespace equant::plots;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

QWidget* canvasOf(PlotView& plot) {
    return plot.findChild<QWidget*>(QStringLiteral("plotCanvas"));
}

const PlotSeries& seriesOf(const PlotView& plot, const char* name) {
    const PlotSeries* series = plot.scene().find(QString::fromLatin1(name));
    static const PlotSeries kEmpty;
    return series ? *series : kEmpty;
}

CostBarsData smallCost() {
    const auto item = [](const char* key, double parameters, double macs, double bytes) {
        return CostItem{QString::fromLatin1(key),
                        QString::fromLatin1(key).toUpper(),
                        QStringLiteral("Conv"),
                        parameters,
                        macs,
                        bytes};
    };
    return {{item("a", 100, 900, 10), item("b", 700, 50, 20), item("c", 200, 50, 70), item("d", kNone, kNone, kInf)}};
}

}  // namespace

class TestPlotScenes : public QObject {
    Q_OBJECT

private slots:
    void costBarsSortAndAccumulate() {
        CostBars plot;
        plot.setData(smallCost());
        const PlotScene& scene = plot.scene();
        QCOMPARE(scene.skipped, 1);
        QCOMPARE(scene.x.names, (QStringList{QStringLiteral("B"), QStringLiteral("C"), QStringLiteral("A")}));
        const auto& bars = seriesOf(plot, "Layer").points;
        QCOMPARE(bars.size(), std::size_t(3));
        QCOMPARE(bars[0].key, QStringLiteral("b"));
        QCOMPARE(bars[0].y, 70.0);
        const auto& line = seriesOf(plot, "Cumulative (right axis)").points;
        QCOMPARE(line[1].y, 90.0);
        QVERIFY(std::abs(line[2].y - 100.0) < 1e-9);
        QVERIFY(scene.right.has_value());
        QVERIFY2(plot.title().startsWith(QStringLiteral("1 of 3")) && plot.title().contains(QStringLiteral("70")),
                 qPrintable(plot.title()));
        QCOMPARE(plot.coveredKeys(), (QStringList{QStringLiteral("b"), QStringLiteral("c")}));
        QCOMPARE(plot.table().rows.size(), 4);
        QCOMPARE(plot.table().rows[1][2].toDouble(), 700.0);

        plot.setMetric(CostBars::Metric::Macs);
        plot.setOrder(CostBars::Order::Execution);
        QCOMPARE(seriesOf(plot, "Layer").points[0].key, QStringLiteral("a"));
        QCOMPARE(seriesOf(plot, "Layer").points[0].y, 90.0);
        QVERIFY(plot.scene().lines.empty());
        plot.setMetric(CostBars::Metric::ActivationBytes);
        QCOMPARE(seriesOf(plot, "Layer").points[2].y, 70.0);
    }

    void coverageLineIsDraggedAndSelects() {
        CostBars plot;
        plot.setData(samples::cost(20));
        plot.resize(700, 400);
        plot.show();
        QVERIFY(QTest::qWaitForWindowExposed(&plot));
        QSignalSpy moved(&plot, &CostBars::coverageChanged);
        QSignalSpy selected(&plot, &PlotView::selectionChanged);
        // The line is where the cumulative curve would be 80 %; both use the right axis.
        const auto& cumulative = seriesOf(plot, "Cumulative (right axis)").points;
        const QPointF first = plot.pointPosition(QStringLiteral("Cumulative (right axis)"), cumulative.front().key);
        const QPointF last = plot.pointPosition(QStringLiteral("Cumulative (right axis)"), cumulative.back().key);
        const double perPercent = (last.y() - first.y()) / (cumulative.back().y - cumulative.front().y);
        const QPoint at(300, qRound(first.y() + perPercent * (80.0 - cumulative.front().y)));
        QTest::mousePress(canvasOf(plot), Qt::LeftButton, {}, at);
        QTest::mouseMove(canvasOf(plot), at + QPoint(0, 60));
        QTest::mouseRelease(canvasOf(plot), Qt::LeftButton, {}, at + QPoint(0, 60));
        QVERIFY(moved.count() > 0);
        QVERIFY(plot.coverage() < 80.0);
        QCOMPARE(selected.count(), 1);
        QStringList covered = plot.coveredKeys();
        covered.sort();
        QCOMPARE(plot.selection(), covered);
    }

    void costScatterLeavesOutWhatHasNoLogarithm() {
        CostScatter plot;
        CostBarsData data = smallCost();
        data.layers[2].parameters = 0.0;
        data.layers[1].kind = QStringLiteral("Gemm");
        plot.setData(data);
        QCOMPARE(plot.scene().skipped, 2);
        QCOMPARE(plot.scene().series.size(), std::size_t(2));
        QVERIFY(plot.scene().series[0].symbol != plot.scene().series[1].symbol);
        QVERIFY(!(plot.scene().series[0].ink == plot.scene().series[1].ink));
        QCOMPARE(plot.scene().x.scale, Scale::Log);
        QVERIFY(plot.scene().x.lower < 100.0 && plot.scene().x.upper > 700.0);
        QVERIFY(seriesOf(plot, "Gemm").points[0].size > seriesOf(plot, "Conv").points[0].size);
        QCOMPARE(plot.scene().notes.size(), std::size_t(4));
    }

    void manyKindsShareTheLastSeries() {
        CostScatter plot;
        CostBarsData data = samples::cost(30);
        for (std::size_t i = 0; i < data.layers.size(); ++i) data.layers[i].kind = QStringLiteral("Kind%1").arg(i % 15);
        plot.setData(data);
        QCOMPARE(plot.scene().series.size(), std::size_t(8));
        QCOMPARE(seriesOf(plot, "Other").points.size(), std::size_t(16));
    }

    void dumbbellFlagsWhatStaysUneven() {
        RangeDumbbell plot;
        const auto item = [](const char* key, double before, double after) {
            return RangeDumbbellItem{QString::fromLatin1(key), QString::fromLatin1(key), before, after};
        };
        plot.setData({{item("a", 50, 2), item("b", 40, 20), item("c", 30, kNone), item("d", kNone, 3)}, 10.0});
        QCOMPARE(plot.scene().skipped, 1);
        const PlotSeries& before = seriesOf(plot, "Before");
        const PlotSeries& after = seriesOf(plot, "After equalization");
        QVERIFY(!before.isFilled && after.isFilled && before.symbol != after.symbol);
        QCOMPARE(before.points.size(), std::size_t(3));
        QCOMPARE(after.points.size(), std::size_t(2));
        QVERIFY(!after.points[0].isFlagged && after.points[1].isFlagged);
        QVERIFY(before.points[2].isFlagged);
        QCOMPARE(plot.scene().lines[0].value, 10.0);
        QVERIFY2(plot.title().contains(QStringLiteral("2 of 3")) && plot.title().contains(QStringLiteral("3 before")),
                 qPrintable(plot.title()));
        plot.setOrder(RangeDumbbell::Order::Improvement);
        QCOMPARE(plot.scene().x.names.first(), QStringLiteral("a"));
        QVERIFY(std::isnan(plot.table().rows[2][2].toDouble()));
    }

    void bandCapsOutliersAndCountsThem() {
        ChannelBand plot;
        plot.setData(samples::band(64));
        const auto& before = seriesOf(plot, "Before").points;
        QCOMPARE(before.size(), std::size_t(64));
        QVERIFY(before[21].isCappedAbove && before[21].isCappedBelow);
        QVERIFY(plot.scene().y.upper < 9.0 / 2);
        QVERIFY(plot.scene().detail.contains(QStringLiteral("beyond")));
        plot.setLogScale(true);
        QCOMPARE(plot.scene().y.scale, Scale::SignedLog);
        QVERIFY(!seriesOf(plot, "Before").points[21].isCappedAbove);
        QVERIFY(plot.scene().y.upper > 4.5);
        QCOMPARE(plot.table().rows.size(), 64);
        plot.setOrder(ChannelOrder::Sorted);
        QCOMPARE(seriesOf(plot, "Before").points[0].key, QStringLiteral("21"));
    }

    void bandDrawsFewGridLinesOnly() {
        ChannelBand plot;
        plot.setData(samples::band(16, 4));
        QCOMPARE(plot.scene().lines.size(), std::size_t(16));
        QCOMPARE(plot.scene().lines.front().value, -0.9);
        QVERIFY(std::abs(plot.scene().lines.back().value - 0.9) < 1e-12);
        plot.setData(samples::band(16, 8));
        QCOMPARE(plot.scene().lines.size(), std::size_t(2));
    }

    void bandSkipsWhatIsNotFinite() {
        ChannelBand plot;
        ChannelBandData data = samples::band(5);
        data.before[2].max = kInf;
        data.after[3].min = kNone;
        plot.setData(data);
        QCOMPARE(plot.scene().skipped, 1);
        QCOMPARE(seriesOf(plot, "Before").points.size(), std::size_t(4));
        QCOMPARE(seriesOf(plot, "After equalization").points.size(), std::size_t(3));
    }

    /// The plot names the figure that the tables show for the layer.
    void bandComparesRangesAsTheEngineDoes() {
        equant::ChannelRanges ranges;
        ranges.min = {-4, 0, -2};
        ranges.max = {0, 1, 2};
        QCOMPARE(ranges.imbalance(), 2.0);
        ChannelBand plot;
        plot.setData({.layer = QStringLiteral("conv1"), .before = {{-4, 0, -1}, {0, 1, 0}, {-2, 2, 0}}, .after = {}});
        QCOMPARE(plot.title(), QStringLiteral("conv1: the largest channel range is 2 × the median"));
        QCOMPARE(seriesOf(plot, "Before").points.size(), std::size_t(3));
    }

    void effectiveBitsNameTheMedian() {
        EffectiveBits plot;
        plot.setData(
            {.layer = QStringLiteral("conv1"), .before = {2, 4, 6, kNone}, .after = {7, 7.5, 8, 8}, .bits = 8});
        QCOMPARE(plot.title(), QStringLiteral("conv1: the median channel uses 4 of 8 bits before, 7.8 after"));
        QCOMPARE(plot.scene().skipped, 1);
        QCOMPARE(plot.scene().lines[0].value, 8.0);
        QVERIFY(plot.scene().y.upper > 8.0);
        QCOMPARE(seriesOf(plot, "Change").points[1].y2, 4.0);
        QCOMPARE(plot.table().rows[3][2].toDouble(), 8.0);
    }

    void displacementArrowsRunFromBeforeToAfter() {
        DisplacementField plot;
        plot.setData({.layer = QStringLiteral("conv1"),
                      .before = {{-4, 4, 0}, {-1, 1, 0}, {-1, kInf, 0}},
                      .after = {{-2, 2, 0}, {-1.5, 1.5, 0}, {-1, 1, 0}},
                      .representableMin = -2,
                      .representableMax = 2});
        const auto& arrows = seriesOf(plot, "Movement").points;
        QCOMPARE(arrows.size(), std::size_t(2));
        QCOMPARE(arrows[0].x2, -4.0);
        QCOMPARE(arrows[0].y, 2.0);
        QCOMPARE(plot.scene().skipped, 1);
        QVERIFY(plot.scene().isEqualAspect);
        QCOMPARE(plot.scene().regions[0].x0, -2.0);
        plot.resize(900, 300);
        plot.show();
        QVERIFY(QTest::qWaitForWindowExposed(&plot));
        const QPointF a = plot.pointPosition(QStringLiteral("Before"), QStringLiteral("0"));
        const QPointF b = plot.pointPosition(QStringLiteral("Before"), QStringLiteral("1"));
        QVERIFY(std::abs(std::abs(a.x() - b.x()) - std::abs(a.y() - b.y())) < 0.5);
    }

    void constantChannelsAreMarked() {
        ScaleFactors plot;
        plot.setData({.pair = QStringLiteral("a → b"),
                      .factors = {2.0, 0.25, 1.0, -1.0},
                      .isConstant = {false, false, true, false}});
        const auto& factors = seriesOf(plot, "Scale factor").points;
        QCOMPARE(factors.size(), std::size_t(2));
        QCOMPARE(factors[0].y, 1.0);
        QCOMPARE(factors[1].y, -2.0);
        QCOMPARE(seriesOf(plot, "Constant channel").points.size(), std::size_t(1));
        QCOMPARE(plot.scene().skipped, 1);
        QVERIFY(plot.scene().y.lower < -2.0 && plot.scene().y.upper > 1.0);
    }

    void biasesBeyondTheActivationsAreFlagged() {
        BiasGrowth plot;
        plot.setData(
            {.layer = QStringLiteral("conv1"), .before = {-0.5, 0.25}, .after = {3.0, 0.5}, .activationRange = 2.0});
        QCOMPARE(seriesOf(plot, "Before").points[0].y, 0.5);
        QVERIFY(seriesOf(plot, "After equalization").points[0].isFlagged);
        QVERIFY(!seriesOf(plot, "After equalization").points[1].isFlagged);
        QVERIFY(!seriesOf(plot, "Before").points[0].isFlagged);
        QVERIFY2(plot.title().contains(QStringLiteral("from 0.5 to 3")), qPrintable(plot.title()));
        plot.setData({.layer = QStringLiteral("conv1"), .before = {2.5}, .after = {}, .activationRange = 2.0});
        QVERIFY(seriesOf(plot, "Before").points[0].isFlagged);
    }

    void diagnosisComparesWeightsAndActivations() {
        DiagnosisBars plot;
        plot.setData(samples::diagnosis());
        QVERIFY2(plot.title().startsWith(QStringLiteral("Weights cost more")), qPrintable(plot.title()));
        QCOMPARE(seriesOf(plot, "Score").points.size(), std::size_t(3));
        QCOMPARE(seriesOf(plot, "Float reference").points[0].high, 72.7);
        QVERIFY(plot.scene().y.upper > 72.7 && plot.scene().y.lower == 0.0);
        DiagnosisData close = samples::diagnosis();
        close.bars[1].value = 70.0;
        close.bars[1].low = 69.0;
        close.bars[1].high = 71.0;
        plot.setData(close);
        QVERIFY2(plot.title().contains(QStringLiteral("within noise")), qPrintable(plot.title()));
        close.bars[1].value = kNone;
        plot.setData(close);
        QCOMPARE(plot.scene().skipped, 1);
        QCOMPARE(plot.table().rows.size(), 4);
    }

    void sqnrArrowsFallToTheWorstLayers() {
        SqnrProfile plot;
        SqnrProfileData data = samples::sqnr(40);
        data.layers[3].localDb = kNone;
        plot.setData(data);
        const auto& arrows = seriesOf(plot, "Lowest local SQNR").points;
        QCOMPARE(arrows.size(), std::size_t(3));
        for (const PlotPoint& arrow : arrows) QVERIFY(arrow.y2 > arrow.y);
        QVERIFY(arrows[0].y <= arrows[1].y && arrows[1].y < 20.5);
        QCOMPARE(seriesOf(plot, "Local").points.size(), std::size_t(39));
        QCOMPARE(seriesOf(plot, "Accumulated").points.size(), std::size_t(40));
        QVERIFY(plot.culprits().isEmpty());
        plot.setThreshold(21.0);
        QCOMPARE(plot.culprits().size(), 2);
        int flagged = 0;
        for (const PlotPoint& point : seriesOf(plot, "Local").points) flagged += point.isFlagged ? 1 : 0;
        QCOMPARE(flagged, 2);
    }

    void sqnrThresholdIsDragged() {
        SqnrProfile plot;
        plot.setData(samples::sqnr(30));
        plot.setThreshold(22.0);
        plot.resize(700, 400);
        plot.show();
        QVERIFY(QTest::qWaitForWindowExposed(&plot));
        const auto& local = seriesOf(plot, "Local").points;
        const QPointF a = plot.pointPosition(QStringLiteral("Local"), local[0].key);
        const QPointF b = plot.pointPosition(QStringLiteral("Local"), local[7].key);
        const double perDb = (b.y() - a.y()) / (local[7].y - local[0].y);
        const QPoint at(400, qRound(a.y() + perDb * (22.0 - local[0].y)));
        const QPoint to(400, qRound(a.y() + perDb * (33.0 - local[0].y)));
        QSignalSpy selected(&plot, &PlotView::selectionChanged);
        QTest::mousePress(canvasOf(plot), Qt::LeftButton, {}, at);
        QTest::mouseMove(canvasOf(plot), to);
        QTest::mouseRelease(canvasOf(plot), Qt::LeftButton, {}, to);
        QVERIFY2(std::abs(plot.threshold() - 33.0) < 0.5, qPrintable(QString::number(plot.threshold())));
        QCOMPARE(selected.count(), 1);
        QVERIFY(plot.selection().size() > 2);
    }
};

EQUANT_TEST(TestPlotScenes)
}  // namespace test_plot_scenes

#include "test_plot_scenes.moc"
