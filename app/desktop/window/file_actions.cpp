// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/file_actions.h"

#include <QFileDialog>
#include <QFileInfo>
#include <QMessageBox>
#include <QSettings>

#include "app/desktop/window/main_window.h"
#include "widgets/panels/message_bar.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

FileActions::FileActions(Session& session, MainWindow& window)
    : QObject(&window), m_session(session), m_window(window) {}

void FileActions::openPath(const QString& path) {
    if (const QString model = Session::modelInFolder(path); !model.isEmpty())
        return m_session.openModel(model, Session::testDataInFolder(path) ? path : QString());
    if (Session::classify(path) == Session::Source::Workspace) return m_session.openWorkspace(path);
    if (Session::classify(path) == Session::Source::Data) {
        if (!m_session.document().hasModel())
            return m_window.messageBar()->show(MessageBar::Kind::Warning,
                                               tr("These look like data. Open a model first."),
                                               tr("Then drop the data again."));
        m_session.setDataPath(path);
        showDataStage();
        return;
    }
    m_session.openModel(path);  // anything else: the engine says what is wrong with it
}

void FileActions::openModelDialog() {
    QSettings settings;
    const QString folder = settings.value(u"folders/model"_s, sampleFolder()).toString();
    const QString path =
        QFileDialog::getOpenFileName(&m_window, tr("Open model or workspace"), folder,
                                     tr("ONNX models and workspaces (*.onnx *.equant);;All files (*)"));
    if (path.isEmpty()) return;
    settings.setValue(u"folders/model"_s, QFileInfo(path).absolutePath());
    openPath(path);
}

void FileActions::saveWorkspace() {
    if (m_session.workspacePath().isEmpty()) return saveWorkspaceAs();
    m_session.saveWorkspace(m_session.workspacePath());
}

void FileActions::saveWorkspaceAs() {
    if (!m_session.document().hasModel()) return;
    const QFileInfo model(m_session.document().loaded()->path);
    const QString proposed = m_session.workspacePath().isEmpty()
                                 ? model.absolutePath() + u'/' + model.completeBaseName() + u".equant"_s
                                 : m_session.workspacePath();
    QString path =
        QFileDialog::getSaveFileName(&m_window, tr("Save workspace"), proposed, tr("Equant workspaces (*.equant)"));
    if (path.isEmpty()) return;
    if (QFileInfo(path).suffix().isEmpty()) path += u".equant"_s;
    m_session.saveWorkspace(path);
}

/// What was decided since the workspace was saved is lost with the window.
bool FileActions::mayClose() {
    if (!m_window.isWindowModified()) return true;
    const auto answer = QMessageBox::question(
        &m_window, tr("Close Equant"),
        tr("%1 has changes that are not saved.").arg(QFileInfo(m_session.workspacePath()).fileName()),
        QMessageBox::Save | QMessageBox::Discard | QMessageBox::Cancel, QMessageBox::Save);
    if (answer == QMessageBox::Save) saveWorkspace();
    return answer == QMessageBox::Discard || (answer == QMessageBox::Save && !m_window.isWindowModified());
}

void FileActions::openDataFolderDialog() {
    QSettings settings;
    const QString path = QFileDialog::getExistingDirectory(&m_window, tr("Choose a folder of images or ONNX test data"),
                                                           settings.value(u"folders/data"_s).toString());
    if (path.isEmpty()) return;
    settings.setValue(u"folders/data"_s, path);
    openPath(path);
}

void FileActions::openDataFileDialog() {
    QSettings settings;
    const QString path =
        QFileDialog::getOpenFileName(&m_window, tr("Choose a NumPy file"), settings.value(u"folders/data"_s).toString(),
                                     tr("NumPy arrays (*.npy *.npz);;All files (*)"));
    if (path.isEmpty()) return;
    settings.setValue(u"folders/data"_s, QFileInfo(path).absolutePath());
    m_session.setDataPath(path);
    showDataStage();
}

/// Data are chosen for the page that is open, if it uses them.
void FileActions::showDataStage() {
    if (m_window.currentStage() != static_cast<int>(Stage::Compression))
        m_window.showStage(static_cast<int>(Stage::Quantization));
}

void FileActions::choosePreprocessFile() {
    const QString path = QFileDialog::getOpenFileName(
        &m_window, tr("Choose a preprocessing file"),
        QFileInfo(m_session.document().loaded() ? m_session.document().loaded()->path : QString()).absolutePath(),
        tr("Preprocessing (*.json);;All files (*)"));
    if (path.isEmpty()) return;
    m_session.document().edit(tr("Model input: %1").arg(QFileInfo(path).fileName()),
                              [&](DocumentState& state) { state.data.preprocess = path; });
}

QString FileActions::dropText(const QString& path) const {
    const QString name = QFileInfo(path).fileName();
    const bool hasModel = m_session.document().hasModel();
    if (const QString model = Session::modelInFolder(path); !model.isEmpty())
        return tr("Open %1 of this folder").arg(QFileInfo(model).fileName());
    switch (Session::classify(path)) {
        case Session::Source::Model:
            return hasModel ? tr("Open %1 in place of %2").arg(name, m_session.document().modelName())
                            : tr("Open %1").arg(name);
        case Session::Source::Workspace:
            return tr("Open the workspace %1").arg(name);
        case Session::Source::Data:
            return hasModel ? tr("Use %1 to calibrate and score").arg(name) : tr("Open a model first, then drop data");
        case Session::Source::Unknown:
            break;
    }
    return tr("%1 is neither an ONNX model nor a workspace nor data").arg(name);
}

bool FileActions::canDrop(const QString& path) const {
    const auto source = Session::classify(path);
    return source == Session::Source::Model || source == Session::Source::Workspace ||
           (source == Session::Source::Data && m_session.document().hasModel());
}

}  // namespace equant::ui
