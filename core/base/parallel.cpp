// SPDX-License-Identifier: Apache-2.0
#include "core/base/parallel.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace equant {

unsigned resolveThreads(unsigned requested) {
    return requested != 0 ? requested : std::max(1U, std::thread::hardware_concurrency());
}

void parallelFor(std::size_t count, unsigned threads, const std::stop_token& stop,
                 const std::function<void(unsigned, std::size_t)>& work) {
    threads = static_cast<unsigned>(std::min<std::size_t>(resolveThreads(threads), count));
    std::atomic<std::size_t> next{0};
    std::mutex failureMutex;
    std::exception_ptr failure;

    const auto runSlot = [&](unsigned worker) {
        try {
            for (std::size_t index = next++; index < count && !stop.stop_requested(); index = next++)
                work(worker, index);
        } catch (...) {
            next = count;
            const std::scoped_lock lock(failureMutex);
            if (!failure) failure = std::current_exception();
        }
    };
    {
        std::vector<std::jthread> others;
        for (unsigned worker = 1; worker < threads; ++worker) others.emplace_back(runSlot, worker);
        if (threads > 0) runSlot(0);
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace equant
