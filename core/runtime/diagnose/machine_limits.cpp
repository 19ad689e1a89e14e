// SPDX-License-Identifier: Apache-2.0
#include "core/runtime/diagnose/machine_limits.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <ctime>
#include <functional>
#include <limits>
#include <new>
#include <span>
#include <thread>
#include <unistd.h>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/base/parallel.h"

namespace equant {
namespace {

using Clock = std::chrono::steady_clock;

/// Chains that do not wait for each other: four cycles of latency times two units need eight, 16 registers hold 14.
constexpr int kChains = 12;
constexpr std::int64_t kSteps = 300'000;
/// Rounds of about a millisecond: some of them are left alone by whatever else the machine does.
constexpr int kComputingRounds = 80;
/// The buffer is read part by part, several times over; when a part's turn comes again, no cache has it any more.
constexpr int kReadingRounds = 40;
constexpr std::size_t kParts = 8;
/// On a busy machine rounds wait for each other: no more than these, once that long has passed.
constexpr std::size_t kFewRounds = 10;
constexpr std::chrono::milliseconds kLongest{300};
/// Keeps every chain in the normal range for ever: x becomes 0.5 x + 0.5.
constexpr float kFactor = 0.5F;

struct Burst {
    const char* instructions = "";
    int lanes = 0;
    float (*run)(std::int64_t steps) = nullptr;

    [[nodiscard]] double flops() const { return 2.0 * lanes * kChains * double(kSteps); }
};

/// Four lanes in the terms of the compiler, for every processor.
float burstPlain(std::int64_t steps) {
    using Four [[gnu::vector_size(16)]] = float;
    Four sums[kChains];
    for (int i = 0; i < kChains; ++i) sums[i] = Four{} + float(i);
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
        for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * kFactor + kFactor;
    }
    float total = 0;
    for (const Four& sum : sums) total += sum[0];
    return total;
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] float burstAvx2(std::int64_t steps) {
    const __m256 factor = _mm256_set1_ps(kFactor);
    __m256 sums[kChains];
    for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_ps(float(i));
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
        for (int i = 0; i < kChains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], factor, factor);
    }
    float total = 0;
    for (const __m256& sum : sums) total += _mm256_cvtss_f32(sum);
    return total;
}

[[gnu::target("avx512f")]] float burstAvx512(std::int64_t steps) {
    const __m512 factor = _mm512_set1_ps(kFactor);
    __m512 sums[kChains];
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(float(i));
    for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
        for (int i = 0; i < kChains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], factor, factor);
    }
    float total = 0;
    for (const __m512& sum : sums) total += _mm512_cvtss_f32(sum);
    return total;
}
#endif

Burst widestBurst() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return {"AVX-512", 16, burstAvx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"AVX2 FMA", 8, burstAvx2};
#endif
    return {"128-bit vectors", 4, burstPlain};
}

/// Where results go, so that no compiler may leave the work out.
template <typename T>
void keep(T value) {
    [[maybe_unused]] volatile T sink = value;
}

/// Several sums, so that reading never waits for adding.
std::uint64_t readAll(std::span<const std::uint64_t> words) {
    constexpr std::size_t kSums = 16;
    std::uint64_t sums[kSums] = {};
    for (std::size_t at = 0; at + kSums <= words.size(); at += kSums)
        for (std::size_t i = 0; i < kSums; ++i) sums[i] += words[at + i];
    std::uint64_t total = 0;
    for (const auto sum : sums) total += sum;
    return total;
}

double threadSeconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

using Round = std::function<void(unsigned worker, std::size_t round)>;

/// Seconds of the fastest of `count` rounds, in each of which every thread calls `work` once, all at the same time.
double fastestRound(unsigned threads, std::size_t count, const std::stop_token& stop, const Round& work) {
    std::vector<Clock::time_point> marks;
    marks.reserve(count + 1);
    bool isOver = false;  // written between rounds only, while all threads wait
    std::barrier gate(std::ptrdiff_t(threads), [&]() noexcept {
        marks.push_back(Clock::now());
        const bool isLong = marks.size() > kFewRounds && marks.back() - marks.front() > kLongest;
        isOver = marks.size() > count || isLong || stop.stop_requested();
    });
    const auto rounds = [&](unsigned worker) {
        gate.arrive_and_wait();
        for (std::size_t round = 0; !isOver; ++round) {
            work(worker, round);
            gate.arrive_and_wait();
        }
    };
    {
        std::vector<std::jthread> others;
        for (unsigned worker = 1; worker < threads; ++worker) others.emplace_back(rounds, worker);
        rounds(0);
    }
    auto fastest = Clock::duration::max();
    for (std::size_t i = 1; i < marks.size(); ++i) fastest = std::min(fastest, marks[i] - marks[i - 1]);
    return std::chrono::duration<double>(fastest).count();
}

std::int64_t largestCache() {
#if defined(_SC_LEVEL3_CACHE_SIZE)
    return std::max(
        {std::int64_t{0}, std::int64_t{sysconf(_SC_LEVEL3_CACHE_SIZE)}, std::int64_t{sysconf(_SC_LEVEL2_CACHE_SIZE)}});
#else
    return 0;
#endif
}

/// Four times the largest cache, and more than the caches of single cores where there are many.
std::size_t bufferWords(unsigned threads, std::int64_t cacheBytes) {
    constexpr std::int64_t kMiB = std::int64_t{1} << 20;
    const auto bytes = std::clamp(std::max(4 * cacheBytes, 8 * kMiB * threads), 64 * kMiB, 1024 * kMiB);
    return static_cast<std::size_t>(bytes) / sizeof(std::uint64_t);
}

}  // namespace

Result<MachineLimits> measureMachineLimits(unsigned threads, const JobContext& job) {
    const Burst burst = widestBurst();
    MachineLimits limits;
    limits.instructions = burst.instructions;
    limits.threads = std::min(resolveThreads(threads), resolveThreads(0));
    limits.cacheBytes = largestCache();
    try {
        // In each thread's own time: arithmetic does not care when the thread had to wait for its processor.
        std::vector<double> computing(limits.threads, std::numeric_limits<double>::infinity());
        fastestRound(limits.threads, kComputingRounds, job.stop, [&](unsigned worker, std::size_t) {
            const double start = threadSeconds();
            keep(burst.run(kSteps));
            computing[worker] = std::min(computing[worker], threadSeconds() - start);
        });
        if (job.stopped()) return cancelled();
        const std::vector<std::uint64_t> buffer(bufferWords(limits.threads, limits.cacheBytes), 1);
        const std::size_t slice = buffer.size() / kParts / limits.threads;
        const auto read = [&](unsigned worker, std::size_t round) {
            keep(readAll(std::span(buffer).subspan((round % kParts * limits.threads + worker) * slice, slice)));
        };
        const double reading = fastestRound(limits.threads, kReadingRounds, job.stop, read);
        if (job.stopped()) return cancelled();
        for (const double seconds : computing) limits.peakGflops += burst.flops() / seconds * 1e-9;
        limits.bandwidthGbs = double(slice * sizeof(std::uint64_t)) * limits.threads / reading * 1e-9;
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "There is not enough memory to measure its speed.");
    }
    return limits;
}

}  // namespace equant
