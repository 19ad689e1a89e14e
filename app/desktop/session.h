// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the engine for the window: opens, equalizes, loads data, simulates and exports as background jobs, and files
// the results in the document. Pages call these slots; failures come back as one signal. GUI thread only.
#pragma once

#include <QObject>

#include "app/desktop/document.h"
#include "app/desktop/selection.h"
#include "widgets/bridge/job.h"

namespace equant::ui {

enum class ExportKind { OptimizedModel, QdqModel, Encodings061, Encodings100, Encodings200 };

class Session : public QObject {
    Q_OBJECT

public:
    explicit Session(QObject* parent = nullptr);

    Document& document() { return m_document; }
    const Document& document() const { return m_document; }
    Selection& selection() { return m_selection; }
    JobRunner& jobs() { return m_jobs; }
    /// "running" with the share done, for stage states.
    const Job* equalizeJob() const { return m_equalizeJob; }
    const Job* quantizeJob() const { return m_quantizeJob; }
    bool isOpening() const { return isRunning(m_openJob); }
    bool isEqualizing() const { return isRunning(m_equalizeJob); }
    bool isQuantizing() const { return isRunning(m_quantizeJob); }
    bool isLoadingData() const { return isRunning(m_dataJob); }

    /// What a file or folder is to this program, for drops and the command line.
    enum class Source { Model, Data, Unknown };
    static Source classify(const QString& path);
    /// The model of a folder that holds exactly one, as ONNX model archives do; empty otherwise.
    static QString modelInFolder(const QString& folder);
    static bool testDataInFolder(const QString& folder);

public slots:
    /// Opens a model; with `dataPath` its data too. The current model stays when this fails.
    void openModel(const QString& path, const QString& dataPath = {});
    void openSample();
    void setDataPath(const QString& path);
    /// Computes the equalized model for the edited options; nothing is applied.
    void previewEqualization();
    /// Adds the equalization to the recipe (undoable) and computes it when needed.
    void applyEqualization();
    void removeEqualization();
    void quantize();
    void exportTo(equant::ui::ExportKind kind, const QString& path);
    /// Writes what is known now as a PDF, and its pages and plots as pictures into "NAME-pictures" beside it.
    void writeReport(const QString& path);

signals:
    void busyChanged();
    void modelOpened(const QString& path);
    void quantizationFinished();
    void failed(const QString& activity, const equant::Error& error);
    void exported(const QString& path, const QString& summary);

private:
    void loadDataIfNeeded();
    void equalizeIfNeeded();
    void computeEqualization(const EqualizeOptions& options);
    void startQuantization(std::shared_ptr<const Model> model);
    static bool isRunning(const QPointer<Job>& job) { return job && job->isRunning(); }
    void report(const QString& activity, const Error& error);

    Document m_document;
    Selection m_selection;
    QPointer<Job> m_openJob;
    QPointer<Job> m_equalizeJob;
    QPointer<Job> m_quantizeJob;
    QPointer<Job> m_dataJob;
    bool m_isQuantizePending = false;  ///< run it as soon as the equalized model is there
    EqualizeOptions m_equalizing;
    DataChoice m_loadingData;
    DataChoice m_failedData;  ///< not tried again until the choice changes
    QString m_dataForNextModel;
    JobRunner m_jobs;  // last: ends its threads before what they use goes
};

/// Where the bundled sample is: beside the installed program or in the source tree; empty when it is missing.
QString sampleFolder();

}  // namespace equant::ui
