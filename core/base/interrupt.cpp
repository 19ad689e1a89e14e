// SPDX-License-Identifier: Apache-2.0
#include "core/base/interrupt.h"

#include <chrono>
#include <csignal>

namespace equant {

namespace {

volatile std::sig_atomic_t g_isInterrupted = 0;  // a signal handler may touch nothing else
extern "C" void onInterrupt(int number) {
    g_isInterrupted = 1;
    std::signal(number, SIG_DFL);  // the second one ends the program whatever it does
}

}  // namespace

InterruptWatcher::InterruptWatcher(std::stop_source& source)
    : m_thread([&source](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
              if (g_isInterrupted) source.request_stop();
              std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }
      }) {
    std::signal(SIGINT, onInterrupt);
    std::signal(SIGTERM, onInterrupt);
}

}  // namespace equant
