// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the engine for the window: opens, equalizes, loads data, simulates and exports as background jobs, and files
// the results in the document. Pages call these slots; failures come back as one signal. GUI thread only.
#pragma once

#include <QObject>
#include <QTimer>

#include "app/desktop/document/document.h"
#include "app/desktop/document/selection.h"
#include "widgets/bridge/job.h"

namespace equant::ui {

struct FlowOutcome;

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
    const Job* sweepJob() const { return m_sweepJob; }
    const Job* compressJob() const { return m_compressJob; }
    const Job* flowJob() const { return m_flowJob; }
    bool isSweeping() const { return isRunning(m_sweepJob); }
    bool isMeasuring() const { return isSweeping() && m_isMeasuring; }  ///< a sweep that scores, not one that predicts
    bool isCompressing() const { return isRunning(m_compressJob); }
    bool isSuggesting() const { return isRunning(m_suggestJob); }
    bool isFlowing() const { return isRunning(m_flowJob); }
    int flowTried() const { return m_flowTried; }  ///< plans that the newest flow has measured so far
    bool isOpening() const { return isRunning(m_openJob); }
    bool isEqualizing() const { return isRunning(m_equalizeJob); }
    bool isQuantizing() const { return isRunning(m_quantizeJob); }
    bool isLoadingData() const { return isRunning(m_dataJob); }
    /// The file that was opened or saved last; empty: a model without one.
    const QString& workspacePath() const { return m_workspacePath; }

    /// What a file or folder is to this program, for drops and the command line.
    enum class Source { Model, Workspace, Data, Unknown };
    static Source classify(const QString& path);
    /// The model of a folder that holds exactly one, as ONNX model archives do; empty otherwise.
    static QString modelInFolder(const QString& folder);
    static bool testDataInFolder(const QString& folder);

public slots:
    /// Opens a model; with `dataPath` its data too. The current model stays when this fails.
    void openModel(const QString& path, const QString& dataPath = {});
    void openSample();
    /// Opens the model that it names, with its data and decisions; the current model stays when this fails.
    void openWorkspace(const QString& path);
    /// Everything that is decided, as a file to go on with; results are not in it.
    void saveWorkspace(const QString& path);
    void setDataPath(const QString& path);
    /// Computes the equalized model for the edited options; nothing is applied.
    void previewEqualization();
    /// Adds the equalization to the recipe (undoable) and computes it when needed.
    void applyEqualization();
    void removeEqualization();
    /// The error of every layer at every ratio from one pass over the data; no score.
    void predictSensitivity();
    /// Scores cell by cell; what was measured before is kept. pauseSweep() ends it and keeps the partial table.
    void measureSensitivity();
    void pauseSweep();
    /// One layer at one ratio again, on four times the samples.
    void remeasure(const QString& layer, double ratio);
    /// The best plan for the target; ratios locked by hand stay (undoable). At once, but as a job where it prunes.
    void suggestPlan();
    /// Compresses as the edited plan says and scores the result.
    void measurePlan();
    /// Tries divisions of the work between factorizing and pruning, measures each and adopts the best (undoable).
    /// stopFlow() ends it; plans measured by then stay on the plot.
    void recommendFlow();
    void stopFlow();
    /// Puts the edited plan into the recipe (undoable) and computes it when needed.
    void applyCompression();
    void removeCompression();
    void importPlan(const QString& path);
    void exportPlan(const QString& path);
    /// What is applied, the edited plan where no compression is, and the quantization that was measured, as a recipe
    /// that equant-cli apply and equant report carry out.
    void saveRecipe(const QString& path);
    void importSensitivity(const QString& path);
    void exportSensitivity(const QString& path);
    void quantize();
    void exportTo(equant::ui::ExportKind kind, const QString& path);
    /// Writes what is known now as a PDF, and its pages and plots as pictures into "NAME-pictures" beside it.
    void writeReport(const QString& path);

signals:
    void busyChanged();
    void modelOpened(const QString& path);
    void workspaceChanged();  ///< opened or saved
    void quantizationFinished();
    void planMeasured();
    void flowStarted();
    /// Something worth reading that is no failure.
    void noticed(const QString& text, const QString& hint);
    void failed(const QString& activity, const equant::Error& error);
    void exported(const QString& path, const QString& summary);

private:
    struct LiveFlow;   ///< what a running flow found and nobody took yet
    struct LiveSweep;  ///< the newest table of a running sweep, handed over between threads
    using InitialState = std::function<DocumentState(const LoadedModel&)>;
    void open(const QString& path, const InitialState& initial, const std::function<void()>& then);
    void startSweep(bool shouldMeasure);
    void takeLiveSweep();
    void takeLiveFlow();
    void adoptSuggestion(const SolvedPlan& solved);
    void adoptFlow(const FlowOutcome& outcome);
    void compressIfNeeded();
    void startCompression(const CompressStep& step, std::optional<int> evaluationSamples);
    bool hasPlanToCompress();
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
    QPointer<Job> m_sweepJob;
    QPointer<Job> m_compressJob;
    QPointer<Job> m_suggestJob;
    QPointer<Job> m_flowJob;
    std::shared_ptr<LiveSweep> m_liveSweep;
    std::shared_ptr<LiveFlow> m_liveFlow;
    int m_flowTried = 0;
    bool m_isMeasuring = false;
    QTimer m_sweepTimer;  ///< takes what sweeps and flows have found
    CompressStep m_compressing;
    std::optional<CompressStep> m_failedCompression;  ///< not tried again until the recipe changes
    bool m_isPreviewPending = false;                  ///< equalize as soon as the compressed model is there
    bool m_isQuantizePending = false;                 ///< run it as soon as the equalized model is there
    EqualizeOptions m_equalizing;
    std::optional<CompressStep> m_equalizingAfter;
    DataChoice m_loadingData;
    DataChoice m_failedData;  ///< not tried again until the choice changes
    QString m_workspacePath;
    JobRunner m_jobs;  // last: ends its threads before what they use goes
};

/// Where the bundled sample is: beside the installed program or in the source tree; empty when it is missing.
QString sampleFolder();

}  // namespace equant::ui
