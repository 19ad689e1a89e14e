// SPDX-License-Identifier: GPL-3.0-or-later
// Pages of a report: nothing leaves the margins, nothing is lost, nothing stands alone that must not.
#include <QFontMetricsF>
#include <QPainter>
#include <QTest>

#include "tests/support/registry.h"
#include "widgets/report/report_renderer.h"

namespace test_report_layout {

using namespace equant::report;

namespace {

const QString kHeader = QStringLiteral("Rechenaufwand");

Report longReport(int rows) {
    Report report;
    report.title = QStringLiteral("ein_ziemlich_langer_modellname_") + QString(60, u'x') + QStringLiteral(".onnx");
    report.subtitle = QStringLiteral("Optimierungsbericht");
    report.footer = report.title + QString(200, u'f');
    report.creator = QStringLiteral("Test");
    report.date = QDateTime::fromSecsSinceEpoch(1700000000, Qt::UTC);
    Table table;
    table.title = QStringLiteral("Schichten");
    table.columns = {{QStringLiteral("Schicht"), Column::Kind::Name},
                     {kHeader, Column::Kind::Number},
                     {QStringLiteral("Begründung der Nichtberücksichtigung"), Column::Kind::Text}};
    for (int i = 0; i < rows; ++i)
        table.rows.push_back(
            {QStringLiteral("/model/backbone/features.%1/Quantisierungsparameterbestimmung/").arg(i) +
                 QString(80, u'w') + QStringLiteral("/Conv"),
             QString::number(1000 + i),
             QStringLiteral("Zeile%1: Donaudampfschifffahrtsgesellschaftskapitän ").arg(i) + QString(i % 90, u'z')});
    Section first{QStringLiteral("Ergebnisse"), {}};
    first.blocks.emplace_back(Tiles{{{QStringLiteral("1234567890123456789012345"), QString(90, u'l'), QString()},
                                     {QStringLiteral("2"), QStringLiteral("b"), QStringLiteral("c")}}});
    first.blocks.emplace_back(Paragraph{QString(400, u'p'), Paragraph::Style::Body});
    first.blocks.emplace_back(Paragraph{QStringLiteral("Satz. ").repeated(120), Paragraph::Style::Bullet});
    first.blocks.emplace_back(std::move(table));
    report.sections.push_back(std::move(first));
    Section second{QStringLiteral("Bilder"), {}};
    for (int i = 0; i < 5; ++i)
        second.blocks.emplace_back(
            FigureRow{{Figure{QStringLiteral("figure-%1").arg(i), QStringLiteral("Unterschrift"),
                              [](QPainter& painter, const QRectF& rect) { painter.drawEllipse(rect); }}},
                      90});
    report.sections.push_back(std::move(second));
    return report;
}

int countOf(const Page& page, const QString& text) {
    return static_cast<int>(std::ranges::count(page.texts, text, &TextItem::text));
}

}  // namespace

class TestReportLayout : public QObject {
    Q_OBJECT

private slots:
    void nothingLeavesThePage_data() {
        QTest::addColumn<bool>("isLetter");
        QTest::addColumn<int>("rows");
        for (const int rows : {1, 2, 40, 41, 42, 43, 200}) {
            QTest::addRow("A4, %d rows", rows) << false << rows;
            QTest::addRow("Letter, %d rows", rows) << true << rows;
        }
    }
    void nothingLeavesThePage() {
        QFETCH(bool, isLetter);
        QFETCH(int, rows);
        const Report report = longReport(rows);
        const Layout layout = layOut(report, isLetter ? Paper::Letter : Paper::A4);
        const QRectF paper(QPointF(), layout.size);
        const QRectF wide = layout.content.adjusted(-1, -1, 1, 1);
        for (const Page& page : layout.pages) {
            for (const TextItem& item : page.texts) {
                QVERIFY2(QFontMetricsF(item.font).horizontalAdvance(item.text) <= item.rect.width() + 2,
                         qPrintable(item.text));
                QVERIFY(paper.contains(item.rect));
                QVERIFY2(item.rect.left() >= wide.left() && item.rect.right() <= wide.right(), qPrintable(item.text));
            }
            // Only the footer is below the content.
            const auto below = std::ranges::count_if(
                page.texts, [&](const TextItem& item) { return item.rect.bottom() > wide.bottom(); });
            QCOMPARE(below, 2);
            for (const FigureItem& item : page.figures) QVERIFY(wide.contains(item.rect));
        }
    }

    void everyRowIsThereOnceAndInOrder() {
        const Report report = longReport(200);
        const Layout layout = layOut(report, Paper::A4);
        int next = 0;
        for (const Page& page : layout.pages)
            for (const TextItem& item : page.texts)
                if (item.text.startsWith(QStringLiteral("Zeile%1:").arg(next))) ++next;
        QCOMPARE(next, 200);
        QCOMPARE(std::ranges::count_if(layout.pages, [](const Page& page) { return !page.figures.empty(); }) > 1, true);
    }

