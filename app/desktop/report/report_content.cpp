// SPDX-License-Identifier: GPL-3.0-or-later
// Summary, ranges and quantization; see report_tables.cpp and report_provenance.cpp for the rest.
#include "app/desktop/report/report_content.h"

#include <QCoreApplication>
#include <QLocale>
#include <algorithm>
#include <cmath>

#include "app/desktop/pages/plot_data.h"
#include "app/desktop/report/report_sections_internal.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;
using report::Column;
using report::Figure;
using report::FigureRow;
using report::Section;
using report::Table;
using report::Tile;
using report::Tiles;
using Style = report::Paragraph::Style;

namespace {

constexpr int kBits = 8;  // what weightRanges() counts effective bits of

/// Whether equalization and quantization began with a compressed network.
bool isCompressed(const Document& document) {
    return document.base() != document.loaded();
}

/// The layer with the most uneven channels.
const ChannelRanges* mostUneven(const LoadedModel& loaded) {
    const auto worst = std::ranges::max_element(loaded.ranges, {}, &ChannelRanges::imbalance);
    return worst == loaded.ranges.end() || worst->imbalance() <= 0 ? nullptr : &*worst;
}

/// Quantized without equalization, if that was measured beside the result shown.
std::shared_ptr<const QuantizationResult> unequalizedTwin(const Document& document) {
    const auto shown = document.quantization();
    const auto other = document.otherQuantization();
    return shown && other && shown->equalized && !other->equalized ? other : nullptr;
}

Tiles scoreTiles(const Document& document) {
    Tiles tiles;
    const auto shown = document.quantization();
    if (!shown) return tiles;
    const auto add = [&](const Score& score, const QString& label, const QString& detail) {
        if (const auto value = decisiveScore(score))
            tiles.tiles.push_back({scoreValue(*value), label, detail.isEmpty() ? value->name : detail});
    };
    if (shown->floating.top1) add(shown->floating, tr("float"), tr("top-1, %1 samples").arg(shown->floating.samples));
    if (const auto before = unequalizedTwin(document)) add(before->both, tr("quantized, not equalized"), {});
    add(shown->both, shown->equalized ? tr("quantized, equalized") : tr("quantized"), {});
    if (!shown->floating.top1 || tiles.tiles.size() < 4)
        tiles.tiles.push_back({tr("W%1 A%2").arg(shown->settings.weightBits).arg(shown->settings.activationBits),
                               tr("bits"),
                               shown->settings.isPerChannel ? tr("weights per channel") : tr("weights per tensor")});
    return tiles;
}

std::optional<double> middleBits(const std::vector<ChannelRanges>& ranges) {
    std::vector<double> bits;
    for (const ChannelRanges& layer : ranges)
        if (const auto typical = typicalBits(&layer)) bits.push_back(*typical);
    if (bits.empty()) return std::nullopt;
    const auto middle = bits.begin() + static_cast<std::ptrdiff_t>(bits.size() / 2);
    std::ranges::nth_element(bits, middle);
    return *middle;
}

Table beforeAfterTable(const Document& document) {
    Table table{tr("Before and after"),
                {{tr("Figure"), Column::Kind::Text},
                 {isCompressed(document) ? tr("compressed") : tr("as opened")},
                 {tr("equalized")}},
                {}};
    const auto after = document.shownEqualized();
    if (!after) return table;
    const auto uneven = [](const std::vector<ChannelRanges>& ranges) {
        return QString::number(
            std::ranges::count_if(ranges, [](const auto& layer) { return layer.imbalance() > kUnevenRatio; }));
    };
    const auto widest = [](const std::vector<ChannelRanges>& ranges) {
        const auto most = std::ranges::max_element(ranges, {}, &ChannelRanges::imbalance);
        return most == ranges.end() ? u"–"_s : plots::numberText(most->imbalance()) + u" ×"_s;
    };
    const auto& before = document.base()->ranges;
    table.rows.push_back(
        {tr("Layers whose largest channel range is over 8 times the median"), uneven(before), uneven(after->ranges)});
    table.rows.push_back(
        {tr("Largest / median channel range of the most uneven layer"), widest(before), widest(after->ranges)});
    table.rows.push_back({tr("Effective bits of the median channel (of 8), median over layers"),
                          fixedOrDash(middleBits(before), 1), fixedOrDash(middleBits(after->ranges), 1)});
    const auto shown = document.quantization();
    if (const auto twin = unequalizedTwin(document)) {
        const auto row = [&](const QString& label, auto text, auto member) {
            const auto then = twin->both.*member;
            const auto now = shown->both.*member;
            if (then || now) table.rows.push_back({label, text(then), text(now)});
        };
        row(tr("Quantized top-1 accuracy"), percentOrDash, &Score::top1);
        row(tr("Quantized agreement with float"), percentOrDash, &Score::agreement);
        row(tr("Quantized output SQNR"), sqnrText, &Score::sqnrDb);
    }
    return table;
}

void addScores(Table& table, const QuantizationResult& result, const QString& kind) {
    const auto row = [&](const QString& label, const Score& score, bool isReference) {
        QStringList cells{label, percentOrDash(score.top1), intervalText(score.top1Interval),
                          percentOrDash(score.top5)};
        if (isReference)
            cells << u"–"_s << u"–"_s << u"–"_s << u"–"_s;
        else
            cells << percentOrDash(score.agreement) << intervalText(score.agreementInterval) << sqnrText(score.sqnrDb)
                  << fixedOrDash(score.cosine, 5);
        table.rows.push_back(cells);
    };
    if (table.rows.empty()) {
        row(tr("float"), result.floating, true);
        if (result.prepared) row(tr("float, compressed"), *result.prepared, false);
    }
    row(kind + tr("weights only"), result.weightsOnly, false);
    row(kind + tr("activations only"), result.activationsOnly, false);
    row(kind + tr("both"), result.both, false);
}

Table worstLayers(const Document& document, const QuantizationResult& result) {
    constexpr std::size_t kMost = 10;
    std::vector<const LayerNoise*> layers;
    for (const LayerNoise& layer : result.layers)
        if (layer.localDb && std::isfinite(*layer.localDb)) layers.push_back(&layer);
    std::ranges::stable_sort(layers, {}, [](const LayerNoise* layer) { return *layer->localDb; });
    if (layers.size() > kMost) layers.resize(kMost);
    Table table{tr("Layers with the lowest local SQNR"),
                {{tr("Layer"), Column::Kind::Name},
                 {tr("Operator"), Column::Kind::Text},
                 {tr("local SQNR")},
                 {tr("accumulated SQNR")},
                 {tr("Weight encoding"), Column::Kind::Text},
                 {tr("Output encoding"), Column::Kind::Text}},
                {}};
    for (const LayerNoise* layer : layers) {
        const LayerInfo* info = document.layer(layer->layer);
        table.rows.push_back({layer->layer, info ? toQString(info->opType) : u"–"_s, sqnrText(layer->localDb),
                              sqnrText(layer->accumulatedDb), layer->weightGrid.isEmpty() ? u"–"_s : layer->weightGrid,
                              layer->outputGrid.isEmpty() ? u"–"_s : layer->outputGrid});
    }
    return table;
}

void addFindings(Section& section, const Document& document) {
    const auto bullet = [&](const QString& text, Style style = Style::Bullet) {
        if (!text.isEmpty()) section.blocks.emplace_back(paragraph(text, style));
    };
    const LoadedModel& loaded = *document.loaded();
    bullet(costSentence(loaded));
    bullet(compressionFinding(document));
    const auto equalized = document.shownEqualized();
    bullet(rangesSentence(*document.base(), equalized.get()));
    if (equalized) bullet(equivalenceText(*equalized).text + u'.');
    if (const auto result = document.quantization())
        bullet(
            diagnosisSentence(*result, document.isQuantizationFresh() ? document.otherQuantization().get() : nullptr));
    if (!loaded.inspection.unsupported.empty())
        bullet(tr("%n operator(s) cannot be run here; see “What was skipped”.",
                  static_cast<int>(loaded.inspection.unsupported.size())));
    if (equalized && !document.isEqualizeApplied())
        bullet(tr("The equalization shown is a preview: it is not a step of the recipe."), Style::Warning);
    if (document.quantization() && !document.isQuantizationFresh())
        bullet(tr("The quantization results are out of date: they were measured with other settings or data."),
               Style::Warning);
}

}  // namespace

