// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/layer_plots.h"

#include <QComboBox>
#include <QTabWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/plot_data.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

LayerPlots::LayerPlots(Session& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_tabs(new QTabWidget(this)),
      m_order(new QComboBox(this)),
      m_band(new plots::ChannelBand),
      m_bits(new plots::EffectiveBits),
      m_field(new plots::DisplacementField),
      m_factors(new plots::ScaleFactors),
      m_bias(new plots::BiasGrowth) {
    setObjectName(u"layerPlots"_s);
    m_tabs->setObjectName(u"layerPlotTabs"_s);
    m_tabs->setDocumentMode(true);
    m_tabs->setUsesScrollButtons(true);
    const auto add = [this](plots::PlotView* plot, const QString& title, const QString& name, const QString& empty) {
        plot->setObjectName(name);
        plot->setEmptyText(empty);
        plot->setMinimumHeight(150);
        m_tabs->addTab(plot, title);
    };
    const QString noLayer = tr("Select a layer that has weights.");
    add(m_band, tr("Channels"), u"channelBand"_s, noLayer);
    add(m_bits, tr("Effective bits"), u"effectiveBits"_s, noLayer);
    add(m_field, tr("Min and max"), u"displacementField"_s, noLayer);
    add(m_factors, tr("Factors"), u"scaleFactors"_s,
        tr("Preview the equalization, then select a layer of an equalized pair."));
    add(m_bias, tr("Biases"), u"biasGrowth"_s, tr("This layer has no bias."));
    m_order->setObjectName(u"channelOrder"_s);
    m_order->setAccessibleName(tr("Order of the channels"));
    m_order->addItems({tr("By index"), tr("Largest range first")});
    m_tabs->setCornerWidget(m_order);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_tabs);

    connect(m_tabs, &QTabWidget::currentChanged, this, &LayerPlots::fill);
    connect(m_order, &QComboBox::currentIndexChanged, this, [this](int index) {
        const auto order = index == 0 ? plots::ChannelOrder::Index : plots::ChannelOrder::Sorted;
        m_band->setOrder(order);
        m_bits->setOrder(order);
        m_bias->setOrder(order);
    });
    connect(&session.selection(), &Selection::changed, this, &LayerPlots::refresh);
    for (const auto signal :
         {&Document::modelChanged, &Document::equalizedChanged, &Document::stateChanged, &Document::compressedChanged})
        connect(&session.document(), signal, this, &LayerPlots::refresh);
}

QList<plots::PlotView*> LayerPlots::plots() const {
    return {m_band, m_bits, m_field, m_factors, m_bias};
}

QString LayerPlots::layer() const {
    const Document& document = m_session.document();
    if (!document.hasModel()) return {};
    for (const QString& name : m_session.selection().layers())
        if (document.rangesBefore(name)) return name;
    const auto& ranges = document.base()->ranges;
    const auto worst = std::ranges::max_element(ranges, {}, [](const ChannelRanges& r) { return r.imbalance(); });
    return worst == ranges.end() ? QString() : toQString(worst->layer);
}

void LayerPlots::refresh() {
    fill(m_tabs->currentIndex());
}

void LayerPlots::fillAll() {
    for (int tab = 0; tab < m_tabs->count(); ++tab) fill(tab);
}

void LayerPlots::fill(int tab) {
    const QString name = layer();
    const ChannelRanges* before = m_session.document().rangesBefore(name);
    const ChannelRanges* after = m_session.document().rangesAfter(name);
    constexpr int kBits = 8;  // what weightRanges() counts effective bits of
    switch (tab) {
        case 0:
            return m_band->setData(before ? bandData(*before, after, kBits) : plots::ChannelBandData{});
        case 1:
            return m_bits->setData(before ? bitsData(*before, after, kBits) : plots::EffectiveBitsData{});
        case 2:
            return m_field->setData(before ? displacementData(*before, after) : plots::DisplacementFieldData{});
        case 3:
            return fillFactors(name);
        case 4:
            return m_bias->setData(before ? biasData(*before, after) : plots::BiasGrowthData{});
        default:
            return;
    }
}

void LayerPlots::fillFactors(const QString& name) {
    plots::ScaleFactorsData factors;
    if (const auto shown = m_session.document().shownEqualized()) {
        const std::string wanted = toStdString(name);
        const auto holds = [&](const EqualizedPair& pair) {
            return pair.isEqualized && std::ranges::find(pair.layers, wanted) != pair.layers.end();
        };
        const auto& pairs = shown->report.pairs;
        // The pair that the layer begins says most about it; else the one it ends.
        auto pair = std::ranges::find_if(pairs, [&](const EqualizedPair& candidate) {
            return candidate.isEqualized && !candidate.layers.empty() && candidate.layers.front() == wanted;
        });
        if (pair == pairs.end()) pair = std::ranges::find_if(pairs, holds);
        if (pair != pairs.end()) {
            const auto place = std::ranges::find(pair->layers, wanted) - pair->layers.begin();
            const auto link = std::min<std::size_t>(static_cast<std::size_t>(place), pair->layers.size() - 2);
            factors = factorData(*pair, link);
        }
    }
    m_factors->setData(std::move(factors));
}

}  // namespace equant::ui
