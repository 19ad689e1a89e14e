// SPDX-License-Identifier: GPL-3.0-or-later
// The recommended flow: runs it, files the plans it measures, and adopts the best. GUI thread only.
#pragma once

#include <QObject>
#include <QTimer>

#include "app/desktop/jobs/session_context.h"

namespace equant::ui {

struct FlowOutcome;
struct FlowRequest;

class FlowJobs : public QObject {
    Q_OBJECT

public:
    explicit FlowJobs(SessionContext& context);
    void recommend();
    void stop();
    void reset();
    const Job* job() const { return m_job; }
    bool isRunning() const { return SessionContext::isRunning(m_job); }
    int tried() const { return m_tried; }  ///< plans that the newest flow has measured so far

signals:
    void started();
    void adopted();
    void measureNeeded();  ///< the adopted plan was not measured as it is

private:
    struct Live;  ///< what a running flow found and nobody took yet
    Result<FlowRequest> request() const;
    void takeLive();
    void adopt(const FlowOutcome& outcome);

    SessionContext& m_context;
    QPointer<Job> m_job;
    std::shared_ptr<Live> m_live;
    QTimer m_timer;
    int m_tried = 0;
};

}  // namespace equant::ui
