// SPDX-License-Identifier: GPL-3.0-or-later
// The manners all plots share: exports, selection, keyboard, palette, empty and large data, tiny sizes.
#include <QAccessible>
#include <QDialog>
#include <QFile>
#include <QLabel>
#include <QMenu>
#include <QPainter>
#include <QPdfWriter>
#include <QSignalSpy>
#include <QSvgRenderer>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QTest>
#include <QTextStream>

#include "tests/gui/plot_samples.h"
#include "tests/support/registry.h"

namespace test_plots {

using namespace equant::plots;

namespace {

QPalette paletteOf(const QColor& base, const QColor& text) {
    QPalette palette;
    palette.setColor(QPalette::Base, base);
    palette.setColor(QPalette::Text, text);
    return palette;
}

const QPalette kLight = paletteOf(Qt::white, Qt::black);
const QPalette kDark = paletteOf(QColor(0x1f2226), QColor(0xe6e6e6));

QWidget* canvasOf(PlotView& plot) {
    return plot.findChild<QWidget*>(QStringLiteral("plotCanvas"));
}

void showAt(PlotView& plot, QSize size) {
    plot.resize(size);
    plot.show();
    QVERIFY(QTest::qWaitForWindowExposed(&plot));
}

QByteArray contentOf(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

/// Pixels whose colour is close to `colour`.
int countOf(const QImage& image, const QColor& colour, int tolerance = 12) {
    int count = 0;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x) {
            const QRgb pixel = image.pixel(x, y);
            const int difference =
                std::max({std::abs(qRed(pixel) - colour.red()), std::abs(qGreen(pixel) - colour.green()),
                          std::abs(qBlue(pixel) - colour.blue())});
            count += difference <= tolerance ? 1 : 0;
        }
    return count;
}

}  // namespace

class TestPlots : public QObject {
    Q_OBJECT

private slots:
    void coloursAreVisibleOnEveryBackground() {
        for (const QRgb base : {0xffffffU, 0xf5f0e6U, 0x1f2226U, 0x000000U, 0x3b4252U, 0x808080U}) {
            const PlotTheme theme = PlotTheme::fromPalette(paletteOf(QColor(base), Qt::black), QFont());
            for (const QColor& colour : theme.categories)
                QVERIFY2(contrastRatio(colour, theme.background) >= kMarkContrast, qPrintable(colour.name()));
            for (const QColor& colour : {theme.before, theme.after, theme.accent, theme.secondary, theme.muted})
                QVERIFY(contrastRatio(colour, theme.background) >= kMarkContrast);
            for (const QColor& colour : {theme.text, theme.mutedText, theme.alert})
                QVERIFY2(contrastRatio(colour, theme.background) >= kTextContrast, qPrintable(QColor(base).name()));
        }
        QCOMPARE(qRound(contrastRatio(Qt::white, Qt::black)), 21);
    }

    void scalesAreMonotoneInLightness() {
        for (int i = 1; i <= 20; ++i)
            QVERIFY(contrastRatio(sequentialColour(i / 20.0), Qt::black) >
                    contrastRatio(sequentialColour((i - 1) / 20.0), Qt::black));
        QCOMPARE(sequentialColour(-5.0), sequentialColour(0.0));
        QVERIFY(divergingColour(-1.0).blue() > divergingColour(-1.0).red());
        QVERIFY(divergingColour(1.0).red() > divergingColour(1.0).blue());
    }

    void signedLogIsInvertedByItsInverse() {
        const PlotAxis axis{.scale = Scale::SignedLog, .threshold = 0.01};
        for (const double value : {-250.0, -0.01, -0.004, 0.0, 0.003, 0.01, 7.5})
            QVERIFY(std::abs(fromAxis(axis, toAxis(axis, value)) - value) < 1e-9);
        QVERIFY(toAxis(axis, 1.0) > toAxis(axis, 0.5));
    }

    void csvQuotesAndKeepsPrecision() {
        const PlotTable table{{QStringLiteral("a,b"), QStringLiteral("n")},
                              {{QStringLiteral("say \"hi\""), 0.123456789}, {QStringLiteral("x"), kNone}}};
        QCOMPARE(table.toCsv(), QStringLiteral("\"a,b\",n\n\"say \"\"hi\"\"\",0.123456789\nx,nan\n"));
        QCOMPARE(table.toTsv().count(u'\t'), 3);
    }

