// SPDX-License-Identifier: Apache-2.0
#include "app/console/progress_printer.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fmt/format.h>
#include <mutex>
#include <string>
#include <unistd.h>

namespace equant::console {

namespace {

using Clock = std::chrono::steady_clock;

std::string duration(double seconds) {
    const auto whole = static_cast<long>(seconds + 0.5);
    return whole >= 60 ? fmt::format("{}:{:02}", whole / 60, whole % 60) : fmt::format("{} s", whole);
}

/// Remaining time needs a few per cent done and half a second spent before it is worth showing.
std::string remaining(double share, double elapsed) {
    return share > 0.02 && elapsed > 0.5 ? duration(elapsed / share - elapsed) + " left" : std::string();
}

void show(const Progress& progress, const std::stop_token& stop, bool isTerminal) {
    std::string stage;
    auto stageStart = Clock::now();
    int lastTenth = -1;
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    bool hasBar = false;
    while (!wake.wait_for(lock, stop, std::chrono::milliseconds(isTerminal ? 100 : 500), [] { return false; })) {
        if (stop.stop_requested()) break;
        const std::string now = progress.stage();
        if (now.empty() || progress.total() == 0) continue;
        if (now != stage) {
            stage = now;
            stageStart = Clock::now();
            lastTenth = -1;
        }
        const double share = std::clamp(double(progress.done()) / double(progress.total()), 0.0, 1.0);
        const double elapsed = std::chrono::duration<double>(Clock::now() - stageStart).count();
        const int tenth = static_cast<int>(share * 10);
        if (isTerminal) {
            const auto filled = static_cast<std::size_t>(share * 30);
            fmt::print(stderr, "\r\033[K{:<22} [{}{}] {:3.0f} %  {}", stage, std::string(filled, '#'),
                       std::string(30 - filled, ' '), share * 100, remaining(share, elapsed));
            std::fflush(stderr);
            hasBar = true;
        } else if (tenth != lastTenth && elapsed > 1) {
            fmt::print(stderr, "{}: {}/{} {}\n", stage, progress.done(), progress.total(), remaining(share, elapsed));
            lastTenth = tenth;
        }
    }
    if (hasBar) fmt::print(stderr, "\r\033[K");
}

}  // namespace

ProgressPrinter::ProgressPrinter(const Progress& progress, bool isQuiet) {
    if (isQuiet) return;
    m_thread =
        std::jthread([&progress](const std::stop_token& stop) { show(progress, stop, isatty(STDERR_FILENO) != 0); });
}

ProgressPrinter::~ProgressPrinter() = default;

}  // namespace equant::console
