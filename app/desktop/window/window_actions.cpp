// SPDX-License-Identifier: GPL-3.0-or-later
// Actions, menus, tool bar and shortcuts of the main window.
#include <QAction>
#include <QActionGroup>
#include <QApplication>
#include <QDockWidget>
#include <QFileInfo>
#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>
#include <QSettings>
#include <QToolBar>
#include <QToolButton>
#include <algorithm>

#include "app/desktop/compression/compression_page.h"
#include "app/desktop/window/export_actions.h"
#include "app/desktop/window/icons.h"
#include "app/desktop/window/main_window.h"
#include "widgets/panels/command_palette.h"
#include "widgets/panels/layer_panel.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

QAction* makeAction(QWidget* window, const QString& text, const QString& name, const QString& icon,
                    const QKeySequence& keys, const QString& tip = {}) {
    auto* action = new QAction(text, window);
    action->setObjectName(name);
    if (!icon.isEmpty()) action->setIcon(symbolicIcon(icon));
    action->setShortcut(keys);
    if (!tip.isEmpty()) action->setToolTip(tip);
    window->addAction(action);
    return action;
}

}  // namespace

void MainWindow::createActions() {
    createFileMenu();
    createEditMenu();
    createViewMenu(menuBar()->addMenu(tr("&View")));
    auto* runMenu = menuBar()->addMenu(tr("&Run"));
    fillRunMenu(runMenu);
    runMenu->addSeparator();
    const QList<QAction*> compression = createCompressionActions(runMenu);
    createHelpMenu();
    createToolBar();
    QList<QAction*> needModel = compression + QList<QAction*>{m_exports->reportAction()};
    for (const auto& name :
         {u"runAction"_s, u"equalizeAction"_s, u"quantizeAction"_s, u"dataAction"_s, u"filterAction"_s,
          u"nextLayerAction"_s, u"previousLayerAction"_s, u"saveWorkspaceAction"_s, u"saveWorkspaceAsAction"_s})
        needModel << findChild<QAction*>(name);
    const auto refreshEnabled = [this, needModel, remove = findChild<QAction*>(u"removeEqualizationAction"_s),
                                 exportButton = findChild<QToolButton*>(u"exportButton"_s)] {
        const bool hasModel = m_session.document().hasModel();
        for (QAction* action : needModel) action->setEnabled(hasModel);
        remove->setEnabled(m_session.document().isEqualizeApplied());
        exportButton->setEnabled(hasModel);
    };
    connect(&m_session, &Session::busyChanged, this, refreshEnabled);
    connect(&m_session.document(), &Document::stateChanged, this, refreshEnabled);
    refreshEnabled();
}

void MainWindow::createEditMenu() {
    auto* edit = menuBar()->addMenu(tr("&Edit"));
    QUndoStack* stack = m_session.document().undoStack();
    QAction* undo = stack->createUndoAction(this, tr("Undo"));
    undo->setObjectName(u"undoAction"_s);
    undo->setIcon(symbolicIcon(u"undo"_s));
    undo->setIconText(tr("Undo"));
    undo->setShortcut(QKeySequence::Undo);
    QAction* redo = stack->createRedoAction(this, tr("Redo"));
    redo->setObjectName(u"redoAction"_s);
    redo->setIcon(symbolicIcon(u"redo"_s));
    redo->setIconText(tr("Redo"));
    redo->setShortcuts({QKeySequence(tr("Ctrl+Shift+Z")), QKeySequence(tr("Ctrl+Y"))});
    addActions({undo, redo});
    edit->addActions({undo, redo});
    edit->addSeparator();
    edit->addAction(m_exports->copyCompressAction());
    edit->addAction(m_exports->copyEqualizeAction());
    edit->addAction(m_exports->copyQuantizeAction());
    edit->addSeparator();
    auto* filter = makeAction(this, tr("Filter layers"), u"filterAction"_s, {}, QKeySequence(tr("/")));
    connect(filter, &QAction::triggered, this, [this] {
        dock(u"layersDock"_s)->show();
        m_layers->focusFilter();
    });
    auto* next = makeAction(this, tr("Next layer"), u"nextLayerAction"_s, {}, QKeySequence(tr("J")));
    connect(next, &QAction::triggered, this, [this] { m_layers->selectNext(1); });
    auto* previous = makeAction(this, tr("Previous layer"), u"previousLayerAction"_s, {}, QKeySequence(tr("K")));
    connect(previous, &QAction::triggered, this, [this] { m_layers->selectNext(-1); });
    auto* escapeAction =
        makeAction(this, tr("Dismiss message or selection"), u"escapeAction"_s, {}, QKeySequence(Qt::Key_Escape));
    connect(escapeAction, &QAction::triggered, this, &MainWindow::escape);
    edit->addActions({filter, next, previous, escapeAction});
}

