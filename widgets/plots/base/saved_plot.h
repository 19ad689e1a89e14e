// SPDX-License-Identifier: GPL-3.0-or-later
// A plot as it was at one moment: the scene of another plot with the range that was visible, and its table. The copy
// (PlotCopy) is a plain value that may be kept anywhere; SavedPlot is the widget that draws it, for reports.
#pragma once

#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

struct PlotCopy {
    QString name;  ///< object name of the plot
    PlotScene scene;
    PlotTable table;
};

/// What `plot` shows now. Plots with rows are copied whole, others with the visible range.
PlotCopy copyOf(const PlotView& plot);

class SavedPlot : public PlotView {
    Q_OBJECT

public:
    explicit SavedPlot(PlotCopy copy, QWidget* parent = nullptr);
    PlotTable table() const override { return m_copy.table; }

protected:
    PlotScene buildScene() const override { return m_copy.scene; }

private:
    PlotCopy m_copy;
};

}  // namespace equant::plots
