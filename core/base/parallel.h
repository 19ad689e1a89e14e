// SPDX-License-Identifier: Apache-2.0
// Runs independent pieces of work on several threads. Results must be written by index, so that they never
// depend on the number of threads or on who finished first.
#pragma once

#include <cstddef>
#include <functional>

#include "core/base/progress.h"

namespace equant {

/// Number of threads to use when the user asks for 0 ("all cores").
[[nodiscard]] unsigned resolveThreads(unsigned requested);

/// Calls `work(worker, index)` for every index in [0, count); `worker` < threads names the calling thread's slot,
/// so each may own scratch memory. Indices are handed out in order. Stops handing out when `stop` is requested.
/// The first exception thrown by `work` is rethrown here after all threads have ended.
void parallelFor(std::size_t count, unsigned threads, const std::stop_token& stop,
                 const std::function<void(unsigned worker, std::size_t index)>& work);

}  // namespace equant
