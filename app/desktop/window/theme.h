// SPDX-License-Identifier: GPL-3.0-or-later
// Light, dark or the desktop's own colours, for the Fusion style. Everything the program paints follows the palette.
#pragma once

#include <QPalette>
#include <QString>

namespace equant::ui {

enum class Theme { System, Light, Dark };

QPalette themePalette(Theme theme);
/// Sets style, palette and tool tip colours of the application.
void applyTheme(Theme theme);
QString themeName(Theme theme);  ///< "system", "light", "dark": for settings and the command line
Theme themeFromName(const QString& name);

}  // namespace equant::ui
