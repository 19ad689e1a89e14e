// SPDX-License-Identifier: GPL-3.0-or-later
// Menus, tool bar and shortcuts of the window: creates the actions, connects them, and enables those that need a model
// when there is one. Actions are children of the window. GUI thread only.
#pragma once

#include <QObject>

class QAction;
class QMenu;

namespace equant::ui {

class ExportActions;
class FileActions;
class MainWindow;
class Session;

class WindowActions : public QObject {
    Q_OBJECT

public:
    /// `compressionFiles`: the menu of the compression page that plans and sensitivities are read and written from.
    WindowActions(Session& session, MainWindow& window, FileActions& files, ExportActions& exports,
                  QMenu* compressionFiles);

private:
    void createFileMenu();
    void createEditMenu();
    void createViewMenu(QMenu* menu);
    void fillRunMenu(QMenu* runMenu);
    QList<QAction*> createCompressionActions(QMenu* menu, QMenu* files);
    void createHelpMenu();
    void createToolBar();
    void fillRecentMenu();
    void showCommandPalette();

    Session& m_session;
    MainWindow& m_window;
    FileActions& m_files;
    ExportActions& m_exports;
    QMenu* m_recentMenu = nullptr;
};

}  // namespace equant::ui
