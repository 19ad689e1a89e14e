// SPDX-License-Identifier: GPL-3.0-or-later
// Opens models, data and workspaces, and saves workspaces. GUI thread only.
#pragma once

#include <QObject>
#include <functional>

#include "app/desktop/jobs/session_context.h"

namespace equant::ui {

class ModelJobs : public QObject {
    Q_OBJECT

public:
    explicit ModelJobs(SessionContext& context) : m_context(context) {}
    void openModel(const QString& path, const QString& dataPath);
    void openSample();
    void openWorkspace(const QString& path);
    void saveWorkspace(const QString& path);
    void setDataPath(const QString& path);
    /// Opens the chosen data where they are not open yet.
    void ensureData();
    const QString& workspacePath() const { return m_workspacePath; }
    bool isOpening() const { return SessionContext::isRunning(m_openJob); }
    bool isLoadingData() const { return SessionContext::isRunning(m_dataJob); }

signals:
    void replacing();  ///< a model was read and takes the place of the former one now
    void opened(const QString& path);
    void workspaceChanged();  ///< opened or saved

private:
    using InitialState = std::function<DocumentState(const LoadedModel&)>;
    void open(const QString& path, const InitialState& initial, const std::function<void()>& then);

    SessionContext& m_context;
    QPointer<Job> m_openJob;
    QPointer<Job> m_dataJob;
    DataChoice m_loadingData;
    DataChoice m_failedData;  ///< not tried again until the choice changes
    QString m_workspacePath;
};

/// Where the bundled sample is: beside the installed program or in the source tree; empty when it is missing.
QString sampleFolder();

}  // namespace equant::ui