    void everyPlotExports_data() {
        QTest::addColumn<int>("count");
        QTest::newRow("1") << 1;
        QTest::newRow("40") << 40;
    }
    void everyPlotExports() {
        QFETCH(int, count);
        QTemporaryDir directory;
        for (const samples::Named& named : samples::all(count)) {
            const QString stem = directory.filePath(named.name);
            for (const char* suffix : {".png", ".svg", ".pdf", ".csv"}) {
                QString error;
                QVERIFY2(named.plot->exportPlot(stem + QLatin1String(suffix), &error, {600, 360}), qPrintable(error));
            }
            QImage image;
            QVERIFY(image.load(stem + QStringLiteral(".png")));
            QCOMPARE(image.size(), QSize(1200, 720));
            QCOMPARE(image.pixelColor(0, 0), QColor(Qt::white));
            QVERIFY2(countOf(image, PlotTheme::print().text, 40) > 200, qPrintable(named.name));
            QVERIFY(QSvgRenderer(stem + QStringLiteral(".svg")).isValid());
            QVERIFY(contentOf(stem + QStringLiteral(".svg")).contains("<text"));
            const QByteArray pdf = contentOf(stem + QStringLiteral(".pdf"));
            QVERIFY(pdf.startsWith("%PDF-") && pdf.contains("%%EOF") && pdf.size() > 2000);
            const QString csv = QString::fromUtf8(contentOf(stem + QStringLiteral(".csv")));
            QCOMPARE(csv.count(u'\n'), named.plot->table().rows.size() + 1);
        }
    }

    void axesAreLabelled() {
        QTemporaryDir directory;
        const QString path = directory.filePath(QStringLiteral("plot.svg"));
        EffectiveBits bits;
        bits.setData(samples::bits(40));
        QVERIFY(bits.exportPlot(path));
        const QByteArray svg = contentOf(path);
        for (const char* text : {">4</text>", ">15</text>", ">Effective bits</text>", ">Output channel</text>"})
            QVERIFY2(svg.contains(text), text);
        RangeDumbbell ranges;
        ranges.setData(samples::ranges(40));
        QVERIFY(ranges.exportPlot(path));
        for (const char* text : {">50</text>", ">2/conv/conv.2</text>"}) QVERIFY2(contentOf(path).contains(text), text);
    }

    void exportIsLightWhateverTheScreen() {
        CostBars plot;
        plot.setPalette(kDark);
        plot.setData(samples::cost(10));
        QCOMPARE(plot.toImage({400, 300}).pixelColor(1, 1), QColor(Qt::white));
        QVERIFY(plot.theme().isDark);
    }

    void exportFailsWithAReason() {
        CostBars plot;
        QString error;
        QVERIFY(!plot.exportPlot(QStringLiteral("plot.xyz"), &error));
        QVERIFY(error.contains(QStringLiteral("xyz")) && error.contains(QStringLiteral(".png")));
        error.clear();
        QVERIFY(!plot.exportPlot(QStringLiteral("/nowhere/at/all/plot.png"), &error));
        QVERIFY(error.contains(QStringLiteral("/nowhere/at/all/plot.png")));
    }

    void paintToFillsItsRectangleOnly() {
        DiagnosisBars plot;
        plot.setData(samples::diagnosis());
        QImage page(800, 600, QImage::Format_RGB32);
        page.setDotsPerMeterX(3780);
        page.setDotsPerMeterY(3780);
        page.fill(Qt::magenta);
        QPainter painter(&page);
        plot.paintTo(&painter, QRectF(100, 50, 600, 400));
        painter.end();
        QCOMPARE(page.pixelColor(90, 60), QColor(Qt::magenta));
        QCOMPARE(page.pixelColor(720, 300), QColor(Qt::magenta));
        QCOMPARE(page.pixelColor(102, 52), QColor(Qt::white));
        QCOMPARE(page.pixelColor(698, 448), QColor(Qt::white));
        QVERIFY(countOf(page, PlotTheme::print().accent) > 2000);
    }

