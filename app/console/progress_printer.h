// SPDX-License-Identifier: Apache-2.0
// Shows a Progress on stderr while a command runs: a bar on a terminal, plain lines otherwise.
#pragma once

#include <thread>

#include "core/base/progress.h"

namespace equant::console {

class ProgressPrinter {
public:
    ProgressPrinter(const Progress& progress, bool isQuiet);
    ~ProgressPrinter();  ///< stops and clears the bar

private:
    std::jthread m_thread;
};

}  // namespace equant::console
