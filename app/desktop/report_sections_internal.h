// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of makeReport(). Only for app/desktop/report_*.cpp.
#pragma once

#include "app/desktop/report_content.h"
#include "widgets/plots/cost_bars.h"

namespace equant::ui {

report::Section summarySection(const Document& document);
report::Section findingsSection(const Document& document);
report::Section rangesSection(const Document& document);
report::Section quantizationSection(const Document& document);
report::Section layerSection(const Document& document);
report::Section skippedSection(const Document& document);
report::Section provenanceSection(const Document& document, const ReportFacts& facts, const QDateTime& date);

/// The steps behind the results shown, quantization included.
Recipe reportedRecipe(const Document& document);

inline report::Paragraph paragraph(const QString& text,
                                   report::Paragraph::Style style = report::Paragraph::Style::Body) {
    return {text, style};
}
/// The number, or a dash.
QString fixedOrDash(std::optional<double> value, int decimals);
/// Bars of every layer's share of a cost, largest first.
void addCost(report::Section& section, const LoadedModel& loaded, plots::CostBars::Metric metric, const QString& name,
             double heightInMm);
/// Leaves out columns (but the first) that hold nothing but dashes.
void dropEmptyColumns(report::Table& table);

}  // namespace equant::ui
