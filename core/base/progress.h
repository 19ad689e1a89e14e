// SPDX-License-Identifier: Apache-2.0
// Progress of a long computation: atomics that the engine writes and anyone may poll from any thread.
// The caller owns it and keeps it alive for the length of the call; a null pointer means nobody watches.
#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <string>

namespace equant {

class Progress {
public:
    /// Starts a stage of `total` steps; `stage` must be a string literal (readers get the pointer).
    void begin(const char* stage, std::int64_t total) {
        m_done.store(0, std::memory_order_relaxed);
        m_total.store(total, std::memory_order_relaxed);
        m_stage.store(stage, std::memory_order_release);
    }
    void advance(std::int64_t steps = 1) { m_done.fetch_add(steps, std::memory_order_relaxed); }

    [[nodiscard]] const char* stage() const { return m_stage.load(std::memory_order_acquire); }
    [[nodiscard]] std::int64_t done() const { return m_done.load(std::memory_order_relaxed); }
    [[nodiscard]] std::int64_t total() const { return m_total.load(std::memory_order_relaxed); }

private:
    std::atomic<const char*> m_stage{""};
    std::atomic<std::int64_t> m_done{0};
    std::atomic<std::int64_t> m_total{0};
};

/// What every function that may exceed 50 ms takes: may it stop early, and who watches.
struct JobContext {
    std::stop_token stop{};
    Progress* progress = nullptr;

    [[nodiscard]] bool stopped() const { return stop.stop_requested(); }
    void begin(const char* stage, std::int64_t total) const {
        if (progress) progress->begin(stage, total);
    }
    void advance(std::int64_t steps = 1) const {
        if (progress) progress->advance(steps);
    }
};

}  // namespace equant
