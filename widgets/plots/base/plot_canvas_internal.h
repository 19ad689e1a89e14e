// SPDX-License-Identifier: GPL-3.0-or-later
// The QCustomPlot behind PlotView. Included by widgets/plots/*.cpp only, so that qcustomplot.h stays in this folder.
// The canvas owns its state (scene, theme, selection); the layerables of plot_marks_internal.h read it when they draw.
#pragma once

#include <QPicture>
#include <QSet>
#include <optional>
#include <qcustomplot.h>

#include "widgets/plots/base/plot_scene.h"

namespace equant::plots {

class NameTicker;

/// Series and point, by index into the scene.
struct PointRef {
    std::size_t series = 0, point = 0;
    friend bool operator==(const PointRef&, const PointRef&) = default;
};

struct CanvasState {
    PlotScene scene;
    PlotTheme theme;
    QSet<QString> selection;
    bool isFading = false;  ///< a selected item is in the scene; keys of other plots must not fade everything
    QString emptyText;
    QString titleOverride;
    bool isOnPaper = false;               ///< being drawn into a file
    mutable QList<QRectF> takenByLabels;  ///< text drawn so far, so that labels never cover each other

    double opacityOf(const QString& key) const;
    void updateFading();
    QString title() const { return titleOverride.isEmpty() ? scene.title : titleOverride; }
};

class PlotCanvas : public QCustomPlot {
public:
    explicit PlotCanvas(QWidget* parent);

    CanvasState& state() { return m_state; }
    const CanvasState& state() const { return m_state; }

    /// Call after the state changed: axes, colours and marks follow it.
    void applyScene(bool keepView);
    void applyTheme();
    void resetView();
    bool isZoomed() const { return m_isZoomed; }
    void setZoomed(bool on) { m_isZoomed = on; }

    QCPAxis* valueAxisOf(const PlotSeries& series) const;
    QPointF pixelOf(const PointRef& ref) const;
    /// The navigable point that `position` means, by the scene's pick rule.
    std::optional<PointRef> pointAt(QPointF position) const;
    /// How many points a label in `rect` would cover.
    int countPointsIn(const QRectF& rect) const;
    /// Index of the draggable line within reach of `position`.
    std::optional<std::size_t> draggableLineAt(QPointF position) const;
    double lineValueAt(const PlotLine& line, QPointF position) const;
    double linePixel(const PlotLine& line) const;
    /// The point of a draggable series within reach of `position`.
    std::optional<PointRef> draggablePointAt(QPointF position) const;
    /// Axis values at `position`, by the bottom and left axes.
    QPointF valueAt(QPointF position) const;
    QRectF cellRect(const PlotSeries& series, const PlotPoint& point) const;

    /// Axes with a least spacing show as many rows as fit and are scrolled.
    bool hasRows() const { return m_state.scene.y.leastSpacing > 0.0 && !m_state.scene.isEmpty(); }
    /// Visible rows (first, count) and all rows (first, count), as coordinates.
    QCPRange visibleRows() const { return yAxis->range(); }
    QCPRange allRows() const { return m_homeY; }
    void scrollRowsTo(double first);
    /// Makes rows higher (factor > 1) or lower; the row at `pixel` stays where it is.
    void zoomRows(double factor, double pixel);

    void setCursorPoint(std::optional<PointRef> ref);
    /// Draws plot at `size` in the print theme, without cursor, with any painter device.
    void render(QPaintDevice* device, QSize size, double scale = 1.0);

protected:
    void updateLayout() override;
    void paintEvent(QPaintEvent* event) override;

private:
    void styleAxis(QCPAxis* axis, const PlotAxis& spec, bool isRight);
    void setTicker(QCPAxis* axis, const PlotAxis& spec);
    void dropLongTitles();
    void planNames();
    void planRows();
    void planRowNames();
    void showWhatFits();
    void keepAspect();
    void keepInside(QCPAxis* axis, const QCPRange& home);

    CanvasState m_state;
    class HeaderElement* m_header = nullptr;
    QSharedPointer<NameTicker> m_nameTicker, m_rowTicker;
    QCPRange m_homeX, m_homeY;
    std::optional<PointRef> m_cursor;
    bool m_isZoomed = false;
    bool m_isSettingRange = false;
    bool m_isRendering = false;
    double m_rowTop = 0.0;      ///< first visible coordinate of a scrolled axis
    double m_rowSpacing = 0.0;  ///< pixels per row the user asked for; 0: as planned
};

}  // namespace equant::plots
