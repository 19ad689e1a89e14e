// SPDX-License-Identifier: GPL-3.0-or-later
// Every block becomes strips: pieces that are not broken, with what they want around them. Pages are then filled with
// strips; those that must stay together move to the next page together.
#include "widgets/report/report_layout.h"

#include <QCoreApplication>
#include <QFontMetricsF>
#include <QLocale>
#include <algorithm>

#include "widgets/report/report_strips_internal.h"

namespace equant::report {

namespace {

constexpr double kSideMm = 18;
constexpr double kTopMm = 16;
constexpr double kBottomMm = 20;
constexpr double kStillEmpty = 0.35;  ///< share of a page that a section which wants a page of its own puts up with

QSizeF sizeOf(Paper paper) {
    return (paper == Paper::A4 ? QSizeF(210, 297) : QSizeF(215.9, 279.4)) * kUnitsPerMm;
}

void put(Page& page, const Page& strip, QPointF offset) {
    for (BoxItem item : strip.boxes) {
        item.rect.translate(offset);
        page.boxes.push_back(std::move(item));
    }
    for (TextItem item : strip.texts) {
        item.rect.translate(offset);
        page.texts.push_back(std::move(item));
    }
    for (FigureItem item : strip.figures) {
        item.rect.translate(offset);
        page.figures.push_back(item);
    }
}

/// Fills pages from top to bottom.
class Paginator {
public:
    Paginator(Layout& layout, const std::vector<Strip>& strips) : m_layout(layout), m_strips(strips) {}

    void run() {
        for (std::size_t i = 0; i < m_strips.size(); ++i) {
            const Strip& strip = m_strips[i];
            const bool mustBreak = strip.startsPage && m_y > kStillEmpty * m_layout.content.height();
            if (m_layout.pages.empty() || mustBreak || !fits(i)) beginPage(strip);
            if (!m_isEmpty) m_y += strip.spaceBefore;
            place(strip);
        }
    }

private:
    /// Whether the strip and those it must stay with fit on what is left of the page. A group longer than a page is
    /// broken wherever it ends.
    bool fits(std::size_t first) const {
        double height = m_isEmpty ? 0 : m_strips[first].spaceBefore;
        double whole = 0;
        for (std::size_t i = first; i < m_strips.size(); ++i) {
            const double own = m_strips[i].height + (i > first ? m_strips[i].spaceBefore : 0);
            height += own;
            whole += own;
            if (!m_strips[i].keepsWithNext) break;
        }
        if (whole > m_layout.content.height())
            height = m_strips[first].height + (m_isEmpty ? 0 : m_strips[first].spaceBefore);
        return m_isEmpty || m_y + height <= m_layout.content.height() + 0.5;
    }
    void beginPage(const Strip& strip) {
        m_layout.pages.emplace_back();
        m_y = 0;
        m_isEmpty = true;
        if (strip.header) place(*strip.header);
    }
    void place(const Strip& strip) {
        put(m_layout.pages.back(), strip.items, m_layout.content.topLeft() + QPointF(0, m_y));
        m_y += strip.height;
        m_isEmpty = false;
    }

    Layout& m_layout;
    const std::vector<Strip>& m_strips;
    double m_y = 0;
    bool m_isEmpty = true;
};

void addFooters(Layout& layout, const Report& report) {
    const QFont font = textFont(TextKind::Note);
    const double height = QFontMetricsF(font).height();
    const QRectF line(layout.content.left(), layout.content.bottom() + 5 * kUnitsPerMm, layout.content.width(), height);
    for (std::size_t i = 0; i < layout.pages.size(); ++i) {
        const QString number =
            QCoreApplication::translate("Report", "Page %1 of %2").arg(i + 1).arg(layout.pages.size());
        const double numberWidth = QFontMetricsF(font).horizontalAdvance(number) + 1;
        const QRectF left = line.adjusted(0, 0, -numberWidth - 10 * kUnitsPerPoint, 0);
        const QRectF right(line.right() - numberWidth, line.top(), numberWidth, height);
        Page& page = layout.pages[i];
        page.boxes.push_back({QRectF(line.left(), line.top() - 4 * kUnitsPerPoint, line.width(), 10), ruleColour()});
        page.texts.push_back({left, elided(report.footer, font, left.width()), font, mutedColour()});
        page.texts.push_back({right, number, font, mutedColour(), Qt::AlignRight | Qt::AlignVCenter});
    }
}

}  // namespace

Layout layOut(const Report& report, Paper paper) {
    Layout layout;
    layout.size = sizeOf(paper);
    layout.content =
        QRectF(QPointF(), layout.size)
            .adjusted(kSideMm * kUnitsPerMm, kTopMm * kUnitsPerMm, -kSideMm * kUnitsPerMm, -kBottomMm * kUnitsPerMm);
    const auto strips = stripsOf(report, layout.content.width());
    Paginator(layout, strips).run();
    addFooters(layout, report);
    return layout;
}

}  // namespace equant::report
