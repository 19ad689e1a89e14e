// SPDX-License-Identifier: GPL-3.0-or-later
// The export menu: report, optimized model, quantized model, encodings, plots of the page, and steps as console
// commands.
#pragma once

#include <QObject>

#include "app/desktop/jobs/session.h"

class QAction;
class QMenu;

namespace equant::plots {
class PlotView;
}

namespace equant::ui {

class MainWindow;

class ExportActions : public QObject {
    Q_OBJECT

public:
    ExportActions(Session& session, MainWindow& window);

    QMenu* menu() const { return m_menu; }
    QAction* reportAction() const { return m_report; }
    QAction* copyEqualizeAction() const { return m_copyEqualize; }
    QAction* copyCompressAction() const { return m_copyCompress; }
    /// Plans and sensitivity tables, in and out.
    void addCompressionFiles(QMenu* menu);
    QAction* copyQuantizeAction() const { return m_copyQuantize; }
    /// Writes every plot of the current page that has data into `folder`; says how many in a message.
    void savePlots(const QString& folder, const QString& suffix);
    /// Puts what the plot shows now into the next report, as one undo step.
    void addToReport(const plots::PlotView& plot);

private:
    void fillMenu();
    /// Where to write, in the folder of the last export; empty: cancelled.
    QString askPath(const QString& title, const QString& ending, const QString& filter);
    QString askForPlanFile(bool isSaving, const QString& title, const QString& ending);
    void ask(ExportKind kind, const QString& title, const QString& ending, const QString& filter);
    void copyCommand(const Step& step);

    Session& m_session;
    MainWindow& m_window;
    QMenu* m_menu;
    QAction* m_report;
    QAction* m_copyCompress;
    QAction* m_copyEqualize;
    QAction* m_copyQuantize;
};

}  // namespace equant::ui