void MainWindow::fillRunMenu(QMenu* runMenu) {
    auto* run = makeAction(this, tr("Run"), u"runAction"_s, u"run"_s, QKeySequence(Qt::Key_F5),
                           tr("Preview the equalization, predict sensitivities, or measure quantization (F5)"));
    connect(run, &QAction::triggered, this, &MainWindow::runCurrentStage);
    runMenu->addAction(run);
    auto* equalize = makeAction(this, tr("Apply equalization"), u"equalizeAction"_s, u"apply"_s, {});
    connect(equalize, &QAction::triggered, &m_session, &Session::applyEqualization);
    runMenu->addAction(equalize);
    auto* remove = makeAction(this, tr("Remove equalization"), u"removeEqualizationAction"_s, {}, {});
    connect(remove, &QAction::triggered, &m_session, &Session::removeEqualization);
    runMenu->addAction(remove);
    auto* quantize = makeAction(this, tr("Simulate quantization"), u"quantizeAction"_s, u"quantization"_s, {});
    connect(quantize, &QAction::triggered, this, [this] {
        showStage(static_cast<int>(Stage::Quantization));
        m_session.quantize();
    });
    runMenu->addAction(quantize);
}

void MainWindow::createHelpMenu() {
    auto* help = menuBar()->addMenu(tr("&Help"));
    auto* palette = makeAction(this, tr("Commands …"), u"paletteAction"_s, {}, QKeySequence(tr("Ctrl+Shift+P")));
    connect(palette, &QAction::triggered, this, &MainWindow::showCommandPalette);
    auto* about = makeAction(this, tr("About Equant"), u"aboutAction"_s, {}, {});
    connect(about, &QAction::triggered, this, [this] {
        QMessageBox::about(this, tr("About Equant"),
                           tr("<h3>Equant %1</h3><p>Makes trained networks ready for fixed-point hardware.</p>"
                              "<p>The window is free software under the GNU GPL, version 3 or later; the engine is "
                              "under the Apache License 2.0.</p>")
                               .arg(QApplication::applicationVersion()));
    });
    help->addActions({palette, about});
}

void MainWindow::createToolBar() {
    auto* bar = addToolBar(tr("Main"));
    bar->setObjectName(u"mainToolBar"_s);
    bar->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    bar->setIconSize({18, 18});
    bar->setMovable(false);
    const auto named = [this](const QString& name) { return findChild<QAction*>(name); };
    bar->addAction(named(u"openAction"_s));
    bar->addAction(named(u"dataAction"_s));
    bar->addSeparator();
    bar->addAction(named(u"runAction"_s));
    bar->addSeparator();
    bar->addActions({named(u"undoAction"_s), named(u"redoAction"_s)});
    bar->addSeparator();
    auto* exportButton = new QToolButton(bar);
    exportButton->setObjectName(u"exportButton"_s);
    exportButton->setText(tr("Export"));
    exportButton->setIcon(symbolicIcon(u"export"_s));
    exportButton->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    exportButton->setPopupMode(QToolButton::InstantPopup);
    exportButton->setMenu(m_exports->menu());
    bar->addWidget(exportButton);
    bar->addAction(m_exports->reportAction());
    auto* themeButton = new QToolButton(bar);
    themeButton->setObjectName(u"themeButton"_s);
    themeButton->setText(tr("Theme"));
    themeButton->setIcon(symbolicIcon(u"theme"_s));
    themeButton->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    themeButton->setPopupMode(QToolButton::InstantPopup);
    themeButton->setMenu(findChild<QMenu*>(u"themeMenu"_s));
    bar->addWidget(themeButton);
}