    void headerIsRepeatedAndNeverAlone() {
        for (int rows = 2; rows < 70; rows += 3) {
            const Layout layout = layOut(longReport(rows), Paper::A4);
            int pages = 0;
            for (const Page& page : layout.pages) {
                const auto isRow = [](const TextItem& item) { return item.text.startsWith(QStringLiteral("Zeile")); };
                const auto here = std::ranges::count_if(page.texts, isRow);
                QCOMPARE(countOf(page, kHeader), here > 0 ? 1 : 0);
                if (here > 0) ++pages;
                if (here > 0) QVERIFY2(here >= 2, "a row stands alone");
            }
            QVERIFY(pages >= 1);
        }
    }

    void headingsStayWithWhatFollows() {
        for (int rows = 2; rows < 70; ++rows) {
            const Layout layout = layOut(longReport(rows), Paper::Letter);
            for (const Page& page : layout.pages)
                if (countOf(page, QStringLiteral("Bilder")) > 0) QVERIFY(!page.figures.empty());
        }
    }

    void notesStayWithWhatTheyExplain() {
        for (int rows = 2; rows < 70; ++rows) {
            Report report = longReport(rows);
            report.sections[0].blocks.emplace_back(Paragraph{QStringLiteral("Erklärung"), Paragraph::Style::Note});
            const Layout layout = layOut(report, Paper::A4);
            for (const Page& page : layout.pages)
                if (countOf(page, QStringLiteral("Erklärung")) > 0) QCOMPARE(countOf(page, kHeader), 1);
        }
    }

    void pagesAreNumbered() {
        const Layout layout = layOut(longReport(100), Paper::A4);
        QVERIFY(layout.pages.size() > 3);
        for (std::size_t i = 0; i < layout.pages.size(); ++i)
            QCOMPARE(countOf(layout.pages[i], QStringLiteral("Page %1 of %2").arg(i + 1).arg(layout.pages.size())), 1);
    }

    void sectionsMayBeginAPage() {
        Report report = longReport(3);
        const auto before = layOut(report, Paper::A4).pages.size();
        report.sections[1].startsPage = true;
        report.sections[1].blocks.resize(1);
        const Layout layout = layOut(report, Paper::A4);
        QVERIFY(layout.pages.size() <= before);
        QVERIFY(countOf(layout.pages.back(), QStringLiteral("Bilder")) == 1);
        QVERIFY(std::ranges::none_of(layout.pages.back().texts, [](const TextItem& item) {
            return item.text.startsWith(QStringLiteral("Zeile"));
        }));
    }

    void commandsCanBeCopied() {
        Report report;
        report.title = QStringLiteral("m");
        QString command = QStringLiteral("equant report 'a file with  blanks.json'");
        for (int i = 0; i < 30; ++i) command += QStringLiteral(" --option-%1 'value %1'").arg(i);
        report.sections.push_back({{}, {Paragraph{command, Paragraph::Style::Command}}});
        const Layout layout = layOut(report, Paper::A4);
        QString joined;
        int lines = 0;
        for (const TextItem& item : layout.pages.front().texts) {
            if (!item.font.families().front().contains(QStringLiteral("Mono"))) continue;
            ++lines;
            joined += item.text.endsWith(u'\\') ? item.text.trimmed().chopped(1) : item.text.trimmed();
        }
        QVERIFY(lines > 3);
        QCOMPARE(joined, command);
    }

    void pdfIsWholeAndTheSameEveryTime() {
        Report report = longReport(60);
        report.attachments.push_back({QStringLiteral("recipe.json"), QStringLiteral("application/json"), "{}"});
        const QByteArray pdf = toPdf(report, Paper::A4);
        QVERIFY(pdf.startsWith("%PDF-"));
        QVERIFY(pdf.trimmed().endsWith("%%EOF"));
        QCOMPARE(pdf.count("/Type /Page\n") + pdf.count("/Type/Page\n"),
                 qsizetype(layOut(report, Paper::A4).pages.size()));
        QVERIFY(pdf.contains("/CreationDate (D:20231114221320Z"));
        QVERIFY(!pdf.contains("/Subtype /Image"));
        QCOMPARE(toPdf(report, Paper::A4), pdf);
        report.date = report.date.addSecs(1);
        QVERIFY(toPdf(report, Paper::A4) != pdf);
    }

    void picturesShowThePages() {
        const Report report = longReport(60);
        const Layout layout = layOut(report, Paper::Letter);
        const QImage image = toImage(layout, 0, 50);
        QCOMPARE(image.size(), QSize(425, 550));
        int dark = 0;
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x) dark += qGray(image.pixel(x, y)) < 128;
        QVERIFY(dark > 200);
        QVERIFY(toImage(layout, layout.pages.size(), 50).isNull());
    }
};

EQUANT_TEST(TestReportLayout)
}  // namespace test_report_layout

#include "test_report_layout.moc"
