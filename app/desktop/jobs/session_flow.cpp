// SPDX-License-Identifier: GPL-3.0-or-later
// The recommended flow's part of session.h.
#include <mutex>
#include <utility>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/jobs/session.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

/// The worker adds, the GUI thread takes everything out when it has time.
struct Session::LiveFlow {
    void add(const FlowNews& more) {
        const std::scoped_lock lock(m_mutex);
        m_news.tables.insert(m_news.tables.end(), more.tables.begin(), more.tables.end());
        m_news.plans.insert(m_news.plans.end(), more.plans.begin(), more.plans.end());
    }
    FlowNews take() {
        const std::scoped_lock lock(m_mutex);
        return std::exchange(m_news, {});
    }

private:
    std::mutex m_mutex;
    FlowNews m_news;
};

void Session::takeLiveFlow() {
    if (!m_liveFlow) return;
    FlowNews news = m_liveFlow->take();
    for (Sweep& table : news.tables)
        if (!m_document.sensitivityFor(table.key)) m_document.setSweep(std::move(table));
    for (PlanMeasurement& plan : news.plans) {
        ++m_flowTried;
        m_document.addMeasurement(std::move(plan));
    }
}

void Session::stopFlow() {
    if (isFlowing()) m_flowJob->cancel();
}

void Session::recommendFlow() {
    if (!m_document.hasModel() || isFlowing()) return;
    const QString activity = tr("The recommended flow");
    const DocumentState& state = m_document.state();
    const auto refuse = [&](const char* what, const char* hint) {
        report(activity, Error{ErrorCode::InvalidArgument, what, hint, {}});
    };
    if (state.data.path.isEmpty())
        return refuse("Plans are measured on data, and none are chosen.", "Choose data on the left.");
    if (state.compression.target != TargetKind::Macs || state.compression.share >= 1)
        return refuse("The recommended flow aims at a share of the MACs below 100 %.",
                      "Choose \"MACs left\" as the target.");
    FlowRequest request;
    for (const LayerChoice& choice : state.plan.choices) {
        if (!choice.isLocked) continue;
        if (choice.ratio >= 1)
            request.excluded.insert(choice.layer);
        else if (choice.method == CompressionMethod::ChannelPruning)
            return refuse("The recommended flow keeps the ratios of locked layers that are split, not of pruned ones.",
                          "Unlock pruned layers, or lock them at 100 %.");
        else
            request.locks[choice.layer] = choice.ratio;
    }
    request.compress = {m_document.loaded(), m_document.editedCompression(), nullptr, std::nullopt};
    request.sweep.original = m_document.loaded();
    request.sweep.key = m_document.sweepKey();
    request.sweep.setup = state.compression;
    request.sweep.known = m_document.sensitivityFor(request.sweep.key);
    request.sweep.related = m_document.relatedSensitivity();
    request.sweep.savedAs = sweepFile(*request.sweep.original, request.sweep.key);
    const auto live = std::make_shared<LiveFlow>();
    m_liveFlow = live;
    m_flowTried = 0;
    m_flowJob = m_jobs.start<FlowOutcome>(
        this, u"flow"_s, tr("Recommended flow"),
        [request, live](const JobContext& context) {
            return runFlow(
                request, [&live](const FlowNews& news) { live->add(news); }, context);
        },
        [this, original = m_document.loaded(), key = request.sweep.key](std::shared_ptr<const FlowOutcome> outcome) {
            takeLiveFlow();
            const SweepKey now = m_document.sweepKey();
            // Measured on what is no longer chosen: its plans are there when the data are chosen again.
            if (m_document.loaded() == original && now.data == key.data && now.preprocess == key.preprocess)
                adoptFlow(*outcome);
        },
        [this, activity](const Error& error) { report(activity, error); });
    m_sweepTimer.start();
    emit flowStarted();
}

void Session::adoptFlow(const FlowOutcome& outcome) {
    const FlowSummary& best = outcome.summary;
    m_document.addCompressed(outcome.model);
    CompressionPlan plan = best.step.plan;
    for (const LayerChoice& choice : m_document.state().plan.choices)
        if (choice.isLocked) setChoice(plan, choice);
    m_document.edit(tr("Recommended flow: %1").arg(best.label), [&](DocumentState& state) {
        state.plan = plan;
        state.suggestion = plan;
    });
    m_document.setFlow(best);
    emit planMeasured();
    // Locks hold to the rank, where the flow had only the ratios around them: what is adopted is measured all the same.
    if (!m_document.measurement()) measurePlan();
    if (!best.limitedBy.empty())
        emit noticed(tr("No plan met the target; this is the best one."), toQString(best.limitedBy));
}

}  // namespace equant::ui
