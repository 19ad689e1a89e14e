// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/ranges_page.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSplitter>
#include <QVBoxLayout>

#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/equalize_panel.h"
#include "app/desktop/pages/layer_plots.h"
#include "app/desktop/pages/page_parts.h"
#include "app/desktop/pages/plot_data.h"
#include "widgets/bridge/text.h"
#include "widgets/panels/status_badge.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

RangesPage::RangesPage(Session& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_headline(headline(this)),
      m_badge(new StatusBadge(this)),
      m_order(new QComboBox(this)),
      m_dumbbell(new plots::RangeDumbbell(this)),
      m_layerPlots(new LayerPlots(session, this)) {
    setObjectName(u"rangesPage"_s);
    m_badge->setObjectName(u"equivalenceBadge"_s);
    m_headline->setObjectName(u"rangesHeadline"_s);
    m_order->setObjectName(u"dumbbellOrder"_s);
    m_order->setAccessibleName(tr("Order of the layers"));
    m_order->addItems({tr("In order of execution"), tr("Most improved first")});
    m_dumbbell->setObjectName(u"rangeDumbbell"_s);
    m_dumbbell->setEmptyText(tr("This model has no layers with weights."));
    m_dumbbell->setMinimumHeight(150);

    auto* badgeRow = new QHBoxLayout;
    badgeRow->setSpacing(8);
    badgeRow->addWidget(m_badge);
    badgeRow->addWidget(m_order);
    badgeRow->addStretch(1);
    auto* content = new PageContent;
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(16, 12, 16, 8);
    layout->setSpacing(8);
    layout->addWidget(m_headline);
    layout->addLayout(badgeRow);
    layout->addWidget(createPlots(), 1);
    wrapInScrollArea(this, content, {600, 440});

    linkSelection(m_dumbbell, session.selection());
    connect(m_order, &QComboBox::currentIndexChanged, this, [this](int index) {
        m_dumbbell->setOrder(index == 0 ? plots::RangeDumbbell::Order::Execution
                                        : plots::RangeDumbbell::Order::Improvement);
    });
    for (const auto signal :
         {&Document::modelChanged, &Document::equalizedChanged, &Document::stateChanged, &Document::compressedChanged})
        connect(&session.document(), signal, this, &RangesPage::refresh);
    connect(&session, &Session::busyChanged, this, &RangesPage::refreshBadge);
}

/// The plots, and the equalization beside them.
QWidget* RangesPage::createPlots() {
    auto* top = new QWidget(this);
    auto* topLayout = new QVBoxLayout(top);
    topLayout->setContentsMargins(0, 0, 0, 0);
    topLayout->setSpacing(4);
    topLayout->addWidget(m_dumbbell, 1);
    auto* plotSplit = new QSplitter(Qt::Vertical, this);
    plotSplit->addWidget(top);
    plotSplit->addWidget(m_layerPlots);
    plotSplit->setChildrenCollapsible(false);
    plotSplit->setSizes({300, 340});
    auto* panel = new EqualizePanel(m_session, this);
    panel->setMinimumWidth(240);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->addWidget(plotSplit);
    split->addWidget(panel);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 1);
    split->setChildrenCollapsible(false);
    split->setHandleWidth(12);
    split->setSizes({600, 320});
    return split;
}

QList<plots::PlotView*> RangesPage::plots() const {
    m_layerPlots->fillAll();
    return QList<plots::PlotView*>{m_dumbbell} + m_layerPlots->plots();
}

void RangesPage::refresh() {
    const Document& document = m_session.document();
    if (!document.hasModel()) return;
    m_dumbbell->setData(dumbbellData(*document.base(), document.shownEqualized().get()));
    refreshHeadline();
    refreshBadge();
}

void RangesPage::refreshHeadline() {
    const Document& document = m_session.document();
    m_headline->setText(rangesSentence(*document.base(), document.shownEqualized().get()));
}

void RangesPage::refreshBadge() {
    const auto shown = m_session.document().shownEqualized();
    if (m_session.isEqualizing())
        return m_badge->setVerdict(StatusBadge::Verdict::None, tr("Comparing float outputs …"));
    if (!shown)
        return m_badge->setVerdict(StatusBadge::Verdict::None,
                                   tr("Preview compares the float outputs before and after"));
    const EquivalenceText proof = equivalenceText(*shown);
    const auto verdict = proof.verdict == EquivalenceText::Verdict::Good   ? StatusBadge::Verdict::Good
                         : proof.verdict == EquivalenceText::Verdict::Fair ? StatusBadge::Verdict::Fair
                                                                           : StatusBadge::Verdict::Bad;
    m_badge->setVerdict(verdict, proof.text, proof.details);
}

}  // namespace equant::ui
