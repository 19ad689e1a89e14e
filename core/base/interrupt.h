// SPDX-License-Identifier: Apache-2.0
// Ctrl-C of the console programs: the first one asks the engine to stop, the second ends the program at once.
// One watcher at a time, made by main().
#pragma once

#include <stop_token>
#include <thread>

namespace equant {

/// While it lives, SIGINT and SIGTERM become a stop request, made from an ordinary thread.
class InterruptWatcher {
public:
    explicit InterruptWatcher(std::stop_source& source);

private:
    std::jthread m_thread;
};

}  // namespace equant
