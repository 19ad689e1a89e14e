// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/compression/compression_page.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QScrollArea>
#include <QSplitter>
#include <QTabBar>
#include <QTabWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include "app/desktop/compression/compression_layer_panel.h"
#include "app/desktop/compression/compression_setup_panel.h"
#include "app/desktop/compression/measured_plans.h"
#include "app/desktop/compression/plan_editor.h"
#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/page_parts.h"
#include "app/desktop/pages/plot_data.h"
#include "app/desktop/window/icons.h"
#include "widgets/bridge/text.h"
#include "widgets/panels/budget_strip.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

/// Narrower than that, the ratios share the tabs with the other plots; lower than that, the map does too.
constexpr int kSideBySide = 640;
constexpr int kTwoRows = 640;
constexpr int kPlansBeside = 960;  ///< from that width on the measured plans stand beside the trade-off, not below it
constexpr int kSetupWidth = 268;
constexpr int kPlanDelay = 300;

}  // namespace

CompressionPage::CompressionPage(Session& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_editor(new PlanEditor(session, this)),
      m_setup(new CompressionSetupPanel(session)),
      m_headline(headline(this)),
      m_details(mutedText(this)),
      m_marginal(new QLabel(this)),
      m_budget(new BudgetStrip(this)),
      m_measurePlan(new QPushButton(symbolicIcon(u"run"_s), tr("Measure this plan"), this)),
      m_apply(new QPushButton(symbolicIcon(u"apply"_s), tr("Apply"), this)),
      m_files(new QMenu(this)),
      m_map(new plots::SensitivityMap(this)),
      m_profile(new plots::RatioProfile(this)),
      m_layer(new CompressionLayerPanel(session, this)),
      m_frontier(new plots::TradeOffFrontier(this)),
      m_measuredPlans(new MeasuredPlans(this)),
      m_tradeOff(new QSplitter(Qt::Vertical, this)),
      m_waterfall(new plots::SavingsWaterfall(this)),
      m_top(new QSplitter(Qt::Horizontal, this)),
      m_rows(new QSplitter(Qt::Vertical, this)),
      m_methodBar(new QTabBar(this)),
      m_tabs(new QTabWidget(this)) {
    setObjectName(u"compressionPage"_s);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->addWidget(controlColumn(m_setup, this));
    m_results = createResults();
    split->addWidget(m_results);
    split->setStretchFactor(0, 0);
    split->setStretchFactor(1, 1);
    split->setSizes({kSetupWidth, 1000});
    split->setHandleWidth(12);
    split->setChildrenCollapsible(false);
    auto* content = new PageContent;
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(16, 12, 16, 8);
    layout->addWidget(split, 1);
    wrapInScrollArea(this, content, {540, 380});
    m_results->installEventFilter(this);
    m_marginal->installEventFilter(this);
    m_refresh.setSingleShot(true);
    m_refresh.setInterval(kPlanDelay);
    connectPlots();
    connectDocument();
    tableChanged();
}

QWidget* CompressionPage::createHeader() {
    m_headline->setObjectName(u"compressionHeadline"_s);
    m_details->setObjectName(u"compressionDetails"_s);
    m_details->setMinimumHeight(m_details->fontMetrics().height());
    m_marginal->setObjectName(u"marginalCost"_s);
    m_marginal->setTextFormat(Qt::PlainText);
    // One line, so that plots and tabs do not jump while ratios change; the tool tip has all of it.
    m_marginal->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_budget->setObjectName(u"budgetStrip"_s);
    m_measurePlan->setObjectName(u"measurePlan"_s);
    m_measurePlan->setToolTip(tr("Compresses as the plan says and scores the network on the data (Ctrl+Return)"));
    m_apply->setObjectName(u"applyCompression"_s);
    auto* more = new QToolButton(this);
    more->setObjectName(u"compressionFiles"_s);
    more->setText(tr("Files"));
    more->setToolTip(tr("Import and export plans and sensitivities, export the compressed model"));
    more->setPopupMode(QToolButton::InstantPopup);
    more->setMenu(m_files);
    auto* header = new QWidget(this);
    auto* layout = new QVBoxLayout(header);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(6);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(8);
    buttons->addWidget(m_measurePlan);
    buttons->addWidget(m_apply);
    buttons->addWidget(more);
    auto* words = new QVBoxLayout;
    words->setSpacing(2);
    words->addWidget(m_details);
    words->addWidget(m_marginal);
    // Text of any length must not move the buttons: beside it, or above it where that is too narrow.
    m_actions = new QBoxLayout(QBoxLayout::LeftToRight);
    m_actions->setSpacing(6);
    m_actions->addLayout(words, 1);
    m_actions->addLayout(buttons);
    layout->addWidget(m_headline);
    layout->addWidget(m_budget);
    layout->addLayout(m_actions);
    return header;
}

QWidget* CompressionPage::createMap() {
    m_methodBar->setObjectName(u"mapMethod"_s);
    m_methodBar->setAccessibleName(tr("Method shown in the map"));
    m_methodBar->setDrawBase(false);
    m_methodBar->setExpanding(false);
    m_methodBar->hide();
    m_top->addWidget(m_map);
    m_top->addWidget(m_profile);
    m_top->setChildrenCollapsible(false);
    m_top->setStretchFactor(0, 3);
    m_top->setStretchFactor(1, 2);
    auto* upper = new QWidget(this);
    auto* column = new QVBoxLayout(upper);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(2);
    column->addWidget(m_methodBar);
    column->addWidget(m_top, 1);
    return upper;
}

QWidget* CompressionPage::createResults() {
    const auto prepare = [](plots::PlotView* plot, const QString& name, const QString& empty) {
        plot->setObjectName(name);
        plot->setEmptyText(empty);
        plot->setMinimumHeight(120);
    };
    prepare(m_map, u"sensitivityMap"_s, tr("Predict or measure to see how much each layer can be compressed."));
    prepare(m_profile, u"ratioProfile"_s, tr("The ratio of every layer, once sensitivities are known."));
    prepare(m_frontier, u"tradeOffFrontier"_s, tr("Predict or measure to see what each budget costs."));
    prepare(m_waterfall, u"savingsWaterfall"_s, tr("Suggest ratios to see where a plan saves."));
    m_upper = createMap();
    m_tabs->setObjectName(u"compressionTabs"_s);
    m_tabs->setDocumentMode(true);
    m_tabs->addTab(m_layer, tr("Layer"));
    m_tradeOff->addWidget(m_frontier);
    m_tradeOff->addWidget(m_measuredPlans);
    m_tradeOff->setChildrenCollapsible(false);
    m_tradeOff->setSizes({200, 120});
    m_tabs->addTab(m_tradeOff, tr("Trade-off"));
    m_tabs->addTab(m_waterfall, tr("Savings"));
    m_rows->addWidget(m_upper);
    m_rows->addWidget(m_tabs);
    m_rows->setChildrenCollapsible(false);
    m_rows->setSizes({340, 300});
    auto* results = new QWidget(this);
    auto* layout = new QVBoxLayout(results);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    layout->addWidget(createHeader());
    layout->addWidget(m_rows, 1);
    return results;
}

void CompressionPage::connectPlots() {
    connect(m_editor, &PlanEditor::ratioMoved, this, [this](const QString& layer, double ratio) {
        m_profile->setRatio(layer, ratio);
        m_map->setChosenRatio(layer, m_view->markedRatio(*m_view->row(layer), m_editor->plan(), m_mapMethod));
    });
    connect(m_editor, &PlanEditor::dragged, this, &CompressionPage::showDragged);
    connect(m_editor, &PlanEditor::settled, this, &CompressionPage::planChanged);
    for (plots::PlotView* plot : QList<plots::PlotView*>{m_map, m_profile, m_waterfall})
        linkSelection(plot, m_session.selection());
    connect(m_map, &plots::SensitivityMap::ratioChosen, this, [this](const QString& layer, double ratio) {
        m_session.selection().setOne(layer);
        m_editor->setRatios({{layer, ratio}}, true, m_mapMethod);
    });
    connect(m_map, &plots::SensitivityMap::remeasureRequested, &m_session, &Session::remeasure);
    connect(m_methodBar, &QTabBar::currentChanged, this, [this](int index) {
        const QVariant method = m_methodBar->tabData(index);
        m_mapMethod = method.isValid() ? std::optional(static_cast<CompressionMethod>(method.toInt())) : std::nullopt;
        refreshMap();
    });
    connect(m_profile, &plots::RatioProfile::ratiosDragged, this,
            [this](const QList<plots::RatioChange>& changes, bool isFinished) {
                m_editor->setRatios(changes, isFinished);
            });
    connect(m_profile, &plots::RatioProfile::lockToggled, m_editor, &PlanEditor::toggleLocks);
    connect(m_profile, &plots::RatioProfile::resetRequested, m_editor, &PlanEditor::resetToSuggestion);
    connect(m_layer->curve(), &plots::LayerCurve::ratioDragged, this,
            [this](const QString& layer, double ratio, bool isFinished) {
                m_editor->setRatios({{layer, ratio}}, isFinished);
            });
    connect(m_layer, &CompressionLayerPanel::methodChosen, this,
            [this](const QString& layer, int method) { m_editor->setMethod({layer}, method); });
    connect(m_layer, &CompressionLayerPanel::methodWanted, m_editor, &PlanEditor::tryMethod);
    connect(m_layer, &CompressionLayerPanel::lockToggled, this,
            [this](const QString& layer) { m_editor->toggleLocks({layer}); });
    connect(m_layer, &CompressionLayerPanel::resetRequested, this,
            [this](const QString& layer) { m_editor->resetToSuggestion({layer}); });
    connect(m_frontier, &plots::TradeOffFrontier::planChosen, this, &CompressionPage::adoptPlan);
    connect(m_measuredPlans, &MeasuredPlans::planChosen, this,
            [this](int index) { adoptPlan(m_firstMeasured + index); });
    connect(m_waterfall, &plots::SavingsWaterfall::layerActivated, &m_session.selection(), &Selection::setOne);
    connect(m_waterfall, &plots::SavingsWaterfall::exclusionRequested, this,
            [this](const QString& layer) { m_editor->setMethod({layer}, -1); });
    connect(m_measurePlan, &QPushButton::clicked, &m_session, &Session::measurePlan);
    connect(m_apply, &QPushButton::clicked, this, [this] {
        if (m_session.document().isCompressionUpToDate())
            m_session.removeCompression();
        else
            m_session.applyCompression();
    });
}

void CompressionPage::connectDocument() {
    Document& document = m_session.document();
    connect(&document, &Document::modelChanged, this, &CompressionPage::tableChanged);
    connect(&document, &Document::sensitivityChanged, this, &CompressionPage::tableChanged);
    for (const auto signal :
         {&Document::planChanged, &Document::stateChanged, &Document::compressedChanged, &Document::dataChanged})
        connect(&document, signal, this, &CompressionPage::planChanged);
    connect(&m_session.selection(), &Selection::changed, this, &CompressionPage::refreshLayer);
    connect(&m_session, &Session::busyChanged, this, &CompressionPage::refreshWords);
    connect(&m_session, &Session::busyChanged, this, &CompressionPage::showMapOfSweep);
    connect(&m_session, &Session::busyChanged, this, [this] {
        if (m_session.isSweeping() || !m_refresh.isActive()) return;
        m_refresh.stop();  // what a sweep found last need not wait
        refreshPlots();
    });
    connect(&m_session.jobs(), &JobRunner::progressed, this, [this] {
        if (m_session.isFlowing() && isVisible()) refreshWords();
    });
    connect(&m_session, &Session::flowStarted, m_tabs, [this] { showPlot(m_frontier); });
    connect(&m_refresh, &QTimer::timeout, this, &CompressionPage::refreshPlots);
}

QList<plots::PlotView*> CompressionPage::plots() const {
    return {m_map, m_profile, m_layer->curve(), m_frontier, m_waterfall};
}

QMenu* CompressionPage::createLayerMenu(const QStringList& layers) {
    return m_editor->createLayerMenu(layers, this);
}

void CompressionPage::adoptPlan(int index) {
    if (index >= 0 && static_cast<std::size_t>(index) < m_frontierPlans.size())
        m_editor->adopt(m_frontierPlans[static_cast<std::size_t>(index)]);
}

bool CompressionPage::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_results && event->type() == QEvent::Resize) arrange();
    if (watched == m_marginal && event->type() == QEvent::Resize) elideMarginal();
    return QWidget::eventFilter(watched, event);
}