    void aClickOnAPointSelectsIt_data() {
        QTest::addColumn<QString>("plotName");
        QTest::addColumn<QString>("series");
        QTest::addColumn<QString>("key");
        QTest::newRow("bars") << "cost_bars"
                              << "Layer"
                              << "layer11";
        QTest::newRow("scatter") << "cost_scatter"
                                 << "Gemm"
                                 << "layer11";
        QTest::newRow("dumbbell") << "range_dumbbell"
                                  << "Before"
                                  << "layer4";
        QTest::newRow("band") << "channel_band"
                              << "After equalization"
                              << "7";
        QTest::newRow("bits") << "effective_bits"
                              << "Before"
                              << "3";
        QTest::newRow("field") << "displacement_field"
                               << "Before"
                               << "4";
        QTest::newRow("factors") << "scale_factors"
                                 << "Scale factor"
                                 << "2";
        QTest::newRow("biases") << "bias_growth"
                                << "Before"
                                << "5";
        QTest::newRow("diagnosis") << "diagnosis_bars"
                                   << "Score"
                                   << "weights";
        QTest::newRow("sqnr") << "sqnr_profile"
                              << "Local"
                              << "layer8";
    }
    void aClickOnAPointSelectsIt() {
        QFETCH(QString, plotName);
        QFETCH(QString, series);
        QFETCH(QString, key);
        for (samples::Named& named : samples::all(12)) {
            if (named.name != plotName) continue;
            PlotView& plot = *named.plot;
            showAt(plot, {700, 400});
            QSignalSpy activated(&plot, &PlotView::itemActivated);
            QSignalSpy changed(&plot, &PlotView::selectionChanged);
            QSignalSpy hovered(&plot, &PlotView::itemHovered);
            const QPoint at = plot.pointPosition(series, key).toPoint();
            QVERIFY(!at.isNull());
            QTest::mouseMove(canvasOf(plot), at - QPoint(3, 0));  // a first move only enters
            QTest::mouseMove(canvasOf(plot), at);
            QVERIFY(hovered.count() > 0);
            QVERIFY(!plot.readOut().isEmpty());
            QTest::mouseClick(canvasOf(plot), Qt::LeftButton, {}, at);
            QCOMPARE(activated.count(), 1);
            QCOMPARE(activated[0][0].toString(), key);
            QCOMPARE(changed.count(), 1);
            QCOMPARE(plot.selection(), QStringList{key});
            return;
        }
        QFAIL("no such plot");
    }

    void controlClickTogglesAndEmptyClickClears() {
        CostScatter plot;
        plot.setData(samples::cost(12));
        showAt(plot, {700, 400});
        const QPoint first = plot.pointPosition(QStringLiteral("Gemm"), QStringLiteral("layer11")).toPoint();
        const QPoint second = plot.pointPosition(QStringLiteral("Conv"), QStringLiteral("layer0")).toPoint();
        QTest::mouseClick(canvasOf(plot), Qt::LeftButton, {}, first);
        QTest::mouseClick(canvasOf(plot), Qt::LeftButton, Qt::ControlModifier, second);
        QCOMPARE(plot.selection(), (QStringList{QStringLiteral("layer0"), QStringLiteral("layer11")}));
        QTest::mouseClick(canvasOf(plot), Qt::LeftButton, Qt::ControlModifier, first);
        QCOMPARE(plot.selection(), QStringList{QStringLiteral("layer0")});
        QTest::mouseClick(canvasOf(plot), Qt::LeftButton, {}, QPoint(3, 3));
        QVERIFY(plot.selection().isEmpty());
    }

    void selectionFadesTheOthers() {
        CostBars plot;
        plot.setPalette(kLight);
        plot.setData(samples::cost(12));
        showAt(plot, {700, 400});
        const int before = countOf(plot.grab().toImage(), plot.theme().accent);
        QSignalSpy changed(&plot, &PlotView::selectionChanged);
        plot.setSelection({QStringLiteral("layer11")});
        QCOMPARE(changed.count(), 0);  // only the user's own changes are told
        QTest::qWait(1);
        const int after = countOf(plot.grab().toImage(), plot.theme().accent);
        QVERIFY2(after < before && after > before / 10, qPrintable(QStringLiteral("%1 %2").arg(before).arg(after)));
    }

    void keysOfOtherPlotsFadeNothing() {
        CostBars plot;
        plot.setData(samples::cost(12));
        const QImage plain = plot.toImage({500, 300});
        plot.setSelection({QStringLiteral("17"), QStringLiteral("elsewhere")});
        QCOMPARE(plot.toImage({500, 300}), plain);
        plot.setSelection({QStringLiteral("layer3"), QStringLiteral("elsewhere")});
        QVERIFY(plot.toImage({500, 300}) != plain);
    }

