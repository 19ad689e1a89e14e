// SPDX-License-Identifier: GPL-3.0-or-later
// What the compression page shows: words, budget and plots, of the table and the plan at hand.
#include <QLabel>
#include <QLocale>
#include <QPushButton>
#include <QTabBar>
#include <algorithm>
#include <cmath>

#include "app/desktop/compression/compression_layer_panel.h"
#include "app/desktop/compression/compression_page.h"
#include "app/desktop/compression/measured_plans.h"
#include "app/desktop/compression/plan_editor.h"
#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/plot_data.h"
#include "widgets/bridge/text.h"
#include "widgets/panels/budget_strip.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

CostMetric metricOf(const CompressionSetup& setup) {
    return setup.target == TargetKind::Size ? CostMetric::Parameters : CostMetric::Macs;
}

bool isSame(const plots::SensitivityCell& a, const plots::SensitivityCell& b) {
    const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
    return a.state == b.state && equal(a.change, b.change) && equal(a.low, b.low) && equal(a.high, b.high) &&
           a.isWithinNoise == b.isWithinNoise && a.text == b.text;
}

/// Latency and activations in full, for tool tips.
QString costsText(const EngineCosts& costs) {
    QStringList lines;
    if (costs.latency)
        lines
            << CompressionPage::tr("Measured: %1 (%2)").arg(latencyText(*costs.latency), latencyMethod(*costs.latency));
    if (QString text = activationsText(costs); !text.isEmpty()) lines << text.replace(0, 1, text[0].toUpper());
    return lines.join(u'\n');
}

}  // namespace

void CompressionPage::tableChanged() {
    Document& document = m_session.document();
    const auto table = document.sensitivity();
    if (!isVisible()) m_isDirty = true;
    if (m_isDirty && table) return;
    if (table != m_table || !table) {
        m_table = table;
        m_editor->setView(nullptr);
        m_view = table ? std::make_unique<CompressionView>(document.loaded(), table) : nullptr;
        m_editor->setView(m_view.get());
        refreshMethodBar();
        refreshMap();
    }
    m_profile->setData(
        m_view ? m_view->profile(m_editor->plan(), document.state().suggestion, document.state().compression)
               : plots::RatioProfileData{});
    refreshWords();
    refreshBudget(m_editor->plan());
    if (m_session.isSweeping()) {
        if (!m_refresh.isActive()) m_refresh.start();
    } else {
        refreshPlots();
    }
}

/// With several methods the map shows the best one of each cell, or one of them.
void CompressionPage::refreshMethodBar() {
    const std::vector<CompressionMethod> tried = m_view ? m_view->triedMethods() : std::vector<CompressionMethod>{};
    if (std::exchange(m_barMethods, tried) == tried) return;  // a sweep must not take a tab from under the pointer
    const QSignalBlocker blocker(m_methodBar);
    if (m_mapMethod && std::ranges::find(tried, *m_mapMethod) == tried.end()) m_mapMethod.reset();
    while (m_methodBar->count() > 0) m_methodBar->removeTab(0);
    m_methodBar->addTab(tr("Best method"));
    m_methodBar->setTabToolTip(0, tr("Every cell shows the method that loses least there"));
    for (const CompressionMethod method : tried) {
        QString text = methodText(method);
        text[0] = text[0].toUpper();
        const int index = m_methodBar->addTab(text);
        m_methodBar->setTabData(index, static_cast<int>(method));
        if (m_mapMethod == method) m_methodBar->setCurrentIndex(index);
    }
    if (!m_mapMethod) m_methodBar->setCurrentIndex(0);
    m_methodBar->setVisible(tried.size() > 1);
}

/// A sweep changes few cells at a time: only those are handed on.
void CompressionPage::refreshMap() {
    if (!m_view) {
        m_shownCells.clear();
        m_map->setData({});
        return;
    }
    plots::SensitivityMapData content = m_view->map(m_editor->plan(), m_mapMethod);
    const QString scale = content.scoreName + QString::number(m_mapMethod ? static_cast<int>(*m_mapMethod) : -1);
    std::vector<std::vector<plots::SensitivityCell>> cells;
    for (const auto& row : content.layers) cells.push_back(row.cells);
    const bool hasSameShape =
        m_map->property("scale").toString() == scale &&
        std::ranges::equal(cells, m_shownCells, [](const auto& a, const auto& b) { return a.size() == b.size(); });
    if (!hasSameShape) {
        m_map->setProperty("scale", scale);
        m_shownCells = std::move(cells);
        m_map->setData(std::move(content));
        return;
    }
    for (std::size_t row = 0; row < cells.size(); ++row)
        for (std::size_t column = 0; column < cells[row].size(); ++column)
            if (!isSame(cells[row][column], m_shownCells[row][column]))
                m_map->setCell(static_cast<int>(row), static_cast<int>(column), cells[row][column]);
    m_map->setNote(content.note);
    m_shownCells = std::move(cells);
}

