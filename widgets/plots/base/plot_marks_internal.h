// SPDX-License-Identifier: GPL-3.0-or-later
// Drawing of scene parts inside a PlotCanvas: marks of one series, regions below them, lines and notes above, and the
// header with title, detail and legend. All read CanvasState at draw time and own nothing.
#pragma once

#include "widgets/plots/base/plot_canvas_internal.h"

namespace equant::plots {

/// Fill of bands that stand for "before".
inline constexpr float kHollowOpacity = 0.28F;

void drawSymbol(QPainter* painter, Symbol symbol, QPointF centre, double size, const QColor& colour, bool isFilled,
                const QColor& background);

/// A hollow block: outline, light fill and diagonal lines. Not a Qt brush pattern: those get lost in SVG files.
void drawHatched(QPainter* painter, const QRectF& rect, const QColor& colour);

/// One cell of a heat map; `value` is its colour, 0..1.
void drawCell(QPainter* painter, QRectF rect, CellStyle style, double value, const PlotTheme& theme);

/// Marks of scene.series[index]. Registered with (and owned by) the plot.
class SeriesMarks : public QCPAbstractPlottable {
public:
    SeriesMarks(QCPAxis* keyAxis, QCPAxis* valueAxis, const CanvasState& state, std::size_t index);

    double selectTest(const QPointF& position, bool onlySelectable, QVariant* details) const override;
    QCPRange getKeyRange(bool& foundRange, QCP::SignDomain domain) const override;
    QCPRange getValueRange(bool& foundRange, QCP::SignDomain domain, const QCPRange& keyRange) const override;

protected:
    void draw(QCPPainter* painter) override;
    void drawLegendIcon(QCPPainter* painter, const QRectF& rect) const override;

private:
    const PlotSeries& series() const { return m_state.scene.series[m_index]; }
    QPointF pixel(double x, double y) const;
    QPointF anchor(const PlotPoint& point) const;
    double base(const PlotPoint& point) const;
    double symbolSize(const PlotPoint& point) const;
    QRectF columnRect(const PlotPoint& point) const;
    void drawLine(QCPPainter* painter) const;
    void drawBand(QCPPainter* painter) const;
    void drawPoint(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const;
    void drawBar(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const;
    void drawInterval(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const;
    void drawArrow(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const;
    void drawWhisker(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const;
    void drawCaps(QCPPainter* painter, const PlotPoint& point, const QColor& colour) const;
    void drawText(QCPPainter* painter, const PlotPoint& point) const;

    const CanvasState& m_state;
    std::size_t m_index;
    double m_spacing = 100.0;  ///< pixels between neighbours, decides symbol sizes
};

/// Regions, behind the marks.
class RegionLayer : public QCPLayerable {
public:
    RegionLayer(PlotCanvas* canvas, const CanvasState& state);

protected:
    QRect clipRect() const override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override;
    void draw(QCPPainter* painter) override;

private:
    PlotCanvas* m_canvas;
    const CanvasState& m_state;
};

/// Reference lines, notes and the text for the state without data, above the marks.
class AnnotationLayer : public QCPLayerable {
public:
    AnnotationLayer(PlotCanvas* canvas, const CanvasState& state);

protected:
    QRect clipRect() const override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override;
    void draw(QCPPainter* painter) override;

private:
    void drawReferenceLine(QCPPainter* painter, const PlotLine& line) const;
    PlotCanvas* m_canvas;
    const CanvasState& m_state;
};

/// Title, detail line and legend above the axes; takes only the height it needs.
class HeaderElement : public QCPLayoutElement {
public:
    HeaderElement(QCustomPlot* plot, const CanvasState& state);

    /// 0: hidden, 1: one title line, 2: title and legend, 3: everything.
    void plan(int width, int level);
    QSize minimumOuterSizeHint() const override { return {0, m_height}; }
    QSize maximumOuterSizeHint() const override { return {QWIDGETSIZE_MAX, m_height}; }

protected:
    void draw(QCPPainter* painter) override;

private:
    struct Entry {
        std::size_t series;
        QRect rect;
        QString text;
    };
    void planLegend(int width, int top);
    void planScale(int width, int x, int y, int rows);
    void drawScale(QCPPainter* painter, QRectF rect) const;

    const CanvasState& m_state;
    QStringList m_titleLines;
    QString m_detail;
    QList<Entry> m_entries;
    QRect m_scaleRect;  ///< colour scale, null: none
    int m_height = 0;
};

}  // namespace equant::plots
