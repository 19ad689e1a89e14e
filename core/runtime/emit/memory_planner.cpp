// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "core/runtime/emit/memory_planner_internal.h"

namespace equant {
namespace {

std::size_t aligned(std::size_t bytes) {
    return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

bool overlapInTime(const ArenaBuffer& a, const ArenaBuffer& b) {
    return a.first <= b.last && b.first <= a.last;
}

}  // namespace

std::size_t planMemory(std::span<ArenaBuffer> buffers) {
    std::vector<std::size_t> bySize(buffers.size());
    std::iota(bySize.begin(), bySize.end(), std::size_t{0});
    std::stable_sort(bySize.begin(), bySize.end(),
                     [&](std::size_t a, std::size_t b) { return buffers[a].sizeBytes > buffers[b].sizeBytes; });

    std::vector<std::size_t> placed;  // sorted by offset
    std::size_t total = 0;
    for (const std::size_t index : bySize) {
        ArenaBuffer& buffer = buffers[index];
        const std::size_t size = aligned(buffer.sizeBytes);
        std::size_t end = 0;  // end of the occupied prefix seen so far
        std::size_t best = std::numeric_limits<std::size_t>::max();
        std::size_t bestGap = std::numeric_limits<std::size_t>::max();
        for (const std::size_t other : placed) {
            if (!overlapInTime(buffer, buffers[other])) continue;
            if (buffers[other].offset >= end + size && buffers[other].offset - end < bestGap) {
                best = end;
                bestGap = buffers[other].offset - end;
            }
            end = std::max(end, buffers[other].offset + aligned(buffers[other].sizeBytes));
        }
        buffer.offset = best == std::numeric_limits<std::size_t>::max() ? end : best;
        total = std::max(total, buffer.offset + size);
        const auto position = std::upper_bound(placed.begin(), placed.end(), index, [&](std::size_t a, std::size_t b) {
            return buffers[a].offset < buffers[b].offset;
        });
        placed.insert(position, index);
    }
    return total;
}

std::size_t mostAlive(std::span<const ArenaBuffer> buffers) {
    struct Change {
        std::size_t begins = 0, ends = 0;  ///< bytes
    };
    std::map<std::size_t, Change> changes;  // by step
    for (const ArenaBuffer& buffer : buffers) {
        changes[buffer.first].begins += buffer.sizeBytes;
        changes[buffer.last + 1].ends += buffer.sizeBytes;
    }
    std::size_t alive = 0, most = 0;
    for (const auto& [step, change] : changes) {
        alive = alive + change.begins - change.ends;
        most = std::max(most, alive);
    }
    return most;
}

}  // namespace equant
