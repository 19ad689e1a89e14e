// SPDX-License-Identifier: GPL-3.0-or-later
// What the engine calls say in the user's language. Only for app/desktop/jobs.
#pragma once

#include <QCoreApplication>

namespace equant::ui {

inline QString translated(const char* text) {
    return QCoreApplication::translate("EngineCalls", text);
}

}  // namespace equant::ui
