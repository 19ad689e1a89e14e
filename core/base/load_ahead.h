// SPDX-License-Identifier: Apache-2.0
// parallelFor for work that needs something loaded first (decoded images, files): further threads load ahead while
// the working threads work, and a working thread that finds nothing ready loads for itself instead of waiting.
// At most `threads + loaders` loaded items wait at a time, so memory does not grow with the number of items.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/parallel.h"

namespace equant {

/// Threads that load ahead: what the working threads leave of the machine, but one at least, two for each at most.
[[nodiscard]] inline unsigned loadersFor(unsigned threads) {
    const unsigned all = resolveThreads(0);
    return std::clamp(all > threads ? all - threads : 1U, 1U, 2 * threads);
}

/// Calls `work(worker, index, load(index))` for every index in [0, count). load() runs on any thread, work() on that
/// of the slot `worker` < threads. Indices are loaded in rising order and worked on in nearly that order: results must
/// be kept by index. Stops when `stop` is requested. The first exception of either is rethrown after all threads ended.
template <typename Item>
class LoadAhead {
public:
    using Load = std::function<Item(std::size_t index)>;
    using Work = std::function<void(unsigned worker, std::size_t index, Item item)>;

    LoadAhead(std::size_t count, unsigned threads, std::stop_token stop, Load load, Work work)
        : m_count(count),
          m_threads(static_cast<unsigned>(std::min<std::size_t>(resolveThreads(threads), count))),
          m_loaders(count > 1 ? loadersFor(std::max(m_threads, 1U)) : 0),
          m_stop(std::move(stop)),
          m_load(std::move(load)),
          m_work(std::move(work)) {}

    void run() {
        {
            std::vector<std::jthread> others;
            for (unsigned i = 0; i < m_loaders; ++i) others.emplace_back([this] { guard([this] { loadAll(); }); });
            for (unsigned worker = 1; worker < m_threads; ++worker)
                others.emplace_back([this, worker] { guard([this, worker] { workAll(worker); }); });
            if (m_threads > 0) guard([this] { workAll(0); });
        }
        if (m_failure) std::rethrow_exception(m_failure);
    }

private:
    using Lock = std::unique_lock<std::mutex>;

    [[nodiscard]] bool isOver() const { return m_failure || m_stop.stop_requested(); }

    template <typename Function>
    void guard(const Function& function) {
        try {
            function();
        } catch (...) {
            const Lock lock(m_mutex);
            if (!m_failure) m_failure = std::current_exception();
            m_changed.notify_all();
        }
    }

    void loadAll() {
        Lock lock(m_mutex);
        const auto mayGoOn = [this] {
            return isOver() || m_next >= m_count || m_ready.size() + m_loading < m_threads + m_loaders;
        };
        while (m_changed.wait(lock, m_stop, mayGoOn) && !isOver() && m_next < m_count) {
            const std::size_t index = m_next++;
            ++m_loading;
            lock.unlock();
            Item item = m_load(index);
            lock.lock();
            --m_loading;
            m_ready.emplace(index, std::move(item));
            m_changed.notify_all();
        }
    }

    void workAll(unsigned worker) {
        Lock lock(m_mutex);
        const auto hasNews = [this] { return isOver() || !m_ready.empty() || m_next < m_count || m_loading == 0; };
        while (m_changed.wait(lock, m_stop, hasNews) && !isOver()) {
            if (!m_ready.empty()) {
                auto node = m_ready.extract(m_ready.begin());
                m_changed.notify_all();
                lock.unlock();
                m_work(worker, node.key(), std::move(node.mapped()));
            } else if (m_next < m_count) {
                const std::size_t index = m_next++;
                lock.unlock();
                m_work(worker, index, m_load(index));
            } else {
                return;
            }
            lock.lock();
        }
    }

    std::size_t m_count;
    unsigned m_threads;
    unsigned m_loaders;
    std::stop_token m_stop;
    Load m_load;
    Work m_work;
    std::mutex m_mutex;
    std::condition_variable_any m_changed;
    std::map<std::size_t, Item> m_ready;
    std::size_t m_next = 0;
    std::size_t m_loading = 0;
    std::exception_ptr m_failure;
};

}  // namespace equant