    void theKeyboardReachesEveryPoint() {
        RangeDumbbell plot;
        plot.setData(samples::ranges(6));
        showAt(plot, {700, 400});
        QTest::keyClick(&plot, Qt::Key_Right);
        QCOMPARE(plot.cursorKey(), QStringLiteral("layer0"));
        QTest::keyClick(&plot, Qt::Key_Right);
        QCOMPARE(plot.cursorKey(), QStringLiteral("layer1"));
        QVERIFY(plot.accessibleDescription().contains(samples::layerName(1)));
        const QString inFirstSeries = plot.readOut();
        QTest::keyClick(&plot, Qt::Key_Tab);
        QCOMPARE(plot.cursorKey(), QStringLiteral("layer1"));
        QVERIFY(!inFirstSeries.isEmpty());
        QTest::keyClick(&plot, Qt::Key_End);
        QCOMPARE(plot.cursorKey(), QStringLiteral("layer5"));
        QTest::keyClick(&plot, Qt::Key_Home);
        QTest::keyClick(&plot, Qt::Key_Left);
        QCOMPARE(plot.cursorKey(), QStringLiteral("layer0"));
        QSignalSpy activated(&plot, &PlotView::itemActivated);
        QTest::keyClick(&plot, Qt::Key_Return);
        QCOMPARE(activated.count(), 1);
        QCOMPARE(plot.selection(), QStringList{QStringLiteral("layer0")});
        QTest::keyClick(&plot, Qt::Key_Escape);
        QVERIFY(plot.cursorKey().isEmpty());
        QTest::keyClick(&plot, Qt::Key_Escape);
        QVERIFY(plot.selection().isEmpty());
    }

    void zoomStaysInsideTheDataAndResets() {
        CostBars plot;
        plot.setData(samples::cost(40));
        showAt(plot, {700, 400});
        const auto home = plot.visibleX();
        QTest::keyClick(&plot, Qt::Key_Plus);
        const auto zoomed = plot.visibleX();
        QVERIFY(zoomed.second - zoomed.first < home.second - home.first);
        for (int i = 0; i < 20; ++i) QTest::keyClick(&plot, Qt::Key_Minus);
        QCOMPARE(plot.visibleX(), home);
        QTest::keyClick(&plot, Qt::Key_Plus);
        QTest::keyClick(&plot, Qt::Key_0);
        QCOMPARE(plot.visibleX(), home);
        QTest::keyClick(&plot, Qt::Key_Plus);
        QTest::mouseDClick(canvasOf(plot), Qt::LeftButton, {}, {350, 200});
        QCOMPARE(plot.visibleX(), home);
    }

    void shiftDragZoomsIntoABox() {
        CostScatter plot;
        plot.setData(samples::cost(40));
        showAt(plot, {700, 400});
        const auto home = plot.visibleX();
        QTest::mousePress(canvasOf(plot), Qt::LeftButton, Qt::ShiftModifier, {200, 150});
        QTest::mouseMove(canvasOf(plot), {300, 200});
        QTest::mouseMove(canvasOf(plot), {400, 250});
        QTest::mouseRelease(canvasOf(plot), Qt::LeftButton, Qt::ShiftModifier, {400, 250});
        QVERIFY(plot.visibleX().first > home.first && plot.visibleX().second < home.second);
    }

    void aPaletteChangeRecolours() {
        for (const samples::Named& named : samples::all(20)) {
            PlotView& plot = *named.plot;
            plot.setPalette(kLight);
            showAt(plot, {500, 320});
            QCOMPARE(plot.grab().toImage().pixelColor(2, 2), QColor(Qt::white));
            plot.setPalette(kDark);
            QTest::qWait(1);
            const QImage dark = plot.grab().toImage();
            QCOMPARE(dark.pixelColor(2, 2), kDark.color(QPalette::Base));
            QVERIFY2(countOf(dark, Qt::black, 8) < 20, qPrintable(named.name));  // nothing stays dark on dark
        }
    }

