// SPDX-License-Identifier: GPL-3.0-or-later
// Opens and saves models, workspaces, data and preprocessing files: by dialogs, by paths and by drops. A child of the
// window. GUI thread only.
#pragma once

#include <QObject>

namespace equant::ui {

class MainWindow;
class Session;

class FileActions : public QObject {
    Q_OBJECT

public:
    FileActions(Session& session, MainWindow& window);

    /// Opens what the path is: a model, a workspace, or data for the model that is open.
    void openPath(const QString& path);
    /// What a drop of the path would do, for the overlay.
    QString dropText(const QString& path) const;
    bool canDrop(const QString& path) const;
    /// Asks where the workspace has unsaved changes; false: the window stays open.
    bool mayClose();

public slots:
    void openModelDialog();
    void saveWorkspace();
    void saveWorkspaceAs();
    void openDataFolderDialog();
    void openDataFileDialog();
    void choosePreprocessFile();

private:
    void showDataStage();

    Session& m_session;
    MainWindow& m_window;
};

}  // namespace equant::ui
