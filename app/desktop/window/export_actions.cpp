// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/export_actions.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QMenu>
#include <QSettings>
#include <functional>

#include "app/desktop/jobs/engine_calls.h"
#include "app/desktop/window/icons.h"
#include "app/desktop/window/main_window.h"
#include "core/recipe/run.h"
#include "widgets/bridge/text.h"
#include "widgets/panels/message_bar.h"
#include "widgets/plots/base/saved_plot.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

ExportActions::ExportActions(Session& session, MainWindow& window)
    : QObject(&window),
      m_session(session),
      m_window(window),
      m_menu(new QMenu(&window)),
      m_report(new QAction(symbolicIcon(u"report"_s), tr("Report"), &window)),
      m_copyCompress(new QAction(symbolicIcon(u"copy"_s), tr("Copy \"compress\" as command"), &window)),
      m_copyEqualize(new QAction(symbolicIcon(u"copy"_s), tr("Copy \"equalize\" as command"), &window)),
      m_copyQuantize(new QAction(symbolicIcon(u"copy"_s), tr("Copy \"quantize\" as command"), &window)) {
    m_menu->setObjectName(u"exportMenu"_s);
    m_copyCompress->setObjectName(u"copyCompressAction"_s);
    m_copyEqualize->setObjectName(u"copyEqualizeAction"_s);
    m_copyQuantize->setObjectName(u"copyQuantizeAction"_s);
    m_report->setObjectName(u"reportAction"_s);
    m_report->setShortcut(QKeySequence(tr("Ctrl+R")));
    m_report->setToolTip(tr("Write a PDF report with all results, and pictures of its plots (Ctrl+R)"));
    m_window.addAction(m_report);
    connect(m_report, &QAction::triggered, this, [this] {
        const QString path = askPath(tr("Report"), u"-report.pdf"_s, tr("PDF documents (*.pdf)"));
        if (!path.isEmpty()) m_session.writeReport(path);
    });
    m_menu->addAction(m_report);
    m_menu->addSeparator();
    for (const plots::PlotView* plot : m_window.findChildren<plots::PlotView*>())
        connect(plot, &plots::PlotView::addToReportRequested, this, [this, plot] { addToReport(*plot); });
    fillMenu();
    connect(m_copyCompress, &QAction::triggered, this,
            [this] { copyCommand(m_session.document().editedCompression()); });
    connect(m_copyEqualize, &QAction::triggered, this,
            [this] { copyCommand(EqualizeStep{m_session.document().state().equalize}); });
    connect(m_copyQuantize, &QAction::triggered, this,
            [this] { copyCommand(QuantizeStep{m_session.document().state().quantization}); });
}

void ExportActions::fillMenu() {
    const auto add = [this](const QString& text, const QString& name, ExportKind kind, const QString& ending,
                            const QString& filter) {
        QAction* action = m_menu->addAction(text);
        action->setObjectName(name);
        m_window.addAction(action);
        connect(action, &QAction::triggered, this, [=, this] { ask(kind, text, ending, filter); });
        return action;
    };
    QAction* recipe = m_menu->addAction(tr("Recipe …"));
    recipe->setObjectName(u"saveRecipeAction"_s);
    recipe->setToolTip(tr("All steps as a file that equant-cli apply and equant report carry out"));
    m_window.addAction(recipe);
    connect(recipe, &QAction::triggered, this, [this] {
        const QString path = askPath(tr("Save recipe"), u".recipe.json"_s, tr("Recipes (*.json)"));
        if (!path.isEmpty()) m_session.saveRecipe(path);
    });
    const QString onnx = tr("ONNX models (*.onnx)");
    const QString json = tr("Encodings (*.json *.encodings)");
    add(tr("Optimized model …"), u"exportModelAction"_s, ExportKind::OptimizedModel, u"-optimized.onnx"_s, onnx)
        ->setShortcut(QKeySequence(tr("Ctrl+E")));
    add(tr("Quantized model (QDQ) …"), u"exportQdqAction"_s, ExportKind::QdqModel, u"-qdq.onnx"_s, onnx);
    m_menu->addSeparator();
    add(tr("Encodings 0.6.1 …"), u"exportEncodings061Action"_s, ExportKind::Encodings061, u".encodings.json"_s, json);
    add(tr("Encodings 1.0.0 …"), u"exportEncodings100Action"_s, ExportKind::Encodings100, u".encodings.json"_s, json);
    add(tr("Encodings 2.0.0 …"), u"exportEncodings200Action"_s, ExportKind::Encodings200, u".encodings.json"_s, json);
    m_menu->addSeparator();
    QAction* plots = m_menu->addAction(tr("Save all plots of this page …"));
    plots->setObjectName(u"savePlotsAction"_s);
    m_window.addAction(plots);
    connect(plots, &QAction::triggered, this, [this] {
        const QString folder = QFileDialog::getExistingDirectory(&m_window, tr("Folder for the plots"));
        if (!folder.isEmpty()) savePlots(folder, u"svg"_s);
    });
}

