// SPDX-License-Identifier: GPL-3.0-or-later
// What the window works with: the document, the selection and one class for each kind of job, wired so that a step waits
// for those before it. Pages call these slots; failures come back as one signal. GUI thread only.
#pragma once

#include <QObject>

#include "app/desktop/jobs/equalize_jobs.h"
#include "app/desktop/jobs/export_jobs.h"
#include "app/desktop/jobs/flow_jobs.h"
#include "app/desktop/jobs/model_jobs.h"
#include "app/desktop/jobs/plan_jobs.h"
#include "app/desktop/jobs/quantize_jobs.h"
#include "app/desktop/jobs/sweep_jobs.h"

namespace equant::ui {

class Session : public QObject {
    Q_OBJECT

public:
    explicit Session(QObject* parent = nullptr);

    Document& document() { return m_context.document(); }
    const Document& document() const { return m_context.document(); }
    Selection& selection() { return m_context.selection(); }
    JobRunner& jobs() { return m_context.jobs(); }
    /// Of each kind the newest; null: none ran. With the share done, for stage states.
    const Job* equalizeJob() const { return m_equalize.job(); }
    const Job* quantizeJob() const { return m_quantize.job(); }
    const Job* sweepJob() const { return m_sweeps.job(); }
    const Job* compressJob() const { return m_plans.job(); }
    const Job* flowJob() const { return m_flow.job(); }
    bool isOpening() const { return m_models.isOpening(); }
    bool isLoadingData() const { return m_models.isLoadingData(); }
    bool isEqualizing() const { return m_equalize.isRunning(); }
    bool isQuantizing() const { return m_quantize.isRunning(); }
    bool isSweeping() const { return m_sweeps.isRunning(); }
    bool isMeasuring() const { return m_sweeps.isMeasuring(); }  ///< a sweep that scores, not one that predicts
    bool isCompressing() const { return m_plans.isCompressing(); }
    bool isSuggesting() const { return m_plans.isSuggesting(); }
    bool isFlowing() const { return m_flow.isRunning(); }
    int flowTried() const { return m_flow.tried(); }  ///< plans that the newest flow has measured so far
    /// The file that was opened or saved last; empty: a model without one.
    const QString& workspacePath() const { return m_models.workspacePath(); }

    /// What a file or folder is to this program, for drops and the command line.
    enum class Source { Model, Workspace, Data, Unknown };
    static Source classify(const QString& path);
    /// The model of a folder that holds exactly one, as ONNX model archives do; empty otherwise.
    static QString modelInFolder(const QString& folder);
    static bool testDataInFolder(const QString& folder);

public slots:
    /// Opens a model; with `dataPath` its data too. The current model stays when this fails.
    void openModel(const QString& path, const QString& dataPath = {}) { m_models.openModel(path, dataPath); }
    void openSample() { m_models.openSample(); }
    /// Opens the model that it names, with its data, options and plan; the current model stays when this fails.
    void openWorkspace(const QString& path) { m_models.openWorkspace(path); }
    /// Model, data, options and plan as a file; results are not in it.
    void saveWorkspace(const QString& path) { m_models.saveWorkspace(path); }
    void setDataPath(const QString& path) { m_models.setDataPath(path); }
    /// Computes the equalized model for the edited options; nothing is applied.
    void previewEqualization() { m_equalize.preview(); }
    /// Adds the equalization to the recipe (undoable) and computes it when needed.
    void applyEqualization() { m_equalize.apply(); }
    void removeEqualization() { m_equalize.remove(); }
    /// The error of every layer at every ratio from one pass over the data; no score.
    void predictSensitivity() { m_sweeps.predict(); }
    /// Scores cell by cell; measured cells are kept. pauseSweep() ends it and keeps the partial table.
    void measureSensitivity() { m_sweeps.measure(); }
    void pauseSweep() { m_sweeps.pause(); }
    /// One layer at one ratio again, on four times the samples.
    void remeasure(const QString& layer, double ratio) { m_sweeps.remeasure(layer, ratio); }
    void importSensitivity(const QString& path) { m_sweeps.importTable(path); }
    void exportSensitivity(const QString& path) { m_sweeps.exportTable(path); }
    /// The best plan for the target; ratios locked by hand stay (undoable). At once, but as a job where it prunes.
    void suggestPlan() { m_plans.suggest(); }
    /// Compresses as the edited plan says and scores the result.
    void measurePlan() { m_plans.measure(); }
    /// Puts the edited plan into the recipe (undoable) and computes it when needed.
    void applyCompression() { m_plans.apply(); }
    void removeCompression() { m_plans.remove(); }
    void importPlan(const QString& path) { m_plans.importPlan(path); }
    void exportPlan(const QString& path) { m_plans.exportPlan(path); }
    /// Tries the ticked methods and divisions of the work between them, measures each plan and adopts the best
    /// (undoable). stopFlow() ends it; plans measured by then stay on the plot.
    void recommendFlow() { m_flow.recommend(); }
    void stopFlow() { m_flow.stop(); }
    void quantize() { m_quantize.run(); }
    void exportTo(equant::ui::ExportKind kind, const QString& path) { m_exports.exportTo(kind, path); }
    /// What is applied, the edited plan where no compression is, and the quantization that was measured, as a recipe
    /// that equant-cli apply and equant report carry out.
    void saveRecipe(const QString& path) { m_exports.saveRecipe(path); }
    /// Writes what is known now as a PDF, and its pages and plots as pictures into "NAME-pictures" beside it.
    void writeReport(const QString& path) { m_exports.writeReport(path); }

signals:
    void busyChanged();
    void modelOpened(const QString& path);
    void workspaceChanged();  ///< opened or saved
    void quantizationFinished();
    void planMeasured();
    void flowStarted();
    void noticed(const QString& text, const QString& hint);  ///< worth reading, and no failure
    void failed(const QString& activity, const equant::Error& error);
    void exported(const QString& path, const QString& summary);

private:
    void connectSteps();
    void connectMessages();

    SessionContext m_context;  // first: outlives the jobs' owners, and ends the threads
    ModelJobs m_models{m_context};
    EqualizeJobs m_equalize{m_context};
    QuantizeJobs m_quantize{m_context};
    SweepJobs m_sweeps{m_context};
    PlanJobs m_plans{m_context};
    FlowJobs m_flow{m_context};
    ExportJobs m_exports{m_context};
};

}  // namespace equant::ui
