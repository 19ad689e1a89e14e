// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/flow_jobs.h"

#include <mutex>
#include <utility>

#include "app/desktop/jobs/engine_calls.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

/// The worker adds, the GUI thread takes everything out when it has time.
struct FlowJobs::Live {
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

FlowJobs::FlowJobs(SessionContext& context) : m_context(context) {
    constexpr int kPollMilliseconds = 50;
    m_timer.setInterval(kPollMilliseconds);
    connect(&m_timer, &QTimer::timeout, this, &FlowJobs::takeLive);
    connect(&context.jobs(), &JobRunner::jobEnded, this, [this](const Job* job) {
        if (job == m_job) takeLive();  // a stopped flow keeps its plans
    });
}

void FlowJobs::reset() {
    m_live.reset();
    m_tried = 0;
    if (m_job) m_job->cancel();
    m_job.clear();
}

void FlowJobs::takeLive() {
    if (!isRunning()) m_timer.stop();
    if (!m_live) return;
    FlowNews news = m_live->take();
    for (Sweep& table : news.tables)
        if (!m_context.document().sensitivityFor(table.key)) m_context.document().setSweep(std::move(table));
    for (PlanMeasurement& plan : news.plans) {
        ++m_tried;
        m_context.document().addMeasurement(std::move(plan));
    }
}

void FlowJobs::stop() {
    if (isRunning()) m_job->cancel();
}

Result<FlowRequest> FlowJobs::request() const {
    const Document& document = m_context.document();
    const DocumentState& state = document.state();
    const auto refuse = [](const char* what, const char* hint) { return fail(ErrorCode::InvalidArgument, what, hint); };
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
    request.compress = {document.loaded(), document.editedCompression(), nullptr, std::nullopt};
    request.sweep.original = document.loaded();
    request.sweep.key = document.sweepKey();
    request.sweep.setup = state.compression;
    request.sweep.known = document.sensitivityFor(request.sweep.key);
    request.sweep.related = document.relatedSensitivity();
    request.sweep.savedAs = sweepFile(*request.sweep.original, request.sweep.key);
    return request;
}

void FlowJobs::recommend() {
    if (!m_context.document().hasModel() || isRunning()) return;
    const QString activity = tr("The recommended flow");
    const auto request = this->request();
    if (!request) return m_context.report(activity, request.error());
    const auto live = std::make_shared<Live>();
    m_live = live;
    m_tried = 0;
    m_job = m_context.jobs().start<FlowOutcome>(
        this, u"flow"_s, tr("Recommended flow"),
        [request = *request, live](const JobContext& context) {
            return runFlow(
                request, [&live](const FlowNews& news) { live->add(news); }, context);
        },
        [this, original = m_context.document().loaded(),
         key = request->sweep.key](std::shared_ptr<const FlowOutcome> outcome) {
            takeLive();
            const SweepKey now = m_context.document().sweepKey();
            // Measured on what is no longer chosen: its plans are there when the data are chosen again.
            if (m_context.document().loaded() == original && now.data == key.data && now.preprocess == key.preprocess)
                adopt(*outcome);
        },
        [this, activity](const Error& error) { m_context.report(activity, error); });
    m_timer.start();
    emit started();
}

void FlowJobs::adopt(const FlowOutcome& outcome) {
    const FlowSummary& best = outcome.summary;
    m_context.document().addCompressed(outcome.model);
    CompressionPlan plan = best.step.plan;
    for (const LayerChoice& choice : m_context.document().state().plan.choices)
        if (choice.isLocked) setChoice(plan, choice);
    m_context.document().edit(tr("Recommended flow: %1").arg(best.label), [&](DocumentState& state) {
        state.plan = plan;
        state.suggestion = plan;
    });
    m_context.document().setFlow(best);
    emit adopted();
    // Locks hold to the rank, where the flow had only the ratios around them: what is adopted is measured all the same.
    if (!m_context.document().measurement()) emit measureNeeded();
    if (!best.limitedBy.empty())
        emit m_context.noticed(tr("No plan met the target; this is the best one."), toQString(best.limitedBy));
}

}  // namespace equant::ui
