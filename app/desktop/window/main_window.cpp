// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/main_window.h"

#include <QAction>
#include <QApplication>
#include <QCloseEvent>
#include <QDockWidget>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QSettings>
#include <QStackedWidget>
#include <QStatusBar>
#include <QTimer>
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
#include "app/desktop/window/icons.h"
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

namespace {
constexpr int kLayoutVersion = 1;
constexpr int kCompactWidth = 960;
}  // namespace

MainWindow::MainWindow(QWidget* parent)
    : QMainWindow(parent), m_layerModel(new LayerModel(this)), m_findingModel(new FindingModel(this)) {
    setObjectName(u"mainWindow"_s);
    setWindowIcon(applicationIcon());
    setAcceptDrops(true);
    setDockOptions(AnimatedDocks | AllowNestedDocks | AllowTabbedDocks);
    createPages();
    createDocks();
    m_exports = new ExportActions(m_session, *this);
    createActions();
    createStatusBar();
    m_overlay = new DropOverlay(this);
    connectSession();
    restoreLayout();
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
    connect(start, &StartPage::openRequested, this, &MainWindow::openModelDialog);
    connect(start, &StartPage::sampleRequested, &m_session, &Session::openSample);
    connect(start, &StartPage::recentRequested, this, &MainWindow::openPath);
    connect(m_overview, &OverviewPage::stageRequested, this, &MainWindow::showStage);
    connect(m_quantization, &QuantizationPage::equalizeRequested, this, [this] { showStage(1); });
    connect(m_compression->setup(), &CompressionSetupPanel::dataFolderRequested, this,
            &MainWindow::openDataFolderDialog);
    connect(m_compression->setup(), &CompressionSetupPanel::dataFileRequested, this, &MainWindow::openDataFileDialog);
    connect(m_quantization->setup(), &SetupPanel::dataFolderRequested, this, &MainWindow::openDataFolderDialog);
    connect(m_quantization->setup(), &SetupPanel::dataFileRequested, this, &MainWindow::openDataFileDialog);
    connect(m_quantization->setup(), &SetupPanel::preprocessFileRequested, this, &MainWindow::choosePreprocessFile);
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

void MainWindow::createStatusBar() {
    m_selectionText = new QLabel(this);
    m_selectionText->setObjectName(u"selectionText"_s);
    m_selectionText->setTextFormat(Qt::PlainText);
    m_selectionText->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_jobText = new QLabel(this);
    m_memoryText = new QLabel(this);
    m_memoryText->setToolTip(tr("Memory this program uses"));
    statusBar()->setObjectName(u"statusBar"_s);
    statusBar()->addWidget(m_selectionText, 1);
    statusBar()->addPermanentWidget(m_jobText);
    statusBar()->addPermanentWidget(m_memoryText);
    auto* timer = new QTimer(this);
    timer->setInterval(2000);
    connect(timer, &QTimer::timeout, this, &MainWindow::refreshStatus);
    timer->start();
    refreshStatus();
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
                              &Document::quantizationChanged, &Document::compressedChanged}) {
        connect(&document, signal, this, &MainWindow::refreshRows);
        connect(&document, signal, this, &MainWindow::refreshStages);
    }
    for (const auto signal : {&Document::planChanged, &Document::sensitivityChanged})
        connect(&document, signal, this, &MainWindow::refreshStages);
    connect(&document, &Document::planChanged, this, &MainWindow::refreshRows);
    connect(&document, &Document::sensitivityChanged, this, [this] {
        if (!m_session.isSweeping()) refreshRows();
    });
    connect(&m_session, &Session::busyChanged, this, &MainWindow::refreshStages);
    connect(&document, &Document::quantizationChanged, this, &MainWindow::refreshFindings);
    connect(&m_session.selection(), &Selection::changed, this, &MainWindow::refreshStatus);
    connect(&m_session.jobs(), &JobRunner::progressed, this, &MainWindow::refreshStatus);
    connect(&m_session.jobs(), &JobRunner::progressed, this, &MainWindow::refreshStages);
    // A message is about what was done before it: the next decision takes it away.
    connect(document.undoStack(), &QUndoStack::indexChanged, m_messages, &QWidget::hide);
    connect(document.undoStack(), &QUndoStack::cleanChanged, this, &MainWindow::refreshTitle);
    refreshStages();
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

void MainWindow::refreshStages() {
    const Document& document = m_session.document();
    const bool hasModel = document.hasModel();
    for (int index = 0; index < kStages; ++index) {
        const auto stage = static_cast<Stage>(index);
        m_rail->button(index)->setEnabled(hasModel);
        const StageState state = document.stageState(stage);
        const bool isRunning = isStageRunning(stage);
        const Job* job = stage == Stage::Ranges         ? m_session.equalizeJob()
                         : stage == Stage::Quantization ? m_session.quantizeJob()
                         : stage != Stage::Compression  ? nullptr
                         : m_session.isSweeping()       ? m_session.sweepJob()
                                                        : m_session.compressJob();
        const bool hasShare = isRunning && job && job->isRunning() && job->fraction() >= 0;
        const QString text = hasShare                     ? tr("running, %1 %").arg(qRound(100 * job->fraction()))
                             : isRunning                  ? tr("running …")
                             : state == StageState::Empty ? tr("no model")
                             : state == StageState::Stale ? tr("out of date")
                                                          : stageText(stage, state);
        m_rail->setStageState(index, text, state == StageState::Done && !isRunning,
                              state == StageState::Stale && !isRunning);
    }
}

