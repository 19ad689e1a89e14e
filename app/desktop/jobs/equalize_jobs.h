// SPDX-License-Identifier: GPL-3.0-or-later
// Equalizes as the edited options or the recipe say, and compares the outputs. GUI thread only.
#pragma once

#include <QObject>

#include "app/desktop/jobs/session_context.h"

namespace equant::ui {

class EqualizeJobs : public QObject {
    Q_OBJECT

public:
    explicit EqualizeJobs(SessionContext& context);
    void preview();
    void apply();
    void remove();
    /// Computes the applied equalization where it is not there yet.
    void ensure();
    /// Continues a preview that waited for the compressed model, and ensures.
    void resume();
    void reset();
    void forgetPending() { m_isPreviewPending = false; }
    const Job* job() const { return m_job; }
    bool isRunning() const { return SessionContext::isRunning(m_job); }

signals:
    void baseNeeded();  ///< the compressed model has to be computed first
    void computed();
    void stopped();  ///< failed or cancelled

private:
    void compute(const EqualizeOptions& options);

    SessionContext& m_context;
    QPointer<Job> m_job;
    EqualizeOptions m_options;                 ///< of the running job
    std::optional<CompressStep> m_compressed;  ///< before it
    bool m_isPreviewPending = false;
};

}  // namespace equant::ui
