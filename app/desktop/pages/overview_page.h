// SPDX-License-Identifier: GPL-3.0-or-later
// What is in the model, where its cost sits, what may go wrong, and what to do next.
#pragma once

#include <QWidget>

class QComboBox;
class QLabel;
class QPushButton;

namespace equant::plots {
class CostBars;
class CostScatter;
}  // namespace equant::plots

namespace equant::ui {

class FindingModel;
class FindingsPanel;
class Session;

class OverviewPage : public QWidget {
    Q_OBJECT

public:
    OverviewPage(Session& session, FindingModel* findings, QWidget* parent = nullptr);

signals:
    void stageRequested(int stage);

private:
    QWidget* createPlots();
    void connectControls();
    void showModel();
    void updateNextStep();

    Session& m_session;
    QLabel* m_headline;
    QLabel* m_facts;
    QLabel* m_nextText;
    QPushButton* m_nextButton;
    QComboBox* m_metric;
    QComboBox* m_order;
    plots::CostBars* m_bars;
    plots::CostScatter* m_scatter;
    FindingsPanel* m_findings;
    int m_nextStage = 1;
};

}  // namespace equant::ui
