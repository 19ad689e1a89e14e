// SPDX-License-Identifier: GPL-3.0-or-later
// Predicts and measures sensitivities, and reads and writes their tables. GUI thread only.
#pragma once

#include <QObject>
#include <QTimer>

#include "app/desktop/jobs/session_context.h"

namespace equant::ui {

class SweepJobs : public QObject {
    Q_OBJECT

public:
    explicit SweepJobs(SessionContext& context);
    void predict() { start(false); }
    void measure() { start(true); }
    void pause();
    void remeasure(const QString& layer, double ratio);
    void importTable(const QString& path);
    void exportTable(const QString& path);
    void reset();
    const Job* job() const { return m_job; }
    bool isRunning() const { return SessionContext::isRunning(m_job); }
    bool isMeasuring() const { return isRunning() && m_isMeasuring; }  ///< a sweep that scores, not one that predicts

signals:
    void started();

private:
    struct Live;  ///< the newest table of a running sweep, handed over between threads
    void start(bool shouldMeasure);
    void takeLive();

    SessionContext& m_context;
    QPointer<Job> m_job;
    std::shared_ptr<Live> m_live;
    QTimer m_timer;
    bool m_isMeasuring = false;
};

}  // namespace equant::ui
