// SPDX-License-Identifier: GPL-3.0-or-later
// How far each layer can shrink, for how little loss, under a budget: set-up, budget strip, sensitivity map, ratios,
// and for one layer or the whole plan what it costs. The plan is changed by
// its PlanEditor.
#pragma once

#include <QTimer>
#include <QWidget>
#include <memory>

#include "app/desktop/compression/compression_view.h"

class QBoxLayout;
class QLabel;
class QMenu;
class QPushButton;
class QSplitter;
class QTabBar;
class QTabWidget;

namespace equant::ui {

class BudgetStrip;
class CompressionLayerPanel;
class MeasuredPlans;
class PlanEditor;
class CompressionSetupPanel;
class Session;

class CompressionPage : public QWidget {
    Q_OBJECT

public:
    explicit CompressionPage(Session& session, QWidget* parent = nullptr);
    CompressionSetupPanel* setup() const { return m_setup; }
    QList<plots::PlotView*> plots() const;
    BudgetStrip* budget() const { return m_budget; }
    /// The menu behind "Files"; the window fills it.
    QMenu* filesMenu() const { return m_files; }
    /// What can be done with these layers, owned by the caller; null: nothing.
    QMenu* createLayerMenu(const QStringList& layers);
    /// Brings a plot of the page to the front where tabs hold it.
    void showPlot(plots::PlotView* plot);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    QWidget* createResults();
    QWidget* createHeader();
    QWidget* createMap();
    void connectPlots();
    void connectDocument();
    void arrange();
    void placeProfile(bool isBesideMap);
    void showMapOfSweep();
    void elideMarginal();

    void tableChanged();
    void planChanged();
    std::optional<EngineCosts> shownCosts() const;
    void refreshWords();
    void refreshBudget(const CompressionPlan& plan);
    void refreshPlots();
    void refreshLayer();
    void refreshMap();
    void refreshMethodBar();
    void markPlan(const CompressionPlan& plan);
    void showDragged();

    void adoptPlan(int index);

    Session& m_session;
    PlanEditor* m_editor;
    CompressionSetupPanel* m_setup;
    QLabel* m_headline;
    QLabel* m_details;
    QLabel* m_marginal;
    BudgetStrip* m_budget;
    QPushButton* m_measurePlan;
    QPushButton* m_apply;
    QMenu* m_files;
    plots::SensitivityMap* m_map;
    plots::RatioProfile* m_profile;
    CompressionLayerPanel* m_layer;
    plots::TradeOffFrontier* m_frontier;
    MeasuredPlans* m_measuredPlans;
    QSplitter* m_tradeOff;  ///< the plot and the plans that were measured
    plots::SavingsWaterfall* m_waterfall;
    QBoxLayout* m_actions = nullptr;
    QSplitter* m_top;
    QWidget* m_upper = nullptr;  ///< the map with its methods, and the ratios where there is room
    QSplitter* m_rows;           ///< what is above the tabs where there is room, and the tabs
    QWidget* m_results = nullptr;
    QTabBar* m_methodBar;
    QTabWidget* m_tabs;

    std::shared_ptr<const SensitivityTable> m_table;
    std::unique_ptr<CompressionView> m_view;
    std::vector<std::vector<plots::SensitivityCell>> m_shownCells;
    std::vector<CompressionMethod> m_barMethods;   ///< that the tabs above the map show
    std::optional<CompressionMethod> m_mapMethod;  ///< whose cells the map shows; absent: the best one's
    std::vector<CompressionPlan> m_frontierPlans;
    int m_firstMeasured = 0;  ///< among them
    QTimer m_refresh;         ///< plots of the whole plan follow a sweep with a delay
    bool m_wasSweeping = false;
    bool m_isDirty = true;  ///< something changed while the page was hidden
};

}  // namespace equant::ui
