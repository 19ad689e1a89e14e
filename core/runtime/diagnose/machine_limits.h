// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most, measured: multiply-adds in registers and reading memory. Every speed of a model is
// a share of these. Takes about half a second on all requested threads; call it from one thread at a time.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/progress.h"
#include "core/base/result.h"

namespace equant {

struct MachineLimits {
    std::string instructions;  ///< what the peak was reached with: "AVX-512", "AVX2 FMA", "128-bit vectors"
    unsigned threads = 1;
    double peakGflops = 0;        ///< single-precision GFLOP/s of all threads together, a multiply-add counted as two
    double bandwidthGbs = 0;      ///< GB/s of reading memory, all threads together
    std::int64_t cacheBytes = 0;  ///< largest cache of a core, 0 where unknown
};

/// Measures `threads` threads at once (0: all cores; no more than there are cores). The best of many short repeats is
/// taken: whatever else the machine does can only make one slower. Peak: independent chains of fused multiply-adds in
/// registers, with the widest vectors that the processor has; bandwidth: reading a buffer that no cache holds.
/// OutOfMemory, Cancelled.
Result<MachineLimits> measureMachineLimits(unsigned threads, const JobContext& job = {});

}  // namespace equant