QString ExportActions::askPath(const QString& title, const QString& ending, const QString& filter) {
    if (!m_session.document().hasModel()) return {};
    QSettings settings;
    const QFileInfo model(m_session.document().loaded()->path);
    const QString folder = settings.value(u"folders/export"_s, model.absolutePath()).toString();
    const QString path = QFileDialog::getSaveFileName(&m_window, QString(title).remove(u'…').trimmed(),
                                                      folder + u'/' + model.completeBaseName() + ending, filter);
    if (!path.isEmpty()) settings.setValue(u"folders/export"_s, QFileInfo(path).absolutePath());
    return path;
}

void ExportActions::ask(ExportKind kind, const QString& title, const QString& ending, const QString& filter) {
    const QString path = askPath(title, ending, filter);
    if (!path.isEmpty()) m_session.exportTo(kind, path);
}

QString ExportActions::askForPlanFile(bool isSaving, const QString& title, const QString& ending) {
    const QString filter = tr("JSON (*.json);;All files (*)");
    if (isSaving) return askPath(title, ending, filter);
    if (!m_session.document().hasModel()) return {};
    const QFileInfo model(m_session.document().loaded()->path);
    const QString folder = QSettings().value(u"folders/export"_s, model.absolutePath()).toString();
    return QFileDialog::getOpenFileName(&m_window, QString(title).remove(u'…').trimmed(), folder, filter);
}

void ExportActions::addCompressionFiles(QMenu* menu) {
    const auto add = [&](const QString& text, const QString& name, bool isSaving, const QString& ending,
                         void (Session::*slot)(const QString&)) {
        QAction* action = menu->addAction(text);
        action->setObjectName(name);
        m_window.addAction(action);
        connect(action, &QAction::triggered, this, [this, isSaving, text, ending, slot] {
            const QString path = askForPlanFile(isSaving, text, ending);
            if (!path.isEmpty()) std::invoke(slot, m_session, path);
        });
    };
    add(tr("Import plan …"), u"importPlanAction"_s, false, {}, &Session::importPlan);
    add(tr("Export plan …"), u"exportPlanAction"_s, true, u".plan.json"_s, &Session::exportPlan);
    add(tr("Import sensitivities …"), u"importSensitivityAction"_s, false, {}, &Session::importSensitivity);
    add(tr("Export sensitivities …"), u"exportSensitivityAction"_s, true, u".sensitivity.json"_s,
        &Session::exportSensitivity);
}

void ExportActions::copyCommand(const Step& step) {
    if (!m_session.document().hasModel()) return;
    const Document& document = m_session.document();
    // With the steps before it: the command gives the numbers that the window shows.
    Recipe recipe;
    for (const StepKind& kind : stepKinds()) {
        if (kind.name == kindOf(step).name) break;
        for (const Step& applied : document.state().recipe.steps)
            if (kindOf(applied).name == kind.name) recipe.steps.push_back(applied);
    }
    recipe.steps.push_back(step);
    DataOptions data = recipeData(document.state().data);
    if (data.path.empty() && recipe.quantizeStep()) data.path = "DATA";
    const QString command = toQString(asCommand(recipe, toStdString(document.loaded()->path), data));
    QApplication::clipboard()->setText(command);
    m_window.messageBar()->show(MessageBar::Kind::Information, tr("Copied to the clipboard:"), command);
}

void ExportActions::addToReport(const plots::PlotView& plot) {
    if (!m_session.document().hasModel() || plot.scene().isEmpty()) return;
    const auto added = std::make_shared<const plots::PlotCopy>(plots::copyOf(plot));
    m_session.document().edit(tr("Add to report: %1").arg(added->scene.title),
                              [&](DocumentState& state) { state.reportPlots.push_back(added); });
    const auto count = static_cast<int>(m_session.document().state().reportPlots.size());
    m_window.messageBar()->show(MessageBar::Kind::Information,
                                tr("Added to the next report: %1").arg(added->scene.title),
                                tr("%n plot(s) added. Undo removes the newest.", nullptr, count));
}

void ExportActions::savePlots(const QString& folder, const QString& suffix) {
    int written = 0;
    QString problem;
    for (plots::PlotView* plot : m_window.currentPlots()) {
        if (plot->scene().isEmpty()) continue;
        QString error;
        if (plot->exportPlot(QDir(folder).filePath(plot->objectName() + u'.' + suffix), &error))
            ++written;
        else
            problem = error;
    }
    if (!problem.isEmpty()) return m_window.messageBar()->show(MessageBar::Kind::Error, problem);
    m_window.messageBar()->show(MessageBar::Kind::Success, tr("%n plot(s) written.", nullptr, written), folder);
}

}  // namespace equant::ui
