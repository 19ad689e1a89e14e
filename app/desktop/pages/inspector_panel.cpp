// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/inspector_panel.h"

#include <QEvent>
#include <QLocale>
#include <QTextBrowser>
#include <QVBoxLayout>
#include <algorithm>

#include "app/desktop/compression/compression_view.h"
#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/plot_data.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

QString heading(const QString& text) {
    return u"<h4 style='margin:10px 0 2px 0'>%1</h4>"_s.arg(text.toHtmlEscaped());
}
QString paragraph(const QString& text) {
    return u"<p style='margin:2px 0'>%1</p>"_s.arg(text.toHtmlEscaped());
}
QString row(const QString& name, const QString& value) {
    return u"<tr><td style='padding-right:10px'>%1</td><td>%2</td></tr>"_s.arg(name.toHtmlEscaped(),
                                                                               value.toHtmlEscaped());
}
QString table(const QString& rows) {
    return u"<table cellspacing='0'>%1</table>"_s.arg(rows);
}

QString spanText(const ChannelRanges& ranges) {
    const auto low = std::ranges::min_element(ranges.min);
    const auto high = std::ranges::max_element(ranges.max);
    if (low == ranges.min.end() || high == ranges.max.end()) return {};
    return InspectorPanel::tr("%1 to %2").arg(plots::numberText(double(*low)), plots::numberText(double(*high)));
}

QString bitsText(const ChannelRanges& ranges) {
    const auto bits = typicalBits(&ranges);
    return bits ? QLocale().toString(*bits, 'f', 1) : u"–"_s;
}

QString decibels(std::optional<double> value) {
    return value ? InspectorPanel::tr("%1 dB").arg(QLocale().toString(*value, 'f', 1)) : u"–"_s;
}

}  // namespace

InspectorPanel::InspectorPanel(Session& session, QWidget* parent)
    : QWidget(parent), m_session(session), m_text(new QTextBrowser(this)) {
    setObjectName(u"inspectorPanel"_s);
    m_text->setObjectName(u"inspectorText"_s);
    m_text->setAccessibleName(tr("Facts about the selected layer"));
    m_text->setFrameShape(QFrame::NoFrame);
    m_text->document()->setDocumentMargin(10);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_text);
    connect(&session.selection(), &Selection::changed, this, &InspectorPanel::refresh);
    for (const auto signal :
         {&Document::modelChanged, &Document::stateChanged, &Document::equalizedChanged, &Document::quantizationChanged,
          &Document::compressedChanged, &Document::sensitivityChanged, &Document::planChanged})
        connect(&session.document(), signal, this, &InspectorPanel::refresh);
    refresh();
}

QString InspectorPanel::plainText() const {
    return m_text->toPlainText();
}

void InspectorPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) refresh();
}

void InspectorPanel::refresh() {
    const Document& document = m_session.document();
    const QStringList& layers = m_session.selection().layers();
    if (!document.hasModel())
        m_text->setHtml(paragraph(tr("Open a model to see its facts.")));
    else if (layers.isEmpty())
        m_text->setHtml(modelHtml());
    else
        m_text->setHtml(layerHtml(layers.front()) + (layers.size() > 1
                                                         ? paragraph(tr("and %n more selected layer(s).", nullptr,
                                                                        static_cast<int>(layers.size()) - 1))
                                                         : QString()));
}

QString InspectorPanel::modelHtml() const {
    const auto& loaded = *m_session.document().loaded();
    const auto& techniques = loaded.inspection.techniques;
    const auto compressible = std::ranges::count_if(techniques, [](const LayerTechniques& layer) {
        return layer.spatialSvd.isOk || layer.weightSvd.isOk || layer.channelPruning.isOk;
    });
    QString html = u"<h3 style='margin:0'>%1</h3>"_s.arg(m_session.document().modelName().toHtmlEscaped());
    html += paragraph(costSentence(loaded));
    html += paragraph(tr("%n layer(s) could be compressed.", nullptr, static_cast<int>(compressible)));
    if (!loaded.inspection.unsupported.empty())
        html += paragraph(tr("%n node(s) cannot be run; ranges, equalization and export work all the same.", nullptr,
                             static_cast<int>(loaded.inspection.unsupported.size())));
    const Model& model = *loaded.model;
    html += heading(tr("File"));
    html += table(row(tr("Opset"), QString::number(model.opset())) +
                  row(tr("IR version"), QString::number(model.irVersion)) +
                  row(tr("Producer"), model.producerName.empty() ? u"–"_s : toQString(model.producerName)) +
                  row(tr("Nodes"), QLocale().toString(static_cast<qlonglong>(model.graph.nodes.size()))));
    html += paragraph(tr("Select a layer in the table or in a plot to see its facts here."));
    return html;
}

