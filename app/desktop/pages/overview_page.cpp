// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/overview_page.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSplitter>
#include <QVBoxLayout>
#include <algorithm>

#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/page_parts.h"
#include "app/desktop/pages/plot_data.h"
#include "widgets/bridge/text.h"
#include "widgets/panels/findings_panel.h"
#include "widgets/plots/network/cost_scatter.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

OverviewPage::OverviewPage(Session& session, FindingModel* findings, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_headline(headline(this)),
      m_facts(mutedText(this)),
      m_nextText(new QLabel(this)),
      m_nextButton(new QPushButton(this)),
      m_metric(new QComboBox(this)),
      m_order(new QComboBox(this)),
      m_bars(new plots::CostBars(this)),
      m_scatter(new plots::CostScatter(this)),
      m_findings(new FindingsPanel(findings, this)) {
    setObjectName(u"overviewPage"_s);
    m_headline->setObjectName(u"overviewHeadline"_s);
    m_metric->setObjectName(u"costMetric"_s);
    m_metric->setAccessibleName(tr("Cost metric"));
    m_metric->addItems({tr("Parameters"), tr("MACs"), tr("Activations")});
    m_order->setObjectName(u"costOrder"_s);
    m_order->setAccessibleName(tr("Order of the bars"));
    m_order->addItems({tr("Largest first"), tr("In order of execution")});
    m_bars->setObjectName(u"costBars"_s);
    m_scatter->setObjectName(u"costScatter"_s);
    m_nextText->setWordWrap(true);
    m_nextButton->setObjectName(u"overviewNext"_s);
    m_nextButton->setDefault(true);

    auto* next = new QHBoxLayout;
    next->setSpacing(12);
    next->addWidget(m_nextText, 1);
    next->addWidget(m_nextButton, 0, Qt::AlignVCenter);

    auto* content = new PageContent;
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(16, 12, 16, 8);
    layout->setSpacing(8);
    layout->addWidget(m_headline);
    layout->addWidget(m_facts);
    layout->addLayout(next);
    layout->addWidget(createPlots(), 1);
    wrapInScrollArea(this, content, {560, 460});
    connectControls();
}

QWidget* OverviewPage::createPlots() {
    auto* controls = new QHBoxLayout;
    controls->setSpacing(8);
    controls->addWidget(m_metric);
    controls->addWidget(m_order);
    controls->addStretch(1);
    auto* left = new QWidget(this);
    auto* leftLayout = new QVBoxLayout(left);
    leftLayout->setContentsMargins(0, 0, 0, 0);
    leftLayout->setSpacing(8);
    leftLayout->addLayout(controls);
    leftLayout->addWidget(m_bars, 1);

    auto* right = new QSplitter(Qt::Vertical, this);
    right->addWidget(m_scatter);
    right->addWidget(titled(tr("Findings"), m_findings, right));
    right->setStretchFactor(0, 3);
    right->setStretchFactor(1, 1);
    right->setChildrenCollapsible(false);
    m_findings->setMinimumHeight(80);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->addWidget(left);
    split->addWidget(right);
    split->setStretchFactor(0, 5);
    split->setStretchFactor(1, 4);
    split->setChildrenCollapsible(false);
    split->setMinimumHeight(300);
    return split;
}

void OverviewPage::connectControls() {
    connect(m_metric, &QComboBox::currentIndexChanged, this,
            [this](int index) { m_bars->setMetric(static_cast<plots::CostBars::Metric>(index)); });
    connect(m_order, &QComboBox::currentIndexChanged, this, [this](int index) {
        m_bars->setOrder(index == 0 ? plots::CostBars::Order::Sorted : plots::CostBars::Order::Execution);
    });
    linkSelection(m_bars, m_session.selection());
    linkSelection(m_scatter, m_session.selection());
    connect(m_findings, &FindingsPanel::layerActivated, &m_session.selection(), &Selection::setOne);
    connect(m_nextButton, &QPushButton::clicked, this, [this] { emit stageRequested(m_nextStage); });
    connect(&m_session.document(), &Document::modelChanged, this, &OverviewPage::showModel);
    for (const auto signal : {&Document::stateChanged, &Document::quantizationChanged, &Document::equalizedChanged})
        connect(&m_session.document(), signal, this, &OverviewPage::updateNextStep);
}

void OverviewPage::showModel() {
    const auto& loaded = m_session.document().loaded();
    if (!loaded) return;
    m_headline->setText(costSentence(*loaded));
    const auto& model = *loaded->model;
    QStringList facts{
        m_session.document().modelName(), plots::bytesText(static_cast<double>(loaded->fileBytes)),
        tr("%1 parameters").arg(plots::countText(static_cast<double>(loaded->inspection.cost.parameters))),
        tr("%1 MACs a sample").arg(plots::countText(static_cast<double>(loaded->inspection.cost.macs))),
        tr("opset %1").arg(model.opset())};
    if (!loaded->fold.folded.empty())
        facts << tr("%n batch norm(s) folded", nullptr, static_cast<int>(loaded->fold.folded.size()));
    for (const ValueInfo* input : model.graph.requiredInputs()) {
        const auto known = loaded->inspection.facts.find(input->name);
        if (known != loaded->inspection.facts.end() && known->second.shape)
            facts << tr("input %1").arg(toQString(toString(*known->second.shape)));
    }
    m_facts->setText(facts.join(u"  ·  "_s));
    const auto costs = costData(*loaded);
    m_bars->setData(costs);
    m_scatter->setData(costs);
    updateNextStep();
}

void OverviewPage::updateNextStep() {
    Document& document = m_session.document();
    if (!document.hasModel()) return;
    const auto quantization = document.isQuantizationFresh() ? document.quantization() : nullptr;
    const auto wasted = std::ranges::count_if(
        document.loaded()->ranges, [](const ChannelRanges& ranges) { return ranges.imbalance() > kUnevenRatio; });
    if (quantization) {
        m_nextStage = static_cast<int>(Stage::Quantization);
        m_nextText->setText(diagnosisSentence(*quantization, document.otherQuantization().get()));
        m_nextButton->setText(tr("See the quantization"));
        if (!document.isEqualizeApplied() && wasted > 0) {
            m_nextStage = static_cast<int>(Stage::Ranges);
            m_nextButton->setText(tr("Equalize"));
        }
    } else if (document.isEqualizeApplied()) {
        m_nextStage = static_cast<int>(Stage::Quantization);
        m_nextText->setText(tr("The channels are equalized. Next: measure what quantization costs on data."));
        m_nextButton->setText(tr("Quantize"));
    } else {
        m_nextStage = static_cast<int>(Stage::Ranges);
        m_nextText->setText(
            wasted > 0
                ? tr("In %n layer(s) the largest channel range is over 8 times the median: with one 8-bit scale for "
                     "the tensor the other channels use few steps. Next: equalize.",
                     nullptr, static_cast<int>(wasted))
                : tr("No layer has uneven channel ranges. Next: look at the ranges, then quantize."));
        m_nextButton->setText(tr("Equalize"));
    }
}

}  // namespace equant::ui
