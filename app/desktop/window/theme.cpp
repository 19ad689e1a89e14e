// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/theme.h"

#include <QApplication>
#include <QStyle>
#include <QStyleFactory>
#include <QToolTip>

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

struct Colours {
    QRgb window, base, alternate, text, disabled, button, mid, dark, light, highlight, highlighted, link, tip;
};

constexpr Colours kLight{0xfff4f5f7, 0xffffffff, 0xfff6f8fa, 0xff1c2530, 0xff5f6b78, 0xffeceef1, 0xffc3c9d0,
                         0xffa3abb5, 0xffffffff, 0xff1f64a8, 0xffffffff, 0xff1a5fb0, 0xfffffbe6};
constexpr Colours kDark{0xff23272d, 0xff1b1e23, 0xff20242a, 0xffe4e8ed, 0xff98a2ae, 0xff2e333a, 0xff464d57,
                        0xff14171b, 0xff3a4049, 0xff2f74b8, 0xffffffff, 0xff78b4f0, 0xff343a43};

QPalette fromColours(const Colours& colours) {
    QPalette palette;
    palette.setColor(QPalette::Window, QColor(colours.window));
    palette.setColor(QPalette::WindowText, QColor(colours.text));
    palette.setColor(QPalette::Base, QColor(colours.base));
    palette.setColor(QPalette::AlternateBase, QColor(colours.alternate));
    palette.setColor(QPalette::Text, QColor(colours.text));
    palette.setColor(QPalette::Button, QColor(colours.button));
    palette.setColor(QPalette::ButtonText, QColor(colours.text));
    palette.setColor(QPalette::BrightText, QColor(colours.highlighted));
    palette.setColor(QPalette::Light, QColor(colours.light));
    palette.setColor(QPalette::Midlight, QColor(colours.button));
    palette.setColor(QPalette::Mid, QColor(colours.mid));
    palette.setColor(QPalette::Dark, QColor(colours.dark));
    palette.setColor(QPalette::Shadow, QColor(colours.dark));
    palette.setColor(QPalette::Highlight, QColor(colours.highlight));
    palette.setColor(QPalette::HighlightedText, QColor(colours.highlighted));
    palette.setColor(QPalette::Link, QColor(colours.link));
    palette.setColor(QPalette::LinkVisited, QColor(colours.link));
    palette.setColor(QPalette::ToolTipBase, QColor(colours.tip));
    palette.setColor(QPalette::ToolTipText, QColor(colours.text));
    palette.setColor(QPalette::PlaceholderText, QColor(colours.disabled));
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        palette.setColor(QPalette::Disabled, role, QColor(colours.disabled));
    palette.setColor(QPalette::Disabled, QPalette::Highlight, QColor(colours.mid));
    palette.setColor(QPalette::Disabled, QPalette::HighlightedText, QColor(colours.text));
    return palette;
}

/// As the desktop's palette was before the first theme replaced it.
bool isDesktopDark() {
    static const bool isDark = [] {
        const QPalette desktop = QApplication::palette();
        return desktop.color(QPalette::Window).lightness() < desktop.color(QPalette::WindowText).lightness();
    }();
    return isDark;
}

}  // namespace

QPalette themePalette(Theme theme) {
    if (theme == Theme::Light) return fromColours(kLight);
    if (theme == Theme::Dark) return fromColours(kDark);
    // The desktop decides between light and dark; the colours are ours, so that contrasts hold.
    return fromColours(isDesktopDark() ? kDark : kLight);
}

void applyTheme(Theme theme) {
    isDesktopDark();
    static const bool hasStyle = [] {
        QApplication::setStyle(QStyleFactory::create(u"Fusion"_s));
        return true;
    }();
    Q_UNUSED(hasStyle)
    const QPalette palette = themePalette(theme);
    QApplication::setPalette(palette);
    QToolTip::setPalette(palette);
}

QString themeName(Theme theme) {
    return theme == Theme::Light ? u"light"_s : theme == Theme::Dark ? u"dark"_s : u"system"_s;
}

Theme themeFromName(const QString& name) {
    return name == "light"_L1 ? Theme::Light : name == "dark"_L1 ? Theme::Dark : Theme::System;
}

}  // namespace equant::ui
