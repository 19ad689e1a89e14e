// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/base/saved_plot.h"

namespace equant::plots {

PlotCopy copyOf(const PlotView& plot) {
    PlotCopy copy{plot.objectName(), plot.scene(), plot.table()};
    copy.scene.title = plot.title();
    if (copy.scene.y.leastSpacing > 0) return copy;
    std::tie(copy.scene.x.lower, copy.scene.x.upper) = plot.visibleX();
    std::tie(copy.scene.y.lower, copy.scene.y.upper) = plot.visibleY();
    return copy;
}

SavedPlot::SavedPlot(PlotCopy copy, QWidget* parent) : PlotView(parent), m_copy(std::move(copy)) {
    setObjectName(m_copy.name);
    rebuild();
}

}  // namespace equant::plots
