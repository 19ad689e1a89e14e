// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/window_actions.h"

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

#include "app/desktop/window/export_actions.h"
#include "app/desktop/window/file_actions.h"
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

WindowActions::WindowActions(Session& session, MainWindow& window, FileActions& files, ExportActions& exports,
                             QMenu* compressionFiles)
    : QObject(&window), m_session(session), m_window(window), m_files(files), m_exports(exports) {
    createFileMenu();
    createEditMenu();
    createViewMenu(m_window.menuBar()->addMenu(tr("&View")));
    auto* runMenu = m_window.menuBar()->addMenu(tr("&Run"));
    fillRunMenu(runMenu);
    runMenu->addSeparator();
    const QList<QAction*> compression = createCompressionActions(runMenu, compressionFiles);
    createHelpMenu();
    createToolBar();
    QList<QAction*> needModel = compression + QList<QAction*>{m_exports.reportAction()};
    for (const auto& name :
         {u"runAction"_s, u"equalizeAction"_s, u"quantizeAction"_s, u"dataAction"_s, u"filterAction"_s,
          u"nextLayerAction"_s, u"previousLayerAction"_s, u"saveWorkspaceAction"_s, u"saveWorkspaceAsAction"_s})
        needModel << m_window.findChild<QAction*>(name);
    const auto refreshEnabled = [this, needModel, remove = m_window.findChild<QAction*>(u"removeEqualizationAction"_s),
                                 exportButton = m_window.findChild<QToolButton*>(u"exportButton"_s)] {
        const bool hasModel = m_session.document().hasModel();
        for (QAction* action : needModel) action->setEnabled(hasModel);
        remove->setEnabled(m_session.document().isEqualizeApplied());
        exportButton->setEnabled(hasModel);
    };
    connect(&m_session, &Session::busyChanged, this, refreshEnabled);
    connect(&m_session.document(), &Document::stateChanged, this, refreshEnabled);
    refreshEnabled();
}

void WindowActions::createEditMenu() {
    auto* edit = m_window.menuBar()->addMenu(tr("&Edit"));
    QUndoStack* stack = m_session.document().undoStack();
    QAction* undo = stack->createUndoAction(&m_window, tr("Undo"));
    undo->setObjectName(u"undoAction"_s);
    undo->setIcon(symbolicIcon(u"undo"_s));
    undo->setIconText(tr("Undo"));
    undo->setShortcut(QKeySequence::Undo);
    QAction* redo = stack->createRedoAction(&m_window, tr("Redo"));
    redo->setObjectName(u"redoAction"_s);
    redo->setIcon(symbolicIcon(u"redo"_s));
    redo->setIconText(tr("Redo"));
    redo->setShortcuts({QKeySequence(tr("Ctrl+Shift+Z")), QKeySequence(tr("Ctrl+Y"))});
    m_window.addActions({undo, redo});
    edit->addActions({undo, redo});
    edit->addSeparator();
    edit->addAction(m_exports.copyCompressAction());
    edit->addAction(m_exports.copyEqualizeAction());
    edit->addAction(m_exports.copyQuantizeAction());
    edit->addSeparator();
    auto* filter = makeAction(&m_window, tr("Filter layers"), u"filterAction"_s, {}, QKeySequence(tr("/")));
    connect(filter, &QAction::triggered, this, [this] {
        m_window.dock(u"layersDock"_s)->show();
        m_window.layerPanel()->focusFilter();
    });
    auto* next = makeAction(&m_window, tr("Next layer"), u"nextLayerAction"_s, {}, QKeySequence(tr("J")));
    connect(next, &QAction::triggered, this, [this] { m_window.layerPanel()->selectNext(1); });
    auto* previous = makeAction(&m_window, tr("Previous layer"), u"previousLayerAction"_s, {}, QKeySequence(tr("K")));
    connect(previous, &QAction::triggered, this, [this] { m_window.layerPanel()->selectNext(-1); });
    auto* escapeAction =
        makeAction(&m_window, tr("Dismiss message or selection"), u"escapeAction"_s, {}, QKeySequence(Qt::Key_Escape));
    connect(escapeAction, &QAction::triggered, &m_window, &MainWindow::escape);
    edit->addActions({filter, next, previous, escapeAction});
}

