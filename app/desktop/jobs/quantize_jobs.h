// SPDX-License-Identifier: GPL-3.0-or-later
// Simulates quantization of the model after the applied steps. GUI thread only.
#pragma once

#include <QObject>

#include "app/desktop/jobs/session_context.h"

namespace equant::ui {

class QuantizeJobs : public QObject {
    Q_OBJECT

public:
    explicit QuantizeJobs(SessionContext& context) : m_context(context) {}
    void run();
    /// Runs what waited for the model, if it is there now.
    void resume();
    void reset();
    void forgetPending() { m_isPending = false; }
    const Job* job() const { return m_job; }
    bool isRunning() const { return SessionContext::isRunning(m_job); }

signals:
    void modelNeeded();  ///< the applied steps have to be computed first
    void finished();

private:
    void start(std::shared_ptr<const Model> model);

    SessionContext& m_context;
    QPointer<Job> m_job;
    bool m_isPending = false;
};

}  // namespace equant::ui
