// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/base/plot_theme.h"

#include <QFontInfo>
#include <algorithm>
#include <cmath>

namespace equant::plots {
namespace {

// Okabe & Ito (2008) hues: blue, vermillion, bluish green, reddish purple, orange, sky blue, yellow, grey; darkened for
// light backgrounds and lightened for dark ones.
constexpr std::array<QRgb, kCategoryCount> kLight = {0x0072B2, 0xD55E00, 0x00805F, 0xB0518A,
                                                     0xA86F00, 0x2B87BF, 0x857800, 0x5F6368};
constexpr std::array<QRgb, kCategoryCount> kDark = {0x4FA3E3, 0xFF8C4B, 0x2CC59A, 0xE493C2,
                                                    0xE8A82E, 0x8ACDF5, 0xE9DE5A, 0xB4B8BD};

double luminance(const QColor& colour) {
    const auto linear = [](double c) { return c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
    return 0.2126 * linear(colour.redF()) + 0.7152 * linear(colour.greenF()) + 0.0722 * linear(colour.blueF());
}

template <std::size_t N>
QColor interpolated(const std::array<QRgb, N>& stops, double t) {
    const double position = std::clamp(std::isfinite(t) ? t : 0.0, 0.0, 1.0) * static_cast<double>(N - 1);
    const auto index = std::min(static_cast<std::size_t>(position), N - 2);
    return mixed(QColor(stops[index]), QColor(stops[index + 1]), position - static_cast<double>(index));
}

PlotTheme makeTheme(const QColor& background, const QColor& text, const QFont& font) {
    PlotTheme theme;
    theme.isDark = luminance(background) < 0.18;
    theme.background = background;
    theme.text = withContrast(text, background, 7.0);
    theme.mutedText = withContrast(mixed(theme.text, background, 0.35), background, kTextContrast);
    theme.grid = mixed(background, theme.text, theme.isDark ? 0.13 : 0.10);
    theme.axis = mixed(background, theme.text, 0.45);
    const auto& stops = theme.isDark ? kDark : kLight;
    for (std::size_t i = 0; i < stops.size(); ++i)
        theme.categories[i] = withContrast(QColor(stops[i]), background, kMarkContrast);
    theme.before = theme.categories[1];
    theme.after = theme.categories[0];
    theme.accent = theme.categories[0];
    theme.secondary = theme.categories[2];
    theme.alert = withContrast(QColor(theme.isDark ? 0xFF6B6B : 0xC62828), background, kTextContrast);
    theme.muted = withContrast(mixed(background, theme.text, 0.5), background, kMarkContrast);
    theme.font = font;
    theme.font.setPixelSize(std::clamp(QFontInfo(font).pixelSize(), 9, 48));
    return theme;
}

}  // namespace

QColor PlotTheme::colour(Ink ink) const {
    switch (ink.role) {
        case Role::Before:
            return before;
        case Role::After:
            return after;
        case Role::Accent:
            return accent;
        case Role::Secondary:
            return secondary;
        case Role::Alert:
            return alert;
        case Role::Muted:
            return muted;
        case Role::Text:
            return text;
        case Role::Category:
            break;
    }
    return categories[static_cast<std::size_t>(std::abs(ink.index) % kCategoryCount)];
}

QColor PlotTheme::scaleColour(double t) const {
    return sequentialColour(isDark ? t : 1.0 - t);
}

QFont PlotTheme::titleFont() const {
    QFont title = font;
    title.setPixelSize(qRound(font.pixelSize() * 1.12));
    title.setBold(true);
    return title;
}

QFont PlotTheme::smallFont() const {
    QFont small = font;
    small.setPixelSize(std::max(9, qRound(font.pixelSize() * 0.92)));
    return small;
}

PlotTheme PlotTheme::fromPalette(const QPalette& palette, const QFont& font) {
    return makeTheme(palette.color(QPalette::Active, QPalette::Base), palette.color(QPalette::Active, QPalette::Text),
                     font);
}

PlotTheme PlotTheme::print() {
    QFont font(QStringLiteral("DejaVu Sans"));
    font.setStyleHint(QFont::SansSerif);
    font.setPixelSize(12);
    return makeTheme(Qt::white, QColor(0x202124), font);
}

double contrastRatio(const QColor& a, const QColor& b) {
    const double first = luminance(a) + 0.05;
    const double second = luminance(b) + 0.05;
    return std::max(first, second) / std::min(first, second);
}

QColor withContrast(QColor colour, const QColor& background, double ratio) {
    const QColor target = luminance(background) < 0.18 ? QColor(Qt::white) : QColor(Qt::black);
    for (int step = 0; step < 50 && contrastRatio(colour, background) < ratio; ++step)
        colour = mixed(colour, target, 0.06);
    return colour;
}

QColor mixed(const QColor& a, const QColor& b, double t) {
    const auto blend = [t](float from, float to) { return static_cast<float>(from + (to - from) * t); };
    return QColor::fromRgbF(blend(a.redF(), b.redF()), blend(a.greenF(), b.greenF()), blend(a.blueF(), b.blueF()));
}

QColor sequentialColour(double t) {
    return interpolated<6>({0x00204D, 0x31446B, 0x666970, 0x958F78, 0xCBBA69, 0xFFE945}, t);
}

QColor divergingColour(double t) {
    return interpolated<5>({0x08519C, 0x6BAED6, 0xF5F5F2, 0xFDAE6B, 0xA63603}, (t + 1.0) / 2.0);
}

Symbol symbolFor(int index) {
    return static_cast<Symbol>(std::abs(index) % 8);
}

}  // namespace equant::plots
