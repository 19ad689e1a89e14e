// SPDX-License-Identifier: GPL-3.0-or-later
// What a plot shows, as a plain value: series of marks, axes, lines, regions, notes. Concrete plots turn their data
// into a scene; PlotView draws any scene. Scenes hold finite numbers only: builders leave non-finite items out and
// count them. Colours are named by role (plot_theme.h), never stored.
#pragma once

#include <QString>
#include <QStringList>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "widgets/plots/base/plot_theme.h"

namespace equant::plots {

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// How the cells of a heat map look; no meaning rests on their colour alone.
enum class CellStyle {
    Full,     ///< the whole cell in the colour of its value
    Dotted,   ///< a smaller, paler patch in a dotted border: predicted
    Hatched,  ///< faint lines: nothing known
    Grey      ///< plain: does not apply
};

enum class Mark {
    Bars,        ///< from y2 (default 0) to y, series width
    Line,        ///< polyline through the points, with symbols when there is room
    Points,      ///< symbols
    Intervals,   ///< vertical band from y2 to y, tick at mid
    Connectors,  ///< thin line from (x2, y2) to (x, y), x2 default x
    Lollipops,   ///< stem from y2 (default 0) to y with a symbol
    Arrows,      ///< from (x2, y2) to (x, y)
    Cells,       ///< rectangles of series width and height around (x, y), coloured by value
    Band         ///< area between y2 and y along x, without symbols
};

/// One datum. Unused coordinates are kNone.
struct PlotPoint {
    QString key = {};  ///< item (layer, channel) it stands for; empty: cannot be selected
    double x = 0.0, y = 0.0;
    double x2 = kNone, y2 = kNone, mid = kNone;
    double low = kNone, high = kNone;                   ///< whiskers
    double size = 0.0;                                  ///< symbol diameter in pixels; 0: the series decides
    bool isFlagged = false;                             ///< drawn in the alert colour with an extra mark
    bool isCappedAbove = false, isCappedBelow = false;  ///< goes on beyond the axis: an arrow head says so
    double value = kNone;                               ///< cells: colour, 0..1
    QString text = {};                                  ///< value label beside the mark
    QString hover = {};                                 ///< read-out, several lines, first one is the heading
};

struct PlotSeries {
    QString name = {};
    Mark mark = Mark::Points;
    Ink ink;
    Symbol symbol = Symbol::Circle;
    bool isFilled = true;
    bool isOnRightAxis = false;
    bool isInLegend = true;
    bool isNavigable = true;  ///< hover, click and the keyboard cursor reach its points
    bool isDashed = false;
    double width = 0.8;   ///< bars and intervals, in x units
    double offset = 0.0;  ///< added to x when drawn, in x units
    double size = 7.0;    ///< symbol diameter in pixels
    std::vector<PlotPoint> points = {};
    double height = 0.92;  ///< cells, in y units
    CellStyle cells = CellStyle::Full;
    bool isDotted = false;     ///< lines: dots instead of dashes, for what is predicted
    bool hasHalo = false;      ///< symbols: a rim in the background colour, for symbols on cells
    bool isDraggable = false;  ///< the user moves its points, see PlotView::pointMoved()
};

enum class Scale { Linear, Log, SignedLog };
enum class Ticks { Numbers, Integers, Names, Counts /* 1 k, 10 M */ };

struct PlotAxis {
    QString title = {};  ///< with unit
    double lower = 0.0, upper = 1.0;
    Scale scale = Scale::Linear;
    Ticks ticks = Ticks::Numbers;
    double threshold = 1.0;  ///< SignedLog: linear within +-threshold
    QStringList names = {};  ///< Ticks::Names: label of x = 0, 1, 2 ...
    bool hasGrid = true;
    bool isReversed = false;    ///< y: the lower end is at the top
    double leastSpacing = 0.0;  ///< y: pixels a unit needs on screen; longer axes are scrolled. 0: all is shown
};

/// A reference line across the plot.
struct PlotLine {
    QString id = {};  ///< not empty: the user may drag it
    Qt::Orientation orientation = Qt::Horizontal;
    double value = 0.0;
    QString label = {};
    Ink ink{Role::Muted};
    bool isOnRightAxis = false;
    bool isFaint = false;  ///< grid-like, solid and thin
};

/// A shaded rectangle behind the marks; infinite borders reach the axis limits.
struct PlotRegion {
    double x0 = -INFINITY, x1 = INFINITY, y0 = -INFINITY, y1 = INFINITY;
    QString label = {};
    Ink ink{Role::Muted};
};

/// Text in a corner of the plot area (fractions of its width and height, y from the top).
struct PlotNote {
    double x = 0.5, y = 0.5;
    Qt::Alignment alignment = Qt::AlignCenter;
    QString text = {};
};

enum class Pick {
    Column,   ///< nearest x, anywhere in the plot
    Nearest,  ///< close to a mark
    Row       ///< nearest x among the marks of the row below the pointer; the cursor walks in both directions
};

/// Legend of cell colours: texts at equal distances along the scale, from value 0 to value 1.
struct PlotColourScale {
    QString title = {};
    QStringList stops = {};
};

struct PlotScene {
    QString title = {};    ///< the finding
    QString detail = {};   ///< one muted line below: what is plotted, how many were skipped
    QString summary = {};  ///< one sentence for screen readers
    PlotAxis x = {}, y = {};
    std::optional<PlotAxis> right = std::nullopt;
    std::vector<PlotSeries> series;
    std::vector<PlotLine> lines;
    std::vector<PlotRegion> regions;
    std::vector<PlotNote> notes;
    Pick pick = Pick::Column;
    bool isEqualAspect = false;
    bool canToggleLog = false;
    int skipped = 0;  ///< items left out because they are not finite
    std::optional<PlotColourScale> colourScale = std::nullopt;
    bool isDetailForUser = false;  ///< `detail` says what mouse and keys do: not for paper and files

    bool isEmpty() const;
    const PlotSeries* find(const QString& name) const;
};

/// Axis coordinate of a value and back (identity but for SignedLog; Log is left to the axis).
double toAxis(const PlotAxis& axis, double value);
double fromAxis(const PlotAxis& axis, double coordinate);

/// [lower, upper] enlarged by a share of its length; never empty, never non-finite.
std::pair<double, double> padded(double lower, double upper, double share = 0.06);

/// Text for people, in the current locale.
QString numberText(double value, int significantDigits = 3);
QString countText(double value);  ///< 950, 1.2 k, 3.4 M
QString bytesText(double bytes);  ///< 950 B, 1.2 kB, 3.4 MB
QString percentText(double percent);
/// Names without the path parts that all of them share ("/features/features.3/Conv" becomes "3" among its like), for
/// axis labels. Never makes a name empty.
QStringList shortNames(const QStringList& names);
QString skippedText(int count);  ///< "2 items without finite values are left out", empty for 0

}  // namespace equant::plots
