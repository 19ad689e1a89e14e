// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/quantization_page.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QLocale>
#include <QPushButton>
#include <QScrollArea>
#include <QSplitter>
#include <QVBoxLayout>

#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/page_parts.h"
#include "app/desktop/pages/plot_data.h"
#include "app/desktop/pages/setup_panel.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

QString scoreText(const Score& score, bool isReference) {
    QStringList parts;
    if (score.top1) parts << QuantizationPage::tr("top-1 %1").arg(percentOrDash(score.top1));
    if (score.top5) parts << QuantizationPage::tr("top-5 %1").arg(percentOrDash(score.top5));
    if (isReference) return parts.join(u", "_s);
    if (score.agreement) parts << QuantizationPage::tr("agreement %1").arg(percentOrDash(score.agreement));
    if (score.sqnrDb) parts << QuantizationPage::tr("SQNR %1 dB").arg(QLocale().toString(*score.sqnrDb, 'f', 1));
    return parts.join(u", "_s);
}

}  // namespace

QuantizationPage::QuantizationPage(Session& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_setup(new SetupPanel(session)),
      m_headline(headline(this)),
      m_details(mutedText(this)),
      m_action(new QPushButton(this)),
      m_bars(new plots::DiagnosisBars(this)),
      m_profile(new plots::SqnrProfile(this)) {
    setObjectName(u"quantizationPage"_s);
    m_headline->setObjectName(u"quantizationHeadline"_s);
    m_action->setObjectName(u"quantizationNext"_s);
    m_bars->setObjectName(u"diagnosisBars"_s);
    m_bars->setEmptyText(tr("Run to see the loss by weights, by activations and by both."));
    m_bars->setMinimumHeight(150);
    m_profile->setObjectName(u"sqnrProfile"_s);
    m_profile->setEmptyText(tr("Run to see the SQNR of every layer."));
    m_profile->setMinimumHeight(150);
    m_profile->setThreshold(kLowSqnrDb);

    auto* scroll = controlColumn(m_setup, this);
    auto* plotSplit = new QSplitter(Qt::Vertical, this);
    plotSplit->addWidget(m_bars);
    plotSplit->addWidget(m_profile);
    plotSplit->setChildrenCollapsible(false);
    auto* header = new QHBoxLayout;
    header->setSpacing(12);
    header->addWidget(m_headline, 1);
    header->addWidget(m_action, 0, Qt::AlignTop);
    auto* results = new QWidget(this);
    auto* resultLayout = new QVBoxLayout(results);
    resultLayout->setContentsMargins(0, 0, 0, 0);
    resultLayout->setSpacing(8);
    resultLayout->addLayout(header);
    resultLayout->addWidget(m_details);
    resultLayout->addWidget(plotSplit, 1);

    auto* split = new QSplitter(Qt::Horizontal, this);
    split->addWidget(scroll);
    split->addWidget(results);
    split->setStretchFactor(0, 0);
    split->setStretchFactor(1, 1);
    split->setHandleWidth(12);
    split->setChildrenCollapsible(false);
    auto* content = new PageContent;
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(16, 12, 16, 8);
    layout->addWidget(split, 1);
    wrapInScrollArea(this, content, {600, 440});

    linkSelection(m_profile, session.selection());
    connect(m_action, &QPushButton::clicked, this, &QuantizationPage::equalizeRequested);
    for (const auto signal : {&Document::modelChanged, &Document::stateChanged, &Document::quantizationChanged})
        connect(&session.document(), signal, this, &QuantizationPage::refresh);
    connect(&session, &Session::busyChanged, this, &QuantizationPage::refresh);
    refresh();
}

QList<plots::PlotView*> QuantizationPage::plots() const {
    return {m_bars, m_profile};
}

void QuantizationPage::refresh() {
    Document& document = m_session.document();
    const auto result = document.quantization();
    m_action->setVisible(document.hasModel() && !document.isEqualizeApplied() && result != nullptr);
    m_action->setText(tr("Equalize"));
    if (!result) {
        m_headline->setText(m_session.isQuantizing() ? tr("Measuring …")
                                                     : tr("The loss by quantization is not measured yet."));
        m_details->setText(
            document.state().data.path.isEmpty()
                ? tr("Choose data on the left, then run.")
                : tr("Run measures the float model, weights only, activations only and both, on the same samples."));
        m_bars->setData({});
        m_profile->setData({});
        return;
    }
    const bool isFresh = document.isQuantizationFresh();
    m_headline->setText(diagnosisSentence(*result, isFresh ? document.otherQuantization().get() : nullptr));
    QStringList details;
    if (m_session.isQuantizing())
        details << tr("Measuring again …");
    else if (!isFresh)
        details << tr("⚠ Out of date: these figures are for other settings, data or another recipe. Run again.");
    const QString quantized = scoreText(result->both, false);
    const auto count = static_cast<int>(result->both.samples);
    details << (result->floating.top1
                    ? tr("Float: %1. Quantized: %2.").arg(scoreText(result->floating, true), quantized)
                    : tr("Quantized, compared with float: %1.").arg(quantized)) +
                   u' ' + tr("%n sample(s), %1.", nullptr, count).arg(durationText(result->seconds));
    m_details->setText(details.join(u'\n'));
    m_bars->setData(diagnosisData(*result));
    m_profile->setData(profileData(*result));
}

}  // namespace equant::ui
