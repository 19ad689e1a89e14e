// SPDX-License-Identifier: GPL-3.0-or-later
// The window: composes rail, pages, docks, actions and messages around one session. GUI thread only.
#pragma once

#include <QMainWindow>

#include "app/desktop/document/recent_files.h"
#include "app/desktop/jobs/session.h"
#include "app/desktop/window/dock_layout.h"
#include "app/desktop/window/theme.h"

class QStackedWidget;

namespace equant::plots {
class PlotView;
}

namespace equant::ui {

class CompressionPage;
class DropOverlay;
class FileActions;
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

    void escape();  ///< hides the message, else clears the selection, else shows the jobs

public slots:
    void runCurrentStage();

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
    void connectSession();
    void refreshRows();
    void refreshFindings();
    void refreshTitle();

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
    FileActions* m_files = nullptr;
    DockLayout m_docks{*this};
};

}  // namespace equant::ui
