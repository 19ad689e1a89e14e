// SPDX-License-Identifier: GPL-3.0-or-later
// State of a PlotView, shared by plot_view.cpp (manners) and plot_export.cpp (files). GUI thread only.
#pragma once

#include <QLabel>

#include "widgets/plots/plot_canvas_internal.h"
#include "widgets/plots/plot_view.h"

namespace equant::plots {

struct PlotView::Impl {
    PlotCanvas* canvas = nullptr;
    QLabel* readOut = nullptr;
    std::optional<PointRef> cursor;  ///< keyboard cursor
    std::optional<PointRef> hovered;
    std::optional<std::size_t> draggedLine;
    QPoint pressPosition;
    bool isPressed = false;
    bool isLogScale = false;

    const PlotScene& scene() const { return canvas->state().scene; }
    const PlotPoint& point(const PointRef& ref) const { return scene().series[ref.series].points[ref.point]; }
    void showReadOut(const PointRef& ref, QPoint near);
    void hideReadOut();
    /// Indices of navigable series with points.
    std::vector<std::size_t> navigable() const;
    /// Point indices of a series from left to right.
    std::vector<std::size_t> ordered(std::size_t series) const;
    /// The point of `series` nearest to x.
    std::size_t nearest(std::size_t series, double x) const;
};

}  // namespace equant::plots