QString InspectorPanel::layerHtml(const QString& name) const {
    const Document& document = m_session.document();
    const LayerInfo* layer = document.layer(name);
    if (!layer) return paragraph(name);
    const auto& cost = document.base()->inspection.cost;
    QString html = u"<h3 style='margin:0'>%1</h3>"_s.arg(shortName(name).toHtmlEscaped());
    if (shortName(name) != name) html += paragraph(name);
    QString rows = row(tr("Type"), toQString(layer->opType));
    if (!layer->weightShape.empty()) rows += row(tr("Weight"), toQString(toString(layer->weightShape)));
    rows += row(tr("Output"), toQString(toString(layer->outputShape)));
    const auto share = [](std::int64_t part, std::int64_t whole) {
        return whole > 0 ? QLocale().toString(100.0 * static_cast<double>(part) / static_cast<double>(whole), 'f', 1)
                         : u"0"_s;
    };
    if (layer->parameters > 0)
        rows += row(tr("Parameters"), tr("%1 (%2 %)")
                                          .arg(plots::countText(static_cast<double>(layer->parameters)),
                                               share(layer->parameters, cost.parameters)));
    if (layer->macs > 0)
        rows +=
            row(tr("MACs"),
                tr("%1 (%2 %)").arg(plots::countText(static_cast<double>(layer->macs)), share(layer->macs, cost.macs)));
    rows += row(tr("Activations"), plots::bytesText(static_cast<double>(layer->activationBytes)));
    html += table(rows);
    return html + compressionHtml(name) + rangesHtml(name) + quantizationHtml(name) + whyHtml(name);
}

QString InspectorPanel::compressionHtml(const QString& name) const {
    const Document& document = m_session.document();
    const std::string wanted = toStdString(name);
    QString rows;
    if (const LayerChoice* choice = document.state().plan.find(wanted); choice && choice->ratio < 1)
        rows += row(choice->isLocked ? tr("Plan, locked") : tr("Plan"),
                    tr("%1 % of its cost, %2")
                        .arg(QLocale().toString(100 * choice->ratio, 'f', 0), methodText(choice->method)));
    if (const auto measured = document.compressedFor(document.editedCompression()))
        for (const CompressedLayer& each : measured->report.layers) {
            if (each.name != wanted) continue;
            if (!each.skipped.empty()) return heading(tr("Compression")) + paragraph(toQString(each.skipped));
            rows += row(tr("Reached"), tr("%1 %").arg(QLocale().toString(100 * each.ratio, 'f', 1)));
            if (each.sqnrDb) rows += row(tr("Local SQNR after"), decibels(each.sqnrDb));
        }
    return rows.isEmpty() ? rows : heading(tr("Compression")) + table(rows);
}

QString InspectorPanel::rangesHtml(const QString& name) const {
    const ChannelRanges* before = m_session.document().rangesBefore(name);
    if (!before) return {};
    const ChannelRanges* after = m_session.document().rangesAfter(name);
    const auto line = [&](const QString& title, const auto& text) {
        return row(title, after ? text(*before) + u" → "_s + text(*after) : text(*before));
    };
    const auto imbalance = [](const ChannelRanges& ranges) {
        return ranges.imbalance() > 0 ? plots::numberText(ranges.imbalance()) : u"–"_s;
    };
    QString html = heading(after ? tr("Weights, before → after equalization") : tr("Weights"));
    html += table(row(tr("Channels"), QLocale().toString(static_cast<qlonglong>(before->min.size()))) +
                  line(tr("Range"), spanText) + line(tr("Largest / median range"), imbalance) +
                  line(tr("Effective bits (median)"), bitsText));
    if (!after && before->imbalance() > kUnevenRatio)
        html +=
            paragraph(tr("The largest channel range is far above the median: with one scale for the tensor the other "
                         "channels use few integer steps. Equalize, or use per-channel scales."));
    return html;
}

QString InspectorPanel::quantizationHtml(const QString& name) const {
    const Document& document = m_session.document();
    const auto result = document.quantization();
    if (!result) return {};
    const auto noise = std::ranges::find(result->layers, name, &LayerNoise::layer);
    if (noise == result->layers.end()) return {};
    QString rows =
        row(tr("Local SQNR"), decibels(noise->localDb)) + row(tr("Accumulated SQNR"), decibels(noise->accumulatedDb));
    if (!noise->weightGrid.isEmpty()) rows += row(tr("Weight encoding"), noise->weightGrid);
    if (!noise->outputGrid.isEmpty()) rows += row(tr("Output encoding"), noise->outputGrid);
    return heading(document.isQuantizationFresh() ? tr("Quantization") : tr("Quantization (out of date)")) +
           table(rows);
}

QString InspectorPanel::whyHtml(const QString& name) const {
    const Document& document = m_session.document();
    QString html;
    if (const auto shown = document.shownEqualized()) {
        const std::string wanted = toStdString(name);
        for (const EqualizedPair& pair : shown->report.pairs) {
            if (std::ranges::find(pair.layers, wanted) == pair.layers.end()) continue;
            html += paragraph((pair.isEqualized ? tr("Equalized: %1") : tr("Not equalized: %1"))
                                  .arg(toQStringList(pair.layers).join(u" → "_s) + u". "_s + toQString(pair.reason)));
        }
    }
    const auto& layers = document.base()->inspection.layers;
    const auto found = std::ranges::find(layers, toStdString(name), &LayerInfo::name);
    const auto index = static_cast<std::size_t>(found - layers.begin());
    if (html.isEmpty() && index < document.base()->inspection.techniques.size()) {
        const Verdict& verdict = document.base()->inspection.techniques[index].equalization;
        if (!verdict.isOk && !verdict.reason.empty() && document.rangesBefore(name))
            html += paragraph(tr("Cannot be equalized: %1").arg(toQString(verdict.reason)));
    }
    for (const Finding& finding : document.loaded()->inspection.findings)
        if (toQString(finding.subject) == name)
            html += paragraph(toQString(finding.message + (finding.hint.empty() ? "" : " " + finding.hint)));
    return html.isEmpty() ? html : heading(tr("Why")) + html;
}

}  // namespace equant::ui
