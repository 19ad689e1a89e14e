// SPDX-License-Identifier: GPL-3.0-or-later
// Colours and fonts of all plots. A theme is a plain value made from a palette (or the light print theme); scenes name
// colours by role, so a palette change recolours a plot without touching its data. Every mark colour has at least 3:1
// contrast with the background (WCAG 2.1, 1.4.11), every text colour at least 4.5:1; no meaning rests on colour alone.
#pragma once

#include <QColor>
#include <QFont>
#include <QPalette>
#include <array>

namespace equant::plots {

/// What a mark means; the theme decides how it looks.
enum class Role { Before, After, Accent, Secondary, Alert, Muted, Category, Text };

/// A colour by meaning. `index` picks among the categories (modulo kCategoryCount).
struct Ink {
    Role role = Role::Accent;
    int index = 0;
    friend bool operator==(const Ink&, const Ink&) = default;
};

/// Marker shapes, so that series differ without colour.
enum class Symbol { Circle, Square, Diamond, TriangleUp, TriangleDown, Plus, Cross, Star, Padlock };

inline constexpr int kCategoryCount = 8;
inline constexpr double kMarkContrast = 3.0;
inline constexpr double kTextContrast = 4.5;
/// Opacity of what is not selected while something is.
inline constexpr double kFadedOpacity = 0.25;

struct PlotTheme {
    bool isDark = false;
    QColor background, text, mutedText, grid, axis;
    QColor before, after, accent, secondary, alert, muted;
    std::array<QColor, kCategoryCount> categories;
    QFont font;  ///< pixel sized, so that exports do not depend on the device's resolution

    QColor colour(Ink ink) const;
    /// Sequential scale that starts near the background: more is farther from it; t in 0..1 is clamped.
    QColor scaleColour(double t) const;
    QFont titleFont() const;
    QFont smallFont() const;

    /// Follows the palette's Base and Text colours; categorical colours are Okabe-Ito hues adapted to the background.
    static PlotTheme fromPalette(const QPalette& palette, const QFont& font);
    /// Dark ink on white, whatever the desktop looks like: for files, paper and reports.
    static PlotTheme print();
};

/// WCAG contrast ratio of two opaque colours, 1 to 21.
double contrastRatio(const QColor& a, const QColor& b);
/// `colour` moved towards black or white until its contrast with `background` is at least `ratio`.
QColor withContrast(QColor colour, const QColor& background, double ratio);
/// a + (b - a) * t for each channel.
QColor mixed(const QColor& a, const QColor& b, double t);
/// Sequential scale (cividis-like: dark blue to yellow), monotone in lightness; t in 0..1 is clamped.
QColor sequentialColour(double t);
/// Diverging scale (blue, near-white, orange), safe for colour-vision deficiency; t in -1..1 is clamped.
QColor divergingColour(double t);
/// The shape of category `index`.
Symbol symbolFor(int index);

}  // namespace equant::plots