void addCost(Section& section, const LoadedModel& loaded, plots::CostBars::Metric metric, const QString& name,
             double heightInMm) {
    auto bars = std::make_shared<plots::CostBars>();
    bars->setMetric(metric);
    bars->setData(costData(loaded));
    if (!bars->scene().isEmpty()) section.blocks.emplace_back(FigureRow{{figure(bars, name, {})}, heightInMm});
}

void dropEmptyColumns(Table& table) {
    for (std::size_t column = table.columns.size(); column-- > 1;) {
        const auto isEmpty = [&](const QStringList& row) {
            const QString cell = row.value(qsizetype(column));
            return cell.isEmpty() || cell == u"–"_s;
        };
        if (!std::ranges::all_of(table.rows, isEmpty)) continue;
        table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(column));
        for (QStringList& row : table.rows) row.removeAt(qsizetype(column));
    }
}

QString intervalText(const std::optional<Interval>& interval) {
    if (!interval) return u"–"_s;
    return tr("%1 to %2").arg(QLocale().toString(interval->low, 'f', 1), QLocale().toString(interval->high, 'f', 1));
}

QString sqnrText(const std::optional<double>& db) {
    if (!db) return u"–"_s;
    return std::isfinite(*db) ? tr("%1 dB").arg(QLocale().toString(*db, 'f', 1)) : tr("exact");
}

