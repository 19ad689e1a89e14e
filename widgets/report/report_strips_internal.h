// SPDX-License-Identifier: GPL-3.0-or-later
// The pieces of a report that are not broken over pages, and the look of its text. Only for widgets/report.
#pragma once

#include <memory>

#include "widgets/report/report_layout.h"

namespace equant::report {

enum class TextKind { Title, Heading, Subheading, Lead, Body, Note, TableHead, TableCell, Code, TileValue };

QFont textFont(TextKind kind);
QColor textColour();
QColor mutedColour();
QColor ruleColour();
QColor warningColour();
QColor panelColour();

/// A piece of a page; items are relative to its top left.
struct Strip {
    double height = 0;
    double spaceBefore = 0;  ///< not at the top of a page
    bool keepsWithNext = false;
    bool startsPage = false;
    std::shared_ptr<const Strip> header;  ///< repeated above it when it comes first on a page
    Page items;
};

/// The text shortened in the middle to fit the width.
QString elided(const QString& text, const QFont& font, double width);
/// Lines no wider than `width`; words that are too long are broken anywhere.
QStringList wrapped(const QString& text, const QFont& font, double width);
/// The lines of a shell command: broken between arguments, with a backslash at the end and the rest indented.
QStringList wrappedCommand(const QString& text, const QFont& font, double width);

std::vector<Strip> stripsOf(const Report& report, double width);
std::vector<Strip> stripsOf(const Table& table, double width);
/// Width of each column, together `width`.
std::vector<double> columnWidths(const Table& table, double width);

}  // namespace equant::report
