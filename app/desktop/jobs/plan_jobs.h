// SPDX-License-Identifier: GPL-3.0-or-later
// Suggests plans, compresses as they say, and reads and writes them. GUI thread only.
#pragma once

#include <QObject>

#include "app/desktop/jobs/session_context.h"

namespace equant::ui {

class PlanJobs : public QObject {
    Q_OBJECT

public:
    explicit PlanJobs(SessionContext& context);
    void suggest();
    /// Compresses as the edited plan says and scores the result.
    void measure();
    void apply();
    void remove();
    /// Computes the applied compression where it is not there yet.
    void ensure();
    void importPlan(const QString& path);
    void exportPlan(const QString& path);
    void reset();
    const Job* job() const { return m_job; }
    bool isCompressing() const { return SessionContext::isRunning(m_job); }
    bool isSuggesting() const { return SessionContext::isRunning(m_suggestJob); }

signals:
    void compressed();
    void measured();
    void stopped();  ///< failed or cancelled

private:
    void adopt(const SolvedPlan& solved);
    bool hasPlan();
    void compress(const CompressStep& step, std::optional<int> evaluationSamples);

    SessionContext& m_context;
    QPointer<Job> m_job;
    QPointer<Job> m_suggestJob;
    CompressStep m_step;                   ///< of the running job
    std::optional<CompressStep> m_failed;  ///< not tried again until the recipe changes
};

}  // namespace equant::ui