void CompressionPage::elideMarginal() {
    m_marginal->setText(
        m_marginal->fontMetrics().elidedText(m_marginal->toolTip(), Qt::ElideMiddle, m_marginal->width()));
    m_marginal->setAccessibleDescription(m_marginal->toolTip());
}

void CompressionPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    arrange();
    if (!std::exchange(m_isDirty, false)) return;
    tableChanged();
    planChanged();
}

/// Plots that are too small tell nothing: where there is no room for two rows, tabs hold them all.
void CompressionPage::arrange() {
    const bool isWide = m_results->width() >= kSideBySide;
    const bool hasTwoRows = m_results->height() >= kTwoRows;
    m_actions->setDirection(isWide ? QBoxLayout::LeftToRight : QBoxLayout::BottomToTop);
    QWidget* shown = m_tabs->currentWidget();
    const int mapTab = m_tabs->indexOf(m_upper);
    placeProfile(isWide);
    if (hasTwoRows && mapTab >= 0) {
        m_tabs->removeTab(mapTab);
        m_rows->insertWidget(0, m_upper);
        m_rows->setSizes({340, 300});
        m_upper->show();
    } else if (!hasTwoRows && mapTab < 0) {
        m_tabs->insertTab(0, m_upper, tr("Map"));
        shown = m_upper;
    }
    if (const int map = m_tabs->indexOf(m_upper); map >= 0)
        m_tabs->setTabText(map, isWide ? tr("Map and ratios") : tr("Map"));
    if (m_tabs->indexOf(shown) >= 0) m_tabs->setCurrentWidget(shown);
    const Qt::Orientation along = m_results->width() >= kPlansBeside ? Qt::Horizontal : Qt::Vertical;
    if (m_tradeOff->orientation() == along) return;
    m_tradeOff->setOrientation(along);
    m_tradeOff->setSizes(along == Qt::Horizontal ? QList<int>{500, 460} : QList<int>{200, 120});
}

void CompressionPage::showPlot(plots::PlotView* plot) {
    for (int i = 0; i < m_tabs->count(); ++i)
        if (m_tabs->widget(i) == plot || m_tabs->widget(i)->isAncestorOf(plot)) m_tabs->setCurrentIndex(i);
}

void CompressionPage::placeProfile(bool isBesideMap) {
    const bool isInTabs = m_tabs->indexOf(m_profile) >= 0;
    if (isBesideMap && isInTabs) {
        m_tabs->removeTab(m_tabs->indexOf(m_profile));
        m_top->addWidget(m_profile);
        m_top->setSizes({600, 400});
        m_profile->show();
    } else if (!isBesideMap && !isInTabs) {
        m_tabs->insertTab(m_tabs->indexOf(m_layer), m_profile, tr("Ratios"));
    }
}

/// A sweep that begins is worth watching, wherever the map is.
void CompressionPage::showMapOfSweep() {
    const bool isSweeping = m_session.isSweeping();
    if (isSweeping && !std::exchange(m_wasSweeping, isSweeping) && m_tabs->indexOf(m_upper) >= 0)
        m_tabs->setCurrentWidget(m_upper);
    m_wasSweeping = isSweeping;
}

}  // namespace equant::ui
