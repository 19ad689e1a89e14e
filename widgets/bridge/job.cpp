// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/bridge/job.h"

#include <algorithm>
#include <new>

#include "widgets/bridge/text.h"

namespace equant::ui {

namespace {

constexpr int kPollMilliseconds = 100;
constexpr std::size_t kJobsKept = 40;

/// Exceptions of third-party code must not cross the thread's border.
Status guarded(const std::function<Status(const JobContext&)>& work, const JobContext& context) {
    try {
        return work(context);
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "There is not enough memory for this.",
                    "Close other programs, or use fewer or smaller samples.");
    } catch (const std::exception& exception) {
        return fail(ErrorCode::Internal, std::string("Something unexpected happened: ") + exception.what(),
                    "Please report this with the details.");
    }
}

}  // namespace

Job::Job(QString title, QObject* parent) : QObject(parent), m_title(std::move(title)) {
    m_clock.start();
}

bool Job::isCancelling() const {
    return isRunning() && m_shared->stop.stop_requested();
}

QString Job::stage() const {
    return toQString(std::string_view(m_shared->progress.stage()));
}

double Job::fraction() const {
    if (m_state == State::Finished) return 1.0;
    const auto total = m_shared->progress.total();
    if (total <= 0) return -1.0;
    return std::clamp(static_cast<double>(m_shared->progress.done()) / static_cast<double>(total), 0.0, 1.0);
}

double Job::elapsedSeconds() const {
    return isRunning() ? static_cast<double>(m_clock.elapsed()) / 1000.0 : m_elapsedAtEnd;
}

double Job::remainingSeconds() const {
    const char* current = m_shared->progress.stage();
    const double now = elapsedSeconds();
    if (current != m_stageSeen) {
        m_stageSeen = current;
        m_stageStart = now;
    }
    const double share = fraction();
    const double spent = now - m_stageStart;
    if (!isRunning() || share < 0.03 || spent < 0.5) return -1.0;
    return spent * (1.0 - share) / share;
}

void Job::cancel() {
    if (!isRunning()) return;
    m_shared->stop.request_stop();
    emit changed();
}

void Job::finish(State state, Error error) {
    m_elapsedAtEnd = elapsedSeconds();
    m_state = state;
    m_error = std::move(error);
    emit changed();
}

JobRunner::JobRunner(QObject* parent) : QObject(parent) {
    // The engine itself spreads over the cores; a few jobs at once keep small ones from waiting for a long one.
    m_pool.setMaxThreadCount(4);
    m_pool.setStackSize(16U << 20U);
    m_timer.setInterval(kPollMilliseconds);
    connect(&m_timer, &QTimer::timeout, this, [this] {
        for (Job* job : m_jobs)
            if (job->isRunning()) emit job->changed();
        emit progressed();
    });
}

JobRunner::~JobRunner() {
    cancelAll();
    m_pool.waitForDone();
}

bool JobRunner::hasRunning() const {
    return std::ranges::any_of(m_jobs, [](const Job* job) { return job->isRunning(); });
}

void JobRunner::cancelAll() {
    for (Job* job : m_jobs) job->cancel();
}

void JobRunner::clearFinished() {
    std::erase_if(m_jobs, [](Job* job) {
        if (job->isRunning()) return false;
        job->deleteLater();
        return true;
    });
    emit jobsChanged();
}

void JobRunner::takeSlot(QObject* owner, const QString& name, Job* job) {
    std::erase_if(m_slots, [](const Slot& slot) { return !slot.owner || !slot.job; });
    for (Slot& slot : m_slots) {
        if (slot.owner != owner || slot.name != name) continue;
        slot.job->cancel();
        slot.job = job;
        return;
    }
    m_slots.push_back({owner, name, job});
}

bool JobRunner::isCurrent(const Job* job) const {
    return std::ranges::any_of(m_slots, [job](const Slot& slot) { return slot.job == job && slot.owner; });
}

void JobRunner::forgetOld() {
    while (m_jobs.size() > kJobsKept) {
        const auto old = std::ranges::find_if(m_jobs, [](const Job* job) { return !job->isRunning(); });
        if (old == m_jobs.end()) return;
        (*old)->deleteLater();
        m_jobs.erase(old);
    }
}

Job* JobRunner::startErased(QObject* owner, const QString& slot, const QString& title,
                            std::function<Status(const JobContext&)> work, std::function<void()> done,
                            std::function<void(const Error&)> failed) {
    auto* job = new Job(title, this);
    takeSlot(owner, slot, job);
    m_jobs.push_back(job);
    forgetOld();
    m_timer.start();
    emit jobAdded(job);
    emit jobsChanged();

    m_pool.start([this, job, shared = job->m_shared, work = std::move(work), done = std::move(done),
                  failed = std::move(failed)] {
        const JobContext context{shared->stop.get_token(), &shared->progress};
        auto status = std::make_shared<Status>(guarded(work, context));
        // The runner outlives its threads, so posting to it is safe; it is dropped when the runner dies meanwhile.
        QMetaObject::invokeMethod(
            this,
            [this, job, status, done, failed] {
                const bool isWanted = isCurrent(job) && !job->m_shared->stop.stop_requested();
                if (*status && isWanted) {
                    job->finish(Job::State::Finished);
                    done();
                } else if (!*status && isWanted && status->error().code != ErrorCode::Cancelled) {
                    job->finish(Job::State::Failed, status->error());
                    if (failed) failed(status->error());
                } else {
                    job->finish(Job::State::Cancelled);
                }
                if (!hasRunning()) m_timer.stop();
                emit jobEnded(job);
                emit jobsChanged();
                emit progressed();
            },
            Qt::QueuedConnection);
    });
    return job;
}

}  // namespace equant::ui
