// SPDX-License-Identifier: GPL-3.0-or-later
// The long tables of the report: every layer, and what was left alone with the reason.
#include <QCoreApplication>
#include <QLocale>
#include <QRegularExpression>
#include <algorithm>

#include "app/desktop/pages/plot_data.h"
#include "app/desktop/report/report_sections_internal.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;
using report::Column;
using report::Section;
using report::Table;
using Style = report::Paragraph::Style;

namespace {

QString ratioText(std::optional<double> ratio) {
    return ratio ? plots::numberText(*ratio) : u"–"_s;
}

/// What was left alone for one reason, names in it left out.
struct ReasonGroup {
    QString reason;
    QStringList where;
    QStringList reasons;  ///< in full, of each
};

/// Layers and values are left alone in their hundreds for a handful of reasons. `stand` takes the place of a name.
std::vector<ReasonGroup> groupsOf(const std::vector<std::pair<QString, QString>>& places, const QString& stand) {
    static const QRegularExpression quoted(u" \"[^\"]*\""_s);
    std::vector<ReasonGroup> groups;
    for (const auto& [where, reason] : places) {
        const QString kind = QString(reason).replace(quoted, stand);
        auto group = std::ranges::find(groups, kind, &ReasonGroup::reason);
        if (group == groups.end()) group = groups.insert(groups.end(), {kind, {}, {}});
        group->where << where;
        group->reasons << reason;
    }
    return groups;
}

/// Few pairs with the names that stand in their way; many in one row, and their names in a paragraph of their own.
QStringList addPairs(Table& table, const EqualizeReport& report) {
    constexpr qsizetype kFew = 4;
    std::vector<std::pair<QString, QString>> places;
    for (const EqualizedPair& pair : report.pairs) {
        if (pair.isEqualized) continue;
        QStringList names;
        for (const std::string& layer : pair.layers) names << shortName(toQString(layer));
        places.emplace_back(names.join(u" → "_s), toQString(pair.reason));
    }
    QStringList lists;
    for (const ReasonGroup& group : groupsOf(places, {})) {
        const qsizetype count = group.where.size();
        if (count <= kFew) {
            for (qsizetype i = 0; i < count; ++i)
                table.rows.push_back({tr("equalization"), group.where[i], group.reasons[i]});
            continue;
        }
        const QString what = tr("%n layer(s)", static_cast<int>(count));
        table.rows.push_back({tr("equalization"), what, group.reason + u' ' + tr("Listed below.")});
        lists << tr("Equalization, %1. %2 %3.").arg(what, group.reason, group.where.join(u", "_s));
    }
    return lists;
}

void addUnquantized(Table& table, const std::vector<UnquantizedValue>& values) {
    std::vector<std::pair<QString, QString>> places;
    for (const UnquantizedValue& value : values)
        places.emplace_back(toQString(value.layer.empty() ? value.value : value.layer), toQString(value.reason));
    for (const ReasonGroup& group : groupsOf(places, u' ' + tr("what follows"))) {
        const auto count = static_cast<int>(group.where.size());
        table.rows.push_back({tr("quantization"),
                              count == 1
                                  ? group.where.front()
                                  : tr("%n value(s), the first in %1", count).arg(shortName(group.where.front())),
                              group.reason});
    }
}

Table findingTable(const Inspection& inspection) {
    Table table{tr("Findings of the inspection"),
                {{tr("Severity"), Column::Kind::Text},
                 {tr("Where"), Column::Kind::Name},
                 {tr("What, and what to do"), Column::Kind::Text}},
                {}};
    for (const Finding& finding : inspection.findings)
        table.rows.push_back({toQString(name(finding.severity)),
                              finding.subject.empty() ? tr("model") : toQString(finding.subject),
                              toQString(finding.message) + u' ' + toQString(finding.hint)});
    return table;
}

}  // namespace

Section layerSection(const Document& document) {
    Table table{{},
                {{tr("#")},
                 {tr("Layer"), Column::Kind::Name},
                 {tr("Operator"), Column::Kind::Text},
                 {tr("output"), Column::Kind::Text},
                 {tr("params")},
                 {tr("MACs")},
                 {tr("largest / median range")},
                 {tr("after")},
                 {tr("effective bits")},
                 {tr("after")},
                 {tr("local SQNR dB")},
                 {tr("accum. SQNR dB")}},
                {}};
    int left = 0;
    for (const LayerRow& row : layerRows(document, false)) {
        if (row.weightShape.isEmpty() && row.macs == 0) {
            ++left;
            continue;
        }
        table.rows.push_back({QString::number(row.position), shortName(row.name), row.type, row.outputShape,
                              plots::countText(double(row.parameters)), plots::countText(double(row.macs)),
                              ratioText(row.imbalanceBefore), ratioText(row.imbalanceAfter),
                              fixedOrDash(row.typicalBitsBefore, 1), fixedOrDash(row.typicalBitsAfter, 1),
                              fixedOrDash(row.localSqnrDb, 1), fixedOrDash(row.accumulatedSqnrDb, 1)});
    }
    if (table.rows.empty()) return {};
    dropEmptyColumns(table);
    Section section{document.base() == document.loaded() ? tr("Layers") : tr("Layers of the compressed network"), {}};
    addCost(section, *document.base(), plots::CostBars::Metric::Parameters, u"cost-parameters"_s, 72);
    section.blocks.emplace_back(std::move(table));
    QString note =
        tr("Number in order of execution. Ranges: largest magnitude of the weights of a channel. "
           "Effective bits: of the median channel, out of 8.");
    if (left > 0) note += u' ' + tr("%n layer(s) without weights and multiplications are not listed.", left);
    section.blocks.emplace_back(paragraph(note, Style::Note));
    return section;
}

Section skippedSection(const Document& document) {
    Section section{tr("What was skipped, and why"), {}};
    const LoadedModel& loaded = *document.loaded();
    Table table{
        {},
        {{tr("Step"), Column::Kind::Text}, {tr("Where"), Column::Kind::Name}, {tr("Reason"), Column::Kind::Text}},
        {}};
    for (const UnsupportedNode& node : loaded.inspection.unsupported)
        table.rows.push_back({tr("running"), toQString(node.label), toQString(node.opType + ": " + node.reason)});
    addUncompressed(table, document);
    for (const KeptBatchNorm& kept : loaded.fold.kept)
        table.rows.push_back({tr("folding"), toQString(kept.batchNorm), toQString(kept.reason)});
    QStringList lists;
    if (const auto equalized = document.shownEqualized()) lists = addPairs(table, equalized->report);
    if (const auto result = document.quantization()) addUnquantized(table, result->notQuantized);
    if (table.rows.empty())
        section.blocks.emplace_back(paragraph(tr("Nothing was skipped.")));
    else
        section.blocks.emplace_back(std::move(table));
    for (const QString& list : lists) section.blocks.emplace_back(paragraph(list, Style::Note));
    if (Table findings = findingTable(loaded.inspection); !findings.rows.empty())
        section.blocks.emplace_back(std::move(findings));
    return section;
}

}  // namespace equant::ui
