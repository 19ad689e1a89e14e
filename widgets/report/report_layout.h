// SPDX-License-Identifier: GPL-3.0-or-later
// From a report to pages: every line of text, rule, box and figure with its place. Pure: the same report and paper give
// the same pages. Lengths are in units of 1/20 point (1440 to the inch), fine enough for exact text widths.
#pragma once

#include <QColor>
#include <QFont>
#include <QRectF>

#include "widgets/report/report.h"

namespace equant::report {

inline constexpr int kUnitsPerInch = 1440;
inline constexpr double kUnitsPerPoint = 20;
inline constexpr double kUnitsPerMm = kUnitsPerInch / 25.4;

enum class Paper { A4, Letter };

/// One line of text; fits into its rectangle.
struct TextItem {
    QRectF rect;
    QString text;
    QFont font;  ///< pixel size in units
    QColor colour;
    Qt::Alignment alignment = Qt::AlignLeft | Qt::AlignVCenter;
};
struct BoxItem {
    QRectF rect;
    QColor fill;
};
struct FigureItem {
    QRectF rect;
    const Figure* figure = nullptr;  ///< of the report, which must outlive the layout
};

struct Page {
    std::vector<BoxItem> boxes;
    std::vector<TextItem> texts;
    std::vector<FigureItem> figures;
};

struct Layout {
    QSizeF size;     ///< of the paper
    QRectF content;  ///< what the margins leave; the footer is below it
    std::vector<Page> pages;
};

Layout layOut(const Report& report, Paper paper);

}  // namespace equant::report
