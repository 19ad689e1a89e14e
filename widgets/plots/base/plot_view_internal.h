// SPDX-License-Identifier: GPL-3.0-or-later
// State of a PlotView, shared by plot_view.cpp (manners) and plot_export.cpp (files). GUI thread only.
#pragma once

#include <QLabel>
#include <QTimer>

#include "widgets/plots/base/plot_canvas_internal.h"
#include "widgets/plots/base/plot_view.h"

namespace equant::plots {

/// A point under the pressed mouse button, as it was then; the scene may be rebuilt meanwhile.
struct DraggedPoint {
    QString series;
    PlotPoint point;
};

struct PlotView::Impl {
    PlotCanvas* canvas = nullptr;
    QLabel* readOut = nullptr;
    QScrollBar* scrollBar = nullptr;  ///< of plots with rows
    QTimer* later = nullptr;          ///< runs while a rebuild is due
    std::optional<PointRef> cursor;   ///< keyboard cursor
    std::optional<PointRef> hovered;
    std::optional<std::size_t> draggedLine;
    std::optional<DraggedPoint> draggedPoint;
    bool isPointMoved = false;
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
    /// The point of this scene that stands for what `point` of series `name` was in the one before.
    std::optional<PointRef> again(const QString& name, const PlotPoint& point) const;
    /// The next row of a plot with rows, at about the same x.
    std::optional<PointRef> rowBeside(const PointRef& ref, int step) const;
    /// The next point of the same row, or the last one in that direction.
    std::optional<PointRef> besideInRow(const PointRef& ref, int step, bool toEnd) const;
    /// Top left among the visible rows.
    std::optional<PointRef> firstInRows() const;
    void showRow(double row);
    /// Does a rebuild that is due now.
    void flush(PlotView* view);
};

}  // namespace equant::plots
