// SPDX-License-Identifier: GPL-3.0-or-later
// Symbolic icons from resources/icons, drawn in the palette's text colour whenever they are painted, so that a change
// of theme needs no new icons. GUI thread only.
#pragma once

#include <QIcon>

namespace equant::ui {

/// `name` without folder and suffix: "open".
QIcon symbolicIcon(const QString& name);
QIcon applicationIcon();

}  // namespace equant::ui