QList<QAction*> MainWindow::createCompressionActions(QMenu* menu) {
    QList<QAction*> actions;
    const auto add = [&](const QString& text, const QString& name, const QKeySequence& keys, void (Session::*slot)()) {
        QAction* action = makeAction(this, text, name, {}, keys);
        connect(action, &QAction::triggered, this, [this, slot] {
            showStage(static_cast<int>(Stage::Compression));
            (m_session.*slot)();
        });
        menu->addAction(action);
        actions << action;
    };
    add(tr("Predict sensitivities"), u"predictSensitivityAction"_s, {}, &Session::predictSensitivity);
    add(tr("Measure sensitivities"), u"measureSensitivityAction"_s, {}, &Session::measureSensitivity);
    add(tr("Suggest ratios"), u"suggestPlanAction"_s, {}, &Session::suggestPlan);
    add(tr("Recommended flow"), u"recommendedFlowAction"_s, {}, &Session::recommendFlow);
    add(tr("Measure this plan"), u"measurePlanAction"_s, QKeySequence(tr("Ctrl+Return")), &Session::measurePlan);
    add(tr("Apply compression"), u"applyCompressionAction"_s, {}, &Session::applyCompression);
    add(tr("Remove compression"), u"removeCompressionAction"_s, {}, &Session::removeCompression);
    menu->addSeparator();
    m_exports->addCompressionFiles(menu);
    for (const auto& name : {u"importPlanAction"_s, u"exportPlanAction"_s, u"importSensitivityAction"_s,
                             u"exportSensitivityAction"_s, u"saveRecipeAction"_s, u"exportModelAction"_s}) {
        auto* action = findChild<QAction*>(name);
        m_compression->filesMenu()->addAction(action);
        if (name != "exportModelAction"_L1 && name != "saveRecipeAction"_L1) actions << action;
    }
    return actions;
}

void MainWindow::createFileMenu() {
    auto* file = menuBar()->addMenu(tr("&File"));
    auto* open = makeAction(this, tr("Open"), u"openAction"_s, u"open"_s, QKeySequence::Open,
                            tr("Open a model or a workspace (Ctrl+O)"));
    connect(open, &QAction::triggered, this, &MainWindow::openModelDialog);
    file->addAction(open);
    m_recentMenu = file->addMenu(tr("Open recent"));
    connect(&m_recent, &RecentFiles::changed, this, &MainWindow::fillRecentMenu);
    fillRecentMenu();
    auto* sample = makeAction(this, tr("Open the sample"), u"sampleAction"_s, u"sample"_s, {});
    connect(sample, &QAction::triggered, &m_session, &Session::openSample);
    file->addAction(sample);
    auto* start = makeAction(this, tr("Start page"), u"startAction"_s, {}, {});
    connect(start, &QAction::triggered, this, [this] { showStage(-1); });
    file->addAction(start);
    file->addSeparator();
    auto* save = makeAction(this, tr("Save workspace"), u"saveWorkspaceAction"_s, {}, QKeySequence::Save,
                            tr("Model, data, options and plans"));
    connect(save, &QAction::triggered, this, &MainWindow::saveWorkspace);
    auto* saveAs = makeAction(this, tr("Save workspace as …"), u"saveWorkspaceAsAction"_s, {}, QKeySequence::SaveAs);
    connect(saveAs, &QAction::triggered, this, &MainWindow::saveWorkspaceAs);
    file->addActions({save, saveAs});
    file->addSeparator();
    auto* dataFolder = makeAction(this, tr("Data"), u"dataAction"_s, u"data"_s, QKeySequence(tr("Ctrl+D")),
                                  tr("Choose a folder of images or ONNX test data (Ctrl+D)"));
    connect(dataFolder, &QAction::triggered, this, &MainWindow::openDataFolderDialog);
    auto* array = makeAction(this, tr("NumPy data …"), u"dataFileAction"_s, {}, {});
    connect(array, &QAction::triggered, this, &MainWindow::openDataFileDialog);
    file->addActions({dataFolder, array});
    file->addSeparator();
    QMenu* exports = m_exports->menu();
    exports->setTitle(tr("Export"));
    file->addMenu(exports);
    file->addSeparator();
    auto* quit = makeAction(this, tr("Quit"), u"quitAction"_s, {}, QKeySequence::Quit);
    connect(quit, &QAction::triggered, this, &QWidget::close);
    file->addAction(quit);
}

