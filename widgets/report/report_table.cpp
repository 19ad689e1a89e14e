// SPDX-License-Identifier: GPL-3.0-or-later
// Tables: column widths from the content, rows as strips under a header that every page repeats.
#include <QFontMetricsF>
#include <algorithm>
#include <numeric>

#include "widgets/report/report_strips_internal.h"

namespace equant::report {

namespace {

constexpr double kGap = 7 * kUnitsPerPoint;  ///< between columns
constexpr double kRowPadding = 2.2 * kUnitsPerPoint;
constexpr qsizetype kMostLines = 6;  ///< of one cell

double cellWidth(const QString& text, const QFont& font) {
    return QFontMetricsF(font).horizontalAdvance(text) + kUnitsPerPoint;
}

/// What the columns would like to have.
std::vector<double> naturalWidths(const Table& table) {
    const QFont head = textFont(TextKind::TableHead);
    const QFont cell = textFont(TextKind::TableCell);
    std::vector<double> widths;
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
        double width = 0;
        // Titles may be broken between words.
        for (const QString& word : table.columns[column].title.split(u' '))
            width = std::max(width, cellWidth(word, head));
        for (const QStringList& row : table.rows)
            width = std::max(width, cellWidth(row.value(qsizetype(column)), cell));
        widths.push_back(width);
    }
    return widths;
}

Qt::Alignment alignmentOf(const Column& column) {
    return (column.kind == Column::Kind::Number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter;
}

QStringList cellLines(const Column& column, const QString& text, const QFont& font, double width) {
    if (column.kind != Column::Kind::Text) return {elided(text, font, width)};
    QStringList lines = wrapped(text, font, width);
    if (lines.size() > kMostLines) {
        lines = lines.mid(0, kMostLines);
        lines.back() = QFontMetricsF(font).elidedText(lines.back() + u'…', Qt::ElideRight, width);
    }
    return lines;
}

Strip rowStrip(const Table& table, const QStringList& cells, const std::vector<double>& widths, bool isHeader) {
    const QFont font = textFont(isHeader ? TextKind::TableHead : TextKind::TableCell);
    const double lineHeight = QFontMetricsF(font).height() * 1.05;
    std::vector<QStringList> lines;
    qsizetype most = 1;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const QString text = cells.value(qsizetype(i));
        lines.push_back(isHeader ? wrapped(text, font, widths[i]) : cellLines(table.columns[i], text, font, widths[i]));
        most = std::max(most, lines.back().size());
    }
    Strip strip;
    strip.height = double(most) * lineHeight + 2 * kRowPadding;
    double left = 0;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        // Titles of unequal height end on the same line.
        const double top = kRowPadding + (isHeader ? double(most - lines[i].size()) * lineHeight : 0);
        for (qsizetype line = 0; line < lines[i].size(); ++line)
            strip.items.texts.push_back({QRectF(left, top + double(line) * lineHeight, widths[i], lineHeight),
                                         lines[i][line], font, textColour(), alignmentOf(table.columns[i])});
        left += widths[i] + kGap;
    }
    const double width = std::accumulate(widths.begin(), widths.end(), kGap * double(widths.size() - 1));
    strip.items.boxes.push_back({QRectF(0, strip.height - (isHeader ? 14 : 6), width, isHeader ? 14 : 6),
                                 isHeader ? textColour() : ruleColour()});
    return strip;
}

}  // namespace

std::vector<double> columnWidths(const Table& table, double width) {
    std::vector<double> widths = naturalWidths(table);
    if (widths.empty()) return widths;
    const double available = width - kGap * double(widths.size() - 1);
    const auto isFlexible = [&](std::size_t i) { return table.columns[i].kind != Column::Kind::Number; };
    double fixed = 0;
    std::vector<std::size_t> flexible;
    for (std::size_t i = 0; i < widths.size(); ++i) {
        if (isFlexible(i))
            flexible.push_back(i);
        else
            fixed += widths[i];
    }
    // Numbers get what they need, names and texts the rest; never less than a quarter.
    const double least = flexible.empty() ? available : 0.75 * available;
    if (fixed > least) {
        for (std::size_t i = 0; i < widths.size(); ++i)
            if (!isFlexible(i)) widths[i] *= least / fixed;
        fixed = least;
    }
    double left = available - fixed;
    // The narrow ones first: what they do not need goes to the others.
    std::ranges::sort(flexible, {}, [&](std::size_t i) { return widths[i]; });
    for (std::size_t k = 0; k < flexible.size(); ++k) {
        double& own = widths[flexible[k]];
        const bool isLast = k + 1 == flexible.size();
        own = isLast ? left : std::min(own, left / double(flexible.size() - k));
        left -= own;
    }
    return widths;
}

std::vector<Strip> stripsOf(const Table& table, double width) {
    std::vector<Strip> strips;
    if (table.columns.empty() || table.rows.empty()) return strips;
    const auto widths = columnWidths(table, width);
    if (!table.title.isEmpty()) {
        const QFont font = textFont(TextKind::Subheading);
        Strip title;
        title.height = QFontMetricsF(font).height() * 1.12;
        title.items.texts.push_back(
            {QRectF(0, 0, width, title.height), elided(table.title, font, width), font, textColour()});
        title.keepsWithNext = true;
        strips.push_back(std::move(title));
    }
    QStringList titles;
    for (const Column& column : table.columns) titles << column.title;
    std::shared_ptr<const Strip> header;
    if (!titles.join(QString()).isEmpty()) {
        Strip strip = rowStrip(table, titles, widths, true);
        header = std::make_shared<const Strip>(strip);
        strip.keepsWithNext = true;
        strips.push_back(std::move(strip));
    }
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        Strip strip = rowStrip(table, table.rows[i], widths, false);
        strip.header = header;
        // Neither the first nor the last row stands alone.
        strip.keepsWithNext = i + 1 < table.rows.size() && (i == 0 || i + 2 == table.rows.size());
        strips.push_back(std::move(strip));
    }
    strips.front().spaceBefore = 9 * kUnitsPerPoint;
    return strips;
}

}  // namespace equant::report
