// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/model_jobs.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/report/report_run.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/workspace.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

QString sampleFolder() {
    const QString beside =
        QDir(QCoreApplication::applicationDirPath())
            .absoluteFilePath(u"../"_s + QStringLiteral(EQUANT_INSTALL_DATADIR) + u"/equant/sample"_s);
    for (const QString& folder : {beside, QStringLiteral(EQUANT_SOURCE_DIR) + u"/resources/sample"_s})
        if (QFileInfo::exists(folder + u"/equant_sample.onnx"_s)) return QDir::cleanPath(folder);
    return {};
}

namespace {

Workspace workspaceOf(const Document& document) {
    const DocumentState& state = document.state();
    Workspace workspace;
    workspace.model = toStdString(document.loaded()->path);
    workspace.modelHash = contentHash(*document.loaded()->model);
    workspace.data = recipeData(state.data);
    workspace.recipe = state.recipe;
    if (CompressStep edited = document.editedCompression(); !edited.plan.choices.empty()) {
        edited.plan = state.plan;  // with locks
        workspace.draft = std::move(edited);
    }
    if (!workspace.recipe.quantizeStep() && document.quantization())
        workspace.recipe.steps.emplace_back(QuantizeStep{document.quantization()->settings});
    return workspace;
}

/// Quantization is measured on demand: its settings come back, not its results.
DocumentState stateOf(const Workspace& workspace, const LoadedModel& loaded) {
    DocumentState state;
    state.compression.methods = usefulMethods(loaded.compressible);
    state.data = dataChoice(workspace.data);
    adoptRecipe(workspace.recipe, state);
    std::erase_if(state.recipe.steps, [](const Step& step) { return std::holds_alternative<QuantizeStep>(step); });
    if (workspace.draft) adoptCompression(*workspace.draft, state);
    return state;
}

}  // namespace

void ModelJobs::open(const QString& path, const InitialState& initial, const std::function<void()>& then) {
    const QString absolute = QFileInfo(path).absoluteFilePath();
    m_openJob = m_context.jobs().start<LoadedModel>(
        this, u"open"_s, tr("Open %1").arg(QFileInfo(path).fileName()),
        [absolute](const JobContext& job) { return loadModel(absolute, job); },
        [this, initial, then](std::shared_ptr<const LoadedModel> loaded) {
            m_failedData = {};
            if (m_dataJob) m_dataJob->cancel();
            emit replacing();
            m_context.selection().clear();
            m_workspacePath.clear();
            const DocumentState state = initial(*loaded);
            m_context.document().setModel(std::move(loaded), state);
            emit opened(m_context.document().loaded()->path);
            then();
        },
        [this](const Error& error) { m_context.report(tr("Opening the model"), error); });
}

void ModelJobs::openModel(const QString& path, const QString& dataPath) {
    const auto initial = [](const LoadedModel& loaded) {
        DocumentState state;
        state.data.preprocess = preprocessingBeside(loaded);
        state.compression.methods = usefulMethods(loaded.compressible);
        return state;
    };
    open(path, initial, [this, dataPath] {
        if (!dataPath.isEmpty()) setDataPath(dataPath);
    });
}

void ModelJobs::openSample() {
    const QString folder = sampleFolder();
    if (folder.isEmpty())
        return m_context.report(
            tr("Opening the sample"),
            Error{ErrorCode::NotFound, "The bundled sample is missing.", "Install Equant again.", {}});
    openModel(folder + u"/equant_sample.onnx"_s, folder + u"/images"_s);
}

void ModelJobs::setDataPath(const QString& path) {
    if (!m_context.document().hasModel()) return;
    const QString absolute = QFileInfo(path).absoluteFilePath();
    m_failedData = {};
    m_context.document().edit(tr("Choose data %1").arg(QFileInfo(absolute).fileName()),
                              [&](DocumentState& state) { state.data.path = absolute; });
    ensureData();
}

void ModelJobs::ensureData() {
    const DataChoice& choice = m_context.document().state().data;
    const auto isSameData = [&choice](const DataChoice& other) {
        return other.path == choice.path && other.preprocess == choice.preprocess;
    };
    if (!m_context.document().hasModel() || choice.path.isEmpty() || m_context.document().data() ||
        isSameData(m_failedData))
        return;
    if (isLoadingData() && isSameData(m_loadingData)) return;
    m_loadingData = choice;
    m_dataJob = m_context.jobs().start<LoadedData>(
        this, u"data"_s, tr("Open data %1").arg(QFileInfo(choice.path).fileName()),
        [model = m_context.document().loaded()->model, choice](const JobContext& job) {
            return loadData(*model, choice, job);
        },
        [this](std::shared_ptr<const LoadedData> data) { m_context.document().setData(std::move(data)); },
        [this, choice](const Error& error) {
            m_failedData = choice;
            m_context.document().setData(nullptr);
            m_context.report(tr("Opening the data"), error);
        });
}

void ModelJobs::saveWorkspace(const QString& path) {
    if (!m_context.document().hasModel()) return;
    const QString absolute = QFileInfo(path).absoluteFilePath();
    const Workspace workspace = workspaceOf(m_context.document());
    const auto text = toJson(workspace, toPath(QFileInfo(absolute).path()));
    if (auto written = writeFileAtomic(toPath(absolute), text); !written)
        return m_context.report(tr("Saving the workspace"), written.error());
    m_workspacePath = absolute;
    m_context.document().undoStack()->setClean();
    emit workspaceChanged();
    emit m_context.exported(absolute, tr("model, data, options and plans; results are computed again."));
}

void ModelJobs::openWorkspace(const QString& path) {
    const QString absolute = QFileInfo(path).absoluteFilePath();
    const QString activity = tr("Opening the workspace");
    auto workspace = readWorkspaceOrRecipe(toPath(absolute));
    if (!workspace) return m_context.report(activity, workspace.error());
    if (workspace->model.empty())
        return m_context.report(activity, Error{ErrorCode::InvalidArgument, "This recipe names no model.",
                                                "Open a model; equant-cli apply and equant report carry out recipes.",
                                                toStdString(absolute)});
    const auto saved = std::make_shared<const Workspace>(std::move(*workspace));
    open(
        toQString(saved->model), [saved](const LoadedModel& loaded) { return stateOf(*saved, loaded); },
        [this, saved, absolute] {
            m_workspacePath = absolute;
            emit workspaceChanged();
            if (saved->isOutdated(*m_context.document().loaded()->model))
                emit m_context.noticed(
                    tr("The model changed since the workspace was saved."),
                    tr("Options and plans are kept. Measure again: earlier results are of the other model."));
        });
}

}  // namespace equant::ui
