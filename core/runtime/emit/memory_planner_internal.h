// SPDX-License-Identifier: Apache-2.0
// Places buffers with known lifetimes into one arena so that buffers alive at the same time never overlap.
// Pure functions, any thread.
#pragma once

#include <cstddef>
#include <span>

namespace equant {

inline constexpr std::size_t kArenaAlignment = 64;

/// A piece of the arena, alive from step `first` to step `last` (inclusive).
struct ArenaBuffer {
    std::size_t sizeBytes = 0;
    std::size_t first = 0;
    std::size_t last = 0;
    std::size_t offset = 0;  ///< filled in by planMemory
};

/// Fills in ArenaBuffer::offset (multiples of 64) and returns the arena's size in bytes.
/// Greedy by size: the largest buffers first, each at the tightest gap among those alive at the same time.
/// Source: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020.
std::size_t planMemory(std::span<ArenaBuffer> buffers);

/// The most bytes that are alive at one step: no arena can be smaller.
[[nodiscard]] std::size_t mostAlive(std::span<const ArenaBuffer> buffers);

}  // namespace equant
