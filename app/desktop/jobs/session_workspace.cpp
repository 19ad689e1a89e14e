// SPDX-License-Identifier: GPL-3.0-or-later
// The workspace's part of session.h: everything decided, to a file and back.
#include <QFileInfo>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/jobs/session.h"
#include "core/base/file.h"
#include "core/graph/onnx_io.h"
#include "core/recipe/workspace.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

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

void Session::saveWorkspace(const QString& path) {
    if (!m_document.hasModel()) return;
    const QString absolute = QFileInfo(path).absoluteFilePath();
    const Workspace workspace = workspaceOf(m_document);
    const auto text = toJson(workspace, toPath(QFileInfo(absolute).path()));
    if (auto written = writeFileAtomic(toPath(absolute), text); !written)
        return report(tr("Saving the workspace"), written.error());
    m_workspacePath = absolute;
    m_document.undoStack()->setClean();
    emit workspaceChanged();
    emit exported(absolute, tr("model, data, options and plans; results are computed again."));
}

void Session::openWorkspace(const QString& path) {
    const QString absolute = QFileInfo(path).absoluteFilePath();
    const QString activity = tr("Opening the workspace");
    auto workspace = readWorkspaceOrRecipe(toPath(absolute));
    if (!workspace) return report(activity, workspace.error());
    if (workspace->model.empty())
        return report(activity, Error{ErrorCode::InvalidArgument, "This recipe names no model.",
                                      "Open a model; equant-cli apply and equant report carry out recipes.",
                                      toStdString(absolute)});
    const auto saved = std::make_shared<const Workspace>(std::move(*workspace));
    open(
        toQString(saved->model), [saved](const LoadedModel& loaded) { return stateOf(*saved, loaded); },
        [this, saved, absolute] {
            m_workspacePath = absolute;
            emit workspaceChanged();
            if (saved->isOutdated(*m_document.loaded()->model))
                emit noticed(tr("The model changed since the workspace was saved."),
                             tr("Options and plans are kept. Measure again: earlier results are of the other model."));
            loadDataIfNeeded();
            compressIfNeeded();
            equalizeIfNeeded();
        });
}

}  // namespace equant::ui
