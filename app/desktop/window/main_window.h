// SPDX-License-Identifier: GPL-3.0-or-later
// The window: composes rail, pages, docks, actions and messages around one session. No work is done here.
#pragma once

#include <QMainWindow>

#include "app/desktop/document/recent_files.h"
#include "app/desktop/jobs/session.h"
#include "app/desktop/window/theme.h"

class QLabel;
class QMenu;
class QStackedWidget;

namespace equant::plots {
class PlotView;
}

namespace equant::ui {

class CompressionPage;
class DropOverlay;
class ExportActions;
class FindingModel;
class LayerModel;
class LayerPanel;
class MessageBar;
class OverviewPage;
class QuantizationPage;
class RangesPage;
class StageRail;

class MainWindow : public QMainWindow {
    Q_OBJECT

public:
    explicit MainWindow(QWidget* parent = nullptr);
    ~MainWindow() override;

    Session& session() { return m_session; }
    const Session& session() const { return m_session; }
    RecentFiles& recentFiles() { return m_recent; }
    MessageBar* messageBar() const { return m_messages; }
    LayerPanel* layerPanel() const { return m_layers; }
    StageRail* stageRail() const { return m_rail; }
    /// Opens what the path is: a model, a workspace, or data for the model that is open.
    void openPath(const QString& path);
    void showStage(int stage);  ///< -1: the start page
    int currentStage() const;
    void setTheme(Theme theme);
    QDockWidget* dock(const QString& name) const;
    QList<plots::PlotView*> currentPlots() const;

public slots:
    void openModelDialog();
    void saveWorkspace();
    void saveWorkspaceAs();
    void openDataFolderDialog();
    void openDataFileDialog();
    void runCurrentStage();
    void showCommandPalette();

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void closeEvent(QCloseEvent* event) override;
    bool event(QEvent* event) override;

private:
    void createPages();
    void createDocks();
    void createActions();
    void createFileMenu();
    void createEditMenu();
    void fillRunMenu(QMenu* runMenu);
    void createHelpMenu();
    void createToolBar();
    QList<QAction*> createCompressionActions(QMenu* menu);
    void createViewMenu(QMenu* menu);
    void createStatusBar();
    void connectSession();
    void fillRecentMenu();
    void refreshStages();
    bool isStageRunning(Stage stage) const;
    QString stageText(Stage stage, StageState state) const;
    void showDataStage();
    void refreshRows();
    void refreshFindings();
    void refreshStatus();
    void refreshTitle();
    void escape();
    void restoreLayout();
    void setDocksShown(bool on);
    void fitDocks();
    QString dropText(const QString& path) const;
    bool mayClose();
    void choosePreprocessFile();

    Session m_session;
    RecentFiles m_recent;
    LayerModel* m_layerModel;
    FindingModel* m_findingModel;
    StageRail* m_rail = nullptr;
    QStackedWidget* m_pages = nullptr;
    OverviewPage* m_overview = nullptr;
    RangesPage* m_ranges = nullptr;
    CompressionPage* m_compression = nullptr;
    QuantizationPage* m_quantization = nullptr;
    MessageBar* m_messages = nullptr;
    LayerPanel* m_layers = nullptr;
    DropOverlay* m_overlay = nullptr;
    ExportActions* m_exports = nullptr;
    QMenu* m_recentMenu = nullptr;
    QByteArray m_layout;  ///< of the docks, while they are hidden on the start page
    bool m_areDocksShown = true;
    QLabel* m_selectionText = nullptr;
    QLabel* m_jobText = nullptr;
    QLabel* m_memoryText = nullptr;
};

}  // namespace equant::ui
