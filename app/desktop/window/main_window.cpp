// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/main_window.h"

#include <QAction>
#include <QApplication>
#include <QCloseEvent>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QMimeData>
#include <QSettings>
#include <QStackedWidget>
#include <QStatusBar>
#include <QUndoView>
#include <QVBoxLayout>

#include "app/desktop/compression/compression_page.h"
#include "app/desktop/compression/compression_setup_panel.h"
#include "app/desktop/pages/inspector_panel.h"
#include "app/desktop/pages/overview_page.h"
#include "app/desktop/pages/plot_data.h"
#include "app/desktop/pages/quantization_page.h"
#include "app/desktop/pages/ranges_page.h"
#include "app/desktop/pages/setup_panel.h"
#include "app/desktop/pages/start_page.h"
#include "app/desktop/window/export_actions.h"
#include "app/desktop/window/file_actions.h"
#include "app/desktop/window/icons.h"
#include "app/desktop/window/stage_states.h"
#include "app/desktop/window/status_texts.h"
#include "app/desktop/window/window_actions.h"
#include "widgets/bridge/text.h"
#include "widgets/models/finding_model.h"
#include "widgets/models/layer_model.h"
#include "widgets/panels/drop_overlay.h"
#include "widgets/panels/findings_panel.h"
#include "widgets/panels/jobs_panel.h"
#include "widgets/panels/layer_panel.h"
#include "widgets/panels/message_bar.h"
#include "widgets/panels/stage_rail.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

MainWindow::MainWindow(QWidget* parent)
    : QMainWindow(parent), m_layerModel(new LayerModel(this)), m_findingModel(new FindingModel(this)) {
    setObjectName(u"mainWindow"_s);
    setWindowIcon(applicationIcon());
    setAcceptDrops(true);
    setDockOptions(AnimatedDocks | AllowNestedDocks | AllowTabbedDocks);
    m_files = new FileActions(m_session, *this);
    createPages();
    createDocks();
    auto* exports = new ExportActions(m_session, *this);
    new WindowActions(m_session, *this, *m_files, *exports, m_compression->filesMenu());
    new StatusTexts(m_session, m_layerModel, statusBar());
    new StageStates(m_session, m_rail);
    m_overlay = new DropOverlay(this);
    connectSession();
    m_docks.restore();
    showStage(-1);
    refreshTitle();
}

MainWindow::~MainWindow() {
    // The session's jobs end before the widgets they report to go.
    m_session.disconnect(this);
    m_session.document().disconnect(this);
}

void MainWindow::createPages() {
    m_rail = new StageRail(this);
    m_rail->addStage(tr("Overview"), symbolicIcon(u"overview"_s));
    m_rail->addStage(tr("Ranges and CLE"), symbolicIcon(u"ranges"_s));
    m_rail->addStage(tr("Compression"), symbolicIcon(u"compression"_s));
    m_rail->addStage(tr("Quantization"), symbolicIcon(u"quantization"_s));
    auto* start = new StartPage(&m_recent, this);
    m_overview = new OverviewPage(m_session, m_findingModel, this);
    m_ranges = new RangesPage(m_session, this);
    m_compression = new CompressionPage(m_session, this);
    m_quantization = new QuantizationPage(m_session, this);
    m_pages = new QStackedWidget(this);
    for (QWidget* page : QList<QWidget*>{start, m_overview, m_ranges, m_compression, m_quantization})
        m_pages->addWidget(page);
    m_messages = new MessageBar(this);

    auto* column = new QVBoxLayout;
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_messages);
    column->addWidget(m_pages, 1);
    auto* central = new QWidget(this);
    auto* layout = new QHBoxLayout(central);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(m_rail);
    layout->addLayout(column, 1);
    setCentralWidget(central);

    connect(m_rail, &StageRail::activated, this, &MainWindow::showStage);
    connect(start, &StartPage::openRequested, m_files, &FileActions::openModelDialog);
    connect(start, &StartPage::sampleRequested, &m_session, &Session::openSample);
    connect(start, &StartPage::recentRequested, m_files, &FileActions::openPath);
    connect(m_overview, &OverviewPage::stageRequested, this, &MainWindow::showStage);
    connect(m_quantization, &QuantizationPage::equalizeRequested, this, [this] { showStage(1); });
    connect(m_compression->setup(), &CompressionSetupPanel::dataFolderRequested, m_files,
            &FileActions::openDataFolderDialog);
    connect(m_compression->setup(), &CompressionSetupPanel::dataFileRequested, m_files,
            &FileActions::openDataFileDialog);
    connect(m_quantization->setup(), &SetupPanel::dataFolderRequested, m_files, &FileActions::openDataFolderDialog);
    connect(m_quantization->setup(), &SetupPanel::dataFileRequested, m_files, &FileActions::openDataFileDialog);
    connect(m_quantization->setup(), &SetupPanel::preprocessFileRequested, m_files, &FileActions::choosePreprocessFile);
}