void WindowActions::fillRunMenu(QMenu* runMenu) {
    auto* run = makeAction(&m_window, tr("Run"), u"runAction"_s, u"run"_s, QKeySequence(Qt::Key_F5),
                           tr("Preview the equalization, predict sensitivities, or measure quantization (F5)"));
    connect(run, &QAction::triggered, &m_window, &MainWindow::runCurrentStage);
    runMenu->addAction(run);
    auto* equalize = makeAction(&m_window, tr("Apply equalization"), u"equalizeAction"_s, u"apply"_s, {});
    connect(equalize, &QAction::triggered, &m_session, &Session::applyEqualization);
    runMenu->addAction(equalize);
    auto* remove = makeAction(&m_window, tr("Remove equalization"), u"removeEqualizationAction"_s, {}, {});
    connect(remove, &QAction::triggered, &m_session, &Session::removeEqualization);
    runMenu->addAction(remove);
    auto* quantize = makeAction(&m_window, tr("Simulate quantization"), u"quantizeAction"_s, u"quantization"_s, {});
    connect(quantize, &QAction::triggered, this, [this] {
        m_window.showStage(static_cast<int>(Stage::Quantization));
        m_session.quantize();
    });
    runMenu->addAction(quantize);
}

void WindowActions::createHelpMenu() {
    auto* help = m_window.menuBar()->addMenu(tr("&Help"));
    auto* palette = makeAction(&m_window, tr("Commands …"), u"paletteAction"_s, {}, QKeySequence(tr("Ctrl+Shift+P")));
    connect(palette, &QAction::triggered, this, &WindowActions::showCommandPalette);
    auto* about = makeAction(&m_window, tr("About Equant"), u"aboutAction"_s, {}, {});
    connect(about, &QAction::triggered, this, [this] {
        QMessageBox::about(&m_window, tr("About Equant"),
                           tr("<h3>Equant %1</h3><p>Makes trained networks ready for fixed-point hardware.</p>"
                              "<p>The window is free software under the GNU GPL, version 3 or later; the engine is "
                              "under the Apache License 2.0.</p>")
                               .arg(QApplication::applicationVersion()));
    });
    help->addActions({palette, about});
}

void WindowActions::createToolBar() {
    auto* bar = m_window.addToolBar(tr("Main"));
    bar->setObjectName(u"mainToolBar"_s);
    bar->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    bar->setIconSize({18, 18});
    bar->setMovable(false);
    const auto named = [this](const QString& name) { return m_window.findChild<QAction*>(name); };
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
    exportButton->setMenu(m_exports.menu());
    bar->addWidget(exportButton);
    bar->addAction(m_exports.reportAction());
    auto* themeButton = new QToolButton(bar);
    themeButton->setObjectName(u"themeButton"_s);
    themeButton->setText(tr("Theme"));
    themeButton->setIcon(symbolicIcon(u"theme"_s));
    themeButton->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    themeButton->setPopupMode(QToolButton::InstantPopup);
    themeButton->setMenu(m_window.findChild<QMenu*>(u"themeMenu"_s));
    bar->addWidget(themeButton);
}