QString scoreValue(const DecisiveScore& score) {
    return score.isPercent ? percentOrDash(score.value) : sqnrText(score.value);
}

QString fixedOrDash(std::optional<double> value, int decimals) {
    return value && std::isfinite(*value) ? QLocale().toString(*value, 'f', decimals) : u"–"_s;
}

Section summarySection(const Document& document) {
    Section section;
    const LoadedModel& loaded = *document.loaded();
    const auto weighted = std::ranges::count_if(loaded.inspection.layers,
                                                [](const LayerInfo& layer) { return !layer.weightShape.empty(); });
    section.blocks.emplace_back(
        Tiles{{{plots::countText(static_cast<double>(loaded.inspection.cost.parameters)), tr("parameters"),
                tr("file of %1").arg(plots::bytesText(static_cast<double>(loaded.fileBytes)))},
               {plots::countText(static_cast<double>(loaded.inspection.cost.macs)), tr("MACs a sample"), tr("batch 1")},
               {QLocale().toString(qlonglong(weighted)), tr("layers with weights"),
                tr("of %1 that compute").arg(loaded.inspection.layers.size())},
               {tr("opset %1").arg(loaded.model->opset()), tr("ONNX"),
                tr("%n batch norm(s) folded", static_cast<int>(loaded.fold.folded.size()))}}});
    if (Tiles compressed = compressionTiles(document); !compressed.tiles.empty())
        section.blocks.emplace_back(std::move(compressed));
    if (Tiles scores = scoreTiles(document); !scores.tiles.empty()) section.blocks.emplace_back(std::move(scores));
    return section;
}

Section findingsSection(const Document& document) {
    Section section{tr("Findings"), {}};
    const LoadedModel& loaded = *document.loaded();
    addFindings(section, document);
    if (Table table = beforeAfterTable(document); !table.rows.empty()) section.blocks.emplace_back(std::move(table));
    addCost(section, loaded, plots::CostBars::Metric::Macs, u"cost-macs"_s, 72);
    return section;
}

Section rangesSection(const Document& document) {
    Section section{tr("Weight ranges"), {}, true};
    const LoadedModel& loaded = *document.base();
    const auto after = document.shownEqualized();
    section.blocks.emplace_back(paragraph(rangesSentence(loaded, after.get()), Style::Lead));
    auto dumbbell = std::make_shared<plots::RangeDumbbell>();
    dumbbell->setData(dumbbellData(loaded, after.get()));
    if (dumbbell->scene().isEmpty()) {
        section.blocks.emplace_back(paragraph(tr("This model has no layers with weights.")));
        return section;
    }
    section.blocks.emplace_back(FigureRow{{figure(dumbbell, u"ranges-layers"_s, {})}, 72});
    if (const ChannelRanges* before = mostUneven(loaded)) {
        const ChannelRanges* changed = after ? findRanges(after->ranges, toQString(before->layer)) : nullptr;
        auto band = std::make_shared<plots::ChannelBand>();
        band->setData(bandData(*before, changed, kBits));
        auto bits = std::make_shared<plots::EffectiveBits>();
        bits->setData(bitsData(*before, changed, kBits));
        const QString caption = tr("The most uneven layer: %1").arg(toQString(before->layer));
        section.blocks.emplace_back(FigureRow{{figure(band, u"ranges-channels"_s, caption)}, 62});
        section.blocks.emplace_back(FigureRow{{figure(bits, u"ranges-bits"_s, {})}, 62});
    }
    if (after) {
        const EquivalenceText proof = equivalenceText(*after);
        section.blocks.emplace_back(paragraph(proof.text + u". "_s + proof.details + u'.', Style::Note));
    }
    section.blocks.emplace_back(paragraph(
        (isCompressed(document) ? tr("“Before” is the compressed model.")
                                : tr("“Before” is the model with its batch norms folded, as hardware computes it.")) +
            u' ' +
            tr("A channel's range is its largest magnitude; effective bits are log2 of the steps that it "
               "covers of the 8-bit grid which the whole tensor shares."),
        Style::Note));
    return section;
}

