// SPDX-License-Identifier: GPL-3.0-or-later
// What the mouse does in every plot: read-out, selection, dragging of lines and points, zoom, scrolling of rows.
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QScrollBar>
#include <algorithm>
#include <cmath>

#include "widgets/plots/base/plot_view_internal.h"

namespace equant::plots {

void PlotView::hover(QPoint position) {
    const auto ref = m_impl->canvas->pointAt(position);
    const QString oldKey = m_impl->hovered ? m_impl->point(*m_impl->hovered).key : QString();
    m_impl->hovered = ref;
    m_impl->canvas->setCursorPoint(ref ? ref : m_impl->cursor);
    if (ref)
        m_impl->showReadOut(*ref, position);
    else
        m_impl->hideReadOut();
    const QString key = ref ? m_impl->point(*ref).key : QString();
    if (key != oldKey) emit itemHovered(key);
    const auto line = m_impl->canvas->draggableLineAt(position);
    const bool isVertical = line && scene().lines[*line].orientation == Qt::Vertical;
    const bool isOnPoint = !line && m_impl->canvas->draggablePointAt(position).has_value();
    m_impl->canvas->setCursor(isVertical || isOnPoint ? Qt::SizeHorCursor
                              : line                  ? Qt::SizeVerCursor
                              : ref                   ? Qt::PointingHandCursor
                                                      : Qt::ArrowCursor);
}

bool PlotView::press(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return false;
    m_impl->isPressed = true;
    m_impl->pressPosition = event->position().toPoint();
    m_impl->draggedLine = m_impl->canvas->draggableLineAt(event->position());
    m_impl->draggedPoint.reset();
    m_impl->isPointMoved = false;
    const auto ref = m_impl->draggedLine ? std::nullopt : m_impl->canvas->draggablePointAt(event->position());
    if (ref) m_impl->draggedPoint = DraggedPoint{scene().series[ref->series].name, m_impl->point(*ref)};
    const bool isBox = event->modifiers() & Qt::ShiftModifier && !m_impl->canvas->hasRows();
    m_impl->canvas->setSelectionRectMode(isBox ? QCP::srmZoom : QCP::srmNone);
    return m_impl->draggedLine.has_value() || ref.has_value();
}

bool PlotView::drag(QMouseEvent* event) {
    if (!m_impl->isPressed) {
        hover(event->position().toPoint());
        return false;
    }
    if (m_impl->draggedLine && *m_impl->draggedLine < scene().lines.size()) {
        const PlotLine line = scene().lines[*m_impl->draggedLine];
        lineMoved(line.id, m_impl->canvas->lineValueAt(line, event->position()), false);
        return true;
    }
    if (m_impl->draggedPoint) {
        const QPoint position = event->position().toPoint();
        m_impl->isPointMoved |= (position - m_impl->pressPosition).manhattanLength() >= 4;
        if (m_impl->isPointMoved) movePoint(position, false);
        return true;
    }
    m_impl->hovered.reset();
    m_impl->hideReadOut();
    m_impl->canvas->setZoomed(true);
    return false;
}

bool PlotView::release(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || !m_impl->isPressed) return false;
    m_impl->isPressed = false;
    if (m_impl->draggedLine && *m_impl->draggedLine < scene().lines.size()) {
        const PlotLine line = scene().lines[*m_impl->draggedLine];
        m_impl->draggedLine.reset();
        lineMoved(line.id, m_impl->canvas->lineValueAt(line, event->position()), true);
        return true;
    }
    if (m_impl->draggedPoint && m_impl->isPointMoved) {
        movePoint(event->position().toPoint(), true);
        m_impl->draggedPoint.reset();
        return true;
    }
    const bool wasOnPoint = m_impl->draggedPoint.has_value();
    m_impl->draggedPoint.reset();
    if ((event->position().toPoint() - m_impl->pressPosition).manhattanLength() < 4) {
        const auto ref = m_impl->canvas->pointAt(event->position());
        if (ref)
            activate(*ref, event->modifiers() & (Qt::ControlModifier | Qt::ShiftModifier));
        else
            selectByUser({});
    }
    return wasOnPoint;
}