QList<QAction*> WindowActions::createCompressionActions(QMenu* menu, QMenu* files) {
    QList<QAction*> actions;
    const auto add = [&](const QString& text, const QString& name, const QKeySequence& keys, void (Session::*slot)()) {
        QAction* action = makeAction(&m_window, text, name, {}, keys);
        connect(action, &QAction::triggered, this, [this, slot] {
            m_window.showStage(static_cast<int>(Stage::Compression));
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
    m_exports.addCompressionFiles(menu);
    for (const auto& name : {u"importPlanAction"_s, u"exportPlanAction"_s, u"importSensitivityAction"_s,
                             u"exportSensitivityAction"_s, u"saveRecipeAction"_s, u"exportModelAction"_s}) {
        auto* action = m_window.findChild<QAction*>(name);
        files->addAction(action);
        if (name != "exportModelAction"_L1 && name != "saveRecipeAction"_L1) actions << action;
    }
    return actions;
}

void WindowActions::createFileMenu() {
    auto* file = m_window.menuBar()->addMenu(tr("&File"));
    auto* open = makeAction(&m_window, tr("Open"), u"openAction"_s, u"open"_s, QKeySequence::Open,
                            tr("Open a model or a workspace (Ctrl+O)"));
    connect(open, &QAction::triggered, &m_files, &FileActions::openModelDialog);
    file->addAction(open);
    m_recentMenu = file->addMenu(tr("Open recent"));
    connect(&m_window.recentFiles(), &RecentFiles::changed, this, &WindowActions::fillRecentMenu);
    fillRecentMenu();
    auto* sample = makeAction(&m_window, tr("Open the sample"), u"sampleAction"_s, u"sample"_s, {});
    connect(sample, &QAction::triggered, &m_session, &Session::openSample);
    file->addAction(sample);
    auto* start = makeAction(&m_window, tr("Start page"), u"startAction"_s, {}, {});
    connect(start, &QAction::triggered, this, [this] { m_window.showStage(-1); });
    file->addAction(start);
    file->addSeparator();
    auto* save = makeAction(&m_window, tr("Save workspace"), u"saveWorkspaceAction"_s, {}, QKeySequence::Save,
                            tr("Model, data, options and plans"));
    connect(save, &QAction::triggered, &m_files, &FileActions::saveWorkspace);
    auto* saveAs =
        makeAction(&m_window, tr("Save workspace as …"), u"saveWorkspaceAsAction"_s, {}, QKeySequence::SaveAs);
    connect(saveAs, &QAction::triggered, &m_files, &FileActions::saveWorkspaceAs);
    file->addActions({save, saveAs});
    file->addSeparator();
    auto* dataFolder = makeAction(&m_window, tr("Data"), u"dataAction"_s, u"data"_s, QKeySequence(tr("Ctrl+D")),
                                  tr("Choose a folder of images or ONNX test data (Ctrl+D)"));
    connect(dataFolder, &QAction::triggered, &m_files, &FileActions::openDataFolderDialog);
    auto* array = makeAction(&m_window, tr("NumPy data …"), u"dataFileAction"_s, {}, {});
    connect(array, &QAction::triggered, &m_files, &FileActions::openDataFileDialog);
    file->addActions({dataFolder, array});
    file->addSeparator();
    QMenu* exports = m_exports.menu();
    exports->setTitle(tr("Export"));
    file->addMenu(exports);
    file->addSeparator();
    auto* quit = makeAction(&m_window, tr("Quit"), u"quitAction"_s, {}, QKeySequence::Quit);
    connect(quit, &QAction::triggered, &m_window, &QWidget::close);
    file->addAction(quit);
}

void WindowActions::createViewMenu(QMenu* menu) {
    const QStringList titles{tr("Overview"), tr("Ranges and CLE"), tr("Compression"), tr("Quantization")};
    for (int stage = 0; stage < titles.size(); ++stage) {
        auto* action = makeAction(&m_window, titles[stage], u"stageAction%1"_s.arg(stage + 1), {},
                                  QKeySequence(u"Ctrl+%1"_s.arg(stage + 1)));
        connect(action, &QAction::triggered, this, [this, stage] { m_window.showStage(stage); });
        menu->addAction(action);
    }
    menu->addSeparator();
    for (const auto& name : {u"layersDock"_s, u"inspectorDock"_s, u"findingsDock"_s, u"jobsDock"_s, u"historyDock"_s})
        menu->addAction(m_window.dock(name)->toggleViewAction());
    auto* plotsOnly = makeAction(&m_window, tr("Plots only"), u"plotsOnlyAction"_s, {}, QKeySequence(Qt::Key_F11),
                                 tr("Hides the panels around the page (F11)"));
    plotsOnly->setCheckable(true);
    connect(plotsOnly, &QAction::toggled, this, [this](bool on) {
        static const char* const kHidden = "hiddenByPlotsOnly";
        for (QDockWidget* each : m_window.findChildren<QDockWidget*>()) {
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
        auto* action = makeAction(&m_window, names[index], u"theme_"_s + themeName(theme), {}, {});
        action->setCheckable(true);
        action->setChecked(theme == current);
        group->addAction(action);
        themes->addAction(action);
        connect(action, &QAction::triggered, this, [this, theme] { m_window.setTheme(theme); });
    }
}

void WindowActions::fillRecentMenu() {
    m_recentMenu->clear();
    for (const QString& path : m_window.recentFiles().paths()) {
        const QFileInfo info(path);
        QAction* action =
            m_recentMenu->addAction(info.exists() ? info.fileName() : tr("%1 (missing)").arg(info.fileName()), this,
                                    [this, path] { m_files.openPath(path); });
        action->setToolTip(path);
        action->setEnabled(info.exists());
    }
    m_recentMenu->setEnabled(!m_window.recentFiles().paths().isEmpty());
    m_recentMenu->setToolTipsVisible(true);
}

void WindowActions::showCommandPalette() {
    QList<QAction*> all;
    for (QAction* action : m_window.findChildren<QAction*>())
        if (!action->text().isEmpty() && !action->objectName().isEmpty() && !action->menu()) all.push_back(action);
    std::ranges::sort(all, [](const QAction* a, const QAction* b) { return a->text() < b->text(); });
    CommandPalette palette(all, &m_window);
    palette.exec();
}

}  // namespace equant::ui
