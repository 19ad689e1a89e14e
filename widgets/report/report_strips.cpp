// SPDX-License-Identifier: GPL-3.0-or-later
#include <QFontMetricsF>
#include <QTextLayout>
#include <algorithm>

#include "widgets/report/report_strips_internal.h"

namespace equant::report {

namespace {

constexpr double kPoint = kUnitsPerPoint;
constexpr double kPadding = 6 * kPoint;  ///< inside tiles and commands

struct Look {
    double points;
    bool isBold = false;
    bool isFixed = false;
};

Look lookOf(TextKind kind) {
    switch (kind) {
        case TextKind::Title:
            return {22, true};
        case TextKind::Heading:
            return {15, true};
        case TextKind::Subheading:
            return {10.5, true};
        case TextKind::Lead:
            return {11};
        case TextKind::Body:
            return {9.5};
        case TextKind::Note:
            return {8};
        case TextKind::TableHead:
            return {8, true};
        case TextKind::TableCell:
            return {8};
        case TextKind::Code:
            return {7.5, false, true};
        case TextKind::TileValue:
            return {17, true};
    }
    return {9.5};
}

/// The width that text really needs: advances, and what italics and rounding may add.
double widthOf(const QString& text, const QFont& font) {
    return QFontMetricsF(font).horizontalAdvance(text);
}

/// One strip per line; neither the first nor the last line stands alone on a page.
void addLines(std::vector<Strip>& strips, const QStringList& lines, TextKind kind, const QColor& colour, double left,
              double width, double spaceBefore) {
    const QFont font = textFont(kind);
    const double height = QFontMetricsF(font).height() * 1.12;
    for (qsizetype i = 0; i < lines.size(); ++i) {
        Strip strip;
        strip.height = height;
        strip.spaceBefore = i == 0 ? spaceBefore : 0;
        strip.keepsWithNext = i + 1 < lines.size() && (i == 0 || i + 2 == lines.size());
        strip.items.texts.push_back({QRectF(left, 0, width, height), lines[i], font, colour});
        strips.push_back(std::move(strip));
    }
}

void addPanel(std::vector<Strip>& strips, std::size_t first, double width, const QColor& fill) {
    for (std::size_t i = first; i < strips.size(); ++i)
        strips[i].items.boxes.insert(strips[i].items.boxes.begin(), {QRectF(0, 0, width, strips[i].height), fill});
}

void addCommand(std::vector<Strip>& strips, const QString& text, double width) {
    const QFont font = textFont(TextKind::Code);
    QStringList lines;
    for (const QString& line : text.split(u'\n')) lines += wrappedCommand(line, font, width - 2 * kPadding);
    const std::size_t first = strips.size();
    addLines(strips, lines, TextKind::Code, textColour(), kPadding, width - 2 * kPadding, 4 * kPoint);
    addPanel(strips, first, width, panelColour());
}

void addParagraph(std::vector<Strip>& strips, const Paragraph& paragraph, double width) {
    using Style = Paragraph::Style;
    if (paragraph.style == Style::Command) return addCommand(strips, paragraph.text, width);
    const bool isBullet = paragraph.style == Style::Bullet;
    const TextKind kind = paragraph.style == Style::Lead   ? TextKind::Lead
                          : paragraph.style == Style::Note ? TextKind::Note
                                                           : TextKind::Body;
    const QColor colour = paragraph.style == Style::Note      ? mutedColour()
                          : paragraph.style == Style::Warning ? warningColour()
                                                              : textColour();
    const double indent = isBullet ? 12 * kPoint : 0;
    const std::size_t first = strips.size();
    addLines(strips, wrapped(paragraph.text, textFont(kind), width - indent), kind, colour, indent, width - indent,
             (isBullet ? 3 : 5) * kPoint);
    if (isBullet && first < strips.size()) {
        const QRectF rect(2 * kPoint, 0, 8 * kPoint, strips[first].height);
        strips[first].items.texts.push_back({rect, QStringLiteral("•"), textFont(kind), colour});
    }
}

void addTiles(std::vector<Strip>& strips, const Tiles& tiles, double width) {
    constexpr std::size_t kMost = 4;
    const double gap = 6 * kPoint;
    for (std::size_t first = 0; first < tiles.tiles.size(); first += kMost) {
        const std::size_t count = std::min(kMost, tiles.tiles.size() - first);
        const double tileWidth = (width - gap * double(count - 1)) / double(count);
        const double valueHeight = 24 * kPoint;
        const double lineHeight = 11.5 * kPoint;
        Strip strip;
        strip.height = 2 * kPadding + valueHeight + 2 * lineHeight;
        strip.spaceBefore = gap;
        for (std::size_t i = 0; i < count; ++i) {
            const Tile& tile = tiles.tiles[first + i];
            const QRectF box(double(i) * (tileWidth + gap), 0, tileWidth, strip.height);
            const QRectF inside = box.adjusted(kPadding, kPadding, -kPadding, -kPadding);
            QFont font = textFont(TextKind::TileValue);
            font.setItalic(tile.isPredicted);
            font.setBold(!tile.isPredicted);
            const double needed = widthOf(tile.value, font);
            if (needed > inside.width())
                font.setPixelSize(std::max(int(9 * kPoint), int(font.pixelSize() * inside.width() / needed)));
            const QFont small = textFont(TextKind::Note);
            const auto line = [&](double top, double height) {
                return QRectF(inside.left(), inside.top() + top, inside.width(), height);
            };
            strip.items.boxes.push_back({box, panelColour()});
            strip.items.texts.push_back({line(0, valueHeight), elided(tile.value, font, inside.width()), font,
                                         tile.isPredicted ? mutedColour() : textColour()});
            strip.items.texts.push_back(
                {line(valueHeight, lineHeight), elided(tile.label, small, inside.width()), small, textColour()});
            strip.items.texts.push_back({line(valueHeight + lineHeight, lineHeight),
                                         elided(tile.detail, small, inside.width()), small, mutedColour()});
        }
        strips.push_back(std::move(strip));
    }
}

void addFigures(std::vector<Strip>& strips, const FigureRow& row, double width) {
    if (row.figures.empty()) return;
    const double gap = 8 * kPoint;
    const auto count = double(row.figures.size());
    const double each = (width - gap * (count - 1)) / count;
    const double height = row.heightInMm * kUnitsPerMm;
    const QFont font = textFont(TextKind::Note);
    const double lineHeight = QFontMetricsF(font).height() * 1.12;
    Strip strip;
    strip.spaceBefore = 7 * kPoint;
    strip.height = height;
    for (std::size_t i = 0; i < row.figures.size(); ++i) {
        const Figure& figure = row.figures[i];
        const double left = double(i) * (each + gap);
        strip.items.figures.push_back({QRectF(left, 0, each, height), &figure});
        const QStringList lines = figure.caption.isEmpty() ? QStringList() : wrapped(figure.caption, font, each);
        for (qsizetype line = 0; line < lines.size(); ++line)
            strip.items.texts.push_back(
                {QRectF(left, height + 2 * kPoint + double(line) * lineHeight, each, lineHeight), lines[line], font,
                 mutedColour()});
        if (!lines.isEmpty())
            strip.height = std::max(strip.height, height + 2 * kPoint + double(lines.size()) * lineHeight);
    }
    strips.push_back(std::move(strip));
}

void addHeading(std::vector<Strip>& strips, const Section& section, double width) {
    const std::size_t first = strips.size();
    const QFont font = textFont(TextKind::Heading);
    addLines(strips, wrapped(section.title, font, width), TextKind::Heading, textColour(), 0, width, 18 * kPoint);
    for (std::size_t i = first; i < strips.size(); ++i) strips[i].keepsWithNext = true;
    if (first < strips.size()) strips[first].startsPage = section.startsPage;
}

void addTitle(std::vector<Strip>& strips, const Report& report, double width) {
    const QFont font = textFont(TextKind::Title);
    addLines(strips, wrapped(report.title, font, width), TextKind::Title, textColour(), 0, width, 0);
    addLines(strips, wrapped(report.subtitle, textFont(TextKind::Body), width), TextKind::Body, mutedColour(), 0, width,
             2 * kPoint);
    for (Strip& strip : strips) strip.keepsWithNext = true;
}

}  // namespace

QFont textFont(TextKind kind) {
    const Look look = lookOf(kind);
    QFont font;
    if (look.isFixed) {
        font.setFamilies({QStringLiteral("DejaVu Sans Mono"), QStringLiteral("monospace")});
        font.setStyleHint(QFont::Monospace);
    } else {
        font.setFamilies({QStringLiteral("DejaVu Sans Condensed"), QStringLiteral("DejaVu Sans")});
        font.setStyleHint(QFont::SansSerif);
    }
    font.setPixelSize(int(look.points * kPoint));
    font.setBold(look.isBold);
    font.setHintingPreference(QFont::PreferNoHinting);
    return font;
}

QColor textColour() {
    return QColor(0x202124);
}
QColor mutedColour() {
    return QColor(0x5f6368);
}
QColor ruleColour() {
    return QColor(0xc4c7cc);
}
QColor warningColour() {
    return QColor(0xa33a00);
}
QColor panelColour() {
    return QColor(0xf1f3f4);
}

QString elided(const QString& text, const QFont& font, double width) {
    if (widthOf(text, font) <= width) return text;
    const QFontMetricsF metrics(font);
    // What Qt shortens may come out a trifle too wide, as glyphs are measured one by one.
    QString shorter;
    for (double aim = width; aim > 0; aim -= kPoint) {
        shorter = metrics.elidedText(text, Qt::ElideMiddle, aim);
        if (widthOf(shorter, font) <= width) break;
    }
    return shorter;
}

QStringList wrapped(const QString& text, const QFont& font, double width) {
    QStringList lines;
    for (const QString& paragraph : text.split(u'\n')) {
        QTextLayout layout(paragraph, font);
        QTextOption option;
        option.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
        layout.setTextOption(option);
        layout.beginLayout();
        for (QTextLine line = layout.createLine(); line.isValid(); line = layout.createLine()) {
            line.setLineWidth(width);
            lines << paragraph.mid(line.textStart(), line.textLength()).trimmed();
        }
        layout.endLayout();
    }
    while (!lines.isEmpty() && lines.back().isEmpty()) lines.removeLast();
    return lines;
}

QStringList wrappedCommand(const QString& text, const QFont& font, double width) {
    if (widthOf(text, font) <= width) return {text};
    // Arguments with the blanks before them; blanks inside quotes belong to the argument.
    QStringList arguments;
    bool isQuoted = false;
    QString argument;
    for (const QChar character : text) {
        if (character == u'\'') isQuoted = !isQuoted;
        if (character == u' ' && !isQuoted && !argument.trimmed().isEmpty()) {
            arguments << argument;
            argument.clear();
        }
        argument += character;
    }
    arguments << argument;
    // An option stays with its value.
    const auto isOption = [](const QString& word) { return word.startsWith(QStringLiteral(" -")); };
    for (qsizetype i = arguments.size() - 1; i > 0; --i)
        if (isOption(arguments[i - 1]) && !isOption(arguments[i])) arguments[i - 1] += arguments.takeAt(i);
    const QString end = QStringLiteral(" \\");
    const QString indent = QStringLiteral("    ");
    QStringList lines{QString()};
    for (const QString& each : arguments) {
        if (!lines.back().isEmpty() && widthOf(lines.back() + each + end, font) > width) {
            lines.back() += end;
            lines << indent + each.trimmed();
        } else {
            lines.back() += each;
        }
    }
    // What is still too long is one argument: broken anywhere.
    QStringList result;
    for (const QString& line : lines)
        if (widthOf(line, font) <= width)
            result << line;
        else
            result += wrapped(line, font, width);
    return result;
}

std::vector<Strip> stripsOf(const Report& report, double width) {
    std::vector<Strip> strips;
    addTitle(strips, report, width);
    for (const Section& section : report.sections) {
        if (!section.title.isEmpty()) addHeading(strips, section, width);
        for (const Block& block : section.blocks) {
            if (const auto* paragraph = std::get_if<Paragraph>(&block)) {
                // Notes explain what is above them, commands what introduces them.
                const bool belongsAbove =
                    paragraph->style == Paragraph::Style::Note || paragraph->style == Paragraph::Style::Command;
                if (belongsAbove && !strips.empty()) strips.back().keepsWithNext = true;
                addParagraph(strips, *paragraph, width);
            }
            if (const auto* tiles = std::get_if<Tiles>(&block)) addTiles(strips, *tiles, width);
            if (const auto* figures = std::get_if<FigureRow>(&block)) addFigures(strips, *figures, width);
            if (const auto* table = std::get_if<Table>(&block))
                for (Strip& strip : stripsOf(*table, width)) strips.push_back(std::move(strip));
        }
    }
    if (!strips.empty()) strips.back().keepsWithNext = false;
    return strips;
}

}  // namespace equant::report
