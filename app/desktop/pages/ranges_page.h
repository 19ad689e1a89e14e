// SPDX-License-Identifier: GPL-3.0-or-later
// Which channels waste the integer grid, and what equalization changes, with the proof that the network stays the same.
#pragma once

#include <QWidget>

class QComboBox;
class QLabel;

namespace equant::plots {
class PlotView;
class RangeDumbbell;
}  // namespace equant::plots

namespace equant::ui {

class LayerPlots;
class Session;
class StatusBadge;

class RangesPage : public QWidget {
    Q_OBJECT

public:
    explicit RangesPage(Session& session, QWidget* parent = nullptr);
    QList<plots::PlotView*> plots() const;  ///< filled, for export

private:
    QWidget* createPlots();
    void refresh();
    void refreshBadge();
    void refreshHeadline();

    Session& m_session;
    QLabel* m_headline;
    StatusBadge* m_badge;
    QComboBox* m_order;
    plots::RangeDumbbell* m_dumbbell;
    LayerPlots* m_layerPlots;
};

}  // namespace equant::ui