void MainWindow::createViewMenu(QMenu* menu) {
    const QStringList titles{tr("Overview"), tr("Ranges and CLE"), tr("Compression"), tr("Quantization")};
    for (int stage = 0; stage < titles.size(); ++stage) {
        auto* action = makeAction(this, titles[stage], u"stageAction%1"_s.arg(stage + 1), {},
                                  QKeySequence(u"Ctrl+%1"_s.arg(stage + 1)));
        connect(action, &QAction::triggered, this, [this, stage] { showStage(stage); });
        menu->addAction(action);
    }
    menu->addSeparator();
    for (const auto& name : {u"layersDock"_s, u"inspectorDock"_s, u"findingsDock"_s, u"jobsDock"_s, u"historyDock"_s})
        menu->addAction(dock(name)->toggleViewAction());
    auto* plotsOnly = makeAction(this, tr("Plots only"), u"plotsOnlyAction"_s, {}, QKeySequence(Qt::Key_F11),
                                 tr("Hides the panels around the page (F11)"));
    plotsOnly->setCheckable(true);
    connect(plotsOnly, &QAction::toggled, this, [this](bool on) {
        static const char* const kHidden = "hiddenByPlotsOnly";
        for (QDockWidget* each : findChildren<QDockWidget*>()) {
            if (on && !each->isHidden()) {
                each->setProperty(kHidden, true);
                each->hide();
            } else if (!on && each->property(kHidden).toBool()) {
                each->setProperty(kHidden, false);
                each->show();
            }
        }
    });
    menu->addAction(plotsOnly);
    menu->addSeparator();
    auto* themes = menu->addMenu(tr("Theme"));
    themes->setObjectName(u"themeMenu"_s);
    auto* group = new QActionGroup(this);
    const Theme current = themeFromName(QSettings().value(u"theme"_s).toString());
    const QStringList names{tr("Follow the system"), tr("Light"), tr("Dark")};
    for (int index = 0; index < names.size(); ++index) {
        const auto theme = static_cast<Theme>(index);
        auto* action = makeAction(this, names[index], u"theme_"_s + themeName(theme), {}, {});
        action->setCheckable(true);
        action->setChecked(theme == current);
        group->addAction(action);
        themes->addAction(action);
        connect(action, &QAction::triggered, this, [this, theme] { setTheme(theme); });
    }
}

void MainWindow::fillRecentMenu() {
    m_recentMenu->clear();
    for (const QString& path : m_recent.paths()) {
        const QFileInfo info(path);
        QAction* action =
            m_recentMenu->addAction(info.exists() ? info.fileName() : tr("%1 (missing)").arg(info.fileName()), this,
                                    [this, path] { openPath(path); });
        action->setToolTip(path);
        action->setEnabled(info.exists());
    }
    m_recentMenu->setEnabled(!m_recent.paths().isEmpty());
    m_recentMenu->setToolTipsVisible(true);
}

void MainWindow::showCommandPalette() {
    QList<QAction*> all;
    for (QAction* action : findChildren<QAction*>())
        if (!action->text().isEmpty() && !action->objectName().isEmpty() && !action->menu()) all.push_back(action);
    std::ranges::sort(all, [](const QAction* a, const QAction* b) { return a->text() < b->text(); });
    CommandPalette palette(all, this);
    palette.exec();
}

}  // namespace equant::ui
