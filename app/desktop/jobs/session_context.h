// SPDX-License-Identifier: GPL-3.0-or-later
// What the kinds of jobs share: the document that results are filed in, the runner, and how failures and messages are
// told. GUI thread only.
#pragma once

#include <QObject>

#include "app/desktop/document/document.h"
#include "app/desktop/document/selection.h"
#include "widgets/bridge/job.h"

namespace equant::ui {

class SessionContext : public QObject {
    Q_OBJECT

public:
    Document& document() { return m_document; }
    const Document& document() const { return m_document; }
    Selection& selection() { return m_selection; }
    JobRunner& jobs() { return m_jobs; }
    void report(const QString& activity, const Error& error) { emit failed(activity, error); }
    static bool isRunning(const QPointer<Job>& job) { return job && job->isRunning(); }

signals:
    void failed(const QString& activity, const equant::Error& error);
    /// Worth reading, and no failure.
    void noticed(const QString& text, const QString& hint);
    void exported(const QString& path, const QString& summary);

private:
    Document m_document;
    Selection m_selection;
    JobRunner m_jobs;  // last: ends its threads before what they use goes
};

}  // namespace equant::ui