void CompressionPage::markPlan(const CompressionPlan& shown) {
    for (const auto& row : m_view->rows())
        if (!row.entries.empty()) m_map->setChosenRatio(row.layer, m_view->markedRatio(row, shown, m_mapMethod));
}

void CompressionPage::planChanged() {
    m_editor->cancelDrag();
    if (!isVisible()) m_isDirty = true;
    if (m_isDirty) return;
    const DocumentState& state = m_session.document().state();
    // Other settings may have a table of their own.
    if (m_session.document().sensitivity() != m_table) return tableChanged();
    if (m_view) {
        markPlan(state.plan);
        m_profile->setData(m_view->profile(state.plan, state.suggestion, state.compression));
    }
    refreshWords();
    refreshBudget(state.plan);
    refreshPlots();
}

/// Of the plan shown, once it was carried out: by measuring, by applying or by the recommended flow.
std::optional<EngineCosts> CompressionPage::shownCosts() const {
    const Document& document = m_session.document();
    if (const PlanMeasurement* measured = document.measurement()) return measured->costs;
    const auto compressed = document.compressedFor(document.editedCompression());
    return compressed ? std::optional(engineCosts(compressed->report)) : std::nullopt;
}

void CompressionPage::refreshWords() {
    Document& document = m_session.document();
    m_headline->setText(compressionSentence(m_view.get(), document));
    const PlanMeasurement* measured = document.measurement();
    QStringList details;
    if (m_session.isFlowing()) {
        details << tr("Recommended flow, %n plan(s) measured. Now: %1.", nullptr, m_session.flowTried())
                       .arg(m_session.flowJob()->stage());
    } else if (!m_view && !document.data() && !document.state().data.path.isEmpty()) {
        details << (m_session.isLoadingData() ? tr("Opening the data …")
                                              : tr("These data could not be opened. Choose others on the left."));
    } else if (!m_view) {
        details << (document.state().data.path.isEmpty()
                        ? tr("Choose data on the left. Predict then tells in seconds how sensitive each layer is.")
                        : tr("Predict tells in seconds how sensitive each layer is; Measure scores the network."));
    } else if (m_view->compressibleCount() == 0) {
        details << tr(
            "Select a layer to read why. Other methods may fit: choose them on the left, then predict again.");
    } else if (measured) {
        const QString before = measuredText(measured->floating);
        const auto decisive = decisiveScore(measured->score);
        QString line = decisive ? decisive->name + u": "_s : QString();
        line += before.isEmpty() || !measured->floating.top1
                    ? tr("%1 on %n sample(s)", nullptr, static_cast<int>(measured->score.samples))
                          .arg(measuredText(measured->score))
                    : tr("%1 → %2 on %n sample(s)", nullptr, static_cast<int>(measured->score.samples))
                          .arg(before, measuredText(measured->score));
        if (!measured->score.top1) line += tr(" (no labels: compared with the float model)");
        details << line + u'.';
    } else if (!effectivePlan(document.state().plan).choices.empty()) {
        details << (m_session.isCompressing() ? tr("Compressing and scoring …")
                    : m_view->isInPoints()
                        ? tr("Predicted: losses of single layers added up. Measure this plan to know.")
                        : tr("Predicted from output errors of single layers, without scoring. Measure to know."));
    }
    const auto costs = shownCosts();
    if (costs && costs->latency) details << latencyText(*costs->latency) + u'.';
    m_details->setToolTip(costs ? costsText(*costs) : QString());
    if (document.isCompressionApplied())
        details << (document.isCompressionUpToDate() ? tr("Applied: ranges and quantization use the compressed model.")
                                                     : tr("⚠ The plan differs from the one that is applied."));
    m_details->setText(details.join(u' '));
    const bool hasPlan = !effectivePlan(document.state().plan).choices.empty();
    const bool isUpToDate = document.isCompressionUpToDate();
    m_measurePlan->setEnabled(hasPlan && document.data() && !m_session.isCompressing());
    m_measurePlan->setText(m_session.isCompressing() ? tr("Measuring …") : tr("Measure this plan"));
    m_apply->setEnabled(hasPlan || isUpToDate);
    m_apply->setText(isUpToDate ? tr("Remove") : document.isCompressionApplied() ? tr("Apply changes") : tr("Apply"));
    m_apply->setToolTip(isUpToDate ? tr("Takes the compression out of the recipe again")
                                   : tr("Adds the compression to the recipe; undo takes it out again"));
}

