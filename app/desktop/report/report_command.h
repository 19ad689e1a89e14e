// SPDX-License-Identifier: GPL-3.0-or-later
// `equant report RECIPE --model MODEL -o report.pdf`: the report without a window or a display.
#pragma once

#include <QStringList>

namespace equant::ui {

/// `arguments` without the program's name, beginning with "report". Returns the exit code: 0 done, 1 failed (one
/// sentence on stderr), 2 wrong command line, 130 interrupted. Needs a QApplication.
int runReportCommand(const QStringList& arguments);

}  // namespace equant::ui