void PlotView::movePoint(QPoint position, bool isFinished) {
    const DraggedPoint dragged = *m_impl->draggedPoint;  // the scene is rebuilt below
    const QPointF from = m_impl->canvas->valueAt(m_impl->pressPosition), to = m_impl->canvas->valueAt(position);
    pointMoved(dragged.series, dragged.point, QPointF(dragged.point.x, dragged.point.y) + to - from, isFinished);
    m_impl->flush(this);
    const auto& series = scene().series;
    for (std::size_t s = 0; s < series.size(); ++s) {
        if (series[s].name != dragged.series) continue;
        for (std::size_t p = 0; p < series[s].points.size(); ++p) {
            if (series[s].points[p].key != dragged.point.key) continue;
            m_impl->hovered = PointRef{s, p};
            m_impl->showReadOut({s, p}, position);
        }
    }
}

bool PlotView::cancelDrag() {
    if (!m_impl->draggedPoint || !m_impl->isPointMoved) return false;
    const DraggedPoint dragged = *m_impl->draggedPoint;
    m_impl->draggedPoint.reset();
    m_impl->isPressed = false;
    pointMoved(dragged.series, dragged.point, QPointF(dragged.point.x, dragged.point.y), true);
    return true;
}

bool PlotView::wheel(QWheelEvent* event) {
    PlotCanvas* canvas = m_impl->canvas;
    m_impl->hideReadOut();
    if (canvas->hasRows()) {
        const double steps = event->angleDelta().y() / 120.0;
        const bool isZoom = event->modifiers() & Qt::ControlModifier;
        const bool areAllShown = canvas->visibleRows().size() >= canvas->allRows().size() - 1e-9;
        if (isZoom) {
            canvas->zoomRows(std::pow(1.2, steps), event->position().y());
        } else if (!areAllShown) {
            canvas->scrollRowsTo(canvas->visibleRows().lower - 3.0 * steps);
        } else {
            event->ignore();  // the page around may scroll
        }
        return true;
    }
    const bool isShifted = event->modifiers() & Qt::ShiftModifier;
    const bool isColumn = scene().pick == Pick::Column;
    canvas->axisRect()->setRangeZoom(!isColumn   ? Qt::Horizontal | Qt::Vertical
                                     : isShifted ? Qt::Orientations(Qt::Vertical)
                                                 : Qt::Orientations(Qt::Horizontal));
    canvas->setZoomed(true);
    return false;
}

void PlotView::updateScrollBar() {
    const QCPRange all = m_impl->canvas->allRows(), shown = m_impl->canvas->visibleRows();
    const bool isNeeded = m_impl->canvas->hasRows() && shown.size() < all.size() - 1e-6;
    QScrollBar* bar = m_impl->scrollBar;
    bar->setVisible(isNeeded);
    if (!isNeeded) return;
    constexpr double kUnits = 100.0;  // scroll bars count in whole numbers
    const QSignalBlocker blocker(bar);
    bar->setRange(qRound(all.lower * kUnits), qRound((all.upper - shown.size()) * kUnits));
    bar->setPageStep(qRound(shown.size() * kUnits));
    bar->setSingleStep(qRound(kUnits));
    bar->setValue(qRound(shown.lower * kUnits));
}

void PlotView::ensureVisible(const QString& key) {
    if (!m_impl->canvas->hasRows()) return;
    for (const PlotSeries& series : scene().series)
        for (const PlotPoint& point : series.points)
            if (point.key == key) return m_impl->showRow(point.y);
}

void PlotView::Impl::showRow(double row) {
    const QCPRange shown = canvas->visibleRows();
    if (row - 0.5 < shown.lower) canvas->scrollRowsTo(row - 0.5);
    if (row + 0.5 > shown.upper) canvas->scrollRowsTo(row + 0.5 - shown.size());
}

bool PlotView::eventFilter(QObject* watched, QEvent* event) {
    if (watched != m_impl->canvas) return QWidget::eventFilter(watched, event);
    switch (event->type()) {
        case QEvent::MouseButtonPress:
            return press(static_cast<QMouseEvent*>(event));
        case QEvent::MouseMove:
            return drag(static_cast<QMouseEvent*>(event));
        case QEvent::MouseButtonRelease:
            return release(static_cast<QMouseEvent*>(event));
        case QEvent::MouseButtonDblClick:
            resetView();
            return true;
        case QEvent::Leave:
            hover(QPoint(-1, -1));
            return false;
        case QEvent::Wheel:
            return wheel(static_cast<QWheelEvent*>(event));
        case QEvent::ContextMenu: {
            std::unique_ptr<QMenu> menu(createContextMenu());
            menu->exec(static_cast<QContextMenuEvent*>(event)->globalPos());
            return true;
        }
        default:
            return false;
    }
}

}  // namespace equant::plots