Section quantizationSection(const Document& document) {
    const auto result = document.quantization();
    if (!result) return {};
    Section section{tr("Quantization"), {}, true};
    const auto twin = unequalizedTwin(document);
    section.blocks.emplace_back(paragraph(
        diagnosisSentence(*result, document.isQuantizationFresh() ? document.otherQuantization().get() : nullptr),
        Style::Lead));
    const auto addBars = [&](const QuantizationResult& measured, const QString& name, const QString& caption) {
        auto plot = std::make_shared<plots::DiagnosisBars>();
        plot->setData(diagnosisData(measured));
        if (!plot->scene().isEmpty()) section.blocks.emplace_back(FigureRow{{figure(plot, name, caption)}, 54});
    };
    if (twin) addBars(*twin, u"quantization-before"_s, tr("Without equalization"));
    addBars(*result, u"quantization-scores"_s, result->equalized ? tr("With equalization") : QString());

    Table scores{tr("Scores on %n sample(s)", static_cast<int>(result->both.samples)),
                 {{tr("Quantized"), Column::Kind::Text},
                  {tr("top-1")},
                  {tr("95 % interval")},
                  {tr("top-5")},
                  {tr("agreement")},
                  {tr("95 % interval")},
                  {tr("output SQNR")},
                  {tr("cosine")}},
                 {}};
    if (twin) addScores(scores, *twin, tr("not equalized: "));
    addScores(scores, *result, twin ? tr("equalized: ") : QString());
    dropEmptyColumns(scores);
    section.blocks.emplace_back(std::move(scores));
    section.blocks.emplace_back(paragraph(
        tr("Simulated on %1 samples after calibration on %2; agreement, SQNR and cosine compare with the float "
           "model as opened. Intervals: Wilson, 95 %.")
            .arg(result->both.samples)
            .arg(result->calibrationSamples),
        Style::Note));

    auto profile = std::make_shared<plots::SqnrProfile>();
    profile->setThreshold(kLowSqnrDb);
    profile->setData(profileData(*result));
    if (!profile->scene().isEmpty()) {
        section.blocks.emplace_back(FigureRow{{figure(profile, u"quantization-layers"_s, {})}, 82});
        Table worst = worstLayers(document, *result);
        dropEmptyColumns(worst);
        section.blocks.emplace_back(std::move(worst));
        section.blocks.emplace_back(paragraph(
            tr("Local SQNR: only this layer is quantized, its inputs are float. Accumulated SQNR: all layers up to it "
               "are quantized. Measured on %1 samples.")
                .arg(result->layerSamples),
            Style::Note));
    }
    return section;
}

Section addedPlotsSection(const Document& document) {
    constexpr double kHeightInMm = 82;
    const auto& added = document.state().reportPlots;
    if (added.empty()) return {};
    Section section{tr("Added plots"), {}, true};
    int number = 0;
    for (const auto& copy : added) {
        const QString name = u"added-%1-%2"_s.arg(++number).arg(copy->name);
        section.blocks.emplace_back(
            FigureRow{{figure(std::make_shared<plots::SavedPlot>(*copy), name, {})}, kHeightInMm});
    }
    return section;
}

report::Report makeReport(const Document& document, const ReportFacts& facts, const QDateTime& date) {
    report::Report report;
    report.title = document.modelName();
    report.date = date;
    report.creator = tr("Equant %1").arg(QCoreApplication::applicationVersion());
    const QString day = date.toUTC().date().toString(Qt::ISODate);
    QStringList done;
    if (isCompressed(document)) done << tr("compression");
    if (document.shownEqualized()) done << tr("cross-layer equalization");
    if (document.quantization()) done << tr("simulated quantization");
    report.subtitle =
        tr("Optimization report") + (done.isEmpty() ? QString() : u": "_s + done.join(u", "_s)) + u" · "_s + day;
    report.footer = report.title + u" · "_s + report.creator + u" · "_s + day;
    const auto add = [&](Section section) {
        if (!section.blocks.empty()) report.sections.push_back(std::move(section));
    };
    add(summarySection(document));
    add(findingsSection(document));
    add(compressionSection(document));
    add(rangesSection(document));
    add(quantizationSection(document));
    add(addedPlotsSection(document));
    add(layerSection(document));
    add(skippedSection(document));
    add(provenanceSection(document, facts, date));
    report.attachments = reportAttachments(document);
    return report;
}

}  // namespace equant::ui