void CompressionPage::refreshBudget(const CompressionPlan& shown) {
    Document& document = m_session.document();
    const CompressionSetup& setup = document.state().compression;
    const CompressionPlan effective = effectivePlan(shown);
    const bool hasPlan = !effective.choices.empty();
    const PlanMeasurement* measured = m_editor->isDragging() ? nullptr : document.measurement();
    BudgetItem macs{tr("MACs"), {}, {}, {}};
    BudgetItem size{tr("Size"), {}, {}, {}};
    BudgetItem latency{tr("Latency"), {}, {}, {}, false};
    BudgetScore score{tr("Score"), {}, {}, false};
    if (setup.target == TargetKind::Macs) macs.target = setup.share;
    if (setup.target == TargetKind::Size) size.target = setup.share;
    if (m_view && hasPlan) {
        const PlanPrediction prediction = predictPlan(m_view->table(), effective);
        macs.predicted = prediction.macsRatio;
        size.predicted = prediction.sizeRatio;
        const double loss = m_view->loss(prediction);
        if (m_view->isInPoints()) {
            score.name = m_view->scoreName();
            score.predicted = percentOrDash(std::max(0.0, *m_view->table().baseline - loss));
        } else {
            score.name = tr("Output error, layers added up");
            score.predicted = percentOrDash(loss);
        }
    }
    const auto measurements = document.measurements();
    const PlanMeasurement* scored = measured                           ? measured
                                    : hasPlan && !measurements.empty() ? measurements.back()
                                                                       : nullptr;
    if (measured) {
        macs.measured = measured->macsRatio;
        size.measured = measured->sizeRatio;
    }
    const auto costs = m_editor->isDragging() ? std::nullopt : shownCosts();
    if (costs && costs->latency) latency.measured = costs->latency->ratio();
    if (scored) {
        score.measured = measuredText(scored->score);
        score.isStale = scored != measured;
        // An error that was predicted and a score that was measured are different things: the score counts.
        const auto decisive = decisiveScore(scored->score);
        if (decisive && !(m_view && m_view->isInPoints())) {
            if (measured)
                score.name = decisive->name, score.predicted.clear();
            else
                score.measured = decisive->name + u' ' + score.measured;
        }
    }
    m_budget->setContent({macs, size, latency}, score, costs ? costsText(*costs) : QString());
    m_marginal->setToolTip(m_view && m_view->compressibleCount() > 0 ? m_view->marginalSentence(shown, metricOf(setup))
                                                                     : QString());
    elideMarginal();
}

void CompressionPage::refreshPlots() {
    Document& document = m_session.document();
    const DocumentState& state = document.state();
    if (m_view) {
        CompressionView::Frontier frontier = m_view->frontier(document);
        m_frontierPlans = std::move(frontier.plans);
        m_firstMeasured = static_cast<int>(m_frontierPlans.size() - frontier.measured.size());
        const auto current = std::ranges::find(frontier.measured, document.measurement());
        m_measuredPlans->setPlans(frontier.measured, current == frontier.measured.end()
                                                         ? -1
                                                         : static_cast<int>(current - frontier.measured.begin()));
        m_frontier->setData(std::move(frontier.data));
        m_waterfall->setData(m_view->waterfall(state.plan, metricOf(state.compression)));
    } else {
        m_frontierPlans.clear();
        m_measuredPlans->setPlans({}, -1);
        m_frontier->setData({});
        m_waterfall->setData({});
    }
    refreshLayer();
}

void CompressionPage::refreshLayer() {
    QStringList layers = m_session.selection().layers();
    // Without a selection the layer that saves most is worth a look.
    if (layers.isEmpty() && m_view) {
        const CompressionView::Row* heaviest = nullptr;
        double most = 0;
        for (const auto& row : m_view->rows())
            if (!row.entries.empty() && m_view->table().layers[row.entries.front()].cost.macs > most) {
                most = m_view->table().layers[row.entries.front()].cost.macs;
                heaviest = &row;
            }
        if (heaviest) layers = {heaviest->layer};
    }
    m_layer->show(m_view.get(), layers, m_editor->plan());
}

void CompressionPage::showDragged() {
    const CompressionSetup& setup = m_session.document().state().compression;
    refreshBudget(m_editor->plan());
    m_layer->showDragged(*m_view, m_editor->plan());
    if (m_frontier->isVisible())
        m_frontier->setCurrent(m_view->planPoint(effectivePlan(m_editor->plan()), metricOf(setup), nullptr),
                               m_view->cheapestLayer(m_editor->plan(), metricOf(setup)));
}

}  // namespace equant::ui