    void anyNumberOfItemsAtAnySize_data() {
        QTest::addColumn<int>("count");
        for (const int count : {0, 1, 3, 500}) QTest::newRow(qPrintable(QString::number(count))) << count;
    }
    void anyNumberOfItemsAtAnySize() {
        QFETCH(int, count);
        for (const samples::Named& named : samples::all(count)) {
            PlotView& plot = *named.plot;
            QCOMPARE(plot.scene().isEmpty(), count == 0);
            QCOMPARE(plot.accessibleDescription(), count == 0 ? plot.emptyText() : plot.scene().summary);
            QVERIFY2(count == 0 || !plot.accessibleName().isEmpty(), qPrintable(named.name));
            for (const QSize size : {QSize(1, 1), QSize(40, 30), QSize(120, 90), QSize(260, 160), QSize(900, 500)})
                QVERIFY(!plot.toImage(size).isNull());
            for (const PlotSeries& series : plot.scene().series)
                for (const PlotPoint& point : series.points)
                    QVERIFY2(std::isfinite(point.x) && std::isfinite(point.y), qPrintable(named.name));
            QVERIFY(plot.scene().x.lower < plot.scene().x.upper && plot.scene().y.lower < plot.scene().y.upper);
        }
    }

    void emptyTextIsShownWithoutData() {
        SqnrProfile plot;
        plot.setPalette(kLight);
        plot.setEmptyText(QStringLiteral("Open a model to see its noise"));
        QCOMPARE(plot.accessibleDescription(), QStringLiteral("Open a model to see its noise"));
        QVERIFY(countOf(plot.toImage({500, 300}), PlotTheme::print().mutedText, 60) > 50);
        QTest::keyClick(&plot, Qt::Key_Right);
        QVERIFY(plot.cursorKey().isEmpty());
    }

    void contextMenuOffersTheTwinAndTheFiles() {
        EffectiveBits plot;
        std::unique_ptr<QMenu> empty(plot.createContextMenu());
        QVERIFY(!empty->actions().first()->isEnabled());
        plot.setData(samples::bits(8));
        std::unique_ptr<QMenu> menu(plot.createContextMenu());
        QVERIFY(menu->actions().size() >= 6);
        QVERIFY(menu->actions().first()->isEnabled());
        plot.showTable();
        auto* dialog = plot.findChild<QDialog*>();
        QVERIFY(dialog);
        auto* view = dialog->findChild<QTableWidget*>();
        QCOMPARE(view->rowCount(), 8);
        QCOMPARE(view->item(3, 1)->data(Qt::DisplayRole).toDouble(), plot.table().rows[3][1].toDouble());
        dialog->close();
    }

    void screenReadersSeeAChartWithItsFinding() {
        CostBars plot;
        plot.setData(samples::cost(5));
        QAccessibleInterface* accessible = QAccessible::queryAccessibleInterface(&plot);
        QVERIFY(accessible);
        QCOMPARE(accessible->role(), QAccessible::Chart);
        QCOMPARE(accessible->text(QAccessible::Name), plot.title());
        QCOMPARE(accessible->text(QAccessible::Description), plot.scene().summary);
    }

    void axisNamesLoseWhatAllShare() {
        const QStringList names{samples::layerName(0), samples::layerName(4)};
        QCOMPARE(shortNames(names), (QStringList{QStringLiteral("0/conv/conv.0"), QStringLiteral("1/conv/conv.1")}));
        QCOMPARE(shortNames({QStringLiteral("a/b"), QStringLiteral("a/b")}),
                 (QStringList{QStringLiteral("a/b"), QStringLiteral("a/b")}));
        QCOMPARE(shortNames({QStringLiteral("conv1"), QStringLiteral("conv2")}),
                 (QStringList{QStringLiteral("conv1"), QStringLiteral("conv2")}));
        QCOMPARE(shortNames({QStringLiteral("conv1"), QString()}), (QStringList{QStringLiteral("conv1"), QString()}));
    }

    void titleCanBeReplaced() {
        CostBars plot;
        plot.setData(samples::cost(5));
        const QString finding = plot.title();
        plot.setTitle(QStringLiteral("Mine"));
        QCOMPARE(plot.accessibleName(), QStringLiteral("Mine"));
        plot.setTitle({});
        QCOMPARE(plot.title(), finding);
    }
};

EQUANT_TEST(TestPlots)
}  // namespace test_plots

#include "test_plots.moc"
