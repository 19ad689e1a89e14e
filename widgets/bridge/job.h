// SPDX-License-Identifier: GPL-3.0-or-later
// Jobs: functions of the engine run on worker threads, watched and cancelled from the window. Results come back to the
// GUI thread as shared_ptr<const T>; a result is dropped when its owner died or a newer job took the same slot.
// JobRunner and Job live on the GUI thread; only the work function runs elsewhere and sees nothing but its JobContext.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QPointer>
#include <QThreadPool>
#include <QTimer>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/progress.h"
#include "core/base/result.h"

namespace equant::ui {

/// One piece of background work, for display and cancelling.
class Job : public QObject {
    Q_OBJECT

public:
    enum class State { Running, Finished, Failed, Cancelled };

    const QString& title() const { return m_title; }
    State state() const { return m_state; }
    bool isRunning() const { return m_state == State::Running; }
    bool isCancelling() const;
    QString stage() const;  ///< what the engine says it does now
    /// 0..1, or negative while the amount of work is unknown.
    double fraction() const;
    double elapsedSeconds() const;
    /// Seconds left in the current stage; negative when nobody can tell.
    double remainingSeconds() const;
    const Error& error() const { return m_error; }  ///< meaningful when Failed

public slots:
    void cancel();

signals:
    void changed();

private:
    friend class JobRunner;
    struct Shared {
        std::stop_source stop;
        Progress progress;
    };
    explicit Job(QString title, QObject* parent);
    void finish(State state, Error error = {});

    QString m_title;
    State m_state = State::Running;
    Error m_error;
    std::shared_ptr<Shared> m_shared = std::make_shared<Shared>();
    QElapsedTimer m_clock;
    double m_elapsedAtEnd = 0;
    mutable const char* m_stageSeen = nullptr;
    mutable double m_stageStart = 0;
};

/// Starts jobs and keeps those that ran, newest last (the oldest finished ones are forgotten).
class JobRunner : public QObject {
    Q_OBJECT

public:
    explicit JobRunner(QObject* parent = nullptr);
    /// Cancels everything and waits for it.
    ~JobRunner() override;

    /// Runs `work` on a worker thread. `done` and `failed` are called on the GUI thread while `owner` lives. A job
    /// started later with the same owner and slot cancels this one; its result then goes nowhere.
    template <typename T>
    Job* start(QObject* owner, const QString& slot, const QString& title,
               std::function<Result<T>(const JobContext&)> work, std::function<void(std::shared_ptr<const T>)> done,
               std::function<void(const Error&)> failed = {}) {
        auto outcome = std::make_shared<std::shared_ptr<const T>>();
        return startErased(
            owner, slot, title,
            [work = std::move(work), outcome](const JobContext& context) -> Status {
                Result<T> result = work(context);
                if (!result) return fail(std::move(result.error()));
                *outcome = std::make_shared<const T>(std::move(*result));
                return {};
            },
            [done = std::move(done), outcome] {
                if (done) done(std::move(*outcome));
            },
            std::move(failed));
    }

    const std::vector<Job*>& jobs() const { return m_jobs; }
    bool hasRunning() const;
    void cancelAll();
    void clearFinished();

signals:
    void jobAdded(equant::ui::Job* job);
    void jobsChanged();  ///< added, ended or removed
    void progressed();   ///< about ten times a second while something runs
    void jobEnded(equant::ui::Job* job);

private:
    struct Slot {
        QPointer<QObject> owner;
        QString name;
        QPointer<Job> job;
    };
    Job* startErased(QObject* owner, const QString& slot, const QString& title,
                     std::function<Status(const JobContext&)> work, std::function<void()> done,
                     std::function<void(const Error&)> failed);
    void takeSlot(QObject* owner, const QString& name, Job* job);
    bool isCurrent(const Job* job) const;
    void forgetOld();

    QThreadPool m_pool;
    QTimer m_timer;
    std::vector<Job*> m_jobs;
    std::vector<Slot> m_slots;
};

}  // namespace equant::ui
