// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of makeReport(). Only for app/desktop/report.
#pragma once

#include <QCoreApplication>

#include "app/desktop/pages/plot_data.h"
#include "app/desktop/report/report_content.h"
#include "widgets/plots/network/cost_bars.h"

namespace equant::ui {

/// Text of the report in the user's language; `n` chooses its plural form.
inline QString tr(const char* text, int n = -1) {
    return QCoreApplication::translate("Report", text, nullptr, n);
}

report::Section summarySection(const Document& document);
report::Section findingsSection(const Document& document);
report::Section rangesSection(const Document& document);
report::Section compressionSection(const Document& document);
report::Section quantizationSection(const Document& document);
/// Plots that the user added from their menus.
report::Section addedPlotsSection(const Document& document);
report::Section layerSection(const Document& document);
report::Section skippedSection(const Document& document);
report::Section provenanceSection(const Document& document, const ReportFacts& facts, const QDateTime& date);

/// The steps behind the results shown, quantization included; samples by name, without folders.
Recipe reportedRecipe(const Document& document);
/// recipe.json, and where there are any plan.json and sensitivity.json: all that the commands need besides model and
/// data.
std::vector<report::Attachment> reportAttachments(const Document& document);

/// Score, cost and layers of the compression, in tiles for the first page; nothing without one.
report::Tiles compressionTiles(const Document& document);
/// What it came to in one sentence; empty without one.
QString compressionFinding(const Document& document);
/// Layers that a compression left alone, with the reason.
void addUncompressed(report::Table& table, const Document& document);

inline report::Paragraph paragraph(const QString& text,
                                   report::Paragraph::Style style = report::Paragraph::Style::Body) {
    return {text, style};
}
/// "84.1 to 87.3", or a dash.
QString intervalText(const std::optional<Interval>& interval);
/// "31.2 dB", "exact", or a dash.
QString sqnrText(const std::optional<double>& db);
QString scoreValue(const DecisiveScore& score);
/// A plot that paints itself.
template <typename Plot>
report::Figure figure(std::shared_ptr<Plot> plot, const QString& name, const QString& caption) {
    return {name, caption,
            [plot = std::move(plot)](QPainter& painter, const QRectF& rect) { plot->paintTo(&painter, rect); }};
}
/// The number, or a dash.
QString fixedOrDash(std::optional<double> value, int decimals);
/// Bars of every layer's share of a cost, largest first.
void addCost(report::Section& section, const LoadedModel& loaded, plots::CostBars::Metric metric, const QString& name,
             double heightInMm);
/// Leaves out columns (but the first) that hold nothing but dashes.
void dropEmptyColumns(report::Table& table);

}  // namespace equant::ui