void MainWindow::createDocks() {
    const auto add = [this](const QString& title, const QString& name, QWidget* content, Qt::DockWidgetArea area) {
        auto* result = new QDockWidget(title, this);
        result->setObjectName(name);
        result->toggleViewAction()->setObjectName(name + u"Action"_s);
        result->setWidget(content);
        addDockWidget(area, result);
        return result;
    };
    setCorner(Qt::BottomRightCorner, Qt::RightDockWidgetArea);
    m_layers = new LayerPanel(m_layerModel, this);
    add(tr("Layers"), u"layersDock"_s, m_layers, Qt::BottomDockWidgetArea);
    add(tr("Inspector"), u"inspectorDock"_s, new InspectorPanel(m_session, this), Qt::RightDockWidgetArea);
    auto* findings = new FindingsPanel(m_findingModel, this);
    auto* findingsDock = add(tr("Findings"), u"findingsDock"_s, findings, Qt::RightDockWidgetArea);
    auto* jobs = add(tr("Jobs"), u"jobsDock"_s, new JobsPanel(&m_session.jobs(), this), Qt::RightDockWidgetArea);
    auto* history = new QUndoView(m_session.document().undoStack(), this);
    history->setObjectName(u"historyView"_s);
    history->setEmptyLabel(tr("As opened"));
    history->setFrameShape(QFrame::NoFrame);
    auto* historyDock = add(tr("History"), u"historyDock"_s, history, Qt::RightDockWidgetArea);
    tabifyDockWidget(findingsDock, jobs);
    tabifyDockWidget(jobs, historyDock);
    jobs->raise();
    connect(findings, &FindingsPanel::layerActivated, &m_session.selection(), &Selection::setOne);
    connect(m_layers, &LayerPanel::selectionChanged, &m_session.selection(), &Selection::set);
    connect(&m_session.selection(), &Selection::changed, m_layers, &LayerPanel::setSelectedLayers);
    connect(m_layers, &LayerPanel::menuRequested, this, [this](const QStringList& names, const QPoint& position) {
        if (currentStage() != static_cast<int>(Stage::Compression)) return;
        if (QMenu* menu = m_compression->createLayerMenu(names)) {
            menu->setAttribute(Qt::WA_DeleteOnClose);
            menu->popup(position);
        }
    });
}

void MainWindow::connectSession() {
    Document& document = m_session.document();
    connect(&m_session, &Session::modelOpened, this, [this](const QString& path) {
        m_recent.add(path);
        m_messages->hide();
        refreshFindings();
        showStage(0);
        refreshTitle();
    });
    connect(&m_session, &Session::workspaceChanged, this, [this] {
        m_recent.add(m_session.workspacePath());
        refreshTitle();
    });
    connect(document.undoStack(), &QUndoStack::cleanChanged, this, &MainWindow::refreshTitle);
    connect(&m_session, &Session::failed, this, [this](const QString& activity, const Error& error) {
        m_messages->show(MessageBar::Kind::Error, errorText(error), toQString(error.hint),
                         errorDetails(error, activity));
    });
    connect(&m_session, &Session::noticed, this, [this](const QString& text, const QString& hint) {
        m_messages->show(MessageBar::Kind::Warning, text, hint);
    });
    connect(&m_session, &Session::planMeasured, this, [this] {
        if (!isActiveWindow()) QApplication::alert(this);
    });
    connect(&m_session, &Session::exported, this, [this](const QString& path, const QString& summary) {
        m_messages->show(MessageBar::Kind::Success, QFileInfo(path).fileName() + u": "_s + summary, path);
    });
    connect(&m_session, &Session::quantizationFinished, this, [this] {
        if (!isActiveWindow()) QApplication::alert(this);
    });
    for (const auto signal : {&Document::modelChanged, &Document::stateChanged, &Document::equalizedChanged,
                              &Document::quantizationChanged, &Document::compressedChanged, &Document::planChanged})
        connect(&document, signal, this, &MainWindow::refreshRows);
    connect(&document, &Document::sensitivityChanged, this, [this] {
        if (!m_session.isSweeping()) refreshRows();
    });
    connect(&document, &Document::quantizationChanged, this, &MainWindow::refreshFindings);
    // The next edit hides the message of the former one.
    connect(document.undoStack(), &QUndoStack::indexChanged, m_messages, &QWidget::hide);
    connect(document.undoStack(), &QUndoStack::cleanChanged, this, &MainWindow::refreshTitle);
}

void MainWindow::refreshRows() {
    // Ranges and quantization are of the compressed network.
    const bool isAsOpened = currentStage() <= 0 || currentStage() == static_cast<int>(Stage::Compression);
    m_layerModel->updateRows(layerRows(m_session.document(), isAsOpened));
}

