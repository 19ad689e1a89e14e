// SPDX-License-Identifier: GPL-3.0-or-later
// PlotView: the widget every plot derives from. It draws a PlotScene and gives all plots the same manners: theme from
// the palette, zoom, pan, read-out, keyboard cursor, linked selection by item keys, context menu, exports and the
// data-table twin. Wheel zooms (Shift: the other axis), drag pans, Shift+drag zooms into a box, 0 or a double click
// resets; arrows move the cursor, Tab changes the series, Enter selects. Plots with rows are scrolled instead (wheel,
// scroll bar, drag; Ctrl+wheel changes the height of rows). GUI thread only.
#pragma once

#include <QWidget>
#include <memory>

#include "widgets/plots/base/plot_scene.h"
#include "widgets/plots/base/plot_table.h"

class QMenu;
class QMouseEvent;
class QPainter;
class QScrollBar;
class QWheelEvent;

namespace equant::plots {

struct PointRef;

class PlotView : public QWidget {
    Q_OBJECT

public:
    explicit PlotView(QWidget* parent = nullptr);
    ~PlotView() override;

    /// What is drawn now.
    const PlotScene& scene() const;
    const PlotTheme& theme() const;
    /// The data-table twin: every item the plot was given, non-finite ones included.
    virtual PlotTable table() const = 0;

    /// Shown in place of the axes while there is no data, such as "Open a model to see ...".
    void setEmptyText(const QString& text);
    QString emptyText() const;
    /// Replaces the finding made from the data; an empty text brings it back.
    void setTitle(const QString& title);
    QString title() const;

    /// Highlights the items with these keys and fades the others; unknown keys are remembered for later data.
    void setSelection(const QStringList& keys);
    QStringList selection() const;

    void setLogScale(bool on);
    bool isLogScale() const;

    void resetView();
    /// Scrolls a plot with rows until the row of this item is seen.
    void ensureVisible(const QString& key);
    /// Visible ranges in axis values (lower, upper).
    std::pair<double, double> visibleX() const;
    std::pair<double, double> visibleY() const;

    /// Draws the plot in the light print theme into `rect` (painter units taken as 1/96 inch per unit at scale 1).
    void paintTo(QPainter* painter, const QRectF& rect);
    /// Writes the plot (png, svg, pdf: light print theme) or its table (csv), by suffix. On failure returns false and
    /// says in `error` what happened and what to do. Needs no visible window.
    bool exportPlot(const QString& path, QString* error = nullptr, QSize size = QSize(900, 500));
    QImage toImage(QSize size, double scale = 1.0);

    /// Key under the keyboard cursor, empty when it is off; its read-out text.
    QString cursorKey() const;
    QString readOut() const;
    /// Where a point is drawn, in widget coordinates (null when it is not in the scene).
    QPointF pointPosition(const QString& seriesName, const QString& key) const;

    /// The context menu, owned by the caller; pages may add actions.
    virtual QMenu* createContextMenu();

    QSize sizeHint() const override { return {640, 360}; }
    QSize minimumSizeHint() const override { return {160, 100}; }

signals:
    /// The user clicked an item or pressed Enter on it.
    void itemActivated(const QString& key);
    /// The pointer or cursor is on an item; an empty key when it left.
    void itemHovered(const QString& key);
    /// The user changed the selection (not emitted by setSelection()).
    void selectionChanged(const QStringList& keys);
    void logScaleChanged(bool on);
    void addToReportRequested();

public slots:
    void copyImage();
    void copyData();
    void saveAs();
    void showTable();

protected:
    /// Makes the scene from the data; called by rebuild().
    virtual PlotScene buildScene() const = 0;
    /// A draggable line moved; `isFinished` on release.
    virtual void lineMoved(const QString& id, double value, bool isFinished);
    /// A point of a draggable series moves to `value` (unsnapped, in axis values); `point` as it was when pressed.
    virtual void pointMoved(const QString& series, const PlotPoint& point, QPointF value, bool isFinished);
    /// The user clicked a point or pressed Enter on it; after the selection changed, before itemActivated().
    virtual void pointActivated(const QString& series, const PlotPoint& point);
    /// Whether the key stands for one item; what is no item is activated without being selected.
    virtual bool isSelectable(const QString& key) const;
    /// What the pointer is on, else the keyboard cursor; null: nothing. Valid until the next rebuild.
    const PlotPoint* pointOfInterest() const;
    /// A rebuild that keeps the view, soon and once for many changes; scene() and exports do not wait for it.
    void rebuildSoon();
    /// Call after every change of data or options. `keepView`: keep zoom and pan.
    void rebuild(bool keepView = false);
    /// For subclasses that select by themselves: selects and emits selectionChanged().
    void selectByUser(const QStringList& keys);

    void changeEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool focusNextPrevChild(bool next) override;
    void focusOutEvent(QFocusEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    struct Impl;
    void moveCursor(int step, bool toEnd);
    bool changeSeries(int step);
    void setCursor(std::optional<PointRef> ref);
    void activate(PointRef ref, bool toggles);
    void movePoint(QPoint position, bool isFinished);
    bool cancelDrag();
    bool moveRow(int step);
    bool wheel(QWheelEvent* event);
    void updateScrollBar();
    void zoomBy(double factor);
    void hover(QPoint position);
    bool press(QMouseEvent* event);
    bool drag(QMouseEvent* event);
    bool release(QMouseEvent* event);

    std::unique_ptr<Impl> m_impl;
};

}  // namespace equant::plots