bool MainWindow::isStageRunning(Stage stage) const {
    switch (stage) {
        case Stage::Overview:
            return m_session.isOpening();
        case Stage::Ranges:
            return m_session.isEqualizing();
        case Stage::Compression:
            return m_session.isSweeping() || m_session.isCompressing();
        case Stage::Quantization:
            return m_session.isQuantizing() || m_session.isLoadingData();
    }
    return false;
}

QString MainWindow::stageText(Stage stage, StageState state) const {
    const bool isDone = state == StageState::Done;
    switch (stage) {
        case Stage::Overview:
            return tr("ready");
        case Stage::Ranges:
            return isDone ? tr("equalized") : tr("not applied");
        case Stage::Compression:
            return isDone ? tr("compressed") : m_session.document().sensitivity() ? tr("not applied") : tr("not run");
        case Stage::Quantization:
            return isDone ? tr("measured") : tr("not run");
    }
    return {};
}

void MainWindow::refreshStatus() {
    const Document& document = m_session.document();
    const QStringList& layers = m_session.selection().layers();
    QString text;
    if (m_session.isOpening()) {
        text = tr("Opening …");
    } else if (!document.hasModel()) {
        text = tr("No model open");
    } else if (layers.isEmpty()) {
        text = tr("%n layer(s), none selected", nullptr, m_layerModel->rowCount());
    } else {
        double parameters = 0;
        double macs = 0;
        for (const QString& name : layers) {
            const int row = m_layerModel->rowOf(name);
            if (row < 0) continue;
            parameters += m_layerModel->rows()[static_cast<std::size_t>(row)].parameterShare;
            macs += m_layerModel->rows()[static_cast<std::size_t>(row)].macShare;
        }
        text = layers.size() == 1 ? layers.front() : tr("%n layers selected", nullptr, static_cast<int>(layers.size()));
        text += tr(": %1 of the parameters, %2 of the MACs")
                    .arg(percentOrDash(100 * parameters), percentOrDash(100 * macs));
    }
    m_selectionText->setText(text);
    QString running;
    for (const Job* job : m_session.jobs().jobs()) {
        if (!job->isRunning()) continue;
        running = job->title();
        if (job->fraction() >= 0) running += u" "_s + percentOrDash(100 * job->fraction());
    }
    m_jobText->setText(running);
    const qint64 memory = residentBytes();
    m_memoryText->setText(memory > 0 ? plots::bytesText(static_cast<double>(memory)) : QString());
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
    setDocksShown(hasModel);
}

void MainWindow::setDocksShown(bool on) {
    if (on == m_areDocksShown) return;
    m_areDocksShown = on;
    if (on) {
        restoreState(m_layout, kLayoutVersion);
        fitDocks();
        return;
    }
    m_layout = saveState(kLayoutVersion);
    for (QDockWidget* each : findChildren<QDockWidget*>()) each->hide();
}

/// In a narrow window the docks at the side make way for the page; they come back when there is room.
void MainWindow::fitDocks() {
    static const char* const kHidden = "hiddenForRoom";
    static const char* const kOnTop = "wasOnTop";  // of the docks that share a place
    const bool isNarrow = width() < kCompactWidth;
    for (QDockWidget* each : findChildren<QDockWidget*>())  // all of them before the first goes
        if (isNarrow && !each->isHidden()) each->setProperty(kOnTop, !each->visibleRegion().isEmpty());
    for (QDockWidget* each : findChildren<QDockWidget*>()) {
        const bool isAtSide = !each->isFloating() && dockWidgetArea(each) == Qt::RightDockWidgetArea;
        if (isNarrow && isAtSide && !each->isHidden()) {
            each->setProperty(kHidden, true);
            each->hide();
        } else if (!isNarrow && each->property(kHidden).toBool()) {
            each->setProperty(kHidden, false);
            each->show();
        }
    }
    for (QDockWidget* each : findChildren<QDockWidget*>())
        if (!isNarrow && each->property(kOnTop).toBool()) {
            each->setProperty(kOnTop, false);
            each->raise();
        }
    if (height() < 640) resizeDocks({dock(u"layersDock"_s)}, {130}, Qt::Vertical);
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
    const bool wasCompact = event->oldSize().width() < kCompactWidth && event->oldSize().isValid();
    m_rail->setCompact(width() < kCompactWidth);
    if (m_areDocksShown && wasCompact != (width() < kCompactWidth)) fitDocks();
    if (m_overlay) m_overlay->setGeometry(rect());
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (!mayClose()) return event->ignore();
    QSettings settings;
    settings.setValue(u"window/geometry"_s, saveGeometry());
    settings.setValue(u"window/layout"_s, m_areDocksShown ? saveState(kLayoutVersion) : m_layout);
    m_session.jobs().cancelAll();
    QMainWindow::closeEvent(event);
}

bool MainWindow::event(QEvent* event) {
    // Tool tips of the status bar texts follow what they show.
    if (event->type() == QEvent::StatusTip) return true;
    return QMainWindow::event(event);
}

void MainWindow::restoreLayout() {
    QSettings settings;
    if (!restoreGeometry(settings.value(u"window/geometry"_s).toByteArray())) resize(1280, 800);
    if (!restoreState(settings.value(u"window/layout"_s).toByteArray(), kLayoutVersion)) {
        resizeDocks({dock(u"inspectorDock"_s), dock(u"jobsDock"_s)}, {260, 260}, Qt::Horizontal);
        resizeDocks({dock(u"inspectorDock"_s), dock(u"jobsDock"_s)}, {420, 220}, Qt::Vertical);
        resizeDocks({dock(u"layersDock"_s)}, {190}, Qt::Vertical);
    }
}

}  // namespace equant::ui