/// What the model's file shows, and what its runs have shown.
void MainWindow::refreshFindings() {
    const Document& document = m_session.document();
    std::vector<Finding> findings;
    if (const auto result = document.quantization()) findings = result->findings;
    if (document.hasModel()) {
        const auto& preflight = document.loaded()->inspection.findings;
        findings.insert(findings.end(), preflight.begin(), preflight.end());
    }
    m_findingModel->setFindings(std::move(findings));
}

void MainWindow::refreshTitle() {
    const QString name = m_session.document().modelName();
    const QString workspace = QFileInfo(m_session.workspacePath()).fileName();
    setWindowTitle(name.isEmpty()        ? tr("Equant")
                   : workspace.isEmpty() ? tr("%1 - Equant").arg(name)
                                         : tr("%1[*] (%2) - Equant").arg(workspace, name));
    setWindowModified(!workspace.isEmpty() && !m_session.document().undoStack()->isClean());
}

void MainWindow::showStage(int stage) {
    if (stage >= 0 && !m_session.document().hasModel()) stage = -1;
    if (stage >= 0 && stage != currentStage())
        for (const auto& [set, of] :
             {std::pair{ColumnSet::Structure, Stage::Overview}, std::pair{ColumnSet::Ranges, Stage::Ranges},
              std::pair{ColumnSet::Compression, Stage::Compression},
              std::pair{ColumnSet::Quantization, Stage::Quantization}})
            m_layers->setColumnSetShown(set, stage == static_cast<int>(of));
    m_pages->setCurrentIndex(stage + 1);
    m_rail->setCurrent(stage);
    refreshRows();
    // The docks have nothing to say before a model is open.
    const bool hasModel = m_session.document().hasModel();
    m_rail->setVisible(hasModel);
    m_docks.setShown(hasModel);
}

int MainWindow::currentStage() const {
    return m_pages->currentIndex() - 1;
}

QDockWidget* MainWindow::dock(const QString& name) const {
    return findChild<QDockWidget*>(name);
}

QList<plots::PlotView*> MainWindow::currentPlots() const {
    if (currentStage() < 0) return {};
    switch (static_cast<Stage>(currentStage())) {
        case Stage::Overview:
            return m_overview->findChildren<plots::PlotView*>();
        case Stage::Ranges:
            return m_ranges->plots();
        case Stage::Compression:
            return m_compression->plots();
        case Stage::Quantization:
            return m_quantization->plots();
    }
    return {};
}

void MainWindow::runCurrentStage() {
    if (!m_session.document().hasModel()) return;
    if (currentStage() == static_cast<int>(Stage::Quantization)) return m_session.quantize();
    if (currentStage() == static_cast<int>(Stage::Compression)) return m_session.predictSensitivity();
    showStage(static_cast<int>(Stage::Ranges));
    m_session.previewEqualization();
}

void MainWindow::escape() {
    if (m_messages->isVisible()) return m_messages->hide();
    if (!m_session.selection().layers().isEmpty()) return m_session.selection().clear();
    for (Job* job : m_session.jobs().jobs())
        if (job->isRunning()) {
            QDockWidget* jobs = dock(u"jobsDock"_s);
            jobs->show();
            jobs->raise();
            return;
        }
}

void MainWindow::setTheme(Theme theme) {
    applyTheme(theme);
    QSettings().setValue(u"theme"_s, themeName(theme));
}

void MainWindow::resizeEvent(QResizeEvent* event) {
    QMainWindow::resizeEvent(event);
    const bool wasNarrow = event->oldSize().isValid() && DockLayout::isNarrow(event->oldSize().width());
    const bool isNarrow = DockLayout::isNarrow(width());
    m_rail->setCompact(isNarrow);
    if (m_docks.isShown() && wasNarrow != isNarrow) m_docks.fit();
    if (m_overlay) m_overlay->setGeometry(rect());
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (!m_files->mayClose()) return event->ignore();
    m_docks.save();
    m_session.jobs().cancelAll();
    QMainWindow::closeEvent(event);
}

bool MainWindow::event(QEvent* event) {
    // Tool tips of the status bar texts follow what they show.
    if (event->type() == QEvent::StatusTip) return true;
    return QMainWindow::event(event);
}

void MainWindow::openPath(const QString& path) {
    m_files->openPath(path);
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    const auto urls = event->mimeData()->urls();
    if (urls.isEmpty() || !urls.front().isLocalFile()) return;
    const QString path = urls.front().toLocalFile();
    m_overlay->showText(m_files->dropText(path), m_files->canDrop(path));
    event->acceptProposedAction();
}

void MainWindow::dragLeaveEvent(QDragLeaveEvent*) {
    m_overlay->hide();
}

void MainWindow::dropEvent(QDropEvent* event) {
    m_overlay->hide();
    const auto urls = event->mimeData()->urls();
    if (urls.isEmpty()) return;
    event->acceptProposedAction();
    m_files->openPath(urls.front().toLocalFile());
}

}  // namespace equant::ui
